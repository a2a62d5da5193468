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

/** The sums over compared rows. Doubles are added exactly, as in {@link Totals}. */
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

  /** The summed quantities, where DELTA is nll_b - nll_a and LENGTH is the length of a row. */
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
  private boolean hasTokenShares = true;
  private boolean hasDistributions = true;

  public ComparedTotals() {
    Arrays.fill(sums, BigDecimal.ZERO);
  }

  /**
   * Sums up the written rows of each group.
   *
   * @param written rows with the columns that {@code compare} adds and the group columns
   */
  public static Groups<ComparedTotals> byGroup(Dataset<Row> written, List<String> groupBy) {
    List<String> present = Arrays.asList(written.columns());
    List<Column> columns = new ArrayList<>();
    List<CompareColumn> selected =
        READ.stream().filter(column -> present.contains(column.column())).toList();
    selected.forEach(column -> columns.add(col(column.column())));
    groupBy.forEach(column -> columns.add(Distributions.group(column)));
    Places<CompareColumn> places = new Places<>(CompareColumn.class, selected);
    return Groups.of(
        written.select(columns.toArray(Column[]::new)),
        groupBy.size(),
        ComparedTotals::new,
        (totals, row) -> totals.add(row, places),
        ComparedTotals::add,
        ComparedTotals::rows);
  }

  private void add(Row row, Places<CompareColumn> at) {
    rows++;
    if (!at.isNull(row, CompareColumn.ERROR)) {
      errors++;
      return;
    }
    if (at.isNull(row, CompareColumn.TOKEN_COUNT)) {
      nulls++;
      return;
    }
    long a = at.number(row, CompareColumn.TOKEN_COUNT);
    boolean sameTokens = at.isNull(row, CompareColumn.TOKEN_COUNT_B);
    long b = sameTokens ? a : at.number(row, CompareColumn.TOKEN_COUNT_B);
    long size =
        at.isNull(row, CompareColumn.BYTE_COUNT) ? 0 : at.number(row, CompareColumn.BYTE_COUNT);
    double nllA = at.real(row, CompareColumn.NLL_A);
    double nllB = at.real(row, CompareColumn.NLL_B);
    double delta = nllB - nllA;
    // Token counts of two tokenizers are not comparable, so the length is in bytes.
    long n = sameTokens ? a : size;
    scored += a > 0 ? 1 : 0;
    tokensA += a;
    tokensB += b;
    bytes += size;
    length += n;
    betterDocuments += delta < 0 ? 1 : 0;
    add(Sum.NLL_A, nllA);
    add(Sum.NLL_B, nllB);
    add(Sum.DELTA, delta);
    add(Sum.DELTA_SQUARES, delta * delta);
    add(Sum.DELTA_LENGTH, delta * n);
    add(Sum.LENGTH_SQUARES, (double) n * n);
    if (a == 0) {
      return;
    }
    hasTokenShares &= !at.isNull(row, CompareColumn.BETTER_TOKENS);
    hasDistributions &= !at.isNull(row, CompareColumn.KL);
    betterTokens += count(row, at, CompareColumn.BETTER_TOKENS, a);
    agreements += count(row, at, CompareColumn.TOP1_AGREEMENT, a);
    if (!at.isNull(row, CompareColumn.KL)) {
      add(Sum.KL, at.real(row, CompareColumn.KL) * a);
    }
  }

  /** Returns the number of tokens of a share; rounding restores the exact integer. */
  private static long count(Row row, Places<CompareColumn> at, CompareColumn share, long tokens) {
    return at.isNull(row, share) ? 0 : Math.round(at.real(row, share) * tokens);
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
    hasTokenShares &= other.hasTokenShares;
    hasDistributions &= other.hasDistributions;
  }

  private double sum(Sum sum) {
    return sums[sum.ordinal()].doubleValue();
  }

  long rows() {
    return rows;
  }

  /** Returns the numbers that follow from the sums. */
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
            any && hasTokenShares ? (double) betterTokens / tokensA : null,
            any && hasDistributions ? sum(Sum.KL) / tokensA : null,
            any && hasDistributions ? (double) agreements / tokensA : null));
  }

  private boolean perToken() {
    return length == tokensA;
  }

  private Double ratio() {
    return length == 0 ? null : sum(Sum.DELTA) / length;
  }

  /**
   * Returns the standard error of {@link #ratio} for documents drawn at random. Both models score
   * the same documents, so the error is computed from their differences. Null for fewer than two
   * scored documents.
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
