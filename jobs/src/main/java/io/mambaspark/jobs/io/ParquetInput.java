package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.lit;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.Tasks;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.execution.datasources.parquet.ParquetToSparkSchemaConverter;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Parquet files as one table, whose schema is decided before any data is read: the columns of all
 * footers by name, under Spark's own rule of capitals, with the type that has the values of all
 * files. Each file is read under its own types and cast, because Spark before 4.1 reads no INT32 as
 * a bigint.
 */
public final class ParquetInput {
  private static final Logger LOG = LoggerFactory.getLogger(ParquetInput.class);

  /** There are at least so many pieces for each core, so that all end at about the same time. */
  private static final int PIECES_PER_CORE = 4;

  private final SparkSession spark;
  private final InputFiles listed;
  private final List<ParquetFile> files;
  private final PartitionColumns partitions;
  private final StructType schema;
  private final List<String> notes;
  private final Set<String> used;
  private final boolean caseSensitive;

  /** The number of the form in which each file is read, by its name. */
  private final Map<String, Integer> forms;

  private final Map<String, ParquetFile> byName = new HashMap<>();

  /** For each form, the name and type of each file column of {@link #schema}; null if not read. */
  private final List<List<StructField>> columnsOfForms;

  private ParquetInput(
      SparkSession spark,
      InputFiles listed,
      List<ParquetFile> files,
      PartitionColumns partitions,
      StructType schema,
      List<String> notes,
      Set<String> used,
      boolean caseSensitive,
      Map<String, Integer> forms,
      List<List<StructField>> columnsOfForms) {
    this.spark = spark;
    this.listed = listed;
    this.files = files;
    this.partitions = partitions;
    this.schema = schema;
    this.notes = notes;
    this.used = used;
    this.caseSensitive = caseSensitive;
    this.forms = forms;
    this.columnsOfForms = columnsOfForms;
    files.forEach(file -> byName.put(file.file().name(), file));
  }

  /**
   * Reads the footers and decides the schema.
   *
   * @param documents the columns that are used
   * @throws Refusal if no file can be read, or a column that is used cannot be read in one of them
   */
  public static ParquetInput plan(
      SparkSession spark, InputFiles listed, DocumentOptions documents) {
    DocumentColumns document = documents.columns();
    List<String> keepColumns = documents.kept();
    ParquetColumn.Reader columns =
        new ParquetColumn.Reader(new ParquetToSparkSchemaConverter(SQLConf.get()));
    List<ParquetFile> read =
        ParquetFile.read(
            listed.files(),
            document.content(),
            columns,
            spark.sparkContext().hadoopConfiguration());
    Map<String, String> damaged = new TreeMap<>();
    read.stream()
        .filter(file -> file.error() != null)
        .forEach(file -> damaged.put(file.file().name(), file.error()));
    if (damaged.size() == read.size()) {
      checkContent(listed, spark.sparkContext().hadoopConfiguration());
      Map.Entry<String, String> first = damaged.entrySet().iterator().next();
      throw Refusal.because(
          "Cannot read %s%s: %s",
          first.getKey(),
          damaged.size() == 1 ? "" : " (and %d more)".formatted(damaged.size() - 1),
          first.getValue());
    }
    List<ParquetFile> good = read.stream().filter(file -> file.error() == null).toList();
    boolean caseSensitive = Boolean.parseBoolean(spark.conf().get("spark.sql.caseSensitive"));
    Planning planning =
        new Planning(
            good,
            PartitionColumns.of(listed.files(), spark.conf()),
            document,
            keepColumns,
            caseSensitive);
    return planning.plan(spark, listed.without(damaged));
  }

  /** Refuses files whose content is recognised, such as JSON, with a better message. */
  private static void checkContent(InputFiles listed, Configuration configuration) {
    FirstBytes first = new FirstBytes("parquet", configuration);
    for (InputFile file : listed.files()) {
      try {
        first.check(file.path());
      } catch (IOException e) {
        LOG.debug("Cannot look into {}", file.name(), e);
      }
    }
  }

  /** The work of {@link #plan}. */
  private static final class Planning {
    private final List<ParquetFile> files;
    private final PartitionColumns partitions;
    private final DocumentColumns document;
    private final List<String> keepColumns;
    private final boolean caseSensitive;
    private final List<String> notes = new ArrayList<>();

    Planning(
        List<ParquetFile> files,
        PartitionColumns partitions,
        DocumentColumns document,
        List<String> keepColumns,
        boolean caseSensitive) {
      this.files = files;
      this.partitions = partitions;
      this.document = document;
      this.keepColumns = keepColumns;
      this.caseSensitive = caseSensitive;
    }

