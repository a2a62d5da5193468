package io.mambaspark.jobs.score;

import io.mambaspark.engine.score.PositionLogits;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.spark.Iterators;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Function;
import org.apache.spark.sql.Row;
import scala.Tuple2;

/**
 * One row per position. Rows that cannot be scored have no position to come out with, so they are
 * noted as the scorer takes them in, and put in their place among the positions that come out.
 */
final class LogitsRows implements Iterator<Tuple2<Row, ScoredRow>> {
  private final RowFailures failures;
  private final ArrayDeque<PartitionScoring.Pending> taken = new ArrayDeque<>();
  private final Iterator<PositionLogits<PartitionScoring.Pending>> positions;
  private PositionLogits<PartitionScoring.Pending> next;
  private PartitionScoring.Pending failed;

  /**
   * Scores rows.
   *
   * @param sequence reads a row
   */
  LogitsRows(
      Iterator<Row> rows,
      Function<Row, Sequence<PartitionScoring.Pending>> sequence,
      Scorer scorer,
      RowFailures failures) {
    this.failures = failures;
    positions =
        scorer.logits(
            Iterators.map(
                rows,
                row -> {
                  Sequence<PartitionScoring.Pending> read = sequence.apply(row);
                  taken.add(read.key());
                  return read;
                }));
  }

  @Override
  public boolean hasNext() {
    advance();
    return next != null || !taken.isEmpty();
  }

  /**
   * Finds the next position, and drops from {@code taken} what gives no row, so that afterwards its
   * first element is either the row of {@code next} or one with an error that comes before.
   */
  private void advance() {
    while (next == null && positions.hasNext()) {
      PositionLogits<PartitionScoring.Pending> position = positions.next();
      if (position.key() != failed) {
        next = position;
      }
    }
    while (!taken.isEmpty()
        && taken.peek().error() == null
        && (next == null || taken.peek() != next.key())) {
      taken.remove();
    }
  }

  @Override
  public Tuple2<Row, ScoredRow> next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    ScoredRow out = new ScoredRow();
    out.setDropped(false);
    PartitionScoring.Pending row = taken.peek();
    if (row.error() != null) {
      taken.remove();
      out.fail(row.error());
      return new Tuple2<>(row.kept(), out);
    }
    PositionLogits<PartitionScoring.Pending> position = next;
    next = null;
    RowError error = RowError.nonFinite(position.firstNonFinite());
    if (error != null) {
      failures.found(error, row.kept(), row::place);
      // The positions before stand; this one says why those after are missing.
      failed = row;
      taken.remove();
      out.fail(error);
      return new Tuple2<>(row.kept(), out);
    }
    out.setPosition(position.position());
    out.setToken(position.token());
    out.setLogits(position.logits());
    return new Tuple2<>(row.kept(), out);
  }
}
