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
    // Tokens of two tokenizers do not measure a text; its bytes do.
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
    knowsTokens &= !at.isNull(row, CompareColumn.BETTER_TOKENS);
    knowsDistributions &= !at.isNull(row, CompareColumn.KL);
    betterTokens += count(row, at, CompareColumn.BETTER_TOKENS, a);
    agreements += count(row, at, CompareColumn.TOP1_AGREEMENT, a);
    if (!at.isNull(row, CompareColumn.KL)) {
      add(Sum.KL, at.real(row, CompareColumn.KL) * a);
    }
  }

  /** The tokens of which a column is the share: a share of whole numbers gives them back. */
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
