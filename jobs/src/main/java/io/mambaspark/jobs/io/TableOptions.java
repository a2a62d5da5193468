package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * The options for an output that is a table.
 *
 * @param name the name in the session's catalogs, as SQL has it
 * @param format the format of a new table; empty for that of its catalog
 * @param partitionBy the partition columns of a new table
 * @param properties the properties of a new table
 * @param writer the options of the writer
 * @param overwrite whether the rows replace those of an existing table
 */
public record TableOptions(
    String name,
    Optional<String> format,
    List<String> partitionBy,
    SparkOptions properties,
    SparkOptions writer,
    boolean overwrite) {

  /** The options of the writer with which the job makes its commits safe. */
  private static final Set<String> RESERVED =
      Set.of(
          "branch",
          "isolation-level",
          "txnappid",
          "txnversion",
          "usermetadata",
          "validate-from-snapshot-id");

  /**
   * Reads the options from the values of a command. Returns empty without {@code --output-table}.
   *
   * @throws Refusal if options contradict each other
   */
  public static Optional<TableOptions> of(OptionValues values) {
    if (!values.isGiven(Options.OUTPUT_TABLE)) {
      for (Option<?> option : List.of(Options.PARTITION_BY, Options.TABLE_PROPERTY)) {
        if (values.isGiven(option)) {
          throw Refusal.wrongUsage("%s needs --output-table", option.flag());
        }
      }
      return Optional.empty();
    }
    if (values.isGiven(Options.OUTPUT)) {
      throw Refusal.wrongUsage("Give either --output or --output-table, not both");
    }
    if (values.isGiven(Options.RESUME)) {
      throw Refusal.wrongUsage(
          "--resume cannot be combined with --output-table: a table gets all rows in one commit;"
              + " use --stream, which commits batch by batch and continues where it stopped");
    }
    List<String> partitions = values.get(Options.PARTITION_BY);
    return Optional.of(
        new TableOptions(
            values.get(Options.OUTPUT_TABLE),
            values.isGiven(Options.OUTPUT_FORMAT)
                ? Optional.of(values.get(Options.OUTPUT_FORMAT))
                : Optional.empty(),
            partitions == null ? List.of() : partitions,
            SparkOptions.parse(Options.TABLE_PROPERTY, values),
            writer(values),
            values.get(Options.OVERWRITE)));
  }

  private static SparkOptions writer(OptionValues values) {
    SparkOptions options = SparkOptions.parse(Options.OUTPUT_OPTION, values);
    for (String key : options.values().keySet()) {
      if (RESERVED.contains(key.toLowerCase(Locale.ROOT))) {
        throw Refusal.wrongUsage(
            "%s %s cannot be set: the job sets it, so that each run is written once",
            Options.OUTPUT_OPTION.flag(), key);
      }
    }
    return options;
  }

  /** Returns the values with the options as summaries show them. */
  public OptionValues normalize(OptionValues values) {
    return values
        .with(Options.OUTPUT_OPTION, writer.shown())
        .with(Options.TABLE_PROPERTY, properties.shown());
  }
}
