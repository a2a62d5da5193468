package io.mambaspark.jobs.stats;

import static org.apache.spark.sql.functions.col;

import io.mambaspark.jobs.score.CompareColumn;
import java.io.Serializable;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** The sums over compared rows, each double added exactly, as {@link Totals}. */
public final class ComparedTotals implements Serializable {
  private static final long serialVersionUID = 1;

  private static final List<CompareColumn> READ =
      List.of(
          CompareColumn.ERROR,
          CompareColumn.NLL_A,
          CompareColumn.NLL_B,
          CompareColumn.TOKEN_COUNT,
          CompareColumn.TOKEN_COUNT_B,
          CompareColumn.BETTER_TOKENS,
          CompareColumn.KL,
          CompareColumn.TOP1_AGREEMENT,
          CompareColumn.BYTE_COUNT);

  /** Of {@code d} = nll_b - nll_a, and the length n of a document. */
  private enum Sum {
    NLL_A,
    NLL_B,
    DELTA,
    DELTA_SQUARES,
    DELTA_LENGTH,
    LENGTH_SQUARES,
    KL
  }

  private final BigDecimal[] sums = new BigDecimal[Sum.values().length];
  private long rows;
  private long errors;
  private long nulls;
  private long scored;
  private long tokensA;
  private long tokensB;
  private long bytes;
  private long length;
  private long betterDocuments;
  private long betterTokens;
  private long agreements;
  private boolean knowsTokens = true;
  private boolean knowsDistributions = true;

  public ComparedTotals() {
    Arrays.fill(sums, BigDecimal.ZERO);
  }

  /**
   * Sums up what was written, for each group.
   *
   * @param written the columns that {@code compare} adds, and the group columns
   */
  public static Groups<ComparedTotals> byGroup(Dataset<Row> written, List<String> groupBy) {
    List<String> present = Arrays.asList(written.columns());
    List<Column> columns = new ArrayList<>();
    for (CompareColumn column : READ) {
      columns.add(
          present.contains(column.column())
              ? col(column.column())
              : org.apache.spark.sql.functions.lit(null));
    }
    groupBy.forEach(column -> columns.add(Distributions.group(column)));
    return Groups.of(
        written.select(columns.toArray(Column[]::new)),
        groupBy.size(),
        ComparedTotals::new,
        ComparedTotals::add,
        ComparedTotals::add,
        ComparedTotals::rows);
  }

  private void add(Row row) {
    rows++;
    if (!row.isNullAt(0)) {
      errors++;
      return;
    }
    if (row.isNullAt(3)) {
      nulls++;
      return;
    }
    long a = row.getLong(3);
    long b = row.isNullAt(4) ? a : row.getLong(4);
    double delta = row.getDouble(2) - row.getDouble(1);
    // Tokens of two tokenizers are no measure of a text; its bytes are.
    long n = row.isNullAt(4) ? a : row.isNullAt(8) ? 0 : row.getLong(8);
    scored += a > 0 ? 1 : 0;
    tokensA += a;
    tokensB += b;
    bytes += row.isNullAt(8) ? 0 : row.getLong(8);
    length += n;
    betterDocuments += delta < 0 ? 1 : 0;
    add(Sum.NLL_A, row.getDouble(1));
    add(Sum.NLL_B, row.getDouble(2));
    add(Sum.DELTA, delta);
    add(Sum.DELTA_SQUARES, delta * delta);
    add(Sum.DELTA_LENGTH, delta * n);
    add(Sum.LENGTH_SQUARES, (double) n * n);
    if (a == 0) {
      return;
    }
    knowsTokens &= !row.isNullAt(5);
    knowsDistributions &= !row.isNullAt(6);
    // Shares were made of whole numbers, which they give back.
    betterTokens += row.isNullAt(5) ? 0 : Math.round(row.getDouble(5) * a);
    agreements += row.isNullAt(7) ? 0 : Math.round(row.getDouble(7) * a);
    if (!row.isNullAt(6)) {
      add(Sum.KL, row.getDouble(6) * a);
    }
  }

  private void add(Sum sum, double number) {
    sums[sum.ordinal()] = sums[sum.ordinal()].add(new BigDecimal(number));
  }

  private void add(ComparedTotals other) {
    for (int i = 0; i < sums.length; i++) {
      sums[i] = sums[i].add(other.sums[i]);
    }
    rows += other.rows;
    errors += other.errors;
    nulls += other.nulls;
    scored += other.scored;
    tokensA += other.tokensA;
    tokensB += other.tokensB;
    bytes += other.bytes;
    length += other.length;
    betterDocuments += other.betterDocuments;
    betterTokens += other.betterTokens;
    agreements += other.agreements;
    knowsTokens &= other.knowsTokens;
    knowsDistributions &= other.knowsDistributions;
  }

  private double sum(Sum sum) {
    return sums[sum.ordinal()].doubleValue();
  }

  long rows() {
    return rows;
  }

  /** What the sums come to. */
  public ComparedNumbers numbers() {
    boolean any = tokensA > 0 && tokensB > 0;
    return new ComparedNumbers(
        new ComparedNumbers.Documents(rows, scored, nulls, errors),
        new ComparedNumbers.Tokens(tokensA, tokensB),
        new ComparedNumbers.Perplexities(
            any ? StrictMath.exp(sum(Sum.NLL_A) / tokensA) : null,
            any ? StrictMath.exp(sum(Sum.NLL_B) / tokensB) : null),
        new ComparedNumbers.Difference(sum(Sum.DELTA), perToken(), ratio(), error()),
        new ComparedNumbers.Agreement(
            scored == 0 ? null : (double) betterDocuments / scored,
            any && knowsTokens ? (double) betterTokens / tokensA : null,
            any && knowsDistributions ? sum(Sum.KL) / tokensA : null,
            any && knowsDistributions ? (double) agreements / tokensA : null));
  }

  private boolean perToken() {
    return length == tokensA;
  }

  private Double ratio() {
    return length == 0 ? null : sum(Sum.DELTA) / length;
  }

  /**
   * The standard error of {@link #ratio}, documents being drawn at random: both models score the
   * same ones, so it is the differences that vary. Null for less than two scored documents.
   */
  private Double error() {
    if (scored < 2 || length == 0) {
      return null;
    }
    double ratio = ratio();
    double squares =
        sum(Sum.DELTA_SQUARES)
            - 2 * ratio * sum(Sum.DELTA_LENGTH)
            + ratio * ratio * sum(Sum.LENGTH_SQUARES);
    return Math.sqrt(Math.max(0, squares) * scored / (scored - 1)) / length;
  }
}
