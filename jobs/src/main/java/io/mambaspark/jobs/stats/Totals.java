package io.mambaspark.jobs.stats;

import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoreColumn;
import io.mambaspark.jobs.score.ScoredRow;
import io.mambaspark.jobs.score.Scoring;
import java.io.Serializable;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The sums over scored rows. Doubles are added exactly, so the result does not depend on the order
 * of the rows or on their partitions.
 */
public final class Totals implements Serializable {
  private static final long serialVersionUID = 1;

  /** The counted quantities. */
  public enum Count {
    /** Output rows: documents or, if logits were requested, positions and errors. */
    ROWS,
    /** Rows with at least one scored token. */
    SCORED_ROWS,
    /** Rows of null documents, which have no scores and no error. */
    NULL_ROWS,
    /** Scored tokens; positions if logits were requested. */
    TOKENS,
    /** Rows from which tokens were dropped. */
    TRUNCATED,
    /** Rows whose context lost its first tokens. */
    TRUNCATED_CONTEXTS,
    /** Rows that were excluded by their scores. No other count or sum includes them. */
    DROPPED,
    /** Rows with scored tokens whose perplexity is too large for a double. */
    INFINITE_ROWS,
    /** Rows in which every scored token was the arg max. */
    GREEDY_ROWS,
    /** Bytes of the rows whose byte count is known and that were not truncated. */
    BYTES,
    /** Words of the rows whose word count is known and that were not truncated. */
    WORDS
  }

  /** The summed quantities. For one row, nll is its sum and n its number of scored tokens. */
  enum Sum {
    NLL,
    PERPLEXITY,
    /** (ln p)² of each token. */
    NLL_SQUARES,
    /** The nll of the rows in {@link Count#BYTES}. */
    BYTE_NLL,
    /** The nll of the rows in {@link Count#WORDS}. */
    WORD_NLL,
    /** nll², rounded to double before it is added. */
    ROW_NLL_SQUARES,
    /** nll × n, rounded to double before it is added. */
    ROW_NLL_TOKENS,
    /** n². */
    ROW_TOKENS_SQUARES,
    ENTROPY,
    MIN_K,
    MIN_K_PLUS_PLUS,
    CURVATURE,
    LONGEST_GREEDY_RUN
  }

  private final long[] counts = new long[Count.values().length];
  private final BigDecimal[] sums = new BigDecimal[Sum.values().length];
  private final List<BigDecimal> positionNll = new ArrayList<>();
  private final List<Long> positionTokens = new ArrayList<>();
  private final TreeMap<RowError.Kind, Long> errors = new TreeMap<>();

  /** Creates totals of no rows. */
  public Totals() {
    Arrays.fill(sums, BigDecimal.ZERO);
  }

  /**
   * Adds up scored rows, as {@link Scoring} returns them or as they were written.
   *
   * @param columns the score columns of {@code scored}
   */
  public static Totals of(Dataset<Row> scored, Emit emit, List<ScoreColumn> columns) {
    Totals totals = new Totals();
    WrittenScores written = new WrittenScores(columns, emit);
    // The driver collects one small record per partition.
    for (Totals part :
        written
            .select(scored, List.of())
            .toJavaRDD()
            .mapPartitions(rows -> List.of(sum(rows, written, emit)).iterator())
            .collect()) {
      totals.add(part);
    }
    return totals;
  }

  /**
   * Adds up the scored rows of each group.
   *
   * @param groupBy columns of {@code scored}, of any type that can be cast to string
   */
  public static Groups<Totals> byGroup(
      Dataset<Row> scored, Emit emit, List<ScoreColumn> columns, List<String> groupBy) {
    // Positions are not reported for groups.
    List<ScoreColumn> withoutPositions =
        columns.stream().filter(column -> column != ScoreColumn.POSITION_NLL).toList();
    WrittenScores written = new WrittenScores(withoutPositions, emit);
    return Groups.of(
        written.select(scored, groupBy),
        groupBy.size(),
        Totals::new,
        (totals, row) -> totals.add(written.read(row), emit),
        Totals::add,
        Totals::scoredRows);
  }

  private static Totals sum(Iterator<Row> rows, WrittenScores written, Emit emit) {
    Totals totals = new Totals();
    while (rows.hasNext()) {
      totals.add(written.read(rows.next()), emit);
    }
    return totals;
  }

