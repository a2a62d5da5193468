package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/** The rows that a job reads, and the files that they come from. */
public sealed interface Input permits ParquetInput, JsonInput, SourceInput {
  /** Spark's own file sources: their files are listed here, before Spark starts. */
  Set<String> FILE_FORMATS =
      Set.of("parquet", "json", "orc", "avro", "csv", "text", "xml", "binaryfile");

  /** Lists the files that a job reads. Needs no Spark session. */
  static InputFiles list(InputOptions options, Configuration configuration) {
    return options.hasFiles()
        ? InputFiles.list(options.paths(), configuration).notEmpty(options.paths()).oneTable()
        : InputFiles.NONE;
  }

  /**
   * Refuses a folder that lies on, in or above an input path, and so would be read or replaced.
   *
   * @param what is written there
   */
  static void checkApart(
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
   * The same for an output and the files that only Spark knows: those of tables and other sources.
   */
  default void checkApart(Path output) {}

  /**
   * Decides the columns. Reads all footers of Parquet files, and of other files what Spark reads to
   * infer a schema.
   *
   * @param files as {@link #list} gave them
   */
  static Input open(
      SparkSession spark, InputOptions options, DocumentOptions documents, InputFiles files) {
    InputFiles whole = files.withoutEmpty(options.format());
    if (options.isDemo() || options.table() != null) {
      return SourceInput.of(spark, options, documents, whole);
    }
    return switch (options.format()) {
      case "parquet" -> ParquetInput.plan(spark, whole, documents);
      case "json" -> JsonInput.plan(spark, whole, documents);
      default -> SourceInput.of(spark, options, documents, whole);
    };
  }

  /**
   * The files that are read, and what was left out; {@link InputFiles#NONE} for tables, the demo
   * and sources that are not Spark's own files.
   */
  InputFiles files();

  /** Refuses files that cannot be read, where no row may be left out. */
  default void refuseUnread() {
    Map<String, String> unread = files().unread();
    if (!unread.isEmpty()) {
      Map.Entry<String, String> first = unread.entrySet().iterator().next();
      throw Refusal.because(
          "Cannot read %s%s: %s; leave it out, or score the rest with --on-error quarantine",
          first.getKey(),
          unread.size() == 1 ? "" : " (and %d more)".formatted(unread.size() - 1),
          first.getValue());
    }
  }

  /** The columns of the input. */
  StructType schema();

  /** What a user may not expect of the schema. */
  List<String> notes();

  /**
   * The rows with the columns that are used.
   *
   * @param used the names of the columns, in whatever order
   * @param read counts the bytes read, for the progress of inputs whose tokens are not known; for a
   *     display only. May be null
   */
  Dataset<Row> rows(List<String> used, LongAccumulator read);

  /** How many bytes {@link #rows} counts; 0 if it counts none. */
  default long countedBytes() {
    return 0;
  }

  /** The same input if it is one of Parquet files. */
  default Optional<ParquetInput> parquet() {
    return this instanceof ParquetInput files ? Optional.of(files) : Optional.empty();
  }

  /**
   * Applies {@code --limit} and {@code --partitions}. A limit gathers its rows in one partition, so
   * they are dealt out again even when no number is given.
   */
  static Dataset<Row> cut(Dataset<Row> rows, InputOptions options) {
    Dataset<Row> cut = options.limit() > 0 ? rows.limit(options.limit()) : rows;
    return options.partitions() > 0 || options.limit() > 0
        ? cut.repartition(partitions(rows, options))
        : cut;
  }

  /** How many tasks will score. */
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
