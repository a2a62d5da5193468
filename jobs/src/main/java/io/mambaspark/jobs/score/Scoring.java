package io.mambaspark.jobs.score;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.not;

import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.model.ModelConventions;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.model.TextEncoding;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.util.LongAccumulator;
import scala.Tuple2;

/** Scores datasets; does not read or write files. */
public final class Scoring {
  private Scoring() {}

  /**
   * Adds the columns that {@code options} request. Lazy, like every transformation of Spark. A
   * partition is streamed, its rows keep their order, and no row is shuffled. If rows are long, set
   * {@code spark.sql.parquet.columnarReaderBatchSize} to a small number: Spark reads that many rows
   * at once.
   *
   * @param input the rows, with the document's columns and the columns to keep
   * @param conventions those of {@code model}
   * @param texts the tokenizer of text columns and its template; may be null for token columns
   * @param progress counts the processed tokens, for display only, because retries are counted
   *     again; may be null
   * @throws Refusal if a column is missing or has the wrong type, if two columns of the output have
   *     the same name, or if the model has no such prefix or fewer than K ids
   */
  static Dataset<Row> score(
      Dataset<Row> input,
      ScoreOptions options,
      ModelConventions conventions,
      ModelDelivery model,
      TextEncoding texts,
      LongAccumulator progress) {
    ScoringSchema schema = ScoringSchema.of(input.schema(), options);
    PartitionScoring scoring = partitions(schema, options, conventions, model, texts, progress);
    return written(
        input.select(schema.rows().input()).mapPartitions(scoring, encoder(schema)),
        schema,
        options);
  }

  /** Returns the function that scores the rows of a partition; see {@link #score}. */
  public static PartitionScoring partitions(
      ScoringSchema schema,
      ScoreOptions options,
      ModelConventions conventions,
      ModelDelivery model,
      TextEncoding texts,
      LongAccumulator progress) {
    options.check(conventions);
    if (schema.rows().text() && texts == null) {
      throw new IllegalArgumentException("Text columns require a tokenizer");
    }
    DocumentColumns columns = options.columns();
    Windows windows = options.windows().windows(options.prefixId(conventions));
    DocumentReader reader =
        new DocumentReader(
            columns,
            windows.firstToken() == Windows.AS_IT_IS
                ? options.prefixId(conventions)
                : TokenOptions.NO_PREFIX,
            columns.isPair()
                ? options.tokens().emptyContextId(conventions)
                : TokenOptions.NO_PREFIX,
            options.maxTokens(),
            options.tokens().maxLength(),
            conventions.vocabSize(),
            schema.rows().text() ? texts : null,
            options.emit().segments());
    return new PartitionScoring(
        model,
        reader,
        options.emit(),
        windows,
        options.bounds(),
        new RowFailures(options.failOnError(), schema.rows().keptAsRead()),
        progress);
  }

  /** Selects the rows that are written, and the columns of the output. */
  public static Dataset<Row> written(
      Dataset<Tuple2<Row, ScoredRow>> scored, ScoringSchema schema, ScoreOptions options) {
    return scored
        .where(options.filters() ? not(col("_2.dropped")) : lit(true))
        .select(schema.output());
  }

  /** Returns the encoder of the results of {@link PartitionScoring}. */
  public static Encoder<Tuple2<Row, ScoredRow>> encoder(ScoringSchema schema) {
    return Encoders.tuple(Encoders.row(schema.rows().keptStruct()), Encoders.bean(ScoredRow.class));
  }
}