  /**
   * Adds one row. The scores of a row with an error are ignored. A row without an error whose
   * {@code truncated} is null belongs to a null document, unless it is a row of logits.
   */
  public void add(ScoredRow row, Emit emit) {
    if (Boolean.TRUE.equals(row.getDropped())) {
      add(Count.DROPPED, 1);
      return;
    }
    boolean truncated = Boolean.TRUE.equals(row.getTruncated());
    add(Count.ROWS, 1);
    add(Count.TRUNCATED, truncated && !emit.logits() ? 1 : 0);
    add(Count.TRUNCATED_CONTEXTS, Boolean.TRUE.equals(row.getContextTruncated()) ? 1 : 0);
    if (row.error() != null) {
      errors.merge(row.error().kind(), 1L, Long::sum);
      return;
    }
    if (row.getTruncated() == null && !emit.logits()) {
      add(Count.NULL_ROWS, 1);
      return;
    }
    long tokens = tokens(row, emit);
    add(Count.SCORED_ROWS, tokens > 0 ? 1 : 0);
    add(Count.TOKENS, tokens);
    if (row.getNll() != null) {
      addNll(row, tokens, truncated);
    }
    for (ScoreColumn signal : emit.signals().columns()) {
      if (row.number(signal) != null) {
        add(sum(signal), row.number(signal));
      }
    }
    if (row.getPerplexity() != null) {
      add(Sum.PERPLEXITY, row.getPerplexity());
    } else if (row.getNll() != null && tokens > 0) {
      add(Count.INFINITE_ROWS, 1);
    }
  }

  /** Returns the sum of a signal, which has the signal's name. */
  private static Sum sum(ScoreColumn signal) {
    return Sum.valueOf(signal.name());
  }

  private static long tokens(ScoredRow row, Emit emit) {
    if (emit.logits()) {
      return 1;
    }
    if (row.getTopKIds() != null && !emit.nll()) {
      return row.getTopKIds().length;
    }
    return row.getTokenCount() == null ? 0 : row.getTokenCount();
  }

  private void addNll(ScoredRow row, long tokens, boolean truncated) {
    double nll = row.getNll();
    add(Sum.NLL, nll);
    add(Sum.ROW_NLL_SQUARES, nll * nll);
    add(Sum.ROW_NLL_TOKENS, nll * tokens);
    add(Sum.ROW_TOKENS_SQUARES, (double) tokens * tokens);
    add(Count.GREEDY_ROWS, Boolean.TRUE.equals(row.getIsGreedy()) ? 1 : 0);
    if (row.getNllSquares() != null) {
      add(Sum.NLL_SQUARES, row.getNllSquares());
    }
    if (row.getByteCount() != null && !truncated) {
      add(Count.BYTES, row.getByteCount());
      add(Sum.BYTE_NLL, nll);
    }
    if (row.getWordCount() != null && !truncated) {
      add(Count.WORDS, row.getWordCount());
      add(Sum.WORD_NLL, nll);
    }
    if (row.getPositionNll() != null) {
      for (int i = 0; i < row.getPositionNll().length; i++) {
        addPosition(i, new BigDecimal(row.getPositionNll()[i]), row.getPositionTokens()[i]);
      }
    }
  }

  private void add(Count count, long number) {
    counts[count.ordinal()] += number;
  }

  private void add(Sum sum, double number) {
    sums[sum.ordinal()] = sums[sum.ordinal()].add(new BigDecimal(number));
  }

  private void addPosition(int bucket, BigDecimal nll, long tokens) {
    while (positionNll.size() <= bucket) {
      positionNll.add(BigDecimal.ZERO);
      positionTokens.add(0L);
    }
    positionNll.set(bucket, positionNll.get(bucket).add(nll));
    positionTokens.set(bucket, positionTokens.get(bucket) + tokens);
  }

  /**
   * The totals as the ledger stores them.
   *
   * @param counts counts by the names of {@link Count}, in lower case
   * @param sums exact decimal sums by the names of {@link Sum}, in lower case
   * @param positionNll exact decimal sums of the nll at positions 2^b to 2^(b+1) - 1
   * @param positionTokens the number of tokens in each of these sums
   * @param errors the number of rows by kind of error
   */
  public record Exact(
      Map<String, Long> counts,
      Map<String, String> sums,
      List<String> positionNll,
      List<Long> positionTokens,
      Map<String, Long> errors)
      implements Serializable {}

