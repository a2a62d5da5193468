package io.mambaspark.jobs.score;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.spark.ColumnNames;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Validates the types of the columns of a document. */
final class DocumentTypes {
  /** The type that Spark gives to unsigned 64-bit integers in Parquet. */
  private static final DataType UNSIGNED_LONG = DataTypes.createDecimalType(20, 0);

  private static final String TOKEN_TYPES = "array<int>, array<bigint> or array<smallint>";

  private DocumentTypes() {}

  /** Whether the columns hold text; refuses columns that hold neither text nor tokens. */
  static boolean isText(StructType input, DocumentColumns document) {
    for (String column : document.all()) {
      StructField field = field(input, column, document.option(column));
      if (!document.content().contains(column)) {
        check(field, isCount(field.dataType()), "bigint, int or smallint");
      } else if (document.text() != null) {
        check(field, isText(field.dataType()), "string or binary");
      } else if (document.tokens() != null) {
        check(field, isTokens(field.dataType()), TOKEN_TYPES);
      } else {
        boolean either = isText(field.dataType()) || isTokens(field.dataType());
        check(field, either, "string, binary, " + TOKEN_TYPES);
      }
    }
    if (!document.isPair()) {
      return document.text() != null;
    }
    StructField context = field(input, document.context(), "--context-column");
    StructField continuation = field(input, document.continuation(), "--continuation-column");
    boolean text = isText(context.dataType());
    if (text != isText(continuation.dataType())) {
      throw Refusal.because(
          "Column %s is %s and column %s is %s; expected two texts or two lists of tokens",
          context.name(),
          context.dataType().catalogString(),
          continuation.name(),
          continuation.dataType().catalogString());
    }
    return text;
  }

  private static void check(StructField field, boolean good, String expected) {
    if (!good) {
      throw Refusal.because(
          "Column %s is %s; expected %s", field.name(), field.dataType().catalogString(), expected);
    }
  }

  private static boolean isText(DataType type) {
    return type.equals(DataTypes.StringType) || type.equals(DataTypes.BinaryType);
  }

  private static boolean isTokens(DataType type) {
    return type instanceof ArrayType array
        && (isCount(array.elementType()) || array.elementType().equals(UNSIGNED_LONG));
  }

  private static boolean isCount(DataType type) {
    return type.equals(DataTypes.IntegerType)
        || type.equals(DataTypes.LongType)
        || type.equals(DataTypes.ShortType)
        || type.equals(DataTypes.ByteType);
  }

  /** Returns a column with the name that the user wrote. */
  private static StructField field(StructType input, String name, String option) {
    return new StructField(
        name, ColumnNames.type(input, path(input, name, option)), true, Metadata.empty());
  }

  /**
   * Returns the names of a column of the input and of the fields in it, see {@link
   * ColumnNames#find}.
   *
   * @param option the option that names the column, for the message
   * @throws Refusal if the input has no such column, or several
   */
  static List<String> path(StructType input, String name, String option) {
    List<String> found = ColumnNames.find(input, name, option, isCaseSensitive());
    if (found.isEmpty()) {
      List<String> columns = new ArrayList<>();
      for (StructField field : input.fields()) {
        boolean begins =
            ColumnNames.path(List.of(), name, true).get(0).equalsIgnoreCase(field.name());
        columns.add(
            begins && field.dataType() instanceof StructType struct
                ? "%s with the fields %s"
                    .formatted(field.name(), String.join(" and ", struct.fieldNames()))
                : field.name());
      }
      throw Refusal.because(
          "Column %s (%s) is not in the input; its columns are %s",
          name, option, String.join(", ", columns));
    }
    return found;
  }

  static boolean isCaseSensitive() {
    return SQLConf.get().caseSensitiveAnalysis();
  }
}
