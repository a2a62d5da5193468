package io.mambaspark.jobs.stats;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.storage.StorageLevel;
import scala.Tuple2;

/**
 * Sums for each group of rows, computed in Spark. Only the largest groups are collected to the
 * driver.
 *
 * @param number the number of all groups
 * @param largest the largest groups, at most {@link Distributions#MAX_GROUPS}, the largest first
 */
public record Groups<T>(long number, List<Groups.Group<T>> largest) {

  /** The sums of one group. The key has the form of the values of {@link Distributions.Group}. */
  public record Group<T>(List<String> key, T sums) {
    /** Returns the key in one line for a terminal, without control characters. */
    public String name() {
      return String.join(" · ", key).replaceAll("[\\s\\p{Cntrl}\\p{Cf}]+", " ").strip();
    }
  }

  /** Returns no groups. */
  public static <T> Groups<T> none() {
    return new Groups<>(0, List.of());
  }

  /** Creates empty sums. */
  interface Start<T> extends Serializable {
    T start();
  }

  /** Adds a row or other sums to {@code sums}. */
  interface Add<T, E> extends Serializable {
    void add(T sums, E more);
  }

  /** Returns the number of rows in {@code sums}. */
  interface Size<T> extends Serializable {
    long size(T sums);
  }

  /**
   * Sums up rows.
   *
   * @param rows rows whose last {@code keys} columns are the group columns, in the form of {@link
   *     Distributions#group}
   * @param size the number by which the largest groups are selected
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
            .mapPartitionsToPair(partition -> new Partial<>(partition, keys, start, addRow))
            .reduceByKey(
                (one, other) -> {
                  addSums.add(one, other);
                  return one;
                })
            .persist(StorageLevel.MEMORY_AND_DISK());
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

  /**
   * Sums of the rows of a partition, in batches of {@value #MOST} groups. A partition may have more
   * groups than fit into memory; Spark writes the batches to disk if necessary.
   */
  private static final class Partial<T> implements Iterator<Tuple2<List<String>, T>> {
    private static final int MOST = 10_000;

    private final Iterator<Row> rows;
    private final int keys;
    private final Start<T> start;
    private final Add<T, Row> addRow;
    private Iterator<Map.Entry<List<String>, T>> ready = Collections.emptyIterator();

    Partial(Iterator<Row> rows, int keys, Start<T> start, Add<T, Row> addRow) {
      this.rows = rows;
      this.keys = keys;
      this.start = start;
      this.addRow = addRow;
    }

    @Override
    public boolean hasNext() {
      return ready.hasNext() || rows.hasNext();
    }

    @Override
    public Tuple2<List<String>, T> next() {
      if (!ready.hasNext()) {
        Map<List<String>, T> sums = new HashMap<>();
        while (rows.hasNext() && sums.size() < MOST) {
          Row row = rows.next();
          List<String> key = new ArrayList<>();
          for (int i = row.length() - keys; i < row.length(); i++) {
            key.add(row.getString(i));
          }
          addRow.add(sums.computeIfAbsent(key, k -> start.start()), row);
        }
        ready = sums.entrySet().iterator();
      }
      Map.Entry<List<String>, T> group = ready.next();
      return new Tuple2<>(group.getKey(), group.getValue());
    }
  }

  /** Orders groups by descending size, then by their keys. */
  private record Largest<T>(Size<T> size)
      implements Comparator<Tuple2<List<String>, T>>, Serializable {
    @Override
    public int compare(Tuple2<List<String>, T> one, Tuple2<List<String>, T> other) {
      int bySize = Long.compare(size.size(other._2()), size.size(one._2()));
      for (int i = 0; bySize == 0 && i < one._1().size(); i++) {
        // Spark orders strings in the same way.
        bySize = Arrays.compareUnsigned(utf8(one._1().get(i)), utf8(other._1().get(i)));
      }
      return bySize;
    }

    private static byte[] utf8(String text) {
      return text.getBytes(StandardCharsets.UTF_8);
    }
  }
}
