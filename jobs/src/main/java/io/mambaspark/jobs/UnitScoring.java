package io.mambaspark.jobs;

import java.io.Serializable;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Row;
import scala.Tuple2;

/** Scores one unit in each task. */
final class UnitScoring implements FlatMapFunction<Iterator<byte[]>, Tuple2<Row, ScoredRow>> {
  private static final long serialVersionUID = 1;

  /** A unit, and its parts as they are read. */
  record Work(Unit unit, List<FileScan.Part> parts) implements Serializable {}

  private final String run;
  private final FileScan scan;
  private final PartitionScoring scoring;
  private final int lastAttempt;

  private UnitScoring(String run, FileScan scan, PartitionScoring scoring, int lastAttempt) {
    this.run = run;
    this.scan = scan;
    this.scoring = scoring;
    this.lastAttempt = lastAttempt;
  }

  /**
   * Plans a task for each unit, in their order.
   *
   * @param run names the run that the units belong to
   * @param scan gives the columns that {@code scoring} reads
   */
  static JavaRDD<Tuple2<Row, ScoredRow>> plan(
      String run,
      ParquetInput input,
      FileScan scan,
      List<Unit> units,
      PartitionScoring scoring,
      JavaSparkContext context) {
    List<Work> work =
        units.stream()
            .map(unit -> new Work(unit, unit.parts().stream().map(input::part).toList()))
            .toList();
    return FileScan.distribute(context, work)
        .mapPartitions(new UnitScoring(run, scan, scoring, FileScan.lastAttempt(context.sc())));
  }

  @Override
  public Iterator<Tuple2<Row, ScoredRow>> call(Iterator<byte[]> one) {
    Work work = FileScan.received(one.next());
    // A file that cannot be read now may be readable in a minute: only the last attempt gives up.
    boolean giveUp = !scoring.failOnError() && TaskContext.get().attemptNumber() >= lastAttempt;
    UnitTask task = UnitTask.start(run, work.unit(), giveUp);
    return task.scoring(scoring.call(task.reading(work.parts(), scan::read)), scoring.emit());
  }
}
