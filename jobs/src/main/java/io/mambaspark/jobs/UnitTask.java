package io.mambaspark.jobs;

import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.rdd.InputFileBlockHolder;
import org.apache.spark.sql.Row;
import org.apache.spark.util.TaskCompletionListener;
import scala.Tuple2;

/**
 * A unit on its way through a task: what was read and scored so far. {@link UnitScoring} starts it,
 * {@link UnitCommit} finds it by the task that both run in and enters it into the ledger.
 */
final class UnitTask {
  private static final Map<Long, UnitTask> RUNNING = new ConcurrentHashMap<>();

  private final String run;
  private final Unit unit;
  private final Path input;
  private final boolean giveUp;
  private final Totals totals = new Totals();
  private long documents;
  private String error;
  private Path file;

  private UnitTask(String run, Unit unit, Path input, boolean giveUp) {
    this.run = run;
    this.unit = unit;
    this.input = input;
    this.giveUp = giveUp;
  }

  /**
   * Begins a unit in this task.
   *
   * @param input the unit's file
   * @param giveUp whether a unit whose content is bad is left out; otherwise the task fails
   */
  static UnitTask start(String run, Unit unit, Path input, boolean giveUp) {
    TaskContext context = TaskContext.get();
    UnitTask task = new UnitTask(run, unit, input, giveUp);
    RUNNING.put(context.taskAttemptId(), task);
    TaskCompletionListener end = ended -> RUNNING.remove(ended.taskAttemptId());
    context.addTaskCompletionListener(end);
    return task;
  }

  /** Where the row lies that this task has just read, for a message; empty if nobody knows. */
  static String place() {
    TaskContext context = TaskContext.get();
    UnitTask task = context == null ? null : RUNNING.get(context.taskAttemptId());
    if (task != null) {
      return "row %d of %s"
          .formatted(task.unit.firstRow() + task.documents - 1, task.unit.input().path());
    }
    String file = InputFileBlockHolder.getInputFilePath().toString();
    return file.isEmpty() ? "" : "a row of " + file;
  }

  /** The unit of the task that runs in this thread. */
  static UnitTask current() {
    UnitTask task = RUNNING.get(TaskContext.get().taskAttemptId());
    if (task == null) {
      throw new IllegalStateException("This task scores no unit");
    }
    return task;
  }

  Unit unit() {
    return unit;
  }

  /** The file that the task writes; null as long as there is none. */
  Path file() {
    return file;
  }

  void writes(Path newFile) {
    file = newFile;
  }

  /**
   * The rows of the unit, counted. Where they cannot be read and the unit is to be given up, they
   * end and the error is noted.
   */
  Iterator<Row> reading(Iterator<Row> rows) {
    return new Iterator<>() {
      private Row next;
      private boolean ended;

      @Override
      public boolean hasNext() {
        if (next == null && !ended) {
          try {
            next = rows.hasNext() ? rows.next() : null;
            ended = next == null;
            if (ended && documents != unit.rows()) {
              throw new IOException(
                  "read %d rows, its footer says %d".formatted(documents, unit.rows()));
            }
          } catch (Exception e) {
            ended = true;
            unreadable(e);
          }
        }
        return next != null;
      }

      @Override
      public Row next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        Row row = next;
        next = null;
        documents++;
        return row;
      }
    };
  }

  private void unreadable(Exception e) {
    if (TaskContext.get().isInterrupted()) {
      throw new TaskKilledException("the task was killed");
    }
    String message = "Cannot read %s: %s".formatted(unit.described(), Failures.oneLine(e));
    if (!giveUp || !contentIsBad(e)) {
      throw new TaskFailure(message, e);
    }
    error = message;
  }

  private boolean contentIsBad(Exception e) {
    Configuration hadoop = SparkHadoopUtil.get().newConfiguration(SparkEnv.get().conf());
    return RawBytes.tellThatContentIsBad(e, input, unit.start(), unit.end(), hadoop);
  }

  /** The scored rows, added up; a failure is told with the place where it happened. */
  Iterator<Tuple2<Row, ScoredRow>> scoring(Iterator<Tuple2<Row, ScoredRow>> rows, Emit emit) {
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
        "Scoring failed at or shortly before row %d of %s: %s"
            .formatted(
                unit.firstRow() + Math.max(0, documents - 1),
                unit.input().path(),
                Failures.oneLine(e)),
        e);
  }

  /** What the ledger is to say, when all rows are written. */
  UnitEntry entry(UnitEntry.OutputFile written) {
    boolean whole = error == null;
    return new UnitEntry(
        run,
        unit.name(),
        unit.input(),
        List.of(unit.firstRowGroup(), unit.lastRowGroup()),
        whole ? documents : 0,
        (whole ? totals : new Totals()).exact(),
        written,
        error);
  }

  /** Whether the unit is left out because it cannot be read. */
  boolean isGivenUp() {
    return error != null;
  }
}
