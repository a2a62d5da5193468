package io.mambaspark.jobs.io;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The common type of one column in many files. Numbers widen if no value is lost, fields of structs
 * join by name, and a leaf without a value in a file takes its type from the other files.
 *
 * @param type nullable in all its parts
 * @param allNull the leaves of {@code type} without a value so far, numbered depth-first
 */
record JoinedType(DataType type, BitSet allNull) {
  /** The integer types, from narrow to wide. */
  private static final List<DataType> INTEGERS =
      List.of(DataTypes.ByteType, DataTypes.ShortType, DataTypes.IntegerType, DataTypes.LongType);

  /** Returns the type of a column in one file. */
  static JoinedType of(ParquetColumn column, ParquetFile file) {
    int leaves = leaves(column.type());
    int first = column.firstLeaf();
    BitSet allNull = new BitSet();
    if (leaves != column.leaves()) {
      // The column has a type, such as variant, whose leaves Spark does not show.
      return new JoinedType(column.type(), allNull);
    }
    allNull.or(file.allNull().get(first, first + leaves));
    DataType type = withNullTypes(column.type(), file.nullTypes().get(first, first + leaves), 0);
    return new JoinedType(type, allNull);
  }

  /** Restores the null type of leaves, for which Spark reports the physical type. */
  private static DataType withNullTypes(DataType type, BitSet nullTypes, int leaf) {
    if (nullTypes.isEmpty()) {
      return type;
    }
    if (type instanceof StructType struct) {
      StructType with = new StructType();
      int at = leaf;
      for (StructField field : struct.fields()) {
        DataType part = withNullTypes(field.dataType(), nullTypes, at);
        with = with.add(field.name(), part, true, field.metadata());
        at += leaves(field.dataType());
      }
      return with;
    }
    if (type instanceof ArrayType array) {
      return DataTypes.createArrayType(withNullTypes(array.elementType(), nullTypes, leaf));
    }
    if (type instanceof MapType map) {
      return DataTypes.createMapType(
          withNullTypes(map.keyType(), nullTypes, leaf),
          withNullTypes(map.valueType(), nullTypes, leaf + leaves(map.keyType())));
    }
    return nullTypes.get(leaf) ? DataTypes.NullType : type;
  }

  /** Returns the part of this type that is {@code narrow}, which lacks fields of structs. */
  JoinedType narrowed(DataType narrow) {
    BitSet nulls = new BitSet();
    narrow(type, 0, narrow, nulls, 0);
    return new JoinedType(narrow, nulls);
  }

  /** Copies the bits of the leaves of a part, and returns the number of the next leaf to write. */
  private int narrow(DataType from, int first, DataType to, BitSet nulls, int at) {
    int next = at;
    if (from instanceof StructType a && to instanceof StructType b) {
      for (StructField field : b.fields()) {
        StructField own = a.apply(field.name());
        next = narrow(own.dataType(), first + firstLeaf(a, own), field.dataType(), nulls, next);
      }
      return next;
    }
    for (int leaf = first; leaf < first + leaves(from); leaf++) {
      nulls.set(next++, allNull.get(leaf));
    }
    return next;
  }

  /** Whether this is a type of single values, all of which are null. */
  boolean isNull() {
    boolean group =
        type instanceof StructType || type instanceof ArrayType || type instanceof MapType;
    return !group && allNull.get(0);
  }

  /** Returns a type that holds the values of both types; empty if no type does. */
  Optional<JoinedType> join(JoinedType other, boolean caseSensitive) {
    if (type.equals(other.type)) {
      BitSet both = (BitSet) allNull.clone();
      both.and(other.allNull);
      return Optional.of(new JoinedType(type, both));
    }
    // An empty list is a value without a leaf, so only a type of single values is replaced.
    if (isNull()) {
      return Optional.of(other);
    }
    if (other.isNull()) {
      return Optional.of(this);
    }
    if (type instanceof StructType a && other.type instanceof StructType b) {
      return structs(a, other, b, caseSensitive);
    }
    if (type instanceof ArrayType a && other.type instanceof ArrayType b) {
      return new JoinedType(a.elementType(), allNull)
          .join(new JoinedType(b.elementType(), other.allNull), caseSensitive)
          .map(e -> new JoinedType(DataTypes.createArrayType(e.type), e.allNull));
    }
    if (type instanceof MapType a && other.type instanceof MapType b) {
      return maps(a, other, b, caseSensitive);
    }
    return scalars(type, other.type).map(joined -> new JoinedType(joined, new BitSet()));
  }

