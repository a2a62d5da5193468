package io.mambaspark.jobs.job;

import io.mambaspark.jobs.stats.Totals;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The perplexities of a set of rows. Each is null if it is unknown.
 *
 * @param error one standard error of {@code corpus}
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
    // Chunked windows score only half of each text, so its word and byte counts do not apply.
    boolean completeTexts = !request.isChunked();
    return new ShownPerplexities(
        totals.perplexities().corpus(),
        request.isChunked()
            ? totals.perplexities().errorOverTokens()
            : totals.perplexities().errorOverDocuments(),
        totals.perplexities().meanOfDocuments(),
        completeTexts ? totals.perplexities().perWord() : null,
        completeTexts ? totals.perplexities().perByte() : null,
        completeTexts ? totals.perplexities().bitsPerByte() : null);
  }

  /** Returns the perplexities by their names in a summary. */
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
