package io.mambaspark.jobs.score;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.not;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.text.TokenizerFile;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
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
   * @param tokenizer of the model, where the columns hold text; otherwise may be null
   * @param progress counts the tokens that were run; for a display only, as retries count twice.
   *     May be null
   * @throws Refusal if a column is missing or of the wrong type, a name would stand twice, or the
   *     model has no such prefix or fewer than K ids
   */
  static Dataset<Row> score(
      Dataset<Row> input,
      ScoreOptions options,
      MambaConfig config,
      ModelDelivery model,
      Broadcast<TokenizerFile> tokenizer,
      LongAccumulator progress) {
    ScoringSchema schema = ScoringSchema.of(input.schema(), options);
    PartitionScoring scoring = partitions(schema, options, config, model, tokenizer, progress);
    return written(
        input.select(schema.rows().input()).mapPartitions(scoring, encoder(schema)),
        schema,
        options);
  }

  /** How the rows of a partition are scored; see {@link #score}. */
  public static PartitionScoring partitions(
      ScoringSchema schema,
      ScoreOptions options,
      MambaConfig config,
      ModelDelivery model,
      Broadcast<TokenizerFile> tokenizer,
      LongAccumulator progress) {
    options.check(config);
    if (schema.rows().text() && tokenizer == null) {
      throw new IllegalArgumentException("Text columns require a tokenizer");
    }
    DocumentColumns columns = options.columns();
    Windows windows = options.windows().windows(options.prefixId(config));
    DocumentReader reader =
        new DocumentReader(
            columns,
            windows.firstToken() == Windows.AS_IT_IS
                ? options.prefixId(config)
                : TokenOptions.NO_PREFIX,
            columns.isPair() ? options.tokens().emptyContextId(config) : TokenOptions.NO_PREFIX,
            options.maxTokens(),
            config.vocabSize(),
            schema.rows().text() ? tokenizer : null);
    return new PartitionScoring(
        model,
        reader,
        options.emit(),
        windows,
        new PerplexityBounds(options.minPerplexity(), options.maxPerplexity()),
        new RowFailures(options.failOnError(), schema.rows().keptAsRead()),
        progress);
  }

  /** The columns of the output, of the rows that are written. */
  public static Dataset<Row> written(
      Dataset<Tuple2<Row, ScoredRow>> scored, ScoringSchema schema, ScoreOptions options) {
    return scored
        .where(options.filters() ? not(col("_2.dropped")) : lit(true))
        .select(schema.output());
  }

  /** Of what {@link PartitionScoring} makes. */
  public static Encoder<Tuple2<Row, ScoredRow>> encoder(ScoringSchema schema) {
    return Encoders.tuple(Encoders.row(schema.rows().keptStruct()), Encoders.bean(ScoredRow.class));
  }
}