    /** A column of all files. */
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

    ParquetInput plan(SparkSession spark, InputFiles listed) {
      Map<String, Planned> columns = columns();
      partitions.checkDocument(document, caseSensitive);
      hide(columns);
      checkDocument(columns);
      List<Planned> used = columns.values().stream().filter(column -> isUsed(column.name)).toList();
      StructType schema = new StructType();
      List<Planned> readable = new ArrayList<>();
      for (Planned column : columns.values()) {
        if (column.problem != null) {
          if (used.contains(column)) {
            boolean isDocument =
                document.all().stream().anyMatch(c -> key(c).equals(key(column.name)));
            throw Refusal.because(
                "%s; %s",
                column.problem,
                isDocument
                    ? "write its files with one type that is read, or score them in separate runs"
                    : keepColumns == null
                        ? "name the columns to carry over with --keep-columns, without "
                            + column.name
                        : "write it with one type, or leave it out of --keep-columns");
          }
        } else {
          readable.add(column);
          if (used.contains(column)) {
            noteMissing(column);
          }
        }
      }
      for (Planned column : readable) {
        ParquetColumn first = column.columns.get(column.columns.keySet().iterator().next());
        schema = schema.add(column.name, column.type.type(), true, first.metadata());
      }
      Map<List<StructField>, Integer> numbers = new LinkedHashMap<>();
      Map<String, Integer> forms = new HashMap<>();
      for (ParquetFile file : files) {
        List<StructField> form = new ArrayList<>();
        for (Planned column : readable) {
          form.add(isUsed(column.name) ? own(column, file) : null);
        }
        forms.put(file.file().name(), numbers.computeIfAbsent(form, key -> numbers.size()));
      }
      for (StructField field : partitions.schema().fields()) {
        schema = schema.add(field);
      }
      return new ParquetInput(
          spark,
          listed,
          files,
          partitions,
          schema,
          notes,
          used.stream().map(column -> column.name).collect(Collectors.toSet()),
          caseSensitive,
          forms,
          List.copyOf(numbers.keySet()));
    }

