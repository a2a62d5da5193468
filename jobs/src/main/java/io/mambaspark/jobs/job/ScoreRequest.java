package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.io.OutputOptions;
import io.mambaspark.jobs.io.SparkOptions;
import io.mambaspark.jobs.io.TableOptions;
import io.mambaspark.jobs.model.ModelOptions;
import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.units.UnitOptions;
import java.util.List;
import java.util.Optional;

/**
 * A request of the command {@code score}.
 *
 * @param input selects the input rows
 * @param model selects the model
 * @param scores the options for scoring rows
 * @param output the place and the format of the output folder; may be empty for the demo, a dry
 *     run, and if there is an output table
 * @param table the output table
 * @param units the options for units of work
 * @param corpus the options for groups, buckets and the report
 * @param dryRun whether the job only prints its plan
 * @param values all options, with defaults and inferred values filled in
 */
public record ScoreRequest(
    InputOptions input,
    ModelOptions model,
    ScoreOptions scores,
    Optional<OutputOptions> output,
    Optional<TableOptions> table,
    UnitOptions units,
    CorpusOptions corpus,
    boolean dryRun,
    OptionValues values) {

  /**
   * Builds a request from options and validates it, without accessing any file.
   *
   * @throws Refusal if options contradict each other
   */
  public static ScoreRequest of(OptionValues given) {
    ScoreOptions scores = ScoreOptions.of(given);
    CorpusOptions corpus = CorpusOptions.of(given);
    InputOptions input = InputOptions.of(given);
    boolean dryRun = given.get(Options.DRY_RUN);
    Optional<TableOptions> table = TableOptions.of(given);
    ScoreRequest request =
        new ScoreRequest(
            input,
            ModelOptions.of(given.get(Options.MODEL), given),
            scores,
            table.isPresent() ? Optional.empty() : output(given, input.isDemo() || dryRun),
            table,
            UnitOptions.of(given),
            corpus,
            dryRun,
            corpus.normalize(scores.normalize(input.normalize(shownOutput(given, table)))));
    request.check();
    return request;
  }

  private static Optional<OutputOptions> output(OptionValues given, boolean optional) {
    OutputOptions.checkFormat(given);
    if (given.isGiven(Options.OUTPUT) || !optional) {
      return Optional.of(OutputOptions.of(given));
    }
    for (Option<?> option : List.of(Options.OVERWRITE, Options.RESUME, Options.OUTPUT_OPTION)) {
      if (given.isGiven(option)) {
        throw Refusal.wrongUsage("%s needs --output", option.flag());
      }
    }
    return Optional.empty();
  }

  private static OptionValues shownOutput(OptionValues given, Optional<TableOptions> table) {
    if (table.isPresent()) {
      return table.get().normalize(given);
    }
    return given.isGiven(Options.OUTPUT) ? OutputOptions.of(given).normalize(given) : given;
  }

  private void check() {
    if (output.isEmpty() && table.isEmpty() && !dryRun && scores.emit().logits()) {
      throw Refusal.wrongUsage("--emit logits needs --output: logits are too large for memory");
    }
    if (units.allowNewInput() && !resumes()) {
      throw Refusal.wrongUsage("--allow-new-input needs --resume");
    }
    scores.documents().checkTokenizer(model.tokenizer());
    corpus.check(scores.emit());
    checkOneFilePerUnit();
    if ((resumes() || units.targetTokens() > 0) && !byUnits()) {
      throw Refusal.wrongUsage(
          "%s needs a job that can be cut into units: Parquet files as input, Parquet as output,"
              + " and neither --limit nor --partitions",
          resumes() ? "--resume" : "--target-unit-tokens");
    }
  }

  private void checkOneFilePerUnit() {
    if (byUnits() && output.filter(to -> to.options().has(SparkOptions.MAX_RECORDS)).isPresent()) {
      throw Refusal.wrongUsage(
          "--output-option %s cannot be set: each unit is written to one file; use"
              + " --target-unit-tokens",
          SparkOptions.MAX_RECORDS);
    }
  }

  private boolean resumes() {
    return output.isPresent() && output.get().resume();
  }

  /** Whether the job can be cut into units: it reads complete Parquet files and writes Parquet. */
  boolean byUnits() {
    return !input.isDemo()
        && input.table() == null
        && input.format().equals("parquet")
        && table.isEmpty()
        && values.get(Options.OUTPUT_FORMAT).equals("parquet")
        && input.limit() == 0
        && input.partitions() == 0;
  }

  /** Returns a copy of the request with other options for scoring. */
  ScoreRequest with(ScoreOptions other) {
    return new ScoreRequest(
        input, model, other, output, table, units, corpus, dryRun, other.normalize(values));
  }
}
