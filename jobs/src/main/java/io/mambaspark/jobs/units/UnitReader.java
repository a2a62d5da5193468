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
 * Reads the rows of a unit, part by part. If unreadable parts are to be skipped, the rows of such a
 * part end early and its error is kept. In a unit that several files share, an unreadable file
 * contributes no rows: each part is read to its end before its first row is returned.
 */
final class UnitReader implements Iterator<Row> {
  /** A part with more rows is read twice instead of being held in memory. */
  private static final int HELD_ROWS = 100;

  private final Unit unit;
  private final List<FileSplit> sources;
  private final Function<FileSplit, Iterator<Row>> open;
  private final boolean skipUnreadable;
  private final Map<String, String> errors = new TreeMap<>();
  private Iterator<Row> rows = Collections.emptyIterator();
  private int nextPart;
  private long documents;

  /** The part that is being read. */
  private int part;

  private long rowsOfPart;

  /**
   * Creates a reader of a unit.
   *
   * @param sources the file splits of the unit's parts, in the same order
   * @param open opens a split and returns its rows
   * @param skipUnreadable whether a part with damaged content is skipped; otherwise the task fails
   */
  UnitReader(
      Unit unit,
      List<FileSplit> sources,
      Function<FileSplit, Iterator<Row>> open,
      boolean skipUnreadable) {
    this.unit = unit;
    this.sources = sources;
    this.open = open;
    this.skipUnreadable = skipUnreadable;
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
    if (!skipUnreadable || !unit.isShared()) {
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

  /** Returns the number of rows returned so far. */
  long documents() {
    return documents;
  }

  /** Returns the unreadable files, by name, with the reasons. */
  Map<String, String> errors() {
    return errors;
  }

  /** Returns the place of the latest row, for messages. */
  String rowPlace() {
    return unit.parts().get(part).place(Math.max(0, rowsOfPart - 1));
  }

  /** The rows of the current part. Their number must match the file's footer. */
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
      if (!skipUnreadable || !bad) {
        throw new TaskFailure(
            "Cannot read %s of %s: %s".formatted(expected.described(), file, cause), e);
      }
      errors.put(file, "cannot read %s: %s".formatted(expected.described(), cause));
    }
  }
}
