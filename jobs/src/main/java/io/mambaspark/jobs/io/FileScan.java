package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.SessionSettings;
import io.mambaspark.jobs.spark.TaskFailure;
import io.mambaspark.jobs.spark.Tasks;
import java.io.Serializable;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.apache.hadoop.fs.Path;
import org.apache.spark.Partition;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.execution.datasources.FilePartition;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/**
 * Reads the rows of file parts with Spark's own file sources, so that their features (old
 * calendars, encryption, the vectorised reader, compressed text) work here too. The caller, not
 * Spark, decides which task reads which bytes of which file: this class uses only the function of a
 * scan that reads one part of a file.
 */
public final class FileScan implements Serializable {
  private static final long serialVersionUID = 1;

  private final List<RDD<Row>> scans;

  /** For each column of the rows, the index of its partition column, or -1. */
  private final int[] partitionColumns;

  /**
   * Prepares scans that all have the same columns.
   *
   * @param scans templates from {@link #reader}
   * @param sources for each column of the scans, the input column from which it is computed
   * @throws Refusal if a plugin replaces Spark's own file source
   */
  FileScan(List<Dataset<Row>> scans, List<String> sources, PartitionColumns partitions) {
    this.scans = scans.stream().map(scan -> scan.toJavaRDD().rdd()).toList();
    List<String> names = Arrays.asList(partitions.schema().fieldNames());
    this.partitionColumns = sources.stream().mapToInt(names::indexOf).toArray();
    for (RDD<Row> scan : this.scans) {
      for (Partition partition : scan.partitions()) {
        if (!(partition instanceof FilePartition)) {
          throw Refusal.because(
              "Cannot split the input's files: %s reads them instead of Spark's own file source;"
                  + " start Spark without the plugin that replaces it",
              partition.getClass().getSimpleName());
        }
      }
    }
  }

  /**
   * Creates a scan of one file, which is a template for all files of the format. The scan copies
   * the settings of the session and reads no data.
   *
   * @param any the path of any file of the format
   */
  static Dataset<Row> reader(
      SparkSession spark, String format, Map<String, String> options, StructType schema, Path any) {
    // Only version 1 of Spark's file sources accepts other partitions than its own.
    return SessionSettings.with(
        spark,
        Map.of("spark.sql.sources.useV1SourceList", format),
        () ->
            spark
                .read()
                .schema(schema)
                .format(format)
                .options(options)
                .option("__globPaths__", "false")
                .load(any.toString()));
  }

  /** Reads the rows of a part. Call it in a task. */
  public Iterator<Row> read(FileSplit part) {
    scala.collection.Iterator<Row> rows =
        scans.get(part.scan()).iterator(part.range(), TaskContext.get());
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public Row next() {
        return withPartition(rows.next(), part.partition());
      }
    };
  }

  private Row withPartition(Row row, Object[] partition) {
    if (partition.length == 0) {
      return row;
    }
    Object[] values = new Object[row.length()];
    for (int i = 0; i < values.length; i++) {
      values[i] = partitionColumns[i] < 0 ? row.get(i) : partition[partitionColumns[i]];
    }
    return RowFactory.create(values);
  }

  /**
   * A row of a part, or the error that ends the part.
   *
   * @param row null if {@code error} is set
   * @param error null if {@code row} is set
   */
  record Read(Row row, FileSplit part, RowError error) {}

  /** Maps the rows and errors that a task reads to the rows that it returns. */
  interface Reading extends Serializable {
    Iterator<Row> rows(Iterator<Read> read);
  }

  /**
   * Reads the parts of files: one task for each list, in the order of the list. A part with bad
   * content ends with an error.
   *
   * @param bytes counts the bytes read, estimated from the lengths of the lines in the first
   *     column; may be null
   */
  JavaRDD<Row> rows(
      JavaSparkContext context,
      List<List<FileSplit>> tasks,
      LongAccumulator bytes,
      Reading reading) {
    int last = Tasks.lastAttempt(context.sc());
    return Tasks.distribute(context, tasks)
        .mapPartitions(
            task ->
                reading.rows(
                    task.hasNext()
                        ? new TaskRows(Tasks.received(task.next()), bytes, last)
                        : Collections.emptyIterator()));
  }

  /** The rows of one task. */
  private final class TaskRows implements Iterator<Read> {
    /** The assumed compression ratio of text; only the progress display depends on it. */
    private static final int COMPRESSION = 4;

    private final Iterator<FileSplit> remaining;
    private final LongAccumulator bytes;
    private final int lastAttempt;
    private FileSplit part;
    private Iterator<Row> rows = Collections.emptyIterator();
    private long number;
    private long counted;
    private Read next;

    TaskRows(List<FileSplit> parts, LongAccumulator bytes, int lastAttempt) {
      this.remaining = parts.iterator();
      this.bytes = bytes;
      this.lastAttempt = lastAttempt;
    }

    @Override
    public boolean hasNext() {
      while (next == null) {
        try {
          if (rows.hasNext()) {
            next = new Read(rows.next(), part, null);
            number++;
            count(next.row);
          } else {
            countTo(part == null ? 0 : part.bytes());
            if (!remaining.hasNext()) {
              return false;
            }
            part = remaining.next();
            number = 0;
            counted = 0;
            rows = read(part);
          }
        } catch (Exception e) {
          next = new Read(null, part, unreadable(e));
          rows = Collections.emptyIterator();
        }
      }
      return true;
    }

    @Override
    public Read next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      Read read = next;
      next = null;
      return read;
    }

    /** Returns the error for a part with bad content, or fails the task if a retry may help. */
    private RowError unreadable(Exception e) {
      String file = Refusal.redacted(part.path().toString());
      String cause = Failures.cause(e, part.path().toString());
      boolean bad = part.contentIsBad(e);
      if (!bad || TaskContext.get().attemptNumber() < lastAttempt) {
        throw new TaskFailure("Cannot read %s: %s".formatted(file, cause), e);
      }
      return RowError.unreadableInput(file, number, cause);
    }

    private void count(Row row) {
      if (bytes != null) {
        long line = row.<byte[]>getAs(0).length + 1L;
        countTo(counted + (part.compressed() ? line / COMPRESSION : line));
      }
    }

    /** Raises the count of this part to {@code reached}, at most to the size of the part. */
    private void countTo(long reached) {
      long now = part == null ? 0 : Math.min(part.bytes(), reached);
      if (bytes != null && now > counted) {
        bytes.add(now - counted);
        counted = now;
      }
    }
  }
}
