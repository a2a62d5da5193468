package io.mambaspark.jobs;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.spark.sql.SparkSession;

/** Settings of a Spark session for the time of a piece of work; it is left as it was found. */
final class SessionSettings {
  private static final String ROWS = "64";
  private static final List<String> READERS =
      List.of("spark.sql.parquet.columnarReaderBatchSize", "spark.sql.orc.columnarReaderBatchSize");

  private SessionSettings() {}

  /**
   * Runs work with few rows to a batch of Spark's vectorised readers, unless the user has set a
   * number. They hold a batch of every column at once, by default 4096 rows: with a hundred
   * thousand tokens or the logits of a vocabulary in each that is gigabytes for every task, and a
   * partition would not be streamed.
   */
  static <T> T smallBatches(SparkSession spark, Supplier<T> work) {
    Map<String, String> settings = new HashMap<>();
    for (String key : READERS) {
      if (!spark.conf().contains(key)) {
        settings.put(key, ROWS);
      }
    }
    return during(spark, settings, work);
  }

  /** Runs work with these settings, whatever the user has set. */
  static <T> T during(SparkSession spark, Map<String, String> settings, Supplier<T> work) {
    Map<String, String> before = new HashMap<>();
    for (String key : settings.keySet()) {
      if (spark.conf().contains(key)) {
        before.put(key, spark.conf().get(key));
      }
    }
    settings.forEach(spark.conf()::set);
    try {
      return work.get();
    } finally {
      settings.keySet().forEach(spark.conf()::unset);
      before.forEach(spark.conf()::set);
    }
  }
}
