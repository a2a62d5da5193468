package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.Demo;
import java.util.List;

/**
 * Which columns of the input are used.
 *
 * @param columns what a document is read from
 * @param kept the columns to carry over; null for all but those of tokens and counts
 */
public record DocumentOptions(DocumentColumns columns, List<String> kept) {
  /** Copies the list. */
  public DocumentOptions {
    kept = kept == null ? null : List.copyOf(kept);
  }

  /** Reads these options from the values of a command; the default depends on the input. */
  public static DocumentOptions of(OptionValues values) {
    String tokens = values.get(Options.TOKENS_COLUMN);
    String text = values.get(Options.TEXT_COLUMN);
    String context = values.get(Options.CONTEXT_COLUMN);
    boolean none = tokens == null && text == null && context == null;
    boolean demo = none && values.get(Options.INPUT).contains(Demo.NAME);
    return new DocumentOptions(
        new DocumentColumns(
            none && !demo ? DocumentColumns.TOKENS : tokens,
            demo ? DemoCorpus.COLUMNS.text() : text,
            context,
            values.get(Options.CONTINUATION_COLUMN),
            values.get(Options.BYTE_COUNT_COLUMN),
            values.get(Options.WORD_COUNT_COLUMN)),
        values.get(Options.KEEP_COLUMNS));
  }

  /** Refuses a tokenizer that is named for documents of tokens; it may be null. */
  public void checkTokenizer(String tokenizer) {
    if (tokenizer != null && columns.tokens() != null) {
      throw Refusal.wrongUsage("--tokenizer needs texts: --text-column, or a context of text");
    }
  }

  /** The values with the columns that were found. */
  public OptionValues settle(OptionValues values) {
    return values
        .with(Options.TOKENS_COLUMN, columns.tokens())
        .with(Options.TEXT_COLUMN, columns.text());
  }
}
