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
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.types.AtomicType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The columns that are read from the input.
 *
 * @param document the columns of a document
 * @param paths for each of {@link DocumentColumns#all}, the names of the column and of the fields
 *     in it
 * @param text whether the document's columns hold text; otherwise they hold tokens
 * @param kept the input columns that are copied to the output, with their names in the output
 * @param keptFrom the names of these columns in the input
 * @param hasInputErrors whether the input has a column {@link InputErrors#COLUMN}
 */
public record RowSchema(
    DocumentColumns document,
    List<List<String>> paths,
    boolean text,
    List<StructField> kept,
    List<String> keptFrom,
    boolean hasInputErrors) {
  private static final String KEEP_COLUMNS = "--keep-columns";

  /**
   * Finds the columns in the input. Throws {@link Refusal} if a column is missing or has a wrong
   * type, or if the name of a kept column is reserved or not unique.
   *
   * @param documents the names of the columns
   */
  public static RowSchema of(StructType found, DocumentOptions documents) {
    DocumentColumns document = documents.columns();
    StructType input = new StructType();
    for (StructField field : found.fields()) {
      input = InputErrors.isMarked(field) ? input : input.add(field);
    }
    List<List<String>> paths = new ArrayList<>();
    for (String column : document.all()) {
      List<String> path = DocumentTypes.path(input, column, document.option(column));
      if (paths.contains(path)) {
        throw Refusal.wrongUsage(DocumentColumns.GIVEN_TWICE, column);
      }
      paths.add(path);
    }
    boolean text = DocumentTypes.isText(input, document);
    List<StructField> kept = new ArrayList<>();
    List<String> from = new ArrayList<>();
    if (documents.kept() == null) {
      // By default texts are kept, for the readers of the scores; tokens are not.
      int replaced = text ? document.content().size() : 0;
      List<List<String>> notKept = paths.subList(replaced, paths.size());
      for (StructField field : input.fields()) {
        if (!notKept.contains(List.of(field.name()))) {
          kept.add(field);
          from.add(field.name());
        }
      }
    } else {
      for (String name : documents.kept()) {
        StructField field = kept(input, name);
        kept.add(field);
        from.add(DocumentTypes.path(input, name, KEEP_COLUMNS).get(0));
      }
    }
    Set<String> names = new HashSet<>();
    for (StructField field : kept) {
      if (field.name().equals(InputErrors.COLUMN)) {
        throw Refusal.wrongUsage(
            "Column name %s is reserved; leave the column out with --keep-columns or rename it",
            InputErrors.COLUMN);
      }
      if (!names.add(field.name().toLowerCase(Locale.ROOT))) {
        throw Refusal.wrongUsage(
            "Column %s is kept twice; list it once in --keep-columns", field.name());
      }
    }
    return new RowSchema(
        document,
        List.copyOf(paths),
        text,
        List.copyOf(kept),
        List.copyOf(from),
        found.length() > input.length());
  }

  /** Returns a column of {@code --keep-columns}. As in Spark, it is named as the user names it. */
  private static StructField kept(StructType input, String name) {
    List<String> path = DocumentTypes.path(input, name, KEEP_COLUMNS);
    if (path.size() > 1) {
      throw Refusal.wrongUsage(
          "Column %s (%s) is a field of column %s; only complete columns are kept: list %s",
          name, KEEP_COLUMNS, path.get(0), path.get(0));
    }
    StructField found = input.apply(path.get(0));
    String written = ColumnNames.path(path, name, DocumentTypes.isCaseSensitive()).get(0);
    return new StructField(written, found.dataType(), found.nullable(), found.metadata());
  }

  /**
   * Returns the columns that a partition reads: the document's columns, then the error that the
   * input has marked, then the kept columns.
   */
  public Column[] input() {
    List<Column> columns = new ArrayList<>();
    for (int i = 0; i < paths.size(); i++) {
      boolean content = i < document.content().size();
      Column column = ColumnNames.column(paths.get(i));
      // Texts are read as binary, because Spark replaces malformed UTF-8 in strings.
      Column read = !content ? column.cast("bigint") : text ? column.cast("binary") : column;
      columns.add(read.as("d" + columns.size()));
    }
    columns.add(inputError().as("error"));
    for (int i = 0; i < kept.size(); i++) {
      Column column = ColumnNames.quoted(keptFrom.get(i));
      columns.add(PackedColumn.pack(column, kept.get(i).dataType()).as(keptName(i)));
    }
    return columns.toArray(Column[]::new);
  }

  /** Returns the error that the input has marked in a row; null if there is none. */
  private Column inputError() {
    return hasInputErrors ? col(InputErrors.COLUMN) : lit(null).cast(InputErrors.TYPE);
  }

  /** Returns the message of the error that the input has marked in a row, or null. */
  public Column inputErrorMessage() {
    return InputErrors.message(inputError());
  }

  /** Lists the name of the input's column for each column of {@link #input}. */
  public List<String> inputNames() {
    List<String> names = new ArrayList<>();
    paths.forEach(path -> names.add(path.get(0)));
    names.add(InputErrors.COLUMN);
    names.addAll(keptFrom);
    return names;
  }

  /** Returns the kept columns inside a partition: numbered, so that no name needs quoting. */
  public StructType keptStruct() {
    StructType struct = new StructType();
    for (int i = 0; i < kept.size(); i++) {
      StructField field = kept.get(i);
      struct = struct.add(keptName(i), PackedColumn.packed(field.dataType()), field.nullable());
    }
    return struct;
  }

  /** Selects the kept columns from a partition's pairs (kept columns, results). */
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

  /** Returns the kept columns with the types that they have in the input. */
  StructType keptAsRead() {
    return new StructType(kept.toArray(StructField[]::new));
  }

  /** Returns the names of kept columns; refuses columns that are not kept. */
  public List<String> namesOfKept(List<String> columns, String option) {
    List<String> names = new ArrayList<>();
    for (String column : columns) {
      List<String> path =
          ColumnNames.find(keptAsRead(), column, option, DocumentTypes.isCaseSensitive());
      if (path.size() != 1) {
        throw Refusal.because(
            "Column %s (%s) is not among the kept columns: %s",
            column, option, kept.isEmpty() ? "none" : String.join(", ", keptNames()));
      }
      if (names.contains(path.get(0))) {
        throw Refusal.wrongUsage("%s lists column %s twice; list it once", option, column);
      }
      names.add(path.get(0));
    }
    return names;
  }

  /** Refuses a kept column that has the name of an added column. */
  public void checkFree(String added) {
    if (keptNames().stream().anyMatch(added::equalsIgnoreCase)) {
      throw Refusal.wrongUsage(
          "Kept column %s has the name of a score column; leave it out with --keep-columns or"
              + " rename it",
          added);
    }
  }

  /** Lists the kept columns whose values can be shown in one line: ids, names, the text. */
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
