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
 * A request of the command {@code compare}.
 *
 * @param input selects the input rows
 * @param models the two models
 * @param documents selects the columns of a document and the kept columns
 * @param tokens the prefix token and the maximum number of tokens
 * @param output the place and the format of the output
 * @param crossEntropy whether the cross-entropy and Binoculars' score are written
 * @param groupBy kept columns whose values divide the corpus into groups; empty for no groups
 * @param values all options, with defaults and inferred values filled in
 */
public record CompareRequest(
    InputOptions input,
    List<ModelOptions> models,
    DocumentOptions documents,
    TokenOptions tokens,
    OutputOptions output,
    boolean crossEntropy,
    List<String> groupBy,
    OptionValues values) {

  /**
   * Builds a request from options and validates it, without accessing any file.
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
    documents.checkSpecialTokens(tokens.addSpecialTokens());
    return new CompareRequest(
        input,
        ModelOptions.ofEach(models, given),
        documents,
        tokens,
        output,
        emitsCrossEntropy(given.get(Options.COMPARE_EMIT)),
        groupBy,
        output.normalize(input.normalize(documents.normalize(given))));
  }

  private static boolean emitsCrossEntropy(String value) {
    if (value != null && !value.equals("cross-entropy")) {
      throw Refusal.wrongUsage(
          "--emit %s: expected cross-entropy, the only value of compare", value);
    }
    return value != null;
  }
}
