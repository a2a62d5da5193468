package io.mambaspark.jobs.io;

import io.mambaspark.jobs.spark.ColumnNames;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The columns of an input that a job reads. Of a struct that holds the document and is not kept,
 * the job reads only the fields of the document.
 */
final class UsedColumns {
  /** The names of each column and of the fields in it; null if all columns are read. */
  private final List<List<String>> paths;

  private final boolean caseSensitive;

  /**
   * Finds the columns.
   *
   * @param columns the names of the columns of the input
   */
  UsedColumns(Collection<String> columns, DocumentOptions documents, boolean caseSensitive) {
    List<String> kept = documents.kept();
    this.caseSensitive = caseSensitive;
    this.paths =
        kept == null
            ? null
            : Stream.concat(documents.columns().all().stream(), kept.stream())
                .map(name -> ColumnNames.path(columns, name, caseSensitive))
                .toList();
  }

  boolean contains(String column) {
    return paths == null || !below(paths, column).isEmpty();
  }

  /** Returns the type of a column without the fields that are not read. */
  DataType type(String column, DataType type) {
    return paths == null ? type : without(type, below(paths, column));
  }

  /** Returns the rests of the paths that begin with a name. */
  private List<List<String>> below(List<List<String>> all, String name) {
    return all.stream()
        .filter(path -> ColumnNames.same(path.get(0), name, caseSensitive))
        .map(path -> path.subList(1, path.size()))
        .toList();
  }

  private DataType without(DataType type, List<List<String>> read) {
    if (!(type instanceof StructType struct) || read.stream().anyMatch(List::isEmpty)) {
      return type;
    }
    StructType part = new StructType();
    for (StructField field : struct.fields()) {
      List<List<String>> below = below(read, field.name());
      if (!below.isEmpty()) {
        part = part.add(field.name(), without(field.dataType(), below), true, field.metadata());
      }
    }
    return part;
  }
}
