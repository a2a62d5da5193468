package io.mambaspark.jobs.units;

import io.mambaspark.jobs.io.FileSplit;
import io.mambaspark.jobs.io.RowGroups;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.TaskFailure;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.TreeMap;
import java.util.function.Function;
import org.apache.spark.sql.Row;

/**
 * The rows of a unit, part by part. If a part cannot be read and is to be given up, its rows end
 * and its error is kept. A unit that several files share leaves out only the files that cannot be
 * read: each part is read to its end before its first row is returned.
 */
final class UnitReader implements Iterator<Row> {
  /** A part with more rows is read twice instead of being held in memory. */
  private static final int HELD_ROWS = 100;

  private final Unit unit;
  private final List<FileSplit> sources;
  private final Function<FileSplit, Iterator<Row>> open;
  private final boolean giveUp;
  private final Map<String, String> errors = new TreeMap<>();
  private Iterator<Row> rows = Collections.emptyIterator();
  private int nextPart;
  private long documents;

  /** The part that is being read. */
  private int part;

  private long rowsOfPart;

  /**
   * A reader of a unit.
   *
   * @param sources where the unit's parts are read, in their order
   * @param open reads one source
   * @param giveUp whether a part whose content is bad is left out; otherwise the task fails
   */
  UnitReader(
      Unit unit, List<FileSplit> sources, Function<FileSplit, Iterator<Row>> open, boolean giveUp) {
    this.unit = unit;
    this.sources = sources;
    this.open = open;
    this.giveUp = giveUp;
  }

  @Override
  public boolean hasNext() {
    while (!rows.hasNext() && nextPart < sources.size()) {
      part = nextPart++;
      rowsOfPart = 0;
      rows = rowsOfPart();
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

  private Iterator<Row> rowsOfPart() {
    Iterator<Row> checked = new Checked();
    if (!giveUp || !unit.isShared()) {
      return checked;
    }
    String file = unit.parts().get(part).input().path();
    if (unit.parts().get(part).rows() > HELD_ROWS) {
      checked.forEachRemaining(row -> {});
      return errors.containsKey(file) ? Collections.emptyIterator() : new Checked();
    }
    List<Row> all = new ArrayList<>();
    checked.forEachRemaining(all::add);
    return errors.containsKey(file) ? Collections.emptyIterator() : all.iterator();
  }

  Unit unit() {
    return unit;
  }

  /** The rows that were returned. */
  long documents() {
    return documents;
  }

  /** The reasons why files, by name, could not be read. */
  Map<String, String> errors() {
    return errors;
  }

  /** The place of the latest row, for a message. */
  String rowPlace() {
    return unit.parts().get(part).place(Math.max(0, rowsOfPart - 1));
  }

  /** The rows of the current part, which must be as many as its footer says. */
  private final class Checked implements Iterator<Row> {
    private final RowGroups expected = unit.parts().get(part);
    private final FileSplit source = sources.get(part);
    private Iterator<Row> found;
    private Row next;
    private long read;
    private boolean ended;

    @Override
    public boolean hasNext() {
      if (next == null && !ended) {
        try {
          if (found == null) {
            found = expected.rows() == 0 ? Collections.emptyIterator() : open.apply(source);
          }
          next = found.hasNext() ? found.next() : null;
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
}
