package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.Demo;
import java.util.List;
import java.util.Locale;

/**
 * Which rows a command reads.
 *
 * @param paths files, folders or globs, or the single word {@code demo}; empty if {@code table} is
 *     given
 * @param format a Spark data source
 * @param table of the catalog, instead of {@code paths}; may be null
 * @param partitions 0 for as many as the input has
 * @param limit first rows of the input; 0 for all
 */
public record InputOptions(
    List<String> paths, String format, String table, int partitions, int limit) {

  /** Checks what can be checked without touching a file. */
  public InputOptions {
    paths = List.copyOf(paths);
    // Spark does not mind capitals in the names of its sources; names of classes have them.
    String lowerCase = format.toLowerCase(Locale.ROOT);
    format = Input.FILE_FORMATS.contains(lowerCase) ? lowerCase : format;
    if (paths.isEmpty() == (table == null)) {
      throw Refusal.wrongUsage(
          paths.isEmpty()
              ? "Give --input or --input-table"
              : "Give either --input or --input-table, not both");
    }
    if (paths.size() > 1 && paths.contains(Demo.NAME)) {
      throw Refusal.wrongUsage("--input demo stands alone");
    }
  }

  /** Reads these options from the values of a command. */
  public static InputOptions of(OptionValues values) {
    return new InputOptions(
        values.get(Options.INPUT),
        values.get(Options.INPUT_FORMAT),
        values.get(Options.INPUT_TABLE),
        values.count(Options.PARTITIONS),
        values.count(Options.LIMIT));
  }

  /** Whether the rows are those inside the jar. */
  public boolean isDemo() {
    return paths.contains(Demo.NAME);
  }

  /** Whether files of one of Spark's own sources are read. */
  public boolean hasFiles() {
    return !isDemo() && table == null && Input.FILE_FORMATS.contains(format);
  }
}
