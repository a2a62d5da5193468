package io.mambaspark.jobs.score;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.DocumentOptions;
import io.mambaspark.jobs.io.InputErrors;
import io.mambaspark.jobs.io.PackedColumn;
import io.mambaspark.jobs.spark.ColumnNames;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.AtomicType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * What is read of the rows of the input.
 *
 * @param document the columns that a document is read from
 * @param text whether they hold text, not tokens
 * @param kept the input columns that are carried over
 * @param hasInputErrors whether the input has a column {@link InputErrors#COLUMN}
 */
public record RowSchema(
    DocumentColumns document, boolean text, List<StructField> kept, boolean hasInputErrors) {

  /** As Spark reads the unsigned integers of 64 bits of Parquet. */
  private static final DataType UNSIGNED_LONG = DataTypes.createDecimalType(20, 0);

  private static final String TOKEN_TYPES = "array<int>, array<bigint> or array<smallint>";

  /**
   * Throws {@link Refusal} where the input lacks a column, or has another in its place.
   *
   * @param documents the columns that are used
   */
  public static RowSchema of(StructType found, DocumentOptions documents) {
    DocumentColumns document = documents.columns();
    List<String> keepColumns = documents.kept();
    StructType input = new StructType();
    for (StructField field : found.fields()) {
      input = InputErrors.isMarked(field) ? input : input.add(field);
    }
    boolean text = isText(input, document);
    List<StructField> kept = new ArrayList<>();
    if (keepColumns == null) {
      List<String> left = new ArrayList<>(document.all());
      if (text) {
        // Worth keeping beside its score, which the tokens made of it are not.
        left.removeAll(document.content());
      }
      for (StructField field : input.fields()) {
        if (!left.contains(field.name())) {
          kept.add(field);
        }
      }
    } else {
      for (String name : keepColumns) {
        kept.add(field(input, name, "--keep-columns"));
      }
    }
    Set<String> names = new HashSet<>();
    for (StructField field : kept) {
      if (field.name().equals(InputErrors.COLUMN)) {
        throw Refusal.wrongUsage(
            "Column %s has a name that is reserved; leave it out with --keep-columns or rename it",
            InputErrors.COLUMN);
      }
      if (!names.add(field.name().toLowerCase(Locale.ROOT))) {
        throw Refusal.wrongUsage("Column %s is kept twice; see --keep-columns", field.name());
      }
    }
    return new RowSchema(document, text, List.copyOf(kept), found.length() > input.length());
  }

  private static StructField field(StructType input, String name, String option) {
    return Arrays.stream(input.fields())
        .filter(f -> f.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                Refusal.because(
                    "Column %s (%s) is not in the input; its columns are %s",
                    name, option, String.join(", ", input.fieldNames())));
  }

  /** Whether the columns hold text; refuses what is neither text nor tokens. */
  private static boolean isText(StructType input, DocumentColumns document) {
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

  /**
   * The columns that a partition reads: those of the document first, then why the row cannot be
   * read, then the kept ones.
   */
  public Column[] input() {
    List<Column> columns = new ArrayList<>();
    for (String column : document.all()) {
      boolean content = document.content().contains(column);
      // Bytes, because a string comes with what is not UTF-8 replaced.
      Column read =
          !content
              ? ColumnNames.quoted(column).cast("bigint")
              : text ? ColumnNames.quoted(column).cast("binary") : ColumnNames.quoted(column);
      columns.add(read.as("d" + columns.size()));
    }
    columns.add(inputError().as("error"));
    for (int i = 0; i < kept.size(); i++) {
      Column column = ColumnNames.quoted(kept.get(i).name());
      columns.add(PackedColumn.pack(column, kept.get(i).dataType()).as(keptName(i)));
    }
    return columns.toArray(Column[]::new);
  }

  /** Why a row of the input cannot be read; null when all is well. */
  public Column inputError() {
    return hasInputErrors ? col(InputErrors.COLUMN) : lit(null).cast("string");
  }

  /** For each of {@link #input} the column of the input that it is made of. */
  public List<String> inputNames() {
    List<String> names = new ArrayList<>(document.all());
    names.add(InputErrors.COLUMN);
    names.addAll(keptNames());
    return names;
  }

  /** The kept columns as they travel: numbered, so that no name needs quoting. */
  public StructType keptStruct() {
    StructType struct = new StructType();
    for (int i = 0; i < kept.size(); i++) {
      StructField field = kept.get(i);
      struct = struct.add(keptName(i), PackedColumn.packed(field.dataType()), field.nullable());
    }
    return struct;
  }

  /** The kept columns from the pair (kept columns, a row of results) that a partition makes. */
  public List<Column> keptOutput() {
    List<Column> columns = new ArrayList<>();
    for (int i = 0; i < kept.size(); i++) {
      StructField field = kept.get(i);
      Column column =
          PackedColumn.unpack(col("_1").getField(keptName(i)), field.dataType(), field.nullable());
      columns.add(column.as(field.name(), field.metadata()));
    }
    return columns;
  }

  /** The kept columns by their own names, as they come in. */
  StructType keptAsRead() {
    return new StructType(kept.toArray(StructField[]::new));
  }

  /** Refuses columns that are not kept. */
  public void checkKept(List<String> columns, String option) {
    for (String column : columns) {
      if (!keptNames().contains(column)) {
        throw Refusal.because(
            "Column %s (%s) is not among the kept ones: %s",
            column, option, kept.isEmpty() ? "none" : String.join(", ", keptNames()));
      }
    }
  }

  /** Refuses a kept column that has the name of one that is added. */
  public void checkFree(String added) {
    if (keptNames().stream().anyMatch(added::equalsIgnoreCase)) {
      throw Refusal.wrongUsage(
          "Kept column %s has the name of a score column; leave it out with --keep-columns or"
              + " rename it",
          added);
    }
  }

  /** The kept columns that can be shown in a line: ids, names, the text. */
  public List<String> showable() {
    return kept.stream()
        .filter(field -> field.dataType() instanceof AtomicType)
        .filter(field -> !field.dataType().equals(DataTypes.BinaryType))
        .map(StructField::name)
        .toList();
  }

  public List<String> keptNames() {
    return kept.stream().map(StructField::name).toList();
  }

  private static String keptName(int i) {
    return "c" + i;
  }
}
