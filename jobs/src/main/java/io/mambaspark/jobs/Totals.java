package io.mambaspark.jobs;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.size;

import io.mambaspark.jobs.ScoringSchema.ScoreColumn;
import java.io.Serializable;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The sums over scored rows. Each double is added exactly, so that neither the order of the rows
 * nor their partitions can show in the result.
 */
final class Totals implements Serializable {
  private static final long serialVersionUID = 1;

  private long rows;
  private long scoredRows;
  private long tokens;
  private long truncated;
  private BigDecimal nll = BigDecimal.ZERO;
  private BigDecimal perplexity = BigDecimal.ZERO;
  private final TreeMap<RowError, Long> errors = new TreeMap<>();

  /** Adds up what {@link Scoring} made, or what was written of it. */
  static Totals of(Dataset<Row> scored, Emit emit) {
    Totals totals = new Totals();
    // One small record per partition comes to the driver.
    for (Totals part :
        scored
            .select(columns(emit))
            .toJavaRDD()
            .mapPartitions(rows -> List.of(sum(rows)).iterator())
            .collect()) {
      totals.add(part);
    }
    return totals;
  }

  private static Column[] columns(Emit emit) {
    Column none = org.apache.spark.sql.functions.lit(null);
    List<Column> columns = new ArrayList<>();
    columns.add(col(ScoreColumn.ERROR.column()));
    columns.add(emit.logits() ? none.cast("boolean") : col(ScoreColumn.TRUNCATED.column()));
    if (emit.nll()) {
      columns.add(col(ScoreColumn.TOKEN_COUNT.column()));
    } else if (emit.topK() > 0) {
      columns.add(size(col(ScoreColumn.TOP_K.column())).cast("bigint"));
    } else if (emit.logits()) {
      columns.add(org.apache.spark.sql.functions.lit(1L));
    } else {
      columns.add(none.cast("bigint"));
    }
    columns.add(emit.nll() ? col(ScoreColumn.NLL.column()) : none.cast("double"));
    columns.add(emit.nll() ? col(ScoreColumn.PERPLEXITY.column()) : none.cast("double"));
    return columns.toArray(Column[]::new);
  }

  private static Totals sum(Iterator<Row> rows) {
    Totals totals = new Totals();
    while (rows.hasNext()) {
      Row row = rows.next();
      totals.add(
          row.getString(0),
          !row.isNullAt(1) && row.getBoolean(1),
          // The size of a null array is null or -1, as Spark is set.
          row.isNullAt(2) ? 0 : Math.max(0, row.getLong(2)),
          row.isNullAt(3) ? null : row.getDouble(3),
          row.isNullAt(4) ? null : row.getDouble(4));
    }
    return totals;
  }

  /** Adds one row. Its numbers count for nothing where it has an error. */
  void add(
      String error, boolean rowTruncated, long rowTokens, Double rowNll, Double rowPerplexity) {
    rows++;
    truncated += rowTruncated ? 1 : 0;
    if (error != null) {
      errors.merge(RowError.of(error), 1L, Long::sum);
      return;
    }
    scoredRows += rowTokens > 0 ? 1 : 0;
    tokens += rowTokens;
    if (rowNll != null) {
      nll = nll.add(new BigDecimal(rowNll));
    }
    if (rowPerplexity != null) {
      perplexity = perplexity.add(new BigDecimal(rowPerplexity));
    }
  }

  /** Adds one row as it leaves the scorer: what {@link #of} would read of it in the output. */
  void add(ScoredRow row, Emit emit) {
    long rowTokens = 0;
    if (emit.nll()) {
      rowTokens = row.getTokenCount() == null ? 0 : row.getTokenCount();
    } else if (emit.topK() > 0) {
      rowTokens = row.getTopKIds() == null ? 0 : row.getTopKIds().length;
    } else if (emit.logits()) {
      rowTokens = 1;
    }
    boolean cut = !emit.logits() && Boolean.TRUE.equals(row.getTruncated());
    add(row.getError(), cut, rowTokens, row.getNll(), row.getPerplexity());
  }

  /** Adds a unit of the ledger. */
  void add(UnitEntry unit) {
    rows += unit.rows();
    scoredRows += unit.scoredRows();
    tokens += unit.tokens();
    truncated += unit.truncated();
    nll = nll.add(new BigDecimal(unit.nll()));
    perplexity = perplexity.add(new BigDecimal(unit.perplexity()));
    unit.errors()
        .forEach(
            (kind, count) ->
                errors.merge(RowError.valueOf(kind.toUpperCase(Locale.ROOT)), count, Long::sum));
  }

  private void add(Totals other) {
    rows += other.rows;
    scoredRows += other.scoredRows;
    tokens += other.tokens;
    truncated += other.truncated;
    nll = nll.add(other.nll);
    perplexity = perplexity.add(other.perplexity);
    other.errors.forEach((error, count) -> errors.merge(error, count, Long::sum));
  }

  /** Rows of the output: documents, or positions and errors where logits were asked for. */
  long rows() {
    return rows;
  }

  /** Rows with at least one scored token. */
  long scoredRows() {
    return scoredRows;
  }

  /** Scored tokens; positions where logits were asked for. */
  long tokens() {
    return tokens;
  }

  long truncated() {
    return truncated;
  }

  Map<RowError, Long> errors() {
    return errors;
  }

  long errorRows() {
    return errors.values().stream().mapToLong(Long::longValue).sum();
  }

  BigDecimal exactNll() {
    return nll;
  }

  BigDecimal exactPerplexity() {
    return perplexity;
  }

  double nll() {
    return nll.doubleValue();
  }

  /** {@code exp(Σ nll / Σ tokens)}; null where nothing was scored. */
  Double corpusPerplexity() {
    return tokens == 0 ? null : StrictMath.exp(nll.doubleValue() / tokens);
  }

  /** The mean of the documents' own perplexities; null where nothing was scored. */
  Double meanDocumentPerplexity() {
    return scoredRows == 0
        ? null
        : perplexity.divide(BigDecimal.valueOf(scoredRows), MathContext.DECIMAL128).doubleValue();
  }
}
