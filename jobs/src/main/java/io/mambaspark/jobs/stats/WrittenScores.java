package io.mambaspark.jobs.stats;

import static org.apache.spark.sql.functions.col;

import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoreColumn;
import io.mambaspark.jobs.score.ScoredRow;
import io.mambaspark.jobs.score.ScoringSchema;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/** Reads scores from written rows, for {@link Totals} to add up. */
final class WrittenScores implements Serializable {
  private static final long serialVersionUID = 1;

  private static final List<ScoreColumn> READ =
      List.of(
          ScoreColumn.ERROR,
          ScoreColumn.TRUNCATED,
          ScoreColumn.CONTEXT_TRUNCATED,
          ScoreColumn.TOKEN_COUNT,
          ScoreColumn.NLL,
          ScoreColumn.PERPLEXITY,
          ScoreColumn.NLL_SQUARES,
          ScoreColumn.IS_GREEDY,
          ScoreColumn.BYTE_COUNT,
          ScoreColumn.WORD_COUNT,
          ScoreColumn.POSITION_NLL,
          ScoreColumn.ENTROPY,
          ScoreColumn.MIN_K,
          ScoreColumn.MIN_K_PLUS_PLUS,
          ScoreColumn.CURVATURE,
          ScoreColumn.LONGEST_GREEDY_RUN,
          ScoreColumn.TOP_K);

  private final Emit emit;
  private final List<ScoreColumn> written;
  private final List<ScoreColumn> selected;
  private final Places<ScoreColumn> places;

  /**
   * Selects the columns to read.
   *
   * @param written the score columns of the rows
   */
  WrittenScores(List<ScoreColumn> written, Emit emit) {
    this.emit = emit;
    this.written = List.copyOf(written);
    this.selected = READ.stream().filter(written::contains).toList();
    this.places = new Places<>(ScoreColumn.class, selected);
  }

  /** Selects the columns that {@link #read} reads, followed by the group columns. */
  Dataset<Row> select(Dataset<Row> scored, List<String> groupBy) {
    List<Column> columns = new ArrayList<>();
    for (ScoreColumn column : selected) {
      Column found = col(column.column());
      columns.add(column == ScoreColumn.TOP_K ? functions.size(found) : found);
    }
    columns.add(ScoringSchema.isNullDocument(written));
    for (String column : groupBy) {
      columns.add(Distributions.group(column));
    }
    return scored.select(columns.toArray(Column[]::new));
  }

  /** Returns the scores of a selected row. */
  ScoredRow read(Row row) {
    ScoredRow scored = new ScoredRow();
    scored.fail(RowError.fromWritten(places.value(row, ScoreColumn.ERROR)));
    boolean isNullDocument = row.getBoolean(selected.size());
    Boolean truncated = places.value(row, ScoreColumn.TRUNCATED);
    scored.setTruncated(isNullDocument ? null : Boolean.TRUE.equals(truncated));
    scored.setContextTruncated(places.value(row, ScoreColumn.CONTEXT_TRUNCATED));
    scored.setTokenCount(places.value(row, ScoreColumn.TOKEN_COUNT));
    scored.setNll(places.value(row, ScoreColumn.NLL));
    scored.setPerplexity(places.value(row, ScoreColumn.PERPLEXITY));
    scored.setNllSquares(places.value(row, ScoreColumn.NLL_SQUARES));
    scored.setIsGreedy(places.value(row, ScoreColumn.IS_GREEDY));
    scored.setByteCount(places.value(row, ScoreColumn.BYTE_COUNT));
    scored.setWordCount(places.value(row, ScoreColumn.WORD_COUNT));
    scored.setEntropy(places.value(row, ScoreColumn.ENTROPY));
    scored.setMinK(places.value(row, ScoreColumn.MIN_K));
    scored.setMinKPlusPlus(places.value(row, ScoreColumn.MIN_K_PLUS_PLUS));
    scored.setCurvature(places.value(row, ScoreColumn.CURVATURE));
    scored.setLongestGreedyRun(places.value(row, ScoreColumn.LONGEST_GREEDY_RUN));
    if (!places.isNull(row, ScoreColumn.POSITION_NLL)) {
      List<Row> buckets = places.list(row, ScoreColumn.POSITION_NLL);
      scored.setPositionTokens(buckets.stream().mapToLong(bucket -> bucket.getLong(0)).toArray());
      scored.setPositionNll(buckets.stream().mapToDouble(bucket -> bucket.getDouble(1)).toArray());
    }
    Integer candidates = places.value(row, ScoreColumn.TOP_K);
    if (!emit.nll() && candidates != null) {
      // The size of a null array is null or -1, depending on Spark's settings.
      scored.setTokenCount((long) Math.max(0, candidates));
    }
    return scored;
  }
}
