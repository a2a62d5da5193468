package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentOptions;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.io.OutputOptions;
import io.mambaspark.jobs.model.ModelOptions;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.TokenOptions;
import java.util.List;

/**
 * What {@code compare} is to do.
 *
 * @param input which rows
 * @param models the two models
 * @param documents which columns are used
 * @param tokens which tokens are run
 * @param output written where
 * @param groupBy kept columns whose values part the corpus into groups; empty for none
 * @param values all options, as they were decided
 */
public record CompareRequest(
    InputOptions input,
    List<ModelOptions> models,
    DocumentOptions documents,
    TokenOptions tokens,
    OutputOptions output,
    List<String> groupBy,
    OptionValues values) {

  /**
   * Checks what can be checked without touching a file.
   *
   * @throws Refusal if options contradict each other
   */
  public static CompareRequest of(OptionValues given) {
    List<String> models = given.get(Options.MODELS);
    if (models.size() != 2) {
      throw Refusal.wrongUsage("Give --model twice; found %d", models.size());
    }
    DocumentOptions documents = DocumentOptions.of(given);
    TokenOptions tokens = TokenOptions.of(given);
    List<String> groupBy = CorpusOptions.groupBy(given);
    InputOptions input = InputOptions.of(given);
    OutputOptions output = OutputOptions.of(given);
    documents.checkTokenizer(given.get(Options.TOKENIZER));
    return new CompareRequest(
        input,
        models.stream().map(model -> ModelOptions.of(model, given)).toList(),
        documents,
        tokens,
        output,
        groupBy,
        documents.settle(given.with(Options.INPUT_FORMAT, input.format())));
  }
}
