package io.mambaspark.jobs;

import java.util.List;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** The rows to score. */
final class Input {
  /** Sources whose paths are files: a path that is not there is refused before Spark starts. */
  static final Set<String> FILE_FORMATS = Set.of("parquet", "json", "orc", "avro");

  /** Tasks for every core, so that a slow last one costs little. */
  private static final int TASKS_PER_CORE = 2;

  private Input() {}

  /** Refuses paths that match nothing. Needs no Spark session. */
  static void checkPaths(JobOptions options, Configuration configuration) {
    if (options.demo() || !FILE_FORMATS.contains(options.inputFormat())) {
      return;
    }
    for (String path : options.input()) {
      if (HadoopFiles.glob(path, configuration).length == 0) {
        throw Refusal.because("Cannot read input %s: no such file or folder", path);
      }
    }
  }

  /**
   * Refuses an output that lies on, in or above an input path, and so would be read or replaced.
   */
  static void checkApart(JobOptions options, Configuration configuration) {
    if (options.output() == null
        || options.demo()
        || !FILE_FORMATS.contains(options.inputFormat())) {
      return;
    }
    checkApart(
        "Output", HadoopFiles.qualified(options.output(), configuration), options, configuration);
  }

  /**
   * Refuses a folder that lies on, in or above an input path.
   *
   * @param what is written there
   */
  static void checkApart(
      String what, Path folder, JobOptions options, Configuration configuration) {
    for (String path : options.input()) {
      checkApart(what, folder, HadoopFiles.qualified(path, configuration), configuration);
      for (FileStatus found : HadoopFiles.glob(path, configuration)) {
        checkApart(what, folder, found.getPath(), configuration);
      }
    }
  }

  /**
   * As {@link #checkApart(JobOptions, Configuration)}, for tables, once Spark knows their files.
   */
  static void checkApart(Dataset<Row> input, JobOptions options, Configuration configuration) {
    if (options.output() == null) {
      return;
    }
    Path output = HadoopFiles.qualified(options.output(), configuration);
    for (String file : input.inputFiles()) {
      checkApart("Output", output, new Path(java.net.URI.create(file)), configuration);
    }
  }

  private static void checkApart(
      String what, Path folder, Path input, Configuration configuration) {
    Path to = HadoopFiles.canonical(folder, configuration);
    Path from = HadoopFiles.canonical(input, configuration);
    if (HadoopFiles.within(to, from) || HadoopFiles.within(from, to)) {
      throw Refusal.because("%s %s and input %s overlap; they must lie apart", what, folder, input);
    }
  }

  /** All rows, before limit and partitions. */
  static Dataset<Row> read(SparkSession spark, JobOptions options) {
    if (options.demo()) {
      // The rows travel with the tasks: executors need not see a file.
      JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
      List<Row> rows = Demo.rows();
      int tasks = Math.min(rows.size(), TASKS_PER_CORE * context.defaultParallelism());
      return spark.createDataFrame(context.parallelize(rows, tasks), Demo.SCHEMA);
    }
    if (options.inputTable() != null) {
      return spark.table(options.inputTable());
    }
    return spark.read().format(options.inputFormat()).load(options.input().toArray(String[]::new));
  }

  /**
   * Applies {@code --limit} and {@code --partitions}. A limit gathers its rows in one partition, so
   * they are dealt out again even when no number is given.
   */
  static Dataset<Row> cut(Dataset<Row> rows, JobOptions options) {
    Dataset<Row> cut = options.limit() > 0 ? rows.limit(options.limit()) : rows;
    return options.partitions() > 0 || options.limit() > 0
        ? cut.repartition(partitions(rows, options))
        : cut;
  }

  /** How many tasks will score. */
  static int partitions(Dataset<Row> rows, JobOptions options) {
    if (options.partitions() > 0) {
      return options.partitions();
    }
    if (options.limit() > 0) {
      int tasks = TASKS_PER_CORE * rows.sparkSession().sparkContext().defaultParallelism();
      return Math.min(options.limit(), tasks);
    }
    return rows.toJavaRDD().getNumPartitions();
  }
}
