package io.mambaspark.jobs;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * How Parquet files are cut into units.
 *
 * @param document the columns of documents
 */
record UnitPlan(ParquetInput input, List<String> document) {
  /** A unit takes about this long, so that little is lost with a task. */
  private static final double SECONDS = 300;

  /** There are at least so many units for each core, so that all end at about the same time. */
  private static final int UNITS_PER_CORE = 4;

  /** Tokens a second on a core, times parameters: two thirds of what is measured on AVX-512. */
  private static final double SPEED = 35e9;

  /** The files as they are now, damaged ones too, in the order of their paths. */
  List<Unit.Input> inputs() {
    return input.found().stream().map(Unit.Input::of).toList();
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
    return targetTokens((long) (SECONDS * SPEED / work), cores, input, document);
  }

  /** So many tokens at most, and enough pieces for all cores. */
  private static long targetTokens(
      long most, int cores, ParquetInput input, List<String> document) {
    long all = 0;
    for (ParquetFile file : input.files()) {
      for (ParquetFile.RowGroup group : file.rowGroups()) {
        all += group.tokens(document);
      }
    }
    return Math.max(1, Math.min(most, all / ((long) UNITS_PER_CORE * cores)));
  }

  /** The pieces of a job without units, in the order of the files. */
  static List<Unit> pieces(ParquetInput input, List<String> document, JavaSparkContext context) {
    long target = targetTokens(Long.MAX_VALUE, cores(context), input, document);
    return Unit.cut(input.files(), document, target);
  }

  /**
   * All units, the longest first, so that the last to end are short.
   *
   * @param arrivals the files of each start that took new ones in. Files of two starts share no
   *     unit, so that the units of the first stay what they were
   */
  List<Unit> units(long targetTokens, List<List<Unit.Input>> arrivals) {
    Map<String, ParquetFile> files = new HashMap<>();
    input.files().forEach(file -> files.put(file.file().name(), file));
    List<Unit> units = new ArrayList<>();
    for (List<Unit.Input> arrival : arrivals) {
      List<ParquetFile> arrived =
          arrival.stream().map(file -> files.get(file.path())).filter(Objects::nonNull).toList();
      units.addAll(Unit.cut(arrived, document, targetTokens));
    }
    if (units.isEmpty()) {
      // One file without rows, that the output has its columns.
      return List.of(Unit.empty(input.files().get(0)));
    }
    return units.stream()
        .sorted(Comparator.comparingLong(Unit::tokens).reversed().thenComparing(Unit::name))
        .toList();
  }
}
