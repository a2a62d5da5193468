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
 * The output rows of {@code --emit logits}: one for each position of an input row. The scorer
 * returns no position for an input row that cannot be scored. So each input row is queued when the
 * scorer reads it, and the rows with errors are output in the order of the queue.
 */
final class LogitsRows implements Iterator<Tuple2<Row, ScoredRow>> {
  private final RowFailures failures;
  private final ArrayDeque<PartitionScoring.Pending> queued = new ArrayDeque<>();
  private final Iterator<PositionLogits<PartitionScoring.Pending>> positions;
  private PositionLogits<PartitionScoring.Pending> next;
  private PartitionScoring.Pending failed;

  /**
   * Creates the iterator.
   *
   * @param sequence converts a row to a sequence for the scorer
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
                  queued.add(read.key());
                  return read;
                }));
  }

  @Override
  public boolean hasNext() {
    advance();
    return next != null || !queued.isEmpty();
  }

  /**
   * Finds the next position, and removes the rows without output from {@code queued}. Afterwards
   * the first queued row is either the row of {@code next} or an earlier row with an error.
   */
  private void advance() {
    while (next == null && positions.hasNext()) {
      PositionLogits<PartitionScoring.Pending> position = positions.next();
      if (position.key() != failed) {
        next = position;
      }
    }
    while (!queued.isEmpty()
        && queued.peek().error() == null
        && (next == null || queued.peek() != next.key())) {
      queued.remove();
    }
  }

  @Override
  public Tuple2<Row, ScoredRow> next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    ScoredRow out = new ScoredRow();
    out.setDropped(false);
    PartitionScoring.Pending row = queued.peek();
    if (row.error() != null) {
      queued.remove();
      out.fail(row.error());
      return new Tuple2<>(row.kept(), out);
    }
    PositionLogits<PartitionScoring.Pending> position = next;
    next = null;
    RowError error = RowError.nonFinite(position.firstNonFinite());
    if (error != null) {
      failures.report(error, row.kept(), row::place);
      // Earlier positions remain in the output; this error explains why later ones are missing.
      failed = row;
      queued.remove();
      out.fail(error);
      return new Tuple2<>(row.kept(), out);
    }
    out.setPosition(position.position());
    out.setToken(position.token());
    out.setLogits(position.logits());
    return new Tuple2<>(row.kept(), out);
  }
}
