package io.mambaspark.jobs;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** How Parquet files are cut into units. */
record UnitPlan(ParquetInput input) {
  /** A unit takes about this long, so that little is lost with a task. */
  private static final double SECONDS = 300;

  /** There are at least so many units for each core, so that all end at about the same time. */
  private static final int UNITS_PER_CORE = 4;

  /** Tokens a second on a core, times parameters: two thirds of what is measured on AVX-512. */
  private static final double SPEED = 35e9;

  /** The files that can be read, as they are now, in the order of their paths. */
  List<Unit.Input> inputs() {
    return input.files().stream().map(file -> Unit.Input.of(file.file())).toList();
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
    return Math.min((long) (SECONDS * SPEED / work), share(input, cores));
  }

  /** The tokens of a piece, so that there are enough for all cores. */
  private static long share(ParquetInput input, int cores) {
    return Math.max(1, tokens(input) / ((long) UNITS_PER_CORE * cores));
  }

  private static long tokens(ParquetInput input) {
    return input.files().stream()
        .flatMap(file -> file.rowGroups().stream())
        .mapToLong(ParquetFile.RowGroup::tokens)
        .sum();
  }

  /**
   * The pieces of a job without units, in the order of the files, for each task one.
   *
   * @param mostBytes of the files in a piece, about
   */
  static List<Unit> pieces(ParquetInput input, long mostBytes, JavaSparkContext context) {
    double share = (double) mostBytes / Math.max(1, input.listed().bytes());
    long most = (long) Math.max(1, Math.min(1, share) * tokens(input));
    return Unit.cut(input.files(), Math.min(most, share(input, cores(context))));
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
      units.addAll(Unit.cut(arrived, targetTokens));
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