    /** The columns of all files with their joined types, in order of first appearance. */
    private Map<String, Planned> columns() {
      Map<String, Planned> byKey = new LinkedHashMap<>();
      for (ParquetFile file : files) {
        Set<String> seen = new HashSet<>();
        for (ParquetColumn column : file.columns()) {
          Planned planned =
              byKey.computeIfAbsent(
                  key(column.name()),
                  k -> new Planned(document.spelling(column.name(), keepColumns, caseSensitive)));
          if (!seen.add(key(column.name()))) {
            planned.problem =
                "Columns of %s have the same name: %s%s"
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
      if (column.foreign() != null) {
        planned.problem =
            "Column %s of %s has Parquet type %s, which Spark cannot read"
                .formatted(column.name(), file.file().name(), column.foreign());
        return;
      }
      JoinedType own = JoinedType.of(column, file);
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

    /** What has no value in any file is a string, as Spark has it. */
    private static DataType withoutNull(DataType type) {
      if (type instanceof StructType struct) {
        StructType without = new StructType();
        for (StructField field : struct.fields()) {
          without =
              without.add(field.name(), withoutNull(field.dataType()), true, field.metadata());
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

    private boolean isUsed(String column) {
      return keepColumns == null
          || document.all().stream().anyMatch(c -> key(c).equals(key(column)))
          || keepColumns.stream().anyMatch(c -> key(c).equals(key(column)));
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

    /** Refuses a file with rows that lacks a column of the document. */
    private void checkDocument(Map<String, Planned> columns) {
      for (String name : document.content()) {
        Planned column = columns.get(key(name));
        if (column == null) {
          continue;
        }
        for (ParquetFile file : files) {
          if (!column.columns.containsKey(file) && file.rows() > 0) {
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

    private void noteMissing(Planned column) {
      List<ParquetFile> without =
          files.stream()
              .filter(file -> file.rows() > 0 && !column.columns.containsKey(file))
              .toList();
      if (!without.isEmpty()) {
        notes.add(
            "column %s is null in %,d of %,d files, which do not have it, such as %s"
                .formatted(
                    column.name, without.size(), files.size(), without.get(0).file().name()));
      }
    }

    /** How a column is read from a file; null where it has no value. */
    private StructField own(Planned column, ParquetFile file) {
      ParquetColumn own = column.columns.get(file);
      if (own == null) {
        return null;
      }
      JoinedType type = JoinedType.of(own, file);
      if (type.isNull() && !type.type().equals(column.type.type())) {
        return null;
      }
      DataType read = JoinedType.form(type.type(), column.type.type(), caseSensitive);
      return DataTypes.createStructField(own.name(), read, true);
    }
  }

  /** The columns of the files that Spark can read, then those of partition folders. */
  public StructType schema() {
    return schema;
  }

  /** The files that can be read, by their footers. */
  public List<ParquetFile> files() {
    return files;
  }

  /** The files as they were listed, the damaged ones among the unread. */
  public InputFiles listed() {
    return listed;
  }

  /** Facts about the schema that a user may not expect. */
  List<String> notes() {
    return notes;
  }

  /**
   * The rows of these files, in columns made of those of the schema.
   *
   * @param columns what to read
   * @param sources for each the column of the schema that it is made of
   */
  public FileScan scan(Column[] columns, List<String> sources) {
    List<Dataset<Row>> scans = new ArrayList<>();
    for (int form = 0; form < columnsOfForms.size(); form++) {
      scans.add(form(form).select(columns));
    }
    return new FileScan(scans, sources, partitions);
  }

  /** Refuses files that have a column of different types: a stream reads all under one schema. */
  public void checkReadAtOnce() {
    StructField[] fields = schema.fields();
    for (ParquetFile file : files) {
      List<StructField> own = columnsOfForms.get(forms.get(file.file().name()));
      for (ParquetColumn column : file.columns()) {
        for (int i = 0; i < own.size(); i++) {
          String name = fields[i].name();
          boolean here =
              caseSensitive ? name.equals(column.name()) : name.equalsIgnoreCase(column.name());
          StructField read = own.get(i);
          if (here
              && used.contains(name)
              && (read == null || !read.dataType().equals(fields[i].dataType()))) {
            throw Refusal.because(
                "Column %s is %s in %s and %s in other files; --stream reads all files under one"
                    + " schema: write them with one type, or score them without --stream",
                column.name(),
                column.type().catalogString(),
                file.file().name(),
                fields[i].dataType().catalogString());
          }
        }
      }
    }
  }

  private long tokens() {
    return files.stream()
        .flatMap(file -> file.rowGroups().stream())
        .mapToLong(ParquetFile.RowGroup::tokens)
        .sum();
  }

  /** The tokens of a piece, so that there are enough pieces for all cores. */
  public long share(int cores) {
    return Math.max(1, tokens() / ((long) PIECES_PER_CORE * cores));
  }

  /**
   * The row groups that each task of a job without units reads, in the order of the files.
   *
   * @param mostBytes of the files of a task, about
   */
  public List<List<RowGroups>> pieces(long mostBytes, JavaSparkContext context) {
    double share = (double) mostBytes / Math.max(1, listed.bytes());
    long most = (long) Math.max(1, Math.min(1, share) * tokens());
    return RowGroups.cut(files, Math.min(most, share(Tasks.cores(context))));
  }

  /** A part of one of the files. */
  public FileScan.Part part(RowGroups part) {
    ParquetFile file = byName.get(part.input().path());
    return FileScan.part(
        forms.get(part.input().path()),
        file.file(),
        part.start(),
        part.end() - part.start(),
        true,
        partitions);
  }

  /** The columns of the schema, read from files of a form; partition columns are null. */
  private Dataset<Row> form(int number) {
    List<StructField> own = columnsOfForms.get(number);
    StructType read = new StructType();
    for (StructField field : own) {
      read = field == null ? read : read.add(field);
    }
    ParquetFile any =
        files.stream()
            .filter(file -> forms.get(file.file().name()) == number)
            .min(Comparator.comparing(file -> file.file().size()))
            .orElseThrow();
    Dataset<Row> rows = FileScan.reader(spark, "parquet", read, any.file().path());
    List<Column> columns = new ArrayList<>();
    StructField[] fields = schema.fields();
    for (int i = 0; i < fields.length; i++) {
      StructField from = i < own.size() ? own.get(i) : null;
      DataType type = fields[i].dataType();
      Column column =
          from == null
              ? lit(null).cast(type)
              : JoinedType.convert(ColumnNames.quoted(from.name()), from.dataType(), type);
      columns.add(column.as(fields[i].name(), fields[i].metadata()));
    }
    return rows.select(columns.toArray(Column[]::new));
  }
}
