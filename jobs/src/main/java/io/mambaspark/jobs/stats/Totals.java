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
 * The sums over scored rows. Each double is added exactly, so that neither the order of the rows
 * nor their partitions can show in the result.
 */
public final class Totals implements Serializable {
  private static final long serialVersionUID = 1;

  /** What is counted. */
  public enum Count {
    /** Rows of the output: documents, or positions and errors where logits were asked for. */
    ROWS,
    /** Rows with at least one scored token. */
    SCORED_ROWS,
    /** Rows of null documents, which have no scores and no error. */
    NULL_ROWS,
    /** Scored tokens; positions where logits were asked for. */
    TOKENS,
    /** Rows of which tokens were dropped. */
    TRUNCATED,
    /** Rows that were left out for their perplexity. They count for nothing else. */
    DROPPED,
    /** Rows with scored tokens whose perplexity is too large for a double. */
    INFINITE_ROWS,
    /** Rows whose scored tokens were all the arg max. */
    GREEDY_ROWS,
    /** Bytes of the rows whose length is known and that were not truncated. */
    BYTES,
    /** Words, alike. */
    WORDS
  }

  /** What is summed. Of {@code nll} per row, and its number of scored tokens n: */
  enum Sum {
    NLL,
    PERPLEXITY,
    /** Of the tokens' (ln p)². */
    NLL_SQUARES,
    /** The nll of the rows in {@link Count#BYTES}. */
    BYTE_NLL,
    /** The nll of the rows in {@link Count#WORDS}. */
    WORD_NLL,
    /** nll², rounded to double before it is added. */
    ROW_NLL_SQUARES,
    /** nll × n, alike. */
    ROW_NLL_TOKENS,
    /** n². */
    ROW_TOKENS_SQUARES
  }

  private final long[] counts = new long[Count.values().length];
  private final BigDecimal[] sums = new BigDecimal[Sum.values().length];
  private final List<BigDecimal> positionNll = new ArrayList<>();
  private final List<Long> positionTokens = new ArrayList<>();
  private final TreeMap<RowError.Kind, Long> errors = new TreeMap<>();

  /** Nothing yet. */
  public Totals() {
    Arrays.fill(sums, BigDecimal.ZERO);
  }

  /**
   * Adds up what {@link Scoring} made, or what was written of it.
   *
   * @param columns those of {@code scored} that are scores
   */
  public static Totals of(Dataset<Row> scored, Emit emit, List<ScoreColumn> columns) {
    Totals totals = new Totals();
    WrittenScores written = new WrittenScores(columns, emit);
    // One small record per partition comes to the driver.
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
   * The same for each group of rows.
   *
   * @param groupBy columns of {@code scored}, of any type that has a string
   */
  public static Groups<Totals> byGroup(
      Dataset<Row> scored, Emit emit, List<ScoreColumn> columns, List<String> groupBy) {
    // Nobody asks for the positions of a group.
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
   * Adds one row. Its numbers count for nothing where it has an error. A row of which {@code
   * truncated} is null, too, is that of a null document, unless it is one of logits.
   */
  public void add(ScoredRow row, Emit emit) {
    if (Boolean.TRUE.equals(row.getDropped())) {
      add(Count.DROPPED, 1);
      return;
    }
    boolean truncated = Boolean.TRUE.equals(row.getTruncated());
    add(Count.ROWS, 1);
    add(Count.TRUNCATED, truncated && !emit.logits() ? 1 : 0);
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
    if (row.getPerplexity() != null) {
      add(Sum.PERPLEXITY, row.getPerplexity());
    } else if (row.getNll() != null && tokens > 0) {
      add(Count.INFINITE_ROWS, 1);
    }
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
   * As the ledger keeps them.
   *
   * @param counts by the names of {@link Count}, in lower case
   * @param sums by the names of {@link Sum}, exact, in decimal
   * @param positionNll exact sums of the nll at positions 2^b to 2^(b+1) - 1, in decimal
   * @param positionTokens how many tokens they are of
   * @param errors rows by the kind of their error
   */
  public record Exact(
      Map<String, Long> counts,
      Map<String, String> sums,
      List<String> positionNll,
      List<Long> positionTokens,
      Map<String, Long> errors)
      implements Serializable {}

  /** For the ledger. */
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

  /** Adds what the ledger says. */
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

  /** A sum divided by a number, rounded once. */
  double mean(Sum sum, long number) {
    return sums[sum.ordinal()]
        .divide(BigDecimal.valueOf(number), MathContext.DECIMAL128)
        .doubleValue();
  }

  /** Rows of the output: documents, or positions and errors where logits were asked for. */
  public long rows() {
    return count(Count.ROWS);
  }

  /** Rows with at least one scored token. */
  public long scoredRows() {
    return count(Count.SCORED_ROWS);
  }

  /** Scored tokens; positions where logits were asked for. */
  public long tokens() {
    return count(Count.TOKENS);
  }

  /** Rows of null documents. */
  public long nulls() {
    return count(Count.NULL_ROWS);
  }

  /** Rows of documents without an error of which no token was scored. */
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

  /** What follows from the sums. */
  public Perplexities perplexities() {
    return new Perplexities(this);
  }

  /** Scored tokens at positions 2^b to 2^(b+1) - 1. */
  public record Position(int first, long tokens, double nll) {
    public double perplexity() {
      return StrictMath.exp(nll / tokens);
    }
  }

  /** By position in the document, in the order of the positions, those with scored tokens. */
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
