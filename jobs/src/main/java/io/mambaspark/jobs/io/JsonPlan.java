package io.mambaspark.jobs.io;

import io.mambaspark.jobs.spark.ColumnNames;
import java.io.Serializable;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The plan by which tasks read JSON lines.
 *
 * @param columns the columns to read
 * @param texts the columns and fields that hold the document's text, see {@link JsonLines#key}
 */
record JsonPlan(StructType columns, Set<String> texts, boolean caseSensitive)
    implements Serializable {
  JsonLines open() {
    return new JsonLines(columns, texts, caseSensitive);
  }

  /** Returns a plan that reads all columns. */
  static JsonPlan of(StructType columns, DocumentColumns document, boolean caseSensitive) {
    return new JsonPlan(columns, texts(columns, document, caseSensitive), caseSensitive);
  }

  /** Returns a plan that reads only the columns that the job uses. */
  static JsonPlan ofUsed(StructType columns, DocumentOptions documents, boolean caseSensitive) {
    UsedColumns used = new UsedColumns(List.of(columns.fieldNames()), documents, caseSensitive);
    StructType read = new StructType();
    for (StructField field : columns.fields()) {
      if (used.contains(field.name())) {
        read = read.add(field.name(), used.type(field.name(), field.dataType()));
      }
    }
    return of(read, documents.columns(), caseSensitive);
  }

  /** Whether the user named the kept columns, and the types of all used columns are known. */
  static boolean hasAll(StructType types, DocumentOptions documents, boolean caseSensitive) {
    List<String> kept = documents.kept();
    return kept != null
        && documents.columns().all().stream()
            .noneMatch(name -> find(types, documents.columns(), name, caseSensitive).isEmpty())
        && kept.stream()
            .noneMatch(
                name -> ColumnNames.find(types, name, "--keep-columns", caseSensitive).isEmpty());
  }

  /** Returns the columns with fixed types for those of the document, whatever was found. */
  static StructType typed(StructType found, DocumentColumns document, boolean caseSensitive) {
    StructType typed = found;
    for (String column : document.all()) {
      List<String> path = find(found, document, column, caseSensitive);
      if (!path.isEmpty()) {
        typed = with(typed, path, type(column, ColumnNames.type(found, path), document));
      }
    }
    return typed;
  }

  private static DataType type(String column, DataType found, DocumentColumns document) {
    if (!document.content().contains(column)) {
      return DataTypes.LongType;
    }
    boolean tokens = document.tokens() != null || (document.isPair() && found instanceof ArrayType);
    return tokens ? DataTypes.createArrayType(DataTypes.LongType) : DataTypes.StringType;
  }

  /** Replaces the type of a column or of a field. */
  private static StructType with(StructType struct, List<String> path, DataType type) {
    StructType with = new StructType();
    for (StructField field : struct.fields()) {
      DataType own = field.dataType();
      if (field.name().equals(path.get(0))) {
        own = path.size() == 1 ? type : with((StructType) own, path.subList(1, path.size()), type);
      }
      with = with.add(field.name(), own);
    }
    return with;
  }

  private static Set<String> texts(
      StructType columns, DocumentColumns document, boolean caseSensitive) {
    return document.content().stream()
        .map(column -> find(columns, document, column, caseSensitive))
        .filter(path -> !path.isEmpty())
        .filter(path -> ColumnNames.type(columns, path).equals(DataTypes.StringType))
        .map(JsonLines::key)
        .collect(Collectors.toUnmodifiableSet());
  }

  private static List<String> find(
      StructType columns, DocumentColumns document, String column, boolean caseSensitive) {
    return ColumnNames.find(columns, column, document.option(column), caseSensitive);
  }
}
