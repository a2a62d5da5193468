package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.util.List;
import java.util.Map;

/**
 * The options for the output of a command.
 *
 * @param path a folder
 * @param format parquet, json or orc
 * @param options the options of Spark's writer
 * @param overwrite whether to replace an existing output
 * @param resume whether to continue an earlier start of the same job where it stopped
 */
public record OutputOptions(
    String path, String format, SparkOptions options, boolean overwrite, boolean resume) {
  /** The formats that a command can write. A stream reads the same formats. */
  public static final List<String> FORMATS = List.of("parquet", "json", "orc");

  /**
   * Reads the options from the values of a command.
   *
   * @throws Refusal if there is no path, or the format is not one of {@link #FORMATS}
   */
  public static OutputOptions of(OptionValues values) {
    checkFormat(values);
    String path = values.get(Options.OUTPUT);
    if (path == null) {
      throw Refusal.wrongUsage("Give --output: the output folder");
    }
    return new OutputOptions(
        path,
        values.get(Options.OUTPUT_FORMAT),
        SparkOptions.ofOutput(values, values.get(Options.OUTPUT_FORMAT)),
        values.get(Options.OVERWRITE),
        values.get(Options.RESUME));
  }

  /** Returns all options of the writer: those of the user, and this project's defaults. */
  public Map<String, String> ofWriter() {
    return options
        // Write nulls: otherwise a JSON file without errors has no error column.
        .withDefault("ignoreNullFields", false)
        .withDefault("parquet.block.size", Output.ROW_GROUP_BYTES)
        .values();
  }

  /** Returns the values with the options as summaries show them. */
  public OptionValues normalize(OptionValues values) {
    return values.with(Options.OUTPUT_OPTION, options.shown());
  }

  /** Refuses a format that is not one of {@link #FORMATS}. */
  public static void checkFormat(OptionValues values) {
    String format = values.get(Options.OUTPUT_FORMAT);
    if (!FORMATS.contains(format)) {
      throw Refusal.wrongUsage(
          "--output-format %s: expected one of %s", format, String.join(", ", FORMATS));
    }
  }
}
