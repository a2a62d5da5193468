package io.mambaspark.jobs.units;

import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoredRow;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.TaskFailure;
import io.mambaspark.jobs.stats.Totals;
import java.util.Iterator;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.Row;
import org.apache.spark.util.TaskCompletionListener;
import scala.Tuple2;

/**
 * What {@link UnitCommit} needs to know of the unit that {@link UnitScoring} scores in the same
 * task: the rows that were read, the sums of their scores, and the file that they are written to.
 */
final class UnitTask {
  /**
   * The unit of the task that runs in this thread. Spark creates the commit protocol of a write
   * from the name of its class on the driver, and a task's context carries nothing but strings, so
   * the scoring task has no other way to hand the unit to the protocol.
   */
  private static final ThreadLocal<UnitTask> CURRENT = new ThreadLocal<>();

  private final String runId;
  private final UnitReader reader;
  private final Totals totals = new Totals();
  private Path file;

  private UnitTask(String runId, UnitReader reader) {
    this.runId = runId;
    this.reader = reader;
  }

  /** Begins a unit in this task. */
  static UnitTask start(String runId, UnitReader reader) {
    UnitTask task = new UnitTask(runId, reader);
    CURRENT.set(task);
    TaskCompletionListener end = ended -> CURRENT.remove();
    TaskContext.get().addTaskCompletionListener(end);
    return task;
  }

  /** The unit of the task that runs in this thread. */
  static UnitTask current() {
    UnitTask task = CURRENT.get();
    if (task == null) {
      throw new IllegalStateException("This task scores no unit");
    }
    return task;
  }

  /** The scored rows, added up; the message of a failure names the place where it happened. */
  Iterator<Tuple2<Row, ScoredRow>> summed(Iterator<Tuple2<Row, ScoredRow>> rows, Emit emit) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        try {
          return rows.hasNext();
        } catch (RuntimeException e) {
          throw located(e);
        }
      }

      @Override
      public Tuple2<Row, ScoredRow> next() {
        try {
          Tuple2<Row, ScoredRow> row = rows.next();
          totals.add(row._2(), emit);
          return row;
        } catch (RuntimeException e) {
          throw located(e);
        }
      }
    };
  }

  private RuntimeException located(RuntimeException e) {
    if (e instanceof TaskFailure || e instanceof TaskKilledException) {
      return e;
    }
    return new TaskFailure(
        "Scoring failed at or shortly before %s: %s"
            .formatted(reader.rowPlace(), Failures.oneLine(e)),
        e);
  }

  Unit unit() {
    return reader.unit();
  }

  /** The file that the task writes; null before the first row. */
  Path file() {
    return file;
  }

  void writes(Path newFile) {
    if (file != null) {
      throw new IllegalStateException("A unit is one file, and has one: " + file);
    }
    file = newFile;
  }

  /** The entry for the ledger, when all rows are written. */
  UnitEntry entry(UnitEntry.OutputFile written) {
    return new UnitEntry(
        runId,
        unit().name(),
        unit().parts(),
        isGivenUp() ? 0 : reader.documents(),
        (isGivenUp() ? new Totals() : totals).exact(),
        written,
        reader.errors());
  }

  /** Whether no row of the unit is written, because its only part cannot be read. */
  boolean isGivenUp() {
    return !reader.errors().isEmpty() && !unit().isShared();
  }
}
