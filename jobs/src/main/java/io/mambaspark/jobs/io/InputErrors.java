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
 * The column in which the input says why a row cannot be read; null when all is well. A mark in its
 * metadata tells it from a column of the user's.
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

  /** The column, for a schema. */
  static StructField field() {
    return new StructField(COLUMN, TYPE, true, MARK);
  }

  /** The value of the column. */
  static Row value(RowError error) {
    return error == null ? null : RowFactory.create(error.kind().name(), error.message());
  }

  /** The error in a row whose column of this number is such a value; null when all is well. */
  public static RowError read(Row row, int column) {
    if (row.isNullAt(column)) {
      return null;
    }
    Row value = row.getStruct(column);
    return new RowError(RowError.Kind.valueOf(value.getString(0)), value.getString(1));
  }

  /** The message in such a column. */
  public static Column message(Column errors) {
    return errors.getField(MESSAGE);
  }

  /** The column, for rows that have lost the mark. */
  static Column marked() {
    return col(COLUMN).as(COLUMN, MARK);
  }

  public static boolean isMarked(StructField field) {
    return field.name().equals(COLUMN) && field.metadata().contains(COLUMN);
  }
}
