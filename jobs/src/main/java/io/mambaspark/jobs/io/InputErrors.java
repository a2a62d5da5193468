package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.col;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The column that holds the reason why an input row cannot be read; null for a readable row. A mark
 * in its metadata distinguishes it from a user's column of the same name.
 */
public final class InputErrors {
  public static final String COLUMN = "_mamba_input_error";

  private static final String KIND = "kind";
  private static final String MESSAGE = "message";

  /** The type of the column. */
  public static final StructType TYPE =
      new StructType().add(KIND, DataTypes.StringType).add(MESSAGE, DataTypes.StringType);

  private static final Metadata MARK = new MetadataBuilder().putBoolean(COLUMN, true).build();

  private InputErrors() {}

  /** Returns the column as a field of a schema. */
  static StructField field() {
    return new StructField(COLUMN, TYPE, true, MARK);
  }

  /** Returns the value of the column for an error; null for null. */
  static Row value(RowError error) {
    return error == null ? null : RowFactory.create(error.kind().name(), error.message());
  }

  /** Reads the error from a row, at the index of the column; null for a readable row. */
  public static RowError read(Row row, int column) {
    if (row.isNullAt(column)) {
      return null;
    }
    Row value = row.getStruct(column);
    return new RowError(RowError.Kind.valueOf(value.getString(0)), value.getString(1));
  }

  /** Returns the message in a column of this type. */
  public static Column message(Column errors) {
    return errors.getField(MESSAGE);
  }

  /** Selects the column of rows that have lost its mark, and restores the mark. */
  static Column markedColumn() {
    return col(COLUMN).as(COLUMN, MARK);
  }

  public static boolean isMarked(StructField field) {
    return field.name().equals(COLUMN) && field.metadata().contains(COLUMN);
  }
}