  private static Optional<DataType> scalars(DataType a, DataType b) {
    if (a instanceof NullType || b instanceof NullType) {
      return Optional.of(a instanceof NullType ? b : a);
    }
    if (INTEGERS.contains(a) && INTEGERS.contains(b)) {
      return Optional.of(INTEGERS.indexOf(a) > INTEGERS.indexOf(b) ? a : b);
    }
    if (isFraction(a) && isFraction(b)) {
      return Optional.of(DataTypes.DoubleType);
    }
    if (isBytes(a) && isBytes(b)) {
      // Some writers do not mark strings as strings; the bytes are the same.
      return Optional.of(DataTypes.StringType);
    }
    DecimalType x = decimal(a);
    DecimalType y = decimal(b);
    if (x == null || y == null) {
      return Optional.empty();
    }
    int scale = Math.max(x.scale(), y.scale());
    int integerDigits = Math.max(x.precision() - x.scale(), y.precision() - y.scale());
    return integerDigits + scale > DecimalType.MAX_PRECISION()
        ? Optional.empty()
        : Optional.of(DataTypes.createDecimalType(integerDigits + scale, scale));
  }

  private static boolean isFraction(DataType type) {
    return type instanceof FloatType || type instanceof DoubleType;
  }

  private static boolean isBytes(DataType type) {
    return type instanceof StringType || type instanceof BinaryType;
  }

  /** Returns the decimal that holds all values of a type; null if no decimal does. */
  private static DecimalType decimal(DataType type) {
    int digits = INTEGERS.indexOf(type);
    return type instanceof DecimalType decimal
        ? decimal
        : digits < 0 ? null : DataTypes.createDecimalType(new int[] {3, 5, 10, 20}[digits], 0);
  }

  private Optional<JoinedType> structs(
      StructType a, JoinedType other, StructType b, boolean caseSensitive) {
    Map<String, StructField> left = byName(b, caseSensitive);
    if (left.size() < b.length() || byName(a, caseSensitive).size() < a.length()) {
      return Optional.empty();
    }
    List<StructField> fields = new ArrayList<>();
    BitSet nulls = new BitSet();
    int from = 0;
    int to = 0;
    for (StructField field : a.fields()) {
      JoinedType own = part(field.dataType(), from);
      from += leaves(field.dataType());
      StructField match = left.remove(field.name());
      Optional<JoinedType> joined =
          match == null
              ? Optional.of(own)
              : own.join(other.part(match.dataType(), firstLeaf(b, match)), caseSensitive);
      if (joined.isEmpty()) {
        return joined;
      }
      to = append(fields, nulls, to, field, joined.get());
    }
    for (StructField field : b.fields()) {
      if (left.containsKey(field.name())) {
        to = append(fields, nulls, to, field, other.part(field.dataType(), firstLeaf(b, field)));
      }
    }
    return Optional.of(new JoinedType(new StructType(fields.toArray(StructField[]::new)), nulls));
  }

  private static int append(
      List<StructField> fields, BitSet nulls, int at, StructField field, JoinedType type) {
    fields.add(new StructField(field.name(), type.type, true, field.metadata()));
    for (int i = 0; i < leaves(type.type); i++) {
      nulls.set(at + i, type.allNull.get(i));
    }
    return at + leaves(type.type);
  }

  private Optional<JoinedType> maps(MapType a, JoinedType other, MapType b, boolean caseSensitive) {
    Optional<JoinedType> key = part(a.keyType(), 0).join(other.part(b.keyType(), 0), caseSensitive);
    Optional<JoinedType> value =
        part(a.valueType(), leaves(a.keyType()))
            .join(other.part(b.valueType(), leaves(b.keyType())), caseSensitive);
    if (key.isEmpty() || value.isEmpty()) {
      return Optional.empty();
    }
    BitSet nulls = (BitSet) key.get().allNull.clone();
    int keys = leaves(key.get().type);
    value.get().allNull.stream().forEach(leaf -> nulls.set(keys + leaf));
    return Optional.of(
        new JoinedType(DataTypes.createMapType(key.get().type, value.get().type), nulls));
  }

