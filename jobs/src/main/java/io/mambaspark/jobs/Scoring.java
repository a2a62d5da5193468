package io.mambaspark.jobs;

import io.mambaspark.engine.model.MambaConfig;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.util.LongAccumulator;

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
      Broadcast<ModelBroadcast> model,
      LongAccumulator progress) {
    options.check(config);
    ScoringSchema schema = ScoringSchema.of(input.schema(), options);
    PartitionScoring scoring =
        new PartitionScoring(
            model,
            options.emit(),
            options.prefixId(config),
            options.maxTokens(),
            options.failOnError(),
            schema.keptAsRead(),
            progress);
    return input
        .select(schema.input())
        .mapPartitions(
            scoring,
            Encoders.tuple(Encoders.row(schema.keptStruct()), Encoders.bean(ScoredRow.class)))
        .select(schema.output());
  }
}
