package io.mambaspark.jobs.job;

import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.DocumentOptions;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.io.OutputOptions;
import io.mambaspark.jobs.io.TableOptions;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.util.Optional;

/**
 * A request of the command {@code tokenize}.
 *
 * @param input selects the input rows
 * @param documents selects the text column and the kept columns
 * @param tokenizer a tokenizer file, its folder, or {@code demo}
 * @param addSpecialTokens whether the tokenizer's template is applied to each text
 * @param output the place and the format of the output folder; empty if there is an output table
 * @param table the output table
 * @param values all options
 */
public record TokenizeRequest(
    InputOptions input,
    DocumentOptions documents,
    String tokenizer,
    boolean addSpecialTokens,
    Optional<OutputOptions> output,
    Optional<TableOptions> table,
    OptionValues values) {

  /**
   * Builds a request from options and validates it, without accessing any file.
   *
   * @throws io.mambaspark.jobs.Refusal if options contradict each other
   */
  public static TokenizeRequest of(OptionValues given) {
    Optional<TableOptions> table = TableOptions.of(given);
    return new TokenizeRequest(
        InputOptions.of(given),
        new DocumentOptions(
            DocumentColumns.text(given.get(Options.TOKENIZED_COLUMN)),
            given.get(Options.KEEP_COLUMNS)),
        given.get(Options.TOKENIZER),
        given.get(Options.ADD_SPECIAL_TOKENS),
        table.isPresent() ? Optional.empty() : Optional.of(OutputOptions.of(given)),
        table,
        given);
  }
}
