package io.mambaspark.jobs.cli;

import io.mambaspark.jobs.score.ScoreOptions;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** Which rows a command reads. */
final class InputArguments {
  @Option(
      names = "--input",
      arity = "1..*",
      paramLabel = "PATH",
      description = "Paths or globs to read, or 'demo' for the texts inside the jar.")
  List<String> input = new ArrayList<>();

  @Option(
      names = "--input-format",
      defaultValue = "parquet",
      paramLabel = "FORMAT",
      description = "parquet, json, orc or any other Spark source (default: ${DEFAULT-VALUE}).")
  String inputFormat;

  @Option(
      names = "--input-table",
      paramLabel = "TABLE",
      description =
          "A table of the session's catalog, instead of --input: Hive's where Spark has Hive, or what"
              + " spark.sql.catalog.* settings name.")
  String inputTable;

  @Option(
      names = "--partitions",
      paramLabel = "N",
      description = "Deal the rows out to N tasks (default: as the input is cut).")
  Integer partitions;

  @Option(names = "--limit", paramLabel = "N", description = "Take N rows only.")
  Integer limit;

  int partitions() {
    return ScoreOptions.positive("--partitions", partitions);
  }

  int limit() {
    return ScoreOptions.positive("--limit", limit);
  }
}
