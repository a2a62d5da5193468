package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.date_from_unix_date;
import static org.apache.spark.sql.functions.map_entries;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.timestamp_micros;
import static org.apache.spark.sql.functions.transform;
import static org.apache.spark.sql.functions.udf;
import static org.apache.spark.sql.functions.unix_date;
import static org.apache.spark.sql.functions.unix_micros;
import static org.apache.spark.sql.functions.when;

import io.mambaspark.jobs.spark.Iterators;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Packs the values of kept columns, because Java objects would change some of them. Spark converts
 * a string to a {@code String}, which replaces bytes that are not UTF-8; dates and timestamps to
 * objects of {@code java.sql}, which lack the days that the calendar reform skipped and some hours
 * of the local time zone; and a map to a Scala map, which loses the order of the keys, duplicate
 * keys and the sign of a key -0.0. Values of these types are packed as the bytes, numbers and lists
 * of entries that Spark itself stores, also inside structs, arrays and maps, and are unpacked
 * without a change. Other types are not packed, because Java objects keep their values.
 */
public final class PackedColumn {
  private PackedColumn() {}

  /** Returns the packed type. Fields of structs are numbered, so that any name is allowed. */
  public static DataType packed(DataType type) {
    if (!isPacked(type)) {
      return type;
    }
    if (type instanceof ArrayType array) {
      return DataTypes.createArrayType(packed(array.elementType()));
    }
    if (type instanceof MapType map) {
      return DataTypes.createArrayType(packed(entry(map)));
    }
    if (type instanceof StructType struct) {
      StructType packed = new StructType();
      for (StructField field : struct.fields()) {
        packed = packed.add(name(packed.size()), packed(field.dataType()));
      }
      return packed;
    }
    return type instanceof StringType
        ? DataTypes.BinaryType
        : type instanceof DateType ? DataTypes.IntegerType : DataTypes.LongType;
  }

  /** Whether Java objects may change values of a type or of a type inside it. */
  private static boolean isPacked(DataType type) {
    if (type instanceof ArrayType array) {
      return isPacked(array.elementType());
    }
    if (type instanceof StructType struct) {
      return Arrays.stream(struct.fields()).anyMatch(field -> isPacked(field.dataType()));
    }
    return type instanceof MapType
        || type instanceof StringType
        || type instanceof DateType
        || type instanceof TimestampType;
  }

  /** The type of an entry that {@code map_entries} returns. */
  private static StructType entry(MapType map) {
    return new StructType().add("key", map.keyType()).add("value", map.valueType());
  }

  private static String name(int field) {
    return "f" + field;
  }

  public static Column pack(Column column, DataType type) {
    if (!isPacked(type)) {
      return column;
    }
    if (type instanceof ArrayType array) {
      return transform(column, element -> pack(element, array.elementType()));
    }
    if (type instanceof MapType map) {
      return transform(map_entries(column), element -> pack(element, entry(map)));
    }
    if (type instanceof StructType struct) {
      Column[] fields = new Column[struct.size()];
      for (int i = 0; i < fields.length; i++) {
        StructField field = struct.fields()[i];
        fields[i] = pack(column.getField(field.name()), field.dataType()).as(name(i));
      }
      return when(column.isNotNull(), struct(fields));
    }
    if (type instanceof StringType) {
      return column.cast(DataTypes.BinaryType);
    }
    return type instanceof DateType ? unix_date(column) : unix_micros(column);
  }

  /**
   * Unpacks a column.
   *
   * @param nullable whether the column may be null
   */
  public static Column unpack(Column packed, DataType type, boolean nullable) {
    if (!isPacked(type)) {
      return packed;
    }
    if (type instanceof StringType) {
      // A cast from binary does not change or validate the bytes.
      return packed.cast(type);
    }
    if (type instanceof DateType) {
      return date_from_unix_date(packed);
    }
    if (type instanceof TimestampType) {
      return timestamp_micros(packed);
    }
    // A UDF, because Spark's own functions that create a map refuse or drop duplicate keys and
    // change a key -0.0 to 0.0. Its argument is a struct, because a list would be a Scala object.
    UDF1<Row, Object> unpacked = row -> unpacked(row.get(0), type);
    UserDefinedFunction function = udf(unpacked, type);
    return (nullable ? function : function.asNonNullable()).apply(struct(packed));
  }

  /** Unpacks a value. A string becomes a {@link UTF8String}, whose bytes Spark does not change. */
  private static Object unpacked(Object packed, DataType type) {
    if (packed == null || !isPacked(type)) {
      return packed;
    }
    if (type instanceof ArrayType array) {
      return list(packed).stream().map(element -> unpacked(element, array.elementType())).toList();
    }
    if (type instanceof MapType map) {
      return new Entries(
          list(packed).stream().map(entry -> (Row) unpacked(entry, entry(map))).toList());
    }
    if (type instanceof StructType struct) {
      Object[] values = new Object[struct.size()];
      Arrays.setAll(values, i -> unpacked(((Row) packed).get(i), struct.fields()[i].dataType()));
      return RowFactory.create(values);
    }
    if (type instanceof StringType) {
      return UTF8String.fromBytes((byte[]) packed);
    }
    return type instanceof DateType
        ? LocalDate.ofEpochDay((Integer) packed)
        : Instant.EPOCH.plus((Long) packed, ChronoUnit.MICROS);
  }

  /** Converts a Scala sequence to a list. Only a row does this for every version of Scala. */
  private static List<Object> list(Object sequence) {
    return RowFactory.create(sequence).getList(0);
  }

  /** The entries of a map in their order, with duplicate keys, which Parquet allows. */
  private static final class Entries extends AbstractMap<Object, Object> {
    private final List<Row> rows;

    Entries(List<Row> rows) {
      this.rows = rows;
    }

    @Override
    public Set<Map.Entry<Object, Object>> entrySet() {
      return new AbstractSet<>() {
        @Override
        public Iterator<Map.Entry<Object, Object>> iterator() {
          return Iterators.map(rows.iterator(), row -> new SimpleEntry<>(row.get(0), row.get(1)));
        }

        @Override
        public int size() {
          return rows.size();
        }
      };
    }
  }

  /** Formats a packed value for people. */
  public static String shown(Object packed, DataType type) {
    return String.valueOf(unpacked(packed, type));
  }
}
