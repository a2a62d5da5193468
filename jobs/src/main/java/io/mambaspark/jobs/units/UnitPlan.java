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
 * Plans how Parquet files are cut into units.
 *
 * @param work the work for one token: the model's parameters times the number of times that the
 *     model processes a token
 */
public record UnitPlan(ParquetInput input, double work) {
  /** The target duration of a unit, short enough that a failed task loses little work. */
  private static final double SECONDS = 300;

  /** Tokens per second and core, times parameters: two thirds of the speed measured on AVX-512. */
  private static final double SPEED = 35e9;

  /** Returns the current versions of the readable files, sorted by path. */
  public List<InputVersion> inputs() {
    return input.footers().stream().map(file -> InputVersion.of(file.file())).toList();
  }

  /** Returns the target size of a unit, in tokens, if the user gives none. */
  public long targetTokens(JavaSparkContext context) {
    return Math.min((long) (SECONDS * SPEED / work), input.tokensPerPiece(Tasks.cores(context)));
  }

  /**
   * Returns all units, the longest first, so that the last tasks to end are short.
   *
   * @param arrivals the files that each start added. Files of two starts share no unit, so that the
   *     units of the first start stay the same
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
      // An output file without rows, so that the output has a schema.
      return List.of(Unit.empty(input.footers().get(0)));
    }
    return units.stream()
        .sorted(Comparator.comparingLong(Unit::tokens).reversed().thenComparing(Unit::name))
        .toList();
  }
}
