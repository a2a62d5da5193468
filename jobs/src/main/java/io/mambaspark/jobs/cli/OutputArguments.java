package io.mambaspark.jobs.cli;

import picocli.CommandLine.Option;

/** Where a command writes. */
final class OutputArguments {
  @Option(
      names = "--output",
      paramLabel = "PATH",
      description = "Folder to write; must not exist. Optional for the demo.")
  String output;

  @Option(
      names = "--output-format",
      defaultValue = "parquet",
      paramLabel = "FORMAT",
      description = "parquet, json or orc (default: ${DEFAULT-VALUE}).")
  String outputFormat;

  @Option(
      names = "--overwrite",
      description = "Replace an existing output, once the new one is whole.")
  boolean overwrite;
}
