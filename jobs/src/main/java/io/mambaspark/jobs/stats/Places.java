package io.mambaspark.jobs.stats;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Row;

/**
 * The places of the columns {@code C} in selected rows. They are found once, so that loops over
 * rows look up no name.
 */
final class Places<C extends Enum<C>> implements Serializable {
  private static final long serialVersionUID = 1;

  private static final int ABSENT = -1;

  /** By the ordinal of the column. */
  private final int[] places;

  /**
   * Finds the places.
   *
   * @param selected the first columns of the rows
   */
  Places(Class<C> columns, List<C> selected) {
    places = new int[columns.getEnumConstants().length];
    Arrays.fill(places, ABSENT);
    for (int i = 0; i < selected.size(); i++) {
      places[selected.get(i).ordinal()] = i;
    }
  }

  /** Whether a row has no value in a column, or its rows have no such column. */
  boolean isNull(Row row, C column) {
    int place = places[column.ordinal()];
    return place == ABSENT || row.isNullAt(place);
  }

  /** The value of a row in a column; null where {@link #isNull}. */
  <T> T value(Row row, C column) {
    int place = places[column.ordinal()];
    return place == ABSENT ? null : row.getAs(place);
  }

  /**
   * The value of a row in a column of type array of structs. Requires a value: check {@link
   * #isNull}.
   */
  List<Row> list(Row row, C column) {
    return row.getList(places[column.ordinal()]);
  }

  /** The value of a row in a column of type bigint. Requires a value: check {@link #isNull}. */
  long number(Row row, C column) {
    return row.getLong(places[column.ordinal()]);
  }

  /** The value of a row in a column of type double. Requires a value: check {@link #isNull}. */
  double real(Row row, C column) {
    return row.getDouble(places[column.ordinal()]);
  }
}
