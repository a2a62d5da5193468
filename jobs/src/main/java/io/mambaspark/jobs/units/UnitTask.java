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
 * The unit that one task scores and commits: the rows read, the sums of their scores, and the
 * output file. {@link UnitScoring} hands it to {@link UnitCommit} in the same task.
 */
final class UnitTask {
  /**
   * The unit of the task that runs in this thread. Spark creates the commit protocol of a write
   * from its class name on the driver, and a task's context carries only strings. A thread-local is
   * therefore the only way to hand the unit from the scoring task to the protocol.
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

  /** Starts a unit in this task. */
  static UnitTask start(String runId, UnitReader reader) {
    UnitTask task = new UnitTask(runId, reader);
    CURRENT.set(task);
    TaskCompletionListener end = ended -> CURRENT.remove();
    TaskContext.get().addTaskCompletionListener(end);
    return task;
  }

  /** Returns the unit of the task that runs in this thread. */
  static UnitTask current() {
    UnitTask task = CURRENT.get();
    if (task == null) {
      throw new IllegalStateException("This task scores no unit");
    }
    return task;
  }

  /** Adds up the scored rows while they are read. A failure's message names the failing row. */
  Iterator<Tuple2<Row, ScoredRow>> summed(Iterator<Tuple2<Row, ScoredRow>> rows, Emit emit) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        try {
          return rows.hasNext();
        } catch (RuntimeException e) {
          throw withPlace(e);
        }
      }

      @Override
      public Tuple2<Row, ScoredRow> next() {
        try {
          Tuple2<Row, ScoredRow> row = rows.next();
          totals.add(row._2(), emit);
          return row;
        } catch (RuntimeException e) {
          throw withPlace(e);
        }
      }
    };
  }

  private RuntimeException withPlace(RuntimeException e) {
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

  /** Returns the file that the task writes; null before the first row. */
  Path file() {
    return file;
  }

  void setFile(Path newFile) {
    if (file != null) {
      throw new IllegalStateException("The unit already has a file: " + file);
    }
    file = newFile;
  }

  /** Returns the entry for the ledger, once all rows are written. */
  UnitEntry entry(UnitEntry.OutputFile written) {
    return new UnitEntry(
        runId,
        unit().name(),
        unit().parts(),
        isSkipped() ? 0 : reader.documents(),
        (isSkipped() ? new Totals() : totals).exact(),
        written,
        reader.errors());
  }

  /** Whether the unit has no output because its only part cannot be read. */
  boolean isSkipped() {
    return !reader.errors().isEmpty() && !unit().isShared();
  }
}
