package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.Demo;
import java.util.List;
import java.util.Locale;

/**
 * The options that select the rows of a command.
 *
 * @param paths files, folders or globs, or the single word {@code demo}; empty if {@code table} is
 *     given
 * @param format the name of a Spark data source
 * @param table a table of the catalog; null if {@code paths} are given
 * @param partitions the number of partitions to score; 0 keeps those of the input
 * @param limit the number of rows to read from the start of the input; 0 reads all rows
 */
public record InputOptions(
    List<String> paths, String format, String table, int partitions, int limit) {

  /** Validates the options without access to a file. */
  public InputOptions {
    paths = List.copyOf(paths);
    // Spark ignores case in the names of its sources, but not in the names of classes.
    String lowerCase = format.toLowerCase(Locale.ROOT);
    format = Input.FILE_FORMATS.contains(lowerCase) ? lowerCase : format;
    if (paths.isEmpty() == (table == null)) {
      throw Refusal.wrongUsage(
          paths.isEmpty()
              ? "Give --input or --input-table"
              : "Give either --input or --input-table, not both");
    }
    if (paths.size() > 1 && paths.contains(Demo.NAME)) {
      throw Refusal.wrongUsage("--input demo cannot be combined with other paths");
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

  /** Whether the rows are those of the demo corpus in the jar. */
  public boolean isDemo() {
    return paths.contains(Demo.NAME);
  }

  /** Whether the command reads files with one of Spark's own file sources. */
  public boolean hasFiles() {
    return !isDemo() && table == null && Input.FILE_FORMATS.contains(format);
  }
}
