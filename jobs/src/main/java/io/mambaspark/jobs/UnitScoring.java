package io.mambaspark.jobs;

import java.io.Serializable;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.net.URI;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.Partition;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.datasources.FilePartition;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import scala.Tuple2;

/**
 * Scores one unit in each task. The rows are read by Spark's own scan of the whole input, of which
 * a task computes the partition that is just its unit: the range of bytes of those row groups. So
 * everything that Spark's Parquet source knows (columns from folder names, old calendars, the
 * vectorised reader) holds here too.
 */
final class UnitScoring
    implements FlatMapFunction<Iterator<UnitScoring.Work>, Tuple2<Row, ScoredRow>> {
  private static final long serialVersionUID = 1;

  /** A unit, and the partition of Spark's scan that reads it. */
  record Work(Unit unit, FilePartition rows) implements Serializable {}

  private final String run;
  private final RDD<Row> scan;
  private final PartitionScoring scoring;
  private final int lastAttempt;

  private UnitScoring(String run, RDD<Row> scan, PartitionScoring scoring, int lastAttempt) {
    this.run = run;
    this.scan = scan;
    this.scoring = scoring;
    this.lastAttempt = lastAttempt;
  }

  /**
   * Plans a task for each unit, in their order.
   *
   * @param run names the run that the units belong to
   * @param rows a scan of all input files
   * @param maxFailures how often Spark lets a task fail
   * @throws Refusal if something else than Spark's own file source reads the input
   */
  static JavaRDD<Tuple2<Row, ScoredRow>> plan(
      String run, Dataset<Row> rows, List<Unit> units, PartitionScoring scoring, int maxFailures) {
    RDD<Row> scan = rows.toJavaRDD().rdd();
    Map<Path, PartitionedFile> files = new HashMap<>();
    for (Partition partition : scan.partitions()) {
      if (!(partition instanceof FilePartition found)) {
        throw Refusal.because(
            "Cannot score by units: %s reads the input, not Spark's own Parquet source; without"
                + " units it goes with --partitions N",
            partition.getClass().getSimpleName());
      }
      for (PartitionedFile file : found.files()) {
        files.putIfAbsent(path(HadoopFiles.redacted(file.toPath().toUri().toString())), file);
      }
    }
    List<Work> work = units.stream().map(unit -> work(unit, files)).toList();
    JavaSparkContext context =
        JavaSparkContext.fromSparkContext(rows.sparkSession().sparkContext());
    return context
        .parallelize(work, work.size())
        .mapPartitions(new UnitScoring(run, scan, scoring, maxFailures - 1));
  }

  private static Path path(String uri) {
    return new Path(URI.create(uri));
  }

  private static Work work(Unit unit, Map<Path, PartitionedFile> files) {
    PartitionedFile whole = files.get(path(unit.input().path()));
    if (whole == null) {
      throw Refusal.because(
          "Input %s is gone since the work was planned; start again", unit.input().path());
    }
    PartitionedFile range = range(whole, unit.start(), unit.end() - unit.start());
    return new Work(unit, new FilePartition(0, new PartitionedFile[] {range}));
  }

  /**
   * Another range of the same file. By reflection, as one of the fields is a map of Scala's, which
   * is another class in 2.12.
   */
  private static PartitionedFile range(PartitionedFile file, long start, long length) {
    Object[] fields = new Object[file.productArity()];
    Arrays.setAll(fields, file::productElement);
    fields[2] = start;
    fields[3] = length;
    Constructor<?> constructor = PartitionedFile.class.getConstructors()[0];
    try {
      PartitionedFile range = (PartitionedFile) constructor.newInstance(fields);
      if (range.start() != start || range.length() != length) {
        throw new IllegalStateException("Spark's PartitionedFile is not as expected: " + range);
      }
      return range;
    } catch (InstantiationException | IllegalAccessException | InvocationTargetException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public Iterator<Tuple2<Row, ScoredRow>> call(Iterator<Work> one) {
    Work work = one.next();
    TaskContext context = TaskContext.get();
    // A file that cannot be read now may be readable in a minute: only the last attempt gives up.
    boolean giveUp = !scoring.failOnError() && context.attemptNumber() >= lastAttempt;
    UnitTask task = UnitTask.start(run, work.unit(), work.rows().files()[0].toPath(), giveUp);
    scala.collection.Iterator<Row> rows;
    Iterator<Row> read;
    if (work.unit().rows() == 0) {
      read = Collections.emptyIterator();
    } else {
      rows = scan.iterator(work.rows(), context);
      read =
          new Iterator<>() {
            @Override
            public boolean hasNext() {
              return rows.hasNext();
            }

            @Override
            public Row next() {
              return rows.next();
            }
          };
    }
    return task.scoring(scoring.call(task.reading(read)), scoring.emit());
  }
}
