package io.mambaspark.jobs.io;

import io.mambaspark.jobs.text.Utf8;
import java.io.Serializable;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The types of the values in JSON lines, collected line by line or merged from parts. The result
 * depends neither on the order of the lines nor on their division into parts.
 *
 * <p>The types are those that Spark infers, except that no value may change: integers beyond 64
 * bits are decimal(38,0), and integers mixed with fractions are strings if a double would round one
 * of them. The following are also strings: numbers too large for these types, values of different
 * kinds, objects without a key, and values that are always null.
 */
final class JsonTypes implements Serializable {
  private static final long serialVersionUID = 1;

  private static final int LONG = 1;
  private static final int DECIMAL = 2;
  private static final int FRACTION = 4;

  /** A number that a double would round. */
  private static final int ROUNDED = 8;

  private static final int BOOLEAN = 16;
  private static final int STRING = 32;
  private static final int LIST = 64;
  private static final int OBJECT = 128;

  private static final int INTEGERS = LONG | DECIMAL;
  private static final int NUMBERS = INTEGERS | FRACTION | ROUNDED;

  /** The maximum number of digits of Spark's decimal. */
  private static final int DECIMAL_DIGITS = 38;

  /** The maximum nesting for which Spark compiles code; deeper lists and objects are strings. */
  private static final int MAX_DEPTH = 32;

  /** The kinds found, as bits: a bitwise OR merges two parts. */
  private int seen;

  private JsonTypes elements;
  private final TreeMap<String, JsonTypes> fields = new TreeMap<>();

  /** Adds the columns of a line. Skips a line for which {@link JsonLines} reports an error. */
  void add(byte[] line) {
    JsonTypes columns = new JsonTypes();
    try {
      String text = Utf8.decode(line);
      JsonReader in = new JsonReader(text, text.startsWith("\uFEFF") ? 1 : 0);
      JsonLines.openLine(in);
      columns.addFields(in, 0);
      in.end();
      if (in.firstError() == null) {
        add(columns);
      }
    } catch (Utf8.Malformed | JsonReader.Malformed e) {
      // The line is blank, or its row has an error.
    }
  }

  /** Adds the types of another part of the lines. */
  void add(JsonTypes other) {
    seen |= other.seen;
    if (other.elements != null) {
      elements().add(other.elements);
    }
    other.fields.forEach((name, types) -> field(name).add(types));
  }

  /**
   * Returns the columns so far, ordered by name as in Spark, all nullable.
   *
   * @param caseSensitive whether names that differ only in case are separate columns; otherwise the
   *     column has the spelling that sorts first
   */
  StructType schema(boolean caseSensitive) {
    Map<String, JsonTypes> columns = fields;
    if (!caseSensitive) {
      Map<String, JsonTypes> merged = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
      fields.forEach(
          (name, types) -> merged.computeIfAbsent(name, n -> new JsonTypes()).add(types));
      columns = new TreeMap<>(merged);
    }
    StructType schema = new StructType();
    for (Map.Entry<String, JsonTypes> column : columns.entrySet()) {
      schema = schema.add(column.getKey(), column.getValue().type(caseSensitive), true);
    }
    return schema;
  }

  private DataType type(boolean caseSensitive) {
    boolean rounded = (seen & ROUNDED) != 0;
    if (seen == BOOLEAN) {
      return DataTypes.BooleanType;
    } else if (seen == LIST) {
      return DataTypes.createArrayType(
          elements == null ? DataTypes.StringType : elements.type(caseSensitive), true);
    } else if (seen == OBJECT && !fields.isEmpty()) {
      return schema(caseSensitive);
    } else if (seen == 0 || (seen & ~NUMBERS) != 0) {
      return DataTypes.StringType;
    } else if ((seen & FRACTION) == 0) {
      return (seen & DECIMAL) == 0
          ? DataTypes.LongType
          : DataTypes.createDecimalType(DECIMAL_DIGITS, 0);
    }
    return rounded && (seen & INTEGERS) != 0 ? DataTypes.StringType : DataTypes.DoubleType;
  }

  private JsonTypes elements() {
    if (elements == null) {
      elements = new JsonTypes();
    }
    return elements;
  }

  private JsonTypes field(String name) {
    return fields.computeIfAbsent(name, n -> new JsonTypes());
  }

  private void addFields(JsonReader in, int depth) throws JsonReader.Malformed {
    for (String key = in.key(); key != null; key = in.key()) {
      field(key).addValue(in, depth + 1);
    }
  }

  private void addValue(JsonReader in, int depth) throws JsonReader.Malformed {
    JsonKind kind = in.peek();
    if (kind == JsonKind.NUMBER) {
      seen |= number(in.number());
    } else if (kind == JsonKind.OBJECT && depth < MAX_DEPTH) {
      seen |= OBJECT;
      in.open();
      addFields(in, depth);
    } else if (kind == JsonKind.LIST && depth < MAX_DEPTH) {
      seen |= LIST;
      in.open();
      while (in.element()) {
        elements().addValue(in, depth + 1);
      }
    } else {
      seen |=
          switch (kind) {
            case NULL -> 0;
            case BOOLEAN -> BOOLEAN;
            default -> STRING;
          };
      in.skip();
    }
  }

  private static int number(String number) {
    if (JsonNumbers.isInteger(number)) {
      int type =
          JsonNumbers.asLong(number) != null
              ? LONG
              : JsonNumbers.asDecimal(number, DECIMAL_DIGITS, 0) != null ? DECIMAL : STRING;
      return JsonNumbers.roundTripsAsDouble(number) ? type : type | ROUNDED;
    }
    if (JsonNumbers.asDouble(number) == null) {
      return STRING;
    }
    return JsonNumbers.roundTripsAsDouble(number) ? FRACTION : FRACTION | ROUNDED;
  }
}
