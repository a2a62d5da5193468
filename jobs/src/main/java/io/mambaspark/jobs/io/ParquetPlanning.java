package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.ColumnNames;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Decides the schema of Parquet files from their footers: the columns of all files, matched by name
 * under Spark's own rule for case, each with a type that can represent the values of all files.
 */
final class ParquetPlanning {
  private final List<ParquetFile> files;
  private final PartitionColumns partitions;
  private final DocumentColumns document;
  private final boolean keepsAll;
  private final UsedColumns usedColumns;
  private final boolean caseSensitive;

  /** The top-level columns that hold the document. */
  private final List<String> documentColumns;

  private final List<String> notes = new ArrayList<>();

  ParquetPlanning(
      List<ParquetFile> files,
      PartitionColumns partitions,
      DocumentOptions documents,
      boolean caseSensitive) {
    this.files = files;
    this.partitions = partitions;
    this.document = documents.columns();
    this.keepsAll = documents.kept() == null;
    this.caseSensitive = caseSensitive;
    Set<String> names = new HashSet<>();
    files.forEach(file -> file.columns().forEach(column -> names.add(column.name())));
    this.usedColumns = new UsedColumns(names, documents, caseSensitive);
    this.documentColumns =
        document.all().stream()
            .map(name -> ColumnNames.path(names, name, caseSensitive).get(0))
            .toList();
  }

  /** A column of the schema, with the column of each file that has it. */
  private static final class Planned {
    final String name;
    final Map<ParquetFile, ParquetColumn> columns = new LinkedHashMap<>();
    JoinedType type;
    ParquetFile typedBy;
    String problem;

    Planned(String name) {
      this.name = name;
    }
  }

  /**
   * Decides the schema.
   *
   * @throws Refusal if a used column cannot be read in one of the files
   */
  ParquetSchema plan() {
    Map<String, Planned> columns = columns();
    partitions.checkDocument(columns.keySet(), document, caseSensitive);
    hide(columns);
    checkDocument();
    StructType schema = new StructType();
    List<Planned> readable = new ArrayList<>();
    Set<String> used = new HashSet<>();
    for (Planned column : columns.values()) {
      boolean isUsed = usedColumns.contains(column.name);
      if (column.problem == null) {
        readable.add(column);
        ParquetColumn first = column.columns.values().iterator().next();
        schema = schema.add(column.name, column.type.type(), true, first.metadata());
      } else if (isUsed) {
        throw unreadable(column);
      }
      if (isUsed) {
        used.add(column.name);
        noteMissing(column);
      }
    }
    for (StructField field : partitions.schema().fields()) {
      schema = schema.add(field);
    }
    Map<List<StructField>, Integer> numbers = new LinkedHashMap<>();
    Map<String, Integer> layoutOf = new HashMap<>();
    for (ParquetFile file : files) {
      List<StructField> layout = new ArrayList<>();
      for (Planned column : readable) {
        layout.add(usedColumns.contains(column.name) ? fieldIn(column, file) : null);
      }
      layoutOf.put(file.file().name(), numbers.computeIfAbsent(layout, key -> numbers.size()));
    }
    return new ParquetSchema(
        schema, notes, used, List.copyOf(numbers.keySet()), layoutOf, caseSensitive);
  }

  private Refusal unreadable(Planned column) {
    boolean isDocument = documentColumns.stream().anyMatch(c -> key(c).equals(key(column.name)));
    return Refusal.because(
        "%s; %s",
        column.problem,
        isDocument
            ? "write the files with one readable type, or score them in separate runs"
            : keepsAll
                ? "list the columns to keep with --keep-columns, without " + column.name
                : "write the column with one type, or omit it from --keep-columns");
  }

  /** Returns the columns of all files with their joined types, in order of first appearance. */
  private Map<String, Planned> columns() {
    Map<String, Planned> byKey = new LinkedHashMap<>();
    for (ParquetFile file : files) {
      Set<String> seen = new HashSet<>();
      for (ParquetColumn column : file.columns()) {
        Planned planned =
            byKey.computeIfAbsent(key(column.name()), key -> new Planned(column.name()));
        if (!seen.add(key(column.name()))) {
          planned.problem =
              "File %s has two columns with the name %s%s"
                  .formatted(
                      file.file().name(),
                      column.name(),
                      caseSensitive ? "" : " (spark.sql.caseSensitive is false)");
        } else {
          planned.columns.put(file, column);
          add(planned, file, column);
        }
      }
    }
    for (Planned planned : byKey.values()) {
      if (planned.problem == null) {
        planned.type = new JoinedType(withoutNull(planned.type.type()), planned.type.allNull());
      }
    }
    return byKey;
  }

