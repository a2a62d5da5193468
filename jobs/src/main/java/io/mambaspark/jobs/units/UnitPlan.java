package io.mambaspark.jobs.units;

import io.mambaspark.jobs.io.InputVersion;
import io.mambaspark.jobs.io.ParquetFile;
import io.mambaspark.jobs.io.ParquetInput;
import io.mambaspark.jobs.spark.Tasks;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * How Parquet files are cut into units.
 *
 * @param work of a token: the model's parameters, times how often a token is run
 */
public record UnitPlan(ParquetInput input, double work) {
  /** A unit takes about this long, so that little is lost with a task. */
  private static final double SECONDS = 300;

  /** Tokens a second on a core, times parameters: two thirds of what is measured on AVX-512. */
  private static final double SPEED = 35e9;

  /** The files that can be read, as they are now, in the order of their paths. */
  public List<InputVersion> inputs() {
    return input.footers().stream().map(file -> InputVersion.of(file.file())).toList();
  }

  /** Tokens of a unit where the user names none. */
  public long targetTokens(JavaSparkContext context) {
    return Math.min((long) (SECONDS * SPEED / work), input.share(Tasks.cores(context)));
  }

  /**
   * All units, the longest first, so that the last to end are short.
   *
   * @param arrivals the files of each start that took new ones in. Files of two starts share no
   *     unit, so that the units of the first stay what they were
   */
  public List<Unit> units(long targetTokens, List<List<InputVersion>> arrivals) {
    Map<String, ParquetFile> files = new HashMap<>();
    input.footers().forEach(file -> files.put(file.file().name(), file));
    List<Unit> units = new ArrayList<>();
    for (List<InputVersion> arrival : arrivals) {
      List<ParquetFile> arrived =
          arrival.stream().map(file -> files.get(file.path())).filter(Objects::nonNull).toList();
      units.addAll(Unit.cut(arrived, targetTokens));
    }
    if (units.isEmpty()) {
      // One file without rows, that the output has its columns.
      return List.of(Unit.empty(input.footers().get(0)));
    }
    return units.stream()
        .sorted(Comparator.comparingLong(Unit::tokens).reversed().thenComparing(Unit::name))
        .toList();
  }
}
