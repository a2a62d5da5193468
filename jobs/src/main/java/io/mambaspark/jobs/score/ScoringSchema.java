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
 * The input and output columns of a partition of {@code score}.
 *
 * @param rows the columns that are read from the input
 * @param scores the columns that are added
 */
public record ScoringSchema(RowSchema rows, List<ScoreColumn> scores) {

  /** Throws {@link Refusal} if the input lacks a column or two columns have the same name. */
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
          // Required for the error bar of llama.cpp.
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
      } else if (options.tokens().maxLength() > 0) {
        columns.add(ScoreColumn.CONTEXT_TRUNCATED);
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
      if (emit.segments() != null) {
        emit.segments().check(text, document);
        columns.add(ScoreColumn.SEGMENTS);
      }
      columns.addAll(emit.signals().allColumns());
      if (emit.lastLogits()) {
        columns.add(ScoreColumn.LAST_LOGITS);
      }
    }
    columns.add(ScoreColumn.ERROR);
    return columns;
  }

  /**
   * Whether a row of the output belongs to a null document. All added columns are null in such a
   * row. It is enough to test two of them, the error and the first of the columns below that
   * exists: every other row has a value in one of these two. Null documents have no rows of logits.
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

  /** Returns the schema of the output. */
  public StructType outputSchema() {
    StructType schema = rows.keptAsRead();
    for (ScoreColumn score : scores) {
      schema = schema.add(score.column(), score.type(), true, score.metadata());
    }
    return schema;
  }

  /** Selects the output from a partition's pairs (kept columns, {@link ScoredRow}). */
  Column[] output() {
    List<Column> columns = rows.keptOutput();
    for (ScoreColumn score : scores) {
      columns.add(score.output());
    }
    return columns.toArray(Column[]::new);
  }
}
