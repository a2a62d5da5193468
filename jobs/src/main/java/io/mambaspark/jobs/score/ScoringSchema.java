package io.mambaspark.jobs.score;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.types.StructType;

/**
 * The columns that go into a partition of {@code score} and those that come out of it.
 *
 * @param rows what is read of the input
 * @param scores the columns that are added, as {@link ScoreColumn}s
 */
public record ScoringSchema(RowSchema rows, List<ScoreColumn> scores) {

  /** Throws {@link Refusal} where the input lacks a column or a name would stand twice. */
  public static ScoringSchema of(StructType input, ScoreOptions options) {
    RowSchema rows = RowSchema.of(input, options.documents());
    List<ScoreColumn> scores = scoreColumns(options, rows.text());
    scores.forEach(score -> rows.checkFree(score.column()));
    return new ScoringSchema(rows, scores);
  }

  private static List<ScoreColumn> scoreColumns(ScoreOptions options, boolean text) {
    Emit emit = options.emit();
    DocumentColumns document = options.columns();
    List<ScoreColumn> columns = new ArrayList<>();
    if (emit.logits()) {
      columns.addAll(List.of(ScoreColumn.POSITION, ScoreColumn.TOKEN, ScoreColumn.LOGITS));
    } else {
      if (emit.nll()) {
        columns.addAll(List.of(ScoreColumn.NLL, ScoreColumn.TOKEN_COUNT, ScoreColumn.PERPLEXITY));
        if (options.windows().policy() == Windows.Policy.CHUNKED) {
          // Wanted for llama.cpp's error bar.
          columns.add(ScoreColumn.NLL_SQUARES);
        }
        if (document.isPair()) {
          columns.add(ScoreColumn.IS_GREEDY);
        }
        if (text || document.byteCount() != null) {
          columns.addAll(List.of(ScoreColumn.BYTE_COUNT, ScoreColumn.BITS_PER_BYTE));
        }
        if (text || document.wordCount() != null) {
          columns.add(ScoreColumn.WORD_COUNT);
        }
      }
      if (!document.isPair()) {
        columns.add(ScoreColumn.TRUNCATED);
      }
      if (emit.tokenLogprobs()) {
        columns.addAll(List.of(ScoreColumn.TOKEN_LOGPROBS, ScoreColumn.GREEDY_MATCH));
      }
      if (emit.tokenRanks()) {
        columns.add(ScoreColumn.TOKEN_RANKS);
      }
      if (emit.topK() > 0) {
        columns.add(ScoreColumn.TOP_K);
      }
      if (emit.positionNll()) {
        columns.add(ScoreColumn.POSITION_NLL);
      }
      if (emit.lastLogits()) {
        columns.add(ScoreColumn.LAST_LOGITS);
      }
    }
    columns.add(ScoreColumn.ERROR);
    return columns;
  }

  /**
   * Whether a row of the output is that of a null document: every column that is added is null
   * there, and in no other row. The first of these columns that is there decides, as any other row
   * has a value in it or an error. Rows of logits have no such document.
   *
   * @param scores the columns that were added
   */
  public static Column isNullDocument(List<ScoreColumn> scores) {
    return Stream.of(
            ScoreColumn.TRUNCATED, ScoreColumn.NLL, ScoreColumn.TOP_K, ScoreColumn.LAST_LOGITS)
        .filter(scores::contains)
        .findFirst()
        .map(score -> col(score.column()).isNull().and(col(ScoreColumn.ERROR.column()).isNull()))
        .orElse(lit(false));
  }

  /** The columns of the output, as Spark will find them. */
  public StructType outputSchema() {
    StructType schema = rows.keptAsRead();
    for (ScoreColumn score : scores) {
      schema = schema.add(score.column(), score.type(), true, score.metadata());
    }
    return schema;
  }

  /** The output from the pair (kept columns, {@link ScoredRow}) that a partition makes. */
  Column[] output() {
    List<Column> columns = rows.keptOutput();
    for (ScoreColumn score : scores) {
      columns.add(score.output());
    }
    return columns.toArray(Column[]::new);
  }
}