  /** Returns the totals for the ledger. */
  public Exact exact() {
    Map<String, Long> exactCounts = new TreeMap<>();
    for (Count count : Count.values()) {
      exactCounts.put(name(count), count(count));
    }
    Map<String, String> exactSums = new TreeMap<>();
    for (Sum sum : Sum.values()) {
      exactSums.put(name(sum), sums[sum.ordinal()].toPlainString());
    }
    Map<String, Long> exactErrors = new TreeMap<>();
    errors.forEach((kind, count) -> exactErrors.put(kind.label(), count));
    return new Exact(
        exactCounts,
        exactSums,
        positionNll.stream().map(BigDecimal::toPlainString).toList(),
        List.copyOf(positionTokens),
        exactErrors);
  }

  private static String name(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  /** Adds totals of the ledger. */
  public void add(Exact exact) {
    for (Count count : Count.values()) {
      add(count, exact.counts().get(name(count)));
    }
    for (Sum sum : Sum.values()) {
      sums[sum.ordinal()] = sums[sum.ordinal()].add(new BigDecimal(exact.sums().get(name(sum))));
    }
    for (int i = 0; i < exact.positionNll().size(); i++) {
      addPosition(i, new BigDecimal(exact.positionNll().get(i)), exact.positionTokens().get(i));
    }
    exact
        .errors()
        .forEach((kind, count) -> errors.merge(RowError.Kind.labelled(kind), count, Long::sum));
  }

  private void add(Totals other) {
    for (int i = 0; i < counts.length; i++) {
      counts[i] += other.counts[i];
    }
    for (int i = 0; i < sums.length; i++) {
      sums[i] = sums[i].add(other.sums[i]);
    }
    for (int i = 0; i < other.positionNll.size(); i++) {
      addPosition(i, other.positionNll.get(i), other.positionTokens.get(i));
    }
    other.errors.forEach((error, count) -> errors.merge(error, count, Long::sum));
  }

  public long count(Count count) {
    return counts[count.ordinal()];
  }

  double sum(Sum sum) {
    return sums[sum.ordinal()].doubleValue();
  }

  /** Returns a sum divided by a number, rounded once. */
  double mean(Sum sum, long number) {
    return sums[sum.ordinal()]
        .divide(BigDecimal.valueOf(number), MathContext.DECIMAL128)
        .doubleValue();
  }

  /** Returns {@link Count#ROWS}. */
  public long rows() {
    return count(Count.ROWS);
  }

  /** Returns {@link Count#SCORED_ROWS}. */
  public long scoredRows() {
    return count(Count.SCORED_ROWS);
  }

  /** Returns {@link Count#TOKENS}. */
  public long tokens() {
    return count(Count.TOKENS);
  }

  /** Returns {@link Count#NULL_ROWS}. */
  public long nulls() {
    return count(Count.NULL_ROWS);
  }

  /** Returns the number of rows that are neither null nor errors and have no scored token. */
  public long tooShort() {
    return rows() - scoredRows() - nulls() - errorRows();
  }

  public Map<RowError.Kind, Long> errors() {
    return errors;
  }

  public long errorRows() {
    return errors.values().stream().mapToLong(Long::longValue).sum();
  }

  public double nll() {
    return sum(Sum.NLL);
  }

  /** Returns the mean of a signal over the scored rows; null if there are none. */
  public Double mean(ScoreColumn signal) {
    return scoredRows() == 0 ? null : (Double) mean(sum(signal), scoredRows());
  }

  /** Returns the perplexities of these sums. */
  public Perplexities perplexities() {
    return new Perplexities(this);
  }

  /** Scored tokens at positions 2^b to 2^(b+1) - 1. */
  public record Position(int first, long tokens, double nll) {
    public double perplexity() {
      return StrictMath.exp(nll / tokens);
    }
  }

  /** Returns the ranges of positions that have scored tokens, in ascending order. */
  public List<Position> positions() {
    List<Position> positions = new ArrayList<>();
    for (int i = 0; i < positionNll.size(); i++) {
      if (positionTokens.get(i) > 0) {
        positions.add(
            new Position(1 << i, positionTokens.get(i), positionNll.get(i).doubleValue()));
      }
    }
    return positions;
  }
}
