package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.io.OutputOptions;
import io.mambaspark.jobs.model.ModelOptions;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.units.UnitOptions;
import java.util.Optional;

/**
 * What {@code score} is to do.
 *
 * @param input which rows
 * @param model which model
 * @param scores scored how
 * @param output written where; only the demo and a dry run need none
 * @param units cut how
 * @param corpus what is made of all scores
 * @param dryRun whether only the plan is printed
 * @param values all options, as they were decided
 */
public record ScoreRequest(
    InputOptions input,
    ModelOptions model,
    ScoreOptions scores,
    Optional<OutputOptions> output,
    UnitOptions units,
    CorpusOptions corpus,
    boolean dryRun,
    OptionValues values) {

  /**
   * Checks what can be checked without touching a file.
   *
   * @throws Refusal if options contradict each other
   */
  public static ScoreRequest of(OptionValues given) {
    ScoreOptions scores = ScoreOptions.of(given);
    CorpusOptions corpus = CorpusOptions.of(given);
    InputOptions input = InputOptions.of(given);
    boolean dryRun = given.get(Options.DRY_RUN);
    ScoreRequest request =
        new ScoreRequest(
            input,
            ModelOptions.of(given.get(Options.MODEL), given),
            scores,
            output(given, input.isDemo() || dryRun),
            UnitOptions.of(given),
            corpus,
            dryRun,
            corpus.settle(scores.settle(given.with(Options.INPUT_FORMAT, input.format()))));
    request.check();
    return request;
  }

  private static Optional<OutputOptions> output(OptionValues given, boolean optional) {
    OutputOptions.checkFormat(given);
    if (given.isGiven(Options.OUTPUT) || !optional) {
      return Optional.of(OutputOptions.of(given));
    }
    if (given.get(Options.OVERWRITE) || given.get(Options.RESUME)) {
      throw Refusal.wrongUsage(
          "%s needs --output", given.get(Options.OVERWRITE) ? "--overwrite" : "--resume");
    }
    return Optional.empty();
  }

  private void check() {
    if (output.isEmpty() && !dryRun && scores.emit().logits()) {
      throw Refusal.wrongUsage("--emit logits needs --output: it is too much to hold in memory");
    }
    if (units.allowNewInput() && !resumes()) {
      throw Refusal.wrongUsage("--allow-new-input needs --resume");
    }
    scores.documents().checkTokenizer(model.tokenizer());
    corpus.check(scores.emit());
    if ((resumes() || units.targetTokens() > 0) && !byUnits()) {
      throw Refusal.wrongUsage(
          "%s needs work that can be cut into units: Parquet files as input and Parquet as output,"
              + " without --limit and --partitions",
          resumes() ? "--resume" : "--target-unit-tokens");
    }
  }

  private boolean resumes() {
    return output.isPresent() && output.get().resume();
  }

  /** Whether the job reads and writes what can be cut into units. */
  boolean byUnits() {
    return !input.isDemo()
        && input.table() == null
        && input.format().equals("parquet")
        && values.get(Options.OUTPUT_FORMAT).equals("parquet")
        && input.limit() == 0
        && input.partitions() == 0;
  }

  /** The same with other scores. */
  ScoreRequest with(ScoreOptions other) {
    return new ScoreRequest(
        input, model, other, output, units, corpus, dryRun, other.settle(values));
  }
}
