package io.mambaspark.jobs;

import io.mambaspark.jobs.report.Distributions;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import scala.Tuple2;

/**
 * Sums for each group of rows, made in Spark: only what is kept here comes to the driver.
 *
 * @param number of all groups
 * @param largest those with the most rows, at most {@link Distributions#MAX_GROUPS}, the largest
 *     first
 */
record Groups<T>(long number, List<Groups.Group<T>> largest) {

  /** Rows with these values in the group columns, as {@link Distributions.Group} has them. */
  record Group<T>(List<String> key, T sums) {}

  /** No groups at all. */
  static <T> Groups<T> none() {
    return new Groups<>(0, List.of());
  }

  /** Makes sums of nothing. */
  interface Start<T> extends Serializable {
    T start();
  }

  /** Adds a row, or other sums, to sums. */
  interface Add<T, E> extends Serializable {
    void add(T sums, E more);
  }

  /** The number of rows in sums. */
  interface Size<T> extends Serializable {
    long size(T sums);
  }

  /**
   * Sums up rows.
   *
   * @param rows the last columns are the {@code keys} group columns, as strings
   */
  static <T extends Serializable> Groups<T> of(
      Dataset<Row> rows,
      int keys,
      Start<T> start,
      Add<T, Row> addRow,
      Add<T, T> addSums,
      Size<T> size) {
    JavaPairRDD<List<String>, T> groups =
        rows.toJavaRDD()
            .mapPartitionsToPair(
                partition -> {
                  Map<List<String>, T> sums = new HashMap<>();
                  while (partition.hasNext()) {
                    Row row = partition.next();
                    List<String> key = new ArrayList<>();
                    for (int i = row.length() - keys; i < row.length(); i++) {
                      key.add(row.getString(i));
                    }
                    addRow.add(sums.computeIfAbsent(key, k -> start.start()), row);
                  }
                  return sums.entrySet().stream()
                      .map(group -> new Tuple2<>(group.getKey(), group.getValue()))
                      .iterator();
                })
            .reduceByKey(
                (one, other) -> {
                  addSums.add(one, other);
                  return one;
                })
            .cache();
    try {
      List<Group<T>> largest = new ArrayList<>();
      groups
          .takeOrdered(Distributions.MAX_GROUPS, new Largest<>(size))
          .forEach(group -> largest.add(new Group<>(group._1(), group._2())));
      return new Groups<>(groups.count(), largest);
    } finally {
      groups.unpersist();
    }
  }

  /** More rows first; of as many, by name. */
  private record Largest<T>(Size<T> size)
      implements Comparator<Tuple2<List<String>, T>>, Serializable {
    @Override
    public int compare(Tuple2<List<String>, T> one, Tuple2<List<String>, T> other) {
      int bySize = Long.compare(size.size(other._2()), size.size(one._2()));
      return bySize != 0 ? bySize : one._1().toString().compareTo(other._1().toString());
    }
  }
}
