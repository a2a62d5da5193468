package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.col;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructField;

/**
 * The column in which the input says why a row cannot be read; null when all is well. A mark in its
 * metadata tells it from a column of the user's.
 */
public final class InputErrors {
  public static final String COLUMN = "_mamba_input_error";

  private static final Metadata MARK = new MetadataBuilder().putBoolean(COLUMN, true).build();

  private InputErrors() {}

  /** The column, for a schema. */
  static StructField field() {
    return new StructField(COLUMN, DataTypes.StringType, true, MARK);
  }

  /** The same, for rows that have lost the mark. */
  static Column marked() {
    return col(COLUMN).as(COLUMN, MARK);
  }

  public static boolean isMarked(StructField field) {
    return field.name().equals(COLUMN) && field.metadata().contains(COLUMN);
  }
}
