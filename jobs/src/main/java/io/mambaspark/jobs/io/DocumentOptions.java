package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.Demo;
import java.util.List;

/**
 * The options that name the columns of the input.
 *
 * @param columns the columns that hold a document
 * @param kept the columns to copy to the output; null for all columns except token and count
 *     columns
 */
public record DocumentOptions(DocumentColumns columns, List<String> kept) {
  /** Copies the list. */
  public DocumentOptions {
    kept = kept == null ? null : List.copyOf(kept);
  }

  /** Reads these options from the values of a command; the default column depends on the input. */
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

  /**
   * Refuses a tokenizer if the documents are token ids.
   *
   * @param tokenizer null if the command names none
   */
  public void checkTokenizer(String tokenizer) {
    if (tokenizer != null && columns.tokens() != null) {
      throw Refusal.wrongUsage(
          "--tokenizer requires text; give --text-column, or a context and continuation of text");
    }
  }

  /**
   * Refuses special tokens if the documents are token ids.
   *
   * @param added whether special tokens are added to texts
   */
  public void checkSpecialTokens(boolean added) {
    if (added && columns.tokens() != null) {
      throw Refusal.wrongUsage(
          "--add-special-tokens requires text; give --text-column, or a context and continuation"
              + " of text");
    }
  }

  /** Returns the values with the default document column filled in. */
  public OptionValues normalize(OptionValues values) {
    return values
        .with(Options.TOKENS_COLUMN, columns.tokens())
        .with(Options.TEXT_COLUMN, columns.text());
  }
}
