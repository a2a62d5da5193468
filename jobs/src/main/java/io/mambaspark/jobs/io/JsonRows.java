package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import java.net.URI;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/**
 * The rows of JSON lines: the planned columns, the partition columns, the error. Each line is given
 * as a row of its bytes, the URI of its file (only in a stream) and the packed values of its
 * partition folders.
 */
final class JsonRows implements Iterator<Row> {
  private final JsonLines json;
  private final int partitions;
  private final Iterator<FileScan.Read> lines;
  private Row next;

  JsonRows(JsonLines json, int partitions, Iterator<FileScan.Read> lines) {
    this.json = json;
    this.partitions = partitions;
    this.lines = lines;
  }

  @Override
  public boolean hasNext() {
    while (next == null && lines.hasNext()) {
      next = row(lines.next());
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
    return row;
  }

  /** Converts a line; returns null for a blank line. */
  private Row row(FileScan.Read line) {
    JsonLines.Line found =
        line.error() == null
            ? json.read(line.row().<byte[]>getAs(0))
            : new JsonLines.Line(json.nullValues(), line.error());
    if (found == null) {
      return null;
    }
    int columns = found.values().length;
    Object[] values = Arrays.copyOf(found.values(), columns + partitions + 1);
    for (int i = 0; i < partitions; i++) {
      values[columns + i] =
          line.error() == null
              ? line.row().get(line.row().length() - partitions + i)
              : line.part().partition()[i];
    }
    values[values.length - 1] =
        InputErrors.value(
            found.error() == null || line.error() != null
                ? found.error()
                : found.error().in(file(line)));
    return RowFactory.create(values);
  }

  private static String file(FileScan.Read line) {
    Path path =
        line.part() == null ? new Path(URI.create(line.row().getString(1))) : line.part().path();
    return Refusal.redacted(path.toString());
  }
}
