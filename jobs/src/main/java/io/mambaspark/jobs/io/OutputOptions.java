package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.util.List;

/**
 * Where a command writes.
 *
 * @param path a folder
 * @param format parquet, json or orc
 * @param overwrite whether an existing output is replaced
 * @param resume whether to go on where an earlier start of the same job has stopped
 */
public record OutputOptions(String path, String format, boolean overwrite, boolean resume) {
  /** The formats that are written, which streams read, too. */
  public static final List<String> FORMATS = List.of("parquet", "json", "orc");

  /**
   * Reads these options from the values of a command.
   *
   * @throws Refusal if there is no path, or the format is none that is written
   */
  public static OutputOptions of(OptionValues values) {
    checkFormat(values);
    String path = values.get(Options.OUTPUT);
    if (path == null) {
      throw Refusal.wrongUsage("Give --output: where to write");
    }
    return new OutputOptions(
        path,
        values.get(Options.OUTPUT_FORMAT),
        values.get(Options.OVERWRITE),
        values.get(Options.RESUME));
  }

  /** Refuses a format that is not written. */
  public static void checkFormat(OptionValues values) {
    String format = values.get(Options.OUTPUT_FORMAT);
    if (!FORMATS.contains(format)) {
      throw Refusal.wrongUsage(
          "--output-format %s: expected one of %s", format, String.join(", ", FORMATS));
    }
  }
}
