package io.mambaspark.jobs.stats;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Row;

/**
 * The places of the columns {@code C} in selected rows. They are resolved once, so that loops over
 * rows need no lookup by name.
 */
final class Places<C extends Enum<C>> implements Serializable {
  private static final long serialVersionUID = 1;

  private static final int ABSENT = -1;

  /** Places by the ordinal of the column. */
  private final int[] places;

  /**
   * Resolves the places.
   *
   * @param selected the first columns of the rows, in order
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

  /** Returns the value of a row in a column; null if {@link #isNull}. */
  <T> T value(Row row, C column) {
    int place = places[column.ordinal()];
    return place == ABSENT ? null : row.getAs(place);
  }

  /**
   * Returns the value of a row in a column of type array of structs. Requires a value: check {@link
   * #isNull}.
   */
  List<Row> list(Row row, C column) {
    return row.getList(places[column.ordinal()]);
  }

  /** Returns the value of a row in a bigint column. Requires a value: check {@link #isNull}. */
  long number(Row row, C column) {
    return row.getLong(places[column.ordinal()]);
  }

  /** Returns the value of a row in a double column. Requires a value: check {@link #isNull}. */
  double real(Row row, C column) {
    return row.getDouble(places[column.ordinal()]);
  }
}