  private void add(Planned planned, ParquetFile file, ParquetColumn column) {
    if (planned.problem != null) {
      return;
    }
    if (column.unreadableType() != null) {
      planned.problem =
          "Column %s of %s has Parquet type %s, which Spark cannot read"
              .formatted(column.name(), file.file().name(), column.unreadableType());
      return;
    }
    JoinedType complete = JoinedType.of(column, file);
    JoinedType own = complete.narrowed(usedColumns.type(column.name(), complete.type()));
    if (planned.type == null) {
      planned.type = own;
      planned.typedBy = file;
      return;
    }
    Optional<JoinedType> joined = planned.type.join(own, caseSensitive);
    if (joined.isEmpty()) {
      planned.problem =
          "Column %s has types that cannot be joined: %s in %s, %s in %s"
              .formatted(
                  planned.name,
                  planned.type.type().catalogString(),
                  planned.typedBy.file().name(),
                  own.type().catalogString(),
                  file.file().name());
      return;
    }
    if (!joined.get().type().equals(planned.type.type())) {
      planned.typedBy = file;
    }
    planned.type = joined.get();
  }

  /** Replaces the null type with string, as Spark does. A null part has no value in any file. */
  private static DataType withoutNull(DataType type) {
    if (type instanceof StructType struct) {
      StructType without = new StructType();
      for (StructField field : struct.fields()) {
        without = without.add(field.name(), withoutNull(field.dataType()), true, field.metadata());
      }
      return without;
    }
    if (type instanceof ArrayType array) {
      return DataTypes.createArrayType(withoutNull(array.elementType()));
    }
    if (type instanceof MapType map) {
      return DataTypes.createMapType(withoutNull(map.keyType()), withoutNull(map.valueType()));
    }
    return type instanceof NullType ? DataTypes.StringType : type;
  }

  private String key(String name) {
    return caseSensitive ? name : name.toLowerCase(Locale.ROOT);
  }

  private void hide(Map<String, Planned> columns) {
    for (String name : List.copyOf(columns.keySet())) {
      String hiding = partitions.hiding(name, caseSensitive);
      if (hiding != null) {
        ParquetFile any = columns.remove(name).columns.keySet().iterator().next();
        notes.add(partitions.note(hiding, any.file()));
      }
    }
  }

  /** Refuses a file that has rows but lacks a column of the document that other files have. */
  private void checkDocument() {
    for (String name : document.content()) {
      List<ParquetFile> with = files.stream().filter(file -> has(file, name)).toList();
      for (ParquetFile file : files) {
        if (!with.isEmpty() && !with.contains(file) && file.rows() > 0) {
          throw Refusal.because(
              "Column %s (%s) is not in %s; its columns are %s",
              name,
              document.option(name),
              file.file().name(),
              String.join(", ", file.columns().stream().map(ParquetColumn::name).toList()));
        }
      }
    }
  }

  private boolean has(ParquetFile file, String column) {
    StructType columns = new StructType();
    for (ParquetColumn own : file.columns()) {
      columns = columns.add(own.name(), own.type() == null ? DataTypes.NullType : own.type());
    }
    return !ColumnNames.find(columns, column, document.option(column), caseSensitive).isEmpty();
  }

  private void noteMissing(Planned column) {
    List<ParquetFile> without =
        files.stream()
            .filter(file -> file.rows() > 0 && !column.columns.containsKey(file))
            .toList();
    if (!without.isEmpty()) {
      notes.add(
          "column %s is null in %,d of %,d files, which do not have it, such as %s"
              .formatted(column.name, without.size(), files.size(), without.get(0).file().name()));
    }
  }

  /** The name and type with which a column is read from a file; null if the file has no value. */
  private StructField fieldIn(Planned column, ParquetFile file) {
    ParquetColumn own = column.columns.get(file);
    if (own == null) {
      return null;
    }
    JoinedType type = JoinedType.of(own, file);
    if (type.isNull() && !type.type().equals(column.type.type())) {
      return null;
    }
    DataType read = JoinedType.readType(type.type(), column.type.type(), caseSensitive);
    return DataTypes.createStructField(own.name(), read, true);
  }
}
