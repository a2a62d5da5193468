package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/** The rows that a job reads, and their files. */
public sealed interface Input permits JsonInput, ParquetInput, SourceInput, TableInput {
  /** The formats of Spark's own file sources, whose files are listed before Spark starts. */
  Set<String> FILE_FORMATS =
      Set.of("parquet", "json", "orc", "avro", "csv", "text", "xml", "binaryfile");

  /** Lists the files that a job reads. Requires no Spark session. */
  static InputFiles list(InputOptions options, Configuration configuration) {
    return options.hasFiles()
        ? InputFiles.list(options.paths(), options.options().basePath(), configuration)
            .notEmpty(options.paths())
            .oneTable()
        : InputFiles.NONE;
  }

  /**
   * Refuses an output folder that equals, contains or is inside an input path: the job would read
   * its own output or overwrite its input.
   *
   * @param what the name of the folder's content in messages
   */
  static void checkOverlap(
      String what, Path folder, InputOptions options, Configuration configuration) {
    if (!options.hasFiles()) {
      return;
    }
    for (String path : options.paths()) {
      OverlappingPaths.refuse(
          what, folder, HadoopFiles.qualified(path, configuration), configuration);
      for (FileStatus found : HadoopFiles.matches(path, configuration)) {
        OverlappingPaths.refuse(what, folder, found.getPath(), configuration);
      }
    }
  }

  /**
   * Refuses an output that overlaps files that only Spark can list: those of tables and other
   * sources.
   */
  default void checkOverlap(Path output) {}

  /**
   * Plans the columns. Reads the footers of all Parquet files; for other formats, reads the data
   * from which the schema is inferred.
   *
   * @param files the result of {@link #list}
   */
  static Input open(
      SparkSession spark, InputOptions options, DocumentOptions documents, InputFiles files) {
    InputFiles nonEmpty = files.withoutEmpty(options.format());
    if (options.table() != null) {
      return TableInput.of(spark, options);
    }
    if (options.isDemo()) {
      return SourceInput.of(spark, options, documents, nonEmpty);
    }
    return switch (options.format()) {
      case "parquet" -> ParquetInput.plan(spark, nonEmpty, documents, options.options());
      case "json" ->
          options.options().isMultiLine()
              ? SourceInput.of(
                  spark,
                  options,
                  documents,
                  MultiLineJson.readable(spark, nonEmpty, options.options()))
              : JsonInput.plan(spark, nonEmpty, documents);
      default -> SourceInput.of(spark, options, documents, nonEmpty);
    };
  }

  /**
   * Returns the files to read and the excluded entries; {@link InputFiles#NONE} for tables, the
   * demo and sources other than Spark's own file sources.
   */
  InputFiles files();

  /** Refuses an input with unreadable files. Call it if no row may be skipped. */
  default void refuseUnread() {
    Map<String, String> unread = files().unread();
    if (!unread.isEmpty()) {
      Map.Entry<String, String> first = unread.entrySet().iterator().next();
      throw Refusal.because(
          "Cannot read %s%s: %s; exclude it, or score the rest with --on-error quarantine",
          first.getKey(),
          unread.size() == 1 ? "" : " (and %d more)".formatted(unread.size() - 1),
          first.getValue());
    }
  }

  /** Returns the columns of the input. */
  StructType schema();

  /** Lists properties of the schema that a user may not expect. */
  List<String> notes();

  /**
   * Returns the rows with the columns that the job uses.
   *
   * @param used the names of the columns, in any order
   * @param read counts the bytes or rows read, for the progress display of inputs whose number of
   *     tokens is unknown; may be null
   */
  Dataset<Row> rows(List<String> used, LongAccumulator read);

  /** Returns the number of bytes or rows that {@link #rows} counts; 0 if it does not count. */
  default long countedTotal() {
    return 0;
  }

  /**
   * Returns a text that is equal for two inputs only if they have the same rows: the files with
   * their sizes and times, or the snapshot of a table. Empty if the source has no such version.
   */
  default Optional<String> identity() {
    return files() == InputFiles.NONE
        ? Optional.empty()
        : Optional.of(
            files().files().stream()
                .map(file -> "%s %d %d".formatted(file.name(), file.size(), file.modified()))
                .collect(Collectors.joining("\n")));
  }

  /** Returns this input if its files are Parquet files. */
  default Optional<ParquetInput> parquet() {
    return this instanceof ParquetInput files ? Optional.of(files) : Optional.empty();
  }

  /**
   * Applies {@code --limit} and {@code --partitions}. Spark's limit collects its rows in one
   * partition, so they are repartitioned even without {@code --partitions}.
   */
  static Dataset<Row> limited(Dataset<Row> rows, InputOptions options) {
    Dataset<Row> limited = options.limit() > 0 ? rows.limit(options.limit()) : rows;
    return options.partitions() > 0 || options.limit() > 0
        ? limited.repartition(partitions(rows, options))
        : limited;
  }

  /** Returns the number of tasks that will score. */
  static int partitions(Dataset<Row> rows, InputOptions options) {
    if (options.partitions() > 0) {
      return options.partitions();
    }
    if (options.limit() > 0) {
      int tasks =
          SourceInput.TASKS_PER_CORE * rows.sparkSession().sparkContext().defaultParallelism();
      return Math.min(options.limit(), tasks);
    }
    return rows.toJavaRDD().getNumPartitions();
  }
}
