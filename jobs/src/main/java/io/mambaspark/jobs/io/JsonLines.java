package io.mambaspark.jobs.io;

import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.text.Utf8;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Converts JSON lines to rows of the planned columns. A line that is not one JSON object, or that
 * has a value that does not fit its column, becomes a row with an error; the row keeps every column
 * that can be read. Unplanned keys are validated and ignored. A planned column whose key is missing
 * or null is null.
 *
 * <p>No value is changed to fit its column. A bigint accepts the integers of 64 bits (also written
 * as 1.0 or 1e3). A decimal accepts the numbers that it represents exactly. A double accepts every
 * number in its range, except integers that it would round. A string accepts a string as it is, and
 * any other value as its text in the file.
 */
final class JsonLines {
  private static final char BYTE_ORDER_MARK = '\uFEFF';

  /** The result for a value that does not fit, and for the lists and objects that contain it. */
  private static final Object INVALID = new Object();

  /**
   * A row.
   *
   * @param values in the order of the planned columns, as {@link RowFactory#create} requires them:
   *     texts as String or byte[], lists as Object[], objects as Row
   * @param error null if the line is valid
   */
  record Line(Object[] values, RowError error) {}

  /** Reads a value of one type; for another type, records an error and returns {@link #INVALID}. */
  private interface Value {
    Object read(JsonReader in) throws JsonReader.Malformed;
  }

  /**
   * The fields of an object, or the columns of a line.
   *
   * @param places the index of each field, by name under the session's rule for case
   */
  private record Fields(Map<String, Integer> places, List<Value> values) {}

  private final boolean caseSensitive;
  private final Set<String> texts;
  private final Fields columns;

  /**
   * @param plan columns with types that {@link JsonTypes} infers, or binary for strings
   * @param texts the columns and fields, each as {@link #key}, that hold the document's text; a
   *     JSON value other than a string has its own kind of error there
   * @param caseSensitive whether a key must have the case of its column
   */
  JsonLines(StructType plan, Set<String> texts, boolean caseSensitive) {
    this.caseSensitive = caseSensitive;
    this.texts = texts;
    this.columns = fields(plan, List.of());
  }

  /** Returns the text that identifies a column, or a field of a struct, among {@code texts}. */
  static String key(List<String> path) {
    return path.size() == 1 ? path.get(0) : ColumnNames.sql(path);
  }

  /** Returns the values of a row whose line cannot be read: all null. */
  Object[] nullValues() {
    return new Object[columns.values.size()];
  }

  /** Converts a line, given without its line end; returns null for a blank line. */
  Line read(byte[] line) {
    String text;
    RowError error = null;
    try {
      text = Utf8.decode(line);
    } catch (Utf8.Malformed e) {
      text = new String(line, StandardCharsets.UTF_8);
      error =
          RowError.malformedInput(
              "byte 0x%02X at offset %d".formatted(line[e.offset()] & 0xFF, e.offset()), "UTF-8");
    }
    int start = !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK ? 1 : 0;
    if (isBlank(text, start)) {
      return null;
    }
    Object[] values = new Object[columns.values.size()];
    JsonReader in = new JsonReader(text, start);
    try {
      openLine(in);
      read(in, columns, values);
      in.end();
    } catch (JsonReader.Malformed e) {
      in.recordError(e.error());
    }
    return new Line(values, error == null ? in.firstError() : error);
  }

  /** Enters the object of a line. */
  static void openLine(JsonReader in) throws JsonReader.Malformed {
    JsonKind kind = in.peek("one JSON object");
    if (kind == JsonKind.LIST) {
      throw in.unexpected("one JSON object; jq -c '.[]' writes each element of a list on one line");
    } else if (kind != JsonKind.OBJECT) {
      throw in.unexpected("one JSON object");
    }
    in.open();
  }

  private static boolean isBlank(String text, int start) {
    for (int i = start; i < text.length(); i++) {
      if (" \t\r\n\f\u000b".indexOf(text.charAt(i)) < 0) {
        return false;
      }
    }
    return true;
  }

  /** Reads the fields of the entered object; returns false if one of them does not fit. */
  private boolean read(JsonReader in, Fields fields, Object[] values) throws JsonReader.Malformed {
    boolean fits = true;
    boolean[] seen = new boolean[values.length];
    for (String key = in.key(); key != null; key = in.key()) {
      Integer place = fields.places.get(key);
      if (place == null) {
        in.skip();
      } else if (seen[place]) {
        in.duplicateKey(key, in.token(), "each key once, whatever its case");
        in.skip();
      } else {
        seen[place] = true;
        Object value = fields.values.get(place).read(in);
        if (value == INVALID) {
          fits = false;
        } else {
          values[place] = value;
        }
      }
    }
    return fits;
  }

