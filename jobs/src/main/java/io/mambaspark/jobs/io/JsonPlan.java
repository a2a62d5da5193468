package io.mambaspark.jobs.io;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
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
 * @param texts the columns among them that hold the document's text
 */
record JsonPlan(StructType columns, Set<String> texts, boolean caseSensitive)
    implements Serializable {
  JsonLines open() {
    return new JsonLines(columns, texts, caseSensitive);
  }

  /** Returns a plan that reads all columns. */
  static JsonPlan of(StructType columns, DocumentColumns document, boolean caseSensitive) {
    return new JsonPlan(columns, texts(columns, document), caseSensitive);
  }

  /** Returns a plan that reads only the columns that the job uses. */
  static JsonPlan ofUsed(StructType columns, DocumentOptions documents, boolean caseSensitive) {
    StructType used = new StructType();
    for (StructField field : columns.fields()) {
      if (documents.kept() == null
          || documents.kept().contains(field.name())
          || documents.columns().all().contains(field.name())) {
        used = used.add(field);
      }
    }
    return of(used, documents.columns(), caseSensitive);
  }

  /** Whether the user named the kept columns, and the types of all used columns are known. */
  static boolean hasAll(StructType types, DocumentOptions documents, boolean caseSensitive) {
    DocumentColumns document = documents.columns();
    List<String> kept = documents.kept();
    Map<String, StructField> known = JoinedType.byName(types, caseSensitive);
    return kept != null
        && document.all().stream().allMatch(known::containsKey)
        && kept.stream().allMatch(known::containsKey);
  }

  /** Returns the type of a column. The document's columns have fixed types, whatever was found. */
  static DataType type(String column, DataType found, DocumentColumns document) {
    if (document.content().contains(column)) {
      boolean tokens =
          document.tokens() != null || (document.isPair() && found instanceof ArrayType);
      return tokens ? DataTypes.createArrayType(DataTypes.LongType) : DataTypes.StringType;
    }
    return document.all().contains(column) ? DataTypes.LongType : found;
  }

  private static Set<String> texts(StructType columns, DocumentColumns document) {
    return Arrays.stream(columns.fields())
        .filter(field -> document.content().contains(field.name()))
        .filter(field -> field.dataType().equals(DataTypes.StringType))
        .map(StructField::name)
        .collect(Collectors.toUnmodifiableSet());
  }
}
