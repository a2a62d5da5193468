package io.mambaspark.jobs.score;

import io.mambaspark.jobs.io.PackedColumn;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.spark.TaskFailure;
import java.io.Serializable;
import java.util.function.Supplier;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Handles the rows that cannot be scored.
 *
 * @param fatal whether such a row fails its task; otherwise the row is written with its error
 * @param keptColumns the columns whose values identify the row in the message of a failure
 */
record RowFailures(boolean fatal, StructType keptColumns) implements Serializable {
  /** The maximum length of a kept value in a message. */
  private static final int EXCERPT = 80;

  /**
   * Counts the error of a row, or fails the task.
   *
   * @param kept the kept columns of the row
   * @param place supplies the location of the row; empty if unknown
   * @throws TaskFailure if errors are fatal
   */
  void report(RowError error, Row kept, Supplier<String> place) {
    if (fatal) {
      throw new TaskFailure(message(error, kept, place.get()), null);
    }
    ScoringCounters.addError();
  }

  private String message(RowError error, Row kept, String place) {
    StringBuilder message = new StringBuilder(error.message());
    if (!place.isEmpty()) {
      message.append(", in ").append(place);
    }
    StructField[] columns = keptColumns.fields();
    for (int i = 0; i < columns.length; i++) {
      String value = PackedColumn.shown(kept.get(i), columns[i].dataType()).replaceAll("\\s+", " ");
      message
          .append(i == 0 ? "; the row has " : ", ")
          .append(columns[i].name())
          .append('=')
          .append(value.length() > EXCERPT ? value.substring(0, EXCERPT) + "…" : value);
    }
    return message.toString();
  }
}