  /**
   * @param above the names of the column and of the fields that contain the struct; empty for the
   *     columns themselves
   */
  private Fields fields(StructType struct, List<String> above) {
    Map<String, Integer> places =
        caseSensitive ? new HashMap<>() : new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    List<Value> values = new ArrayList<>();
    for (StructField field : struct.fields()) {
      places.put(field.name(), values.size());
      List<String> path = Stream.concat(above.stream(), Stream.of(field.name())).toList();
      values.add(
          texts.contains(key(path))
              ? text(field.dataType(), String.join(".", path))
              : value(field.dataType(), path));
    }
    return new Fields(places, values);
  }

  private static Value text(DataType type, String column) {
    boolean binary = type.equals(DataTypes.BinaryType);
    return in -> {
      JsonKind kind = in.peek();
      if (kind == JsonKind.STRING) {
        String text = in.string();
        return binary ? text.getBytes(StandardCharsets.UTF_8) : text;
      }
      if (kind != JsonKind.NULL) {
        in.recordError(RowError.notText(kind.words(), in.character(in.token()), column));
      }
      in.skip();
      return kind == JsonKind.NULL ? null : INVALID;
    };
  }

  /**
   * @param path the names of the column and of the fields that contain the value
   */
  private Value value(DataType type, List<String> path) {
    String column = path.get(0);
    if (type.equals(DataTypes.StringType)) {
      return orNull(in -> in.peek() == JsonKind.STRING ? in.string() : in.raw());
    } else if (type.equals(DataTypes.BinaryType)) {
      return of(
          JsonKind.STRING,
          in -> in.string().getBytes(StandardCharsets.UTF_8),
          "a string in column " + column);
    } else if (type.equals(DataTypes.LongType)) {
      return number(JsonNumbers::asLong, "an integer of 64 bits in column " + column);
    } else if (type.equals(DataTypes.DoubleType)) {
      return number(JsonNumbers::asDouble, "a number that a double holds in column " + column);
    } else if (type instanceof DecimalType decimal) {
      return number(
          digits -> JsonNumbers.asDecimal(digits, decimal.precision(), decimal.scale()),
          "a number that %s holds in column %s".formatted(decimal.catalogString(), column));
    } else if (type.equals(DataTypes.BooleanType)) {
      return of(JsonKind.BOOLEAN, JsonReader::bool, "true or false in column " + column);
    } else if (type instanceof ArrayType list) {
      Value element = value(list.elementType(), path);
      return of(JsonKind.LIST, in -> list(in, element), "a list in column " + column);
    } else if (type instanceof StructType struct) {
      Fields fields = fields(struct, path);
      return of(JsonKind.OBJECT, in -> object(in, fields), "an object in column " + column);
    }
    throw new IllegalStateException("Cannot read JSON as " + type.catalogString());
  }

  private static Object list(JsonReader in, Value element) throws JsonReader.Malformed {
    List<Object> values = new ArrayList<>();
    boolean fits = true;
    in.open();
    while (in.element()) {
      Object value = element.read(in);
      fits &= value != INVALID;
      values.add(value);
    }
    return fits ? values.toArray() : INVALID;
  }

  private Object object(JsonReader in, Fields fields) throws JsonReader.Malformed {
    Object[] values = new Object[fields.values.size()];
    in.open();
    return read(in, fields, values) ? RowFactory.create(values) : INVALID;
  }

  private static Value orNull(Value value) {
    return in -> {
      if (in.peek() == JsonKind.NULL) {
        in.skip();
        return null;
      }
      return value.read(in);
    };
  }

  private static Value of(JsonKind kind, Value value, String expected) {
    return orNull(
        in -> {
          if (in.peek() == kind) {
            return value.read(in);
          }
          int from = in.token();
          in.skip();
          return invalid(in, from, expected);
        });
  }

  /**
   * Reads a number.
   *
   * @param conversion returns null if it would change the value
   */
  private static Value number(
      java.util.function.Function<String, Object> conversion, String expected) {
    return of(
        JsonKind.NUMBER,
        in -> {
          int from = in.token();
          Object value = conversion.apply(in.number());
          return value == null ? invalid(in, from, expected) : value;
        },
        expected);
  }

  private static Object invalid(JsonReader in, int from, String expected) {
    in.recordError(in.excerpt(from), from, expected);
    return INVALID;
  }
}
