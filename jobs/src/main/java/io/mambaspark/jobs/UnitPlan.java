package io.mambaspark.jobs;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The input of a job that runs by units, and how it is cut.
 *
 * @param rows a scan of all files
 * @param files with their footers, those included that cannot be read
 */
record UnitPlan(Dataset<Row> rows, List<ParquetFile> files) {
  /** A unit takes about this long, so that little is lost with a task. */
  private static final double SECONDS = 300;

  /** There are at least so many units for each core, so that all end at about the same time. */
  private static final int UNITS_PER_CORE = 4;

  /** Tokens a second on a core, times parameters: two thirds of what is measured on AVX-512. */
  private static final double SPEED = 35e9;

  /** Lists the files and reads their footers; empty if there are no files. */
  static Optional<UnitPlan> of(SparkSession spark, JobOptions options) {
    String[] paths = options.input().toArray(String[]::new);
    // With a schema given Spark lists the files and reads none.
    StructType any = new StructType().add("tokens", DataTypes.IntegerType);
    String[] found = spark.read().schema(any).parquet(paths).inputFiles();
    Arrays.sort(found);
    List<String> document = options.scoring().columns().content();
    List<ParquetFile> footers =
        ParquetFile.read(found, document, spark.sparkContext().hadoopConfiguration());
    // A column that no file has is a mistake in the option, one that some have a mistake in a file.
    boolean known =
        footers.stream().anyMatch(file -> file.error() == null && file.missing() == null);
    List<ParquetFile> files =
        footers.stream()
            .map(
                file ->
                    known && file.error() == null && file.missing() != null
                        ? file.unreadable("it has no column " + file.missing())
                        : file)
            .toList();
    List<ParquetFile> bad = files.stream().filter(file -> file.error() != null).toList();
    if (bad.size() == files.size() || (!bad.isEmpty() && options.scoring().failOnError())) {
      if (bad.isEmpty()) {
        return Optional.empty();
      }
      throw Refusal.because(
          "Cannot read %s%s: %s%s",
          bad.get(0).path(),
          bad.size() == 1 ? "" : " (and %d more)".formatted(bad.size() - 1),
          bad.get(0).error(),
          bad.size() == files.size()
              ? ""
              : "; leave it out, or score the rest with --on-error" + " quarantine");
    }
    // The first version of Spark's file sources, whose partitions can be cut anew.
    Map<String, String> first = Map.of("spark.sql.sources.useV1SourceList", "parquet");
    Dataset<Row> rows =
        SessionSettings.during(spark, first, () -> read(spark, paths, files, bad.isEmpty()));
    return Optional.of(new UnitPlan(rows, files));
  }

  private static Dataset<Row> read(
      SparkSession spark, String[] paths, List<ParquetFile> files, boolean all) {
    if (all) {
      return spark.read().parquet(paths);
    }
    // Spark takes the schema from any file, so it must not see those that cannot be read.
    String[] good =
        files.stream()
            .filter(file -> file.error() == null)
            .map(ParquetFile::path)
            .toArray(String[]::new);
    return spark.read().schema(spark.read().parquet(good).schema()).parquet(paths);
  }

  /** The files whose footers tell why nothing of them can be read. */
  List<ParquetFile> unreadable() {
    return files.stream().filter(file -> file.error() != null).toList();
  }

  /** The files as they are now. */
  List<Unit.Input> inputs() {
    return files.stream().map(Unit.Input::of).toList();
  }

  /** Tokens of a unit where the user names none. */
  long targetTokens(JobOptions options, ModelSource source, JavaSparkContext context) {
    double work = source.checkpoint().parameterCount() * options.scoring().windows().runs();
    return targetTokens(work, cores(context));
  }

  /** Cores that the application may come to have; at its start only some are there. */
  private static int cores(JavaSparkContext context) {
    SparkConf conf = context.getConf();
    int perExecutor = conf.getInt("spark.executor.cores", 1);
    int executors =
        Math.max(
            conf.getInt("spark.executor.instances", 0),
            conf.getBoolean("spark.dynamicAllocation.enabled", false)
                ? Math.min(10_000, conf.getInt("spark.dynamicAllocation.maxExecutors", 0))
                : 0);
    int all = Math.max(conf.getInt("spark.cores.max", 0), executors * perExecutor);
    return Math.max(context.defaultParallelism(), all);
  }

  private long targetTokens(double work, int cores) {
    long all = 0;
    for (ParquetFile file : files) {
      all += file.rowGroups().stream().mapToLong(ParquetFile.RowGroup::tokens).sum();
    }
    long aWhile = (long) (SECONDS * SPEED / work);
    return Math.max(1, Math.min(aWhile, all / ((long) UNITS_PER_CORE * cores)));
  }

  /** All units, the longest first, so that the last to end are short. */
  List<Unit> units(long targetTokens) {
    List<Unit> units = new ArrayList<>();
    for (ParquetFile file : files) {
      units.addAll(Unit.cut(file, targetTokens));
    }
    List<Unit> filled = units.stream().filter(unit -> unit.rows() > 0).toList();
    if (filled.isEmpty()) {
      // One file without rows, that the output has its columns.
      ParquetFile first = files.stream().filter(file -> file.error() == null).findFirst().get();
      return List.of(Unit.empty(first));
    }
    return filled.stream()
        .sorted(Comparator.comparingLong(Unit::tokens).reversed().thenComparing(Unit::name))
        .toList();
  }
}
