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
 * Kept columns past Java's objects. Spark makes a string a {@code String}, which replaces bytes
 * that are no UTF-8; dates and timestamps objects of {@code java.sql}, which have neither the days
 * that the calendar reform left out nor every hour of the local time zone; and a map one of
 * Scala's, which loses the order of the keys, keys that are there twice, and the sign of a key
 * -0.0. So they travel as the bytes, the numbers and the lists of entries that Spark itself keeps,
 * inside structs, arrays and maps, too, and come out as they went in. Other types travel as Spark
 * makes them, which changes none of their values.
 */
public final class PackedColumn {
  private PackedColumn() {}

  /** The type in which a column travels. Fields of structs are numbered, so that any name goes. */
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

  /** Whether a type is one that Java's objects may change, or has such a one inside. */
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

  /** The type of what {@code map_entries} lists. */
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
   * The column as it was.
   *
   * @param nullable whether it may be null
   */
  public static Column unpack(Column packed, DataType type, boolean nullable) {
    if (!isPacked(type)) {
      return packed;
    }
    if (type instanceof StringType) {
      // A cast of binary looks at no byte.
      return packed.cast(type);
    }
    if (type instanceof DateType) {
      return date_from_unix_date(packed);
    }
    if (type instanceof TimestampType) {
      return timestamp_micros(packed);
    }
    // A function of ours, because Spark's own that make a map refuse or drop a key that is there
    // twice, and make -0.0 of a key 0.0. In a struct, because a list as an argument is Scala's.
    UDF1<Row, Object> unpacked = row -> unpacked(row.get(0), type);
    UserDefinedFunction function = udf(unpacked, type);
    return (nullable ? function : function.asNonNullable()).apply(struct(packed));
  }

  /** The value as Spark takes it from a function, which keeps the bytes of a {@link UTF8String}. */
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

  /** A sequence of Scala's, which only a row can turn into a list for every version of Scala. */
  private static List<Object> list(Object sequence) {
    return RowFactory.create(sequence).getList(0);
  }

  /** Pairs of a key and a value in their order; Parquet may hold a key twice. */
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

  /** A packed value for people. */
  public static String shown(Object packed, DataType type) {
    return String.valueOf(unpacked(packed, type));
  }
}
