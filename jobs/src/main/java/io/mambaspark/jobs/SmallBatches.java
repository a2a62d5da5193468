package io.mambaspark.jobs;

import java.util.List;
import java.util.function.Supplier;
import org.apache.spark.sql.SparkSession;

/**
 * Few rows to a batch of Spark's vectorised readers. They hold a batch of every column at once, by
 * default 4096 rows: with a hundred thousand tokens or the logits of a vocabulary in each that is
 * gigabytes for every task, and a partition would not be streamed.
 */
final class SmallBatches {
  private static final String ROWS = "64";
  private static final List<String> READERS =
      List.of("spark.sql.parquet.columnarReaderBatchSize", "spark.sql.orc.columnarReaderBatchSize");

  private SmallBatches() {}

  /** Runs work so. What the user has set holds; the session is left as it was found. */
  static <T> T during(SparkSession spark, Supplier<T> work) {
    List<String> ours = READERS.stream().filter(key -> !spark.conf().contains(key)).toList();
    ours.forEach(key -> spark.conf().set(key, ROWS));
    try {
      return work.get();
    } finally {
      ours.forEach(spark.conf()::unset);
    }
  }
}
