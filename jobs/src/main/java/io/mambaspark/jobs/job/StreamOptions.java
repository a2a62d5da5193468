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
 * The options of a stream, which scores the files of a folder or the rows of a table as they
 * arrive.
 *
 * @param when {@value Options#AVAILABLE_NOW}, or the interval between two listings of the folder
 * @param checkpointLocation the folder of Spark's checkpoint; null for a folder in the output's
 *     ledger
 * @param maxFilesPerBatch the maximum number of files of a batch; 0 for a multiple of the cores
 */
public record StreamOptions(String when, String checkpointLocation, int maxFilesPerBatch) {
  /** Options that a stream cannot support. */
  private static final List<Option<?>> UNSUPPORTED =
      List.of(
          Options.PARTITIONS,
          Options.LIMIT,
          Options.TARGET_UNIT_TOKENS,
          Options.OVERWRITE,
          Options.DRY_RUN,
          Options.GROUP_BY,
          Options.BUCKET,
          Options.REPORT);

  /** Validates {@code when}. */
  public StreamOptions {
    if (!when.equals(Options.AVAILABLE_NOW) && !when.matches("[1-9]\\d{0,8}(ms|s|m|min|h|d)")) {
      throw Refusal.wrongUsage(
          "--stream %s: expected %s, or an interval such as 30s, 5m or 1h",
          when, Options.AVAILABLE_NOW);
    }
  }

  Trigger trigger() {
    return when.equals(Options.AVAILABLE_NOW)
        ? Trigger.AvailableNow()
        : Trigger.ProcessingTime(JavaUtils.timeStringAsMs(when));
  }

  /**
   * Reads the options from the values of a command. Returns empty without {@code --stream}.
   *
   * @throws Refusal if options need {@code --stream} but it is not given, or if a stream does not
   *     support an option
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
    if (values.isGiven(Options.OUTPUT_TABLE) && !values.isGiven(Options.CHECKPOINT_LOCATION)) {
      throw Refusal.wrongUsage(
          "--stream with --output-table needs --checkpoint-location: the folder in which Spark"
              + " records what it has read");
    }
    if (input.table() == null) {
      checkFolder(input);
    }
    if (values.isGiven(Options.RESUME)) {
      throw Refusal.wrongUsage(
          "--resume cannot be combined with --stream: a restarted stream continues without it");
    }
    for (Option<?> option : UNSUPPORTED) {
      if (values.isGiven(option)) {
        throw Refusal.wrongUsage(
            "%s cannot be combined with --stream: a stream's input has no end, and its output is"
                + " never rewritten",
            option.flag());
      }
    }
  }

  private static void checkFolder(InputOptions input) {
    if (input.isDemo() || input.paths().size() != 1) {
      throw Refusal.wrongUsage(
          "--stream watches one folder or one table; expected one --input, a folder or a glob, or"
              + " --input-table, found %s",
          String.join(" ", input.paths()));
    }
    if (!OutputOptions.FORMATS.contains(input.format())) {
      throw Refusal.wrongUsage(
          "--stream does not support --input-format %s; expected one of %s",
          input.format(), String.join(", ", OutputOptions.FORMATS));
    }
    if (input.options().isMultiLine()) {
      throw Refusal.wrongUsage(
          "--stream cannot be combined with --input-option multiLine=true: it reads one JSON object"
              + " a line; write each object on one line: jq -c . FILE");
    }
  }
}
