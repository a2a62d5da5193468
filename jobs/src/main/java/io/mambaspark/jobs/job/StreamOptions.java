package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.io.OutputOptions;
import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.util.List;
import java.util.Optional;
import org.apache.spark.network.util.JavaUtils;
import org.apache.spark.sql.streaming.Trigger;

/**
 * How a folder is scored whose files come in time.
 *
 * @param when {@value Options#AVAILABLE_NOW}, or the time from one look at the folder to the next
 * @param checkpointLocation where Spark keeps what it has taken; null for the output's ledger
 * @param maxFilesPerBatch 0 for what suits the cores
 */
public record StreamOptions(String when, String checkpointLocation, int maxFilesPerBatch) {
  /** Options of jobs that end, and write what may be replaced. */
  private static final List<Option<?>> OF_BATCHES =
      List.of(
          Options.PARTITIONS,
          Options.LIMIT,
          Options.TARGET_UNIT_TOKENS,
          Options.OVERWRITE,
          Options.DRY_RUN,
          Options.GROUP_BY,
          Options.BUCKET,
          Options.REPORT);

  /** Checks what can be checked without touching a file. */
  public StreamOptions {
    if (!when.equals(Options.AVAILABLE_NOW) && !when.matches("[1-9]\\d{0,8}(ms|s|m|min|h|d)")) {
      throw Refusal.wrongUsage(
          "--stream %s: expected %s, or a time such as 30s, 5m or 1h", when, Options.AVAILABLE_NOW);
    }
  }

  Trigger trigger() {
    return when.equals(Options.AVAILABLE_NOW)
        ? Trigger.AvailableNow()
        : Trigger.ProcessingTime(JavaUtils.timeStringAsMs(when));
  }

  /**
   * Reads these options from the values of a command; empty without {@code --stream}.
   *
   * @throws Refusal if options are given that need a stream, or that a stream cannot follow
   */
  public static Optional<StreamOptions> of(OptionValues values, InputOptions input) {
    if (!values.isGiven(Options.STREAM)) {
      for (Option<?> option : List.of(Options.CHECKPOINT_LOCATION, Options.MAX_FILES_PER_BATCH)) {
        if (values.isGiven(option)) {
          throw Refusal.wrongUsage("%s needs --stream", option.flag());
        }
      }
      return Optional.empty();
    }
    StreamOptions stream =
        new StreamOptions(
            values.get(Options.STREAM),
            values.get(Options.CHECKPOINT_LOCATION),
            values.count(Options.MAX_FILES_PER_BATCH));
    check(values, input);
    return Optional.of(stream);
  }

  private static void check(OptionValues values, InputOptions input) {
    if (input.isDemo() || input.table() != null || input.paths().size() > 1) {
      throw Refusal.wrongUsage(
          "--stream watches a folder; give one --input, a path or a glob, found %s",
          input.table() != null
              ? "--input-table " + input.table()
              : String.join(" ", input.paths()));
    }
    if (!OutputOptions.FORMATS.contains(input.format())) {
      throw Refusal.wrongUsage(
          "--stream with --input-format %s: expected one of %s",
          input.format(), String.join(", ", OutputOptions.FORMATS));
    }
    if (values.isGiven(Options.RESUME)) {
      throw Refusal.wrongUsage(
          "--resume does not go with --stream: started again, a stream goes on by itself");
    }
    for (Option<?> option : OF_BATCHES) {
      if (values.isGiven(option)) {
        throw Refusal.wrongUsage(
            "%s does not go with --stream, which has no end and keeps what it has written",
            option.flag());
      }
    }
  }
}