  private JoinedType part(DataType part, int firstLeaf) {
    return new JoinedType(part, allNull.get(firstLeaf, firstLeaf + leaves(part)));
  }

  private static int firstLeaf(StructType struct, StructField of) {
    int leaf = 0;
    for (StructField field : struct.fields()) {
      if (field.name().equals(of.name())) {
        return leaf;
      }
      leaf += leaves(field.dataType());
    }
    throw new IllegalArgumentException(of.name());
  }

  /** Maps the fields of a struct by their names, under the session's rule for case. */
  static Map<String, StructField> byName(StructType struct, boolean caseSensitive) {
    Map<String, StructField> fields =
        caseSensitive ? new TreeMap<>() : new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    for (StructField field : struct.fields()) {
      fields.put(field.name(), field);
    }
    return fields;
  }

  /**
   * Returns the type with which to read a file whose column has type {@code own}: the fields of
   * {@code joined}, with the leaf types of the file. Spark's reader returns null for a field that
   * the file does not have. {@link #convert} converts the values to {@code joined}.
   */
  static DataType readType(DataType own, DataType joined, boolean caseSensitive) {
    if (own instanceof StructType a && joined instanceof StructType b) {
      Map<String, StructField> fields = byName(a, caseSensitive);
      StructType struct = new StructType();
      for (StructField field : b.fields()) {
        StructField match = fields.get(field.name());
        struct =
            match == null
                ? struct.add(field.name(), field.dataType())
                : struct.add(
                    match.name(), readType(match.dataType(), field.dataType(), caseSensitive));
      }
      return struct;
    }
    if (own instanceof ArrayType a && joined instanceof ArrayType b) {
      return DataTypes.createArrayType(readType(a.elementType(), b.elementType(), caseSensitive));
    }
    if (own instanceof MapType a && joined instanceof MapType b) {
      return DataTypes.createMapType(
          readType(a.keyType(), b.keyType(), caseSensitive),
          readType(a.valueType(), b.valueType(), caseSensitive));
    }
    // The physical type of a null column is INT32.
    return own instanceof NullType ? DataTypes.IntegerType : own;
  }

  /** Converts a column from its {@link #form} to the joined type. */
  static Column convert(Column column, DataType form, DataType joined) {
    if (form.equals(joined)) {
      return column;
    }
    if (form instanceof StructType a && joined instanceof StructType b) {
      Column[] fields = new Column[b.length()];
      for (int i = 0; i < fields.length; i++) {
        StructField from = a.fields()[i];
        StructField to = b.fields()[i];
        fields[i] =
            convert(column.getField(from.name()), from.dataType(), to.dataType()).as(to.name());
      }
      return functions.when(column.isNotNull(), functions.struct(fields));
    }
    if (form instanceof ArrayType a && joined instanceof ArrayType b) {
      return functions.transform(
          column, element -> convert(element, a.elementType(), b.elementType()));
    }
    if (form instanceof MapType a && joined instanceof MapType b) {
      Column keys =
          functions.transform(
              functions.map_keys(column), key -> convert(key, a.keyType(), b.keyType()));
      Column values =
          functions.transform(
              functions.map_values(column), value -> convert(value, a.valueType(), b.valueType()));
      return a.keyType().equals(b.keyType())
          ? functions.transform_values(
              column, (key, value) -> convert(value, a.valueType(), b.valueType()))
          : functions.map_from_arrays(keys, values);
    }
    // A leaf whose type cannot be cast has no value in the file.
    return Cast.canAnsiCast(form, joined) ? column.cast(joined) : functions.lit(null).cast(joined);
  }

  private static int leaves(DataType type) {
    if (type instanceof StructType struct) {
      int leaves = 0;
      for (StructField field : struct.fields()) {
        leaves += leaves(field.dataType());
      }
      return leaves;
    }
    if (type instanceof ArrayType array) {
      return leaves(array.elementType());
    }
    return type instanceof MapType map ? leaves(map.keyType()) + leaves(map.valueType()) : 1;
  }
}
