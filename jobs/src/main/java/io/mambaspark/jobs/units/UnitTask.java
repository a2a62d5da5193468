package io.mambaspark.jobs.units;

import io.mambaspark.jobs.io.FileSplit;
import io.mambaspark.jobs.io.RowGroups;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoredRow;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.TaskFailure;
import io.mambaspark.jobs.stats.Totals;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.TreeMap;
import java.util.function.Function;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.Row;
import org.apache.spark.util.TaskCompletionListener;
import scala.Tuple2;

/**
 * A unit on its way through a task: what was read and scored so far. {@link UnitScoring} starts it,
 * {@link UnitCommit} finds it by the task that both run in and enters it into the ledger.
 */
final class UnitTask {
  /** A part with more rows is read twice instead of being held. */
  private static final int HELD_ROWS = 100;

  /**
   * The unit of the task that runs in this thread. Spark creates the commit protocol of a write
   * from the name of its class, so nothing else can be handed to it.
   */
  private static final ThreadLocal<UnitTask> CURRENT = new ThreadLocal<>();

  private final String run;
  private final Unit unit;
  private final boolean giveUp;
  private final Totals totals = new Totals();
  private long documents;
  private final Map<String, String> errors = new TreeMap<>();

  /** The part that is read, and how many of its rows have been. */
  private int part;

  private long rowsOfPart;
  private Path file;

  private UnitTask(String run, Unit unit, boolean giveUp) {
    this.run = run;
    this.unit = unit;
    this.giveUp = giveUp;
  }

  /**
   * Begins a unit in this task.
   *
   * @param giveUp whether a part whose content is bad is left out; otherwise the task fails
   */
  static UnitTask start(String run, Unit unit, boolean giveUp) {
    TaskContext context = TaskContext.get();
    UnitTask task = new UnitTask(run, unit, giveUp);
    CURRENT.set(task);
    TaskCompletionListener end = ended -> CURRENT.remove();
    context.addTaskCompletionListener(end);
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

  /** Where the row is that this task has just read, for a message. */
  String rowPlace() {
    return unit.parts().get(part).place(Math.max(0, rowsOfPart - 1));
  }

  /**
   * The rows of the unit, counted. Where a part cannot be read and is to be given up, its rows end
   * and the error is noted. Of a unit that several files share, only those that cannot be read are
   * left out: they are read to the end before their first row is given on.
   *
   * @param parts of the input, those of the unit
   * @param open reads one
   */
  Iterator<Row> reading(List<FileSplit> parts, Function<FileSplit, Iterator<Row>> open) {
    return new Iterator<>() {
      private int next;
      private Iterator<Row> rows = Collections.emptyIterator();

      @Override
      public boolean hasNext() {
        while (!rows.hasNext() && next < unit.parts().size()) {
          part = next++;
          rowsOfPart = 0;
          rows = rows(parts.get(part), open);
        }
        return rows.hasNext();
      }

      @Override
      public Row next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        documents++;
        rowsOfPart++;
        return rows.next();
      }
    };
  }

  private Iterator<Row> rows(FileSplit source, Function<FileSplit, Iterator<Row>> open) {
    Iterator<Row> checked = new Checked(source, open);
    if (!giveUp || !unit.isShared()) {
      return checked;
    }
    String file = unit.parts().get(part).input().path();
    if (unit.parts().get(part).rows() > HELD_ROWS) {
      checked.forEachRemaining(row -> {});
      return errors.containsKey(file) ? Collections.emptyIterator() : new Checked(source, open);
    }
    List<Row> all = new ArrayList<>();
    checked.forEachRemaining(all::add);
    return errors.containsKey(file) ? Collections.emptyIterator() : all.iterator();
  }

  /** The rows of a part, as many as its footer says. */
  private final class Checked implements Iterator<Row> {
    private final RowGroups expected = unit.parts().get(part);
    private final FileSplit source;
    private final Function<FileSplit, Iterator<Row>> open;
    private Iterator<Row> rows;
    private Row next;
    private long read;
    private boolean ended;

    Checked(FileSplit source, Function<FileSplit, Iterator<Row>> open) {
      this.source = source;
      this.open = open;
    }

    @Override
    public boolean hasNext() {
      if (next == null && !ended) {
        try {
          if (rows == null) {
            rows = expected.rows() == 0 ? Collections.emptyIterator() : open.apply(source);
          }
          next = rows.hasNext() ? rows.next() : null;
          ended = next == null;
          if (ended && read != expected.rows()) {
            throw new IOException(
                "read %d rows, its footer says %d".formatted(read, expected.rows()));
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
      read++;
      return row;
    }

    private void unreadable(Exception e) {
      boolean bad = source.contentIsBad(e);
      String file = expected.input().path();
      String cause = Failures.cause(e, source.path().toString());
      if (!giveUp || !bad) {
        throw new TaskFailure(
            "Cannot read %s of %s: %s".formatted(expected.described(), file, cause), e);
      }
      errors.put(file, "cannot read %s: %s".formatted(expected.described(), cause));
    }
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
        "Scoring failed at or shortly before %s: %s".formatted(rowPlace(), Failures.oneLine(e)), e);
  }

  /** What the ledger is to say, when all rows are written. */
  UnitEntry entry(UnitEntry.OutputFile written) {
    return new UnitEntry(
        run,
        unit.name(),
        unit.parts(),
        isGivenUp() ? 0 : documents,
        (isGivenUp() ? new Totals() : totals).exact(),
        written,
        errors);
  }

  /** Whether no row of the unit is written, because its only part cannot be read. */
  boolean isGivenUp() {
    return !errors.isEmpty() && !unit.isShared();
  }
}
