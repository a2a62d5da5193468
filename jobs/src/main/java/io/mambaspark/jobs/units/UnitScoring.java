package io.mambaspark.jobs.units;

import io.mambaspark.jobs.io.FileScan;
import io.mambaspark.jobs.io.FileSplit;
import io.mambaspark.jobs.io.ParquetInput;
import io.mambaspark.jobs.score.PartitionScoring;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.score.ScoredRow;
import io.mambaspark.jobs.score.Scoring;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.spark.Tasks;
import java.io.Serializable;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import scala.Tuple2;

/** Scores one unit in each task. */
public final class UnitScoring
    implements FlatMapFunction<Iterator<byte[]>, Tuple2<Row, ScoredRow>> {
  private static final long serialVersionUID = 1;

  /** A unit and the file splits of its parts. */
  record Work(Unit unit, List<FileSplit> parts) implements Serializable {}

  private final String runId;
  private final FileScan scan;
  private final PartitionScoring scoring;
  private final int lastAttempt;

  private UnitScoring(String runId, FileScan scan, PartitionScoring scoring, int lastAttempt) {
    this.runId = runId;
    this.scan = scan;
    this.scoring = scoring;
    this.lastAttempt = lastAttempt;
  }

  /**
   * Scores units in the given order, each in a separate task. Lazy.
   *
   * @param runId the run to which the units belong
   * @param input the Parquet files that were cut into the units
   */
  public static Dataset<Row> score(
      String runId,
      ParquetInput input,
      List<Unit> units,
      ScoringSchema schema,
      ScoreOptions options,
      PartitionScoring scoring,
      SparkSession spark) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    FileScan scan = input.scan(schema.rows().input(), schema.rows().inputNames());
    List<Work> work =
        units.stream()
            .map(unit -> new Work(unit, unit.parts().stream().map(input::split).toList()))
            .toList();
    JavaRDD<Tuple2<Row, ScoredRow>> rows =
        Tasks.distribute(context, work)
            .mapPartitions(new UnitScoring(runId, scan, scoring, Tasks.lastAttempt(context.sc())));
    return Scoring.written(
        spark.createDataset(rows.rdd(), Scoring.encoder(schema)), schema, options);
  }

  @Override
  public Iterator<Tuple2<Row, ScoredRow>> call(Iterator<byte[]> one) {
    Work work = Tasks.received(one.next());
    // An unreadable file may be readable later, so only the last attempt skips it.
    boolean skipUnreadable =
        !scoring.failOnError() && TaskContext.get().attemptNumber() >= lastAttempt;
    UnitReader reader = new UnitReader(work.unit(), work.parts(), scan::read, skipUnreadable);
    return UnitTask.start(runId, reader)
        .summed(scoring.score(reader, reader::rowPlace), scoring.emit());
  }
}
