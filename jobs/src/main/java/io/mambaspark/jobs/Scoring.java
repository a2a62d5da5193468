package io.mambaspark.jobs;

import io.mambaspark.engine.model.MambaConfig;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import scala.Tuple2;

/** Scoring as a function of rows, without any input or output of its own. */
public final class Scoring {
  private Scoring() {}

  /**
   * Adds the columns that {@code options} ask for. Lazy, as every transformation of Spark; a
   * partition is streamed, and the order of its rows is kept. Nothing is shuffled. Where rows are
   * long, keep {@code spark.sql.parquet.columnarReaderBatchSize} small: Spark reads that many at
   * once.
   *
   * @param input has the tokens column and the columns to keep
   * @param config of the model in {@code model}
   * @param progress counts the tokens that were run; for a display only, as retries count twice.
   *     May be null
   * @throws Refusal if a column is missing or of the wrong type, a name would stand twice, or the
   *     model has no such prefix or fewer than K ids
   */
  public static Dataset<Row> score(
      Dataset<Row> input,
      ScoreOptions options,
      MambaConfig config,
      ModelDelivery model,
      LongAccumulator progress) {
    ScoringSchema schema = ScoringSchema.of(input.schema(), options);
    PartitionScoring scoring = partitions(schema, options, config, model, progress);
    return input
        .select(schema.input())
        .mapPartitions(scoring, encoder(schema))
        .select(schema.output());
  }

  /**
   * As {@link #score}, but each unit in a task of its own, in the order of the list.
   *
   * @param input a scan of the Parquet files that the units are of
   * @param run names the run that the units belong to
   * @throws Refusal also if something else than Spark's own file source reads the input
   */
  static Dataset<Row> score(
      Dataset<Row> input,
      String run,
      List<Unit> units,
      ScoreOptions options,
      MambaConfig config,
      ModelDelivery model,
      LongAccumulator progress) {
    ScoringSchema schema = ScoringSchema.of(input.schema(), options);
    PartitionScoring scoring = partitions(schema, options, config, model, progress);
    SparkSession spark = input.sparkSession();
    int maxFailures =
        spark.sparkContext().isLocal()
            ? 1
            : spark.sparkContext().conf().getInt("spark.task.maxFailures", 4);
    JavaRDD<Tuple2<Row, ScoredRow>> rows =
        UnitScoring.plan(run, input.select(schema.input()), units, scoring, maxFailures);
    return spark.createDataset(rows.rdd(), encoder(schema)).select(schema.output());
  }

  private static PartitionScoring partitions(
      ScoringSchema schema,
      ScoreOptions options,
      MambaConfig config,
      ModelDelivery model,
      LongAccumulator progress) {
    options.check(config);
    return new PartitionScoring(
        model,
        options.emit(),
        options.prefixId(config),
        options.maxTokens(),
        options.failOnError(),
        schema.keptAsRead(),
        progress);
  }

  private static Encoder<Tuple2<Row, ScoredRow>> encoder(ScoringSchema schema) {
    return Encoders.tuple(Encoders.row(schema.keptStruct()), Encoders.bean(ScoredRow.class));
  }
}
