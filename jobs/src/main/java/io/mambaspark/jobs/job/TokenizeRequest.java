package io.mambaspark.jobs.job;

import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.DocumentOptions;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.io.OutputOptions;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;

/**
 * What {@code tokenize} is to do.
 *
 * @param input which rows
 * @param documents which columns are used
 * @param tokenizer a file or the folder that holds it, or {@code demo}
 * @param output written where
 */
public record TokenizeRequest(
    InputOptions input, DocumentOptions documents, String tokenizer, OutputOptions output) {

  /**
   * Checks what can be checked without touching a file.
   *
   * @throws io.mambaspark.jobs.Refusal if options contradict each other
   */
  public static TokenizeRequest of(OptionValues given) {
    return new TokenizeRequest(
        InputOptions.of(given),
        new DocumentOptions(
            DocumentColumns.text(given.get(Options.TOKENIZED_COLUMN)),
            given.get(Options.KEEP_COLUMNS)),
        given.get(Options.TOKENIZER),
        OutputOptions.of(given));
  }
}
