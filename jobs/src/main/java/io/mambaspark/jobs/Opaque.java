package io.mambaspark.jobs;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/**
 * Kept columns past Java's objects. Spark makes a string a {@code String}, which replaces bytes
 * that are no UTF-8, and dates and timestamps objects of {@code java.sql}, which know neither the
 * days that the calendar reform left out nor every hour of the local time zone. So they travel as
 * the bytes and the numbers that Spark itself keeps, and come out as they went in. Other types, and
 * what lies inside arrays, maps and structs, travel as Spark makes them.
 */
final class Opaque {
  private Opaque() {}

  /** The type in which a column travels. */
  static DataType packed(DataType type) {
    if (type.equals(DataTypes.StringType)) {
      return DataTypes.BinaryType;
    }
    if (type.equals(DataTypes.DateType)) {
      return DataTypes.IntegerType;
    }
    return type.equals(DataTypes.TimestampType) ? DataTypes.LongType : type;
  }

  static Column pack(Column column, DataType type) {
    if (type.equals(DataTypes.StringType)) {
      return column.cast(DataTypes.BinaryType);
    }
    if (type.equals(DataTypes.DateType)) {
      return functions.unix_date(column);
    }
    return type.equals(DataTypes.TimestampType) ? functions.unix_micros(column) : column;
  }

  static Column unpack(Column packed, DataType type) {
    if (type.equals(DataTypes.StringType)) {
      // A cast of binary looks at no byte.
      return packed.cast(DataTypes.StringType);
    }
    if (type.equals(DataTypes.DateType)) {
      return functions.date_from_unix_date(packed);
    }
    return type.equals(DataTypes.TimestampType) ? functions.timestamp_micros(packed) : packed;
  }

  /** A packed value for people. */
  static String shown(Object packed, DataType type) {
    if (packed instanceof byte[] bytes && type.equals(DataTypes.StringType)) {
      return new String(bytes, StandardCharsets.UTF_8);
    }
    if (packed instanceof Integer day && type.equals(DataTypes.DateType)) {
      return LocalDate.ofEpochDay(day).toString();
    }
    if (packed instanceof Long micros && type.equals(DataTypes.TimestampType)) {
      return Instant.EPOCH.plus(micros, ChronoUnit.MICROS).toString();
    }
    return String.valueOf(packed);
  }
}
