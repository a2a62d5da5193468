package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.Demo;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The options that select the rows of a command.
 *
 * @param paths files, folders or globs, or the single word {@code demo}; empty if {@code table} is
 *     given, or if the options of another source than files name its rows
 * @param format the name of a Spark data source
 * @param table a table of the catalog; null if {@code paths} are given
 * @param options the options of Spark's reader
 * @param where the SQL predicate of the table's rows to read; empty for all rows
 * @param partitions the number of partitions to score; 0 keeps those of the input
 * @param limit the number of rows to read from the start of the input; 0 reads all rows
 */
public record InputOptions(
    List<String> paths,
    String format,
    String table,
    SparkOptions options,
    Optional<String> where,
    int partitions,
    int limit) {

  /** Validates the options without access to a file. */
  public InputOptions {
    paths = List.copyOf(paths);
    format = canonical(format);
    if (!paths.isEmpty() && table != null) {
      throw Refusal.wrongUsage("Give either --input or --input-table, not both");
    }
    // The options of another source may name its rows, such as a table of a database.
    boolean namedByOptions = !Input.FILE_FORMATS.contains(format) && !options.values().isEmpty();
    if (paths.isEmpty() && table == null && !namedByOptions) {
      throw Refusal.wrongUsage("Give --input or --input-table");
    }
    if (where.isPresent() && table == null) {
      throw Refusal.wrongUsage("--where needs --input-table; files are always read completely");
    }
    if (paths.size() > 1 && paths.contains(Demo.NAME)) {
      throw Refusal.wrongUsage("--input demo cannot be combined with other paths");
    }
    if (paths.contains(Demo.NAME) && !options.values().isEmpty()) {
      throw Refusal.wrongUsage("--input demo cannot be combined with --input-option");
    }
  }

  /** Reads these options from the values of a command. */
  public static InputOptions of(OptionValues values) {
    String format = canonical(values.get(Options.INPUT_FORMAT));
    String table = values.get(Options.INPUT_TABLE);
    boolean files =
        table == null
            && Input.FILE_FORMATS.contains(format)
            && !values.get(Options.INPUT).contains(Demo.NAME);
    return new InputOptions(
        values.get(Options.INPUT),
        format,
        table,
        SparkOptions.ofInput(values, files ? format : null),
        Optional.ofNullable(values.get(Options.WHERE)),
        values.count(Options.PARTITIONS),
        values.count(Options.LIMIT));
  }

  /** Spark ignores case in the names of its sources, but not in the names of classes. */
  private static String canonical(String format) {
    String lowerCase = format.toLowerCase(Locale.ROOT);
    return Input.FILE_FORMATS.contains(lowerCase) ? lowerCase : format;
  }

  /** Returns the values with the format and the options as summaries show them. */
  public OptionValues normalize(OptionValues values) {
    return values.with(Options.INPUT_FORMAT, format).with(Options.INPUT_OPTION, options.shown());
  }

  /** Describes the input in a few words. */
  public String described() {
    return table != null
        ? table
        : paths.isEmpty() ? "a source of " + format : Refusal.redacted(String.join(", ", paths));
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
