package io.mambaspark.jobs.job;

import io.mambaspark.jobs.stats.Totals;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The perplexities of a set of rows, each null where it is not known.
 *
 * @param error of {@code corpus}, one standard error
 */
record ShownPerplexities(
    Double corpus, Double error, Double meanDocument, Double word, Double perByte, Double bits) {
  private static final ShownPerplexities NONE =
      new ShownPerplexities(null, null, null, null, null, null);

  static final String CORPUS = "corpus_perplexity";
  static final String ERROR = "corpus_perplexity_error";

  static ShownPerplexities of(Totals totals, SummaryRequest request) {
    if (!request.emit().nll()) {
      return NONE;
    }
    // Chunked windows leave out half of each text, so that its words and bytes are too many.
    boolean wholeTexts = !request.isChunked();
    return new ShownPerplexities(
        totals.perplexities().corpus(),
        request.isChunked()
            ? totals.perplexities().errorOverTokens()
            : totals.perplexities().errorOverDocuments(),
        totals.perplexities().meanOfDocuments(),
        wholeTexts ? totals.perplexities().perWord() : null,
        wholeTexts ? totals.perplexities().perByte() : null,
        wholeTexts ? totals.perplexities().bitsPerByte() : null);
  }

  /** All of them, by their names in a summary. */
  Map<String, Double> byName() {
    Map<String, Double> byName = new LinkedHashMap<>();
    byName.put(CORPUS, corpus);
    byName.put(ERROR, error);
    byName.put("mean_document_perplexity", meanDocument);
    byName.put("word_perplexity", word);
    byName.put("byte_perplexity", perByte);
    byName.put("bits_per_byte", bits);
    return byName;
  }
}
