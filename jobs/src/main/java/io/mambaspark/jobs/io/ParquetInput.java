package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.Iterators;
import io.mambaspark.jobs.spark.SessionSettings;
import io.mambaspark.jobs.spark.Tasks;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.execution.datasources.parquet.ParquetToSparkSchemaConverter;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Parquet files as one table, whose schema is decided before any data is read: the columns of all
 * footers, matched by name under Spark's own rule for case, each with a type that can represent the
 * values of all files. Each file is read with its own types and then cast, because Spark before 4.1
 * cannot read INT32 as bigint.
 */
public final class ParquetInput implements Input {
  private static final Logger LOG = LoggerFactory.getLogger(ParquetInput.class);

  /** The minimum number of pieces per core, so that all cores finish at about the same time. */
  private static final int PIECES_PER_CORE = 4;

  private final SparkSession spark;
  private final InputFiles listed;
  private final List<ParquetFile> files;
  private final PartitionColumns partitions;
  private final ParquetSchema planned;
  private final SparkOptions options;
  private final Map<String, ParquetFile> byName = new HashMap<>();

  private ParquetInput(
      SparkSession spark,
      InputFiles listed,
      List<ParquetFile> files,
      PartitionColumns partitions,
      ParquetSchema planned,
      SparkOptions options) {
    this.spark = spark;
    this.listed = listed;
    this.files = files;
    this.partitions = partitions;
    this.planned = planned;
    this.options = options;
    files.forEach(file -> byName.put(file.file().name(), file));
  }

  /**
   * Reads the footers and decides the schema.
   *
   * @param documents the columns that are used
   * @param options the options of Spark's reader
   * @throws Refusal if no file can be read, or if a used column cannot be read in one of the files
   */
  public static ParquetInput plan(
      SparkSession spark, InputFiles listed, DocumentOptions documents, SparkOptions options) {
    ParquetColumn.Reader columns =
        new ParquetColumn.Reader(new ParquetToSparkSchemaConverter(SQLConf.get()));
    List<ParquetFile> read =
        ParquetFile.read(
            listed.files(),
            documents.columns().content(),
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
    List<ParquetFile> readable = read.stream().filter(file -> file.error() == null).toList();
    boolean caseSensitive = Boolean.parseBoolean(spark.conf().get("spark.sql.caseSensitive"));
    PartitionColumns partitions = PartitionColumns.of(listed.files(), spark.conf());
    ParquetSchema planned =
        new ParquetPlanning(readable, partitions, documents, caseSensitive).plan();
    return new ParquetInput(spark, listed.without(damaged), readable, partitions, planned, options);
  }

  /** Refuses files of another recognised format, such as JSON, with a more specific message. */
  private static void checkContent(InputFiles listed, Configuration configuration) {
    FirstBytes first = new FirstBytes("parquet", configuration);
    for (InputFile file : listed.files()) {
      try {
        first.check(file.path());
      } catch (IOException e) {
        LOG.debug("Cannot inspect {}", file.name(), e);
      }
    }
  }

  /** The columns of the files that Spark can read, then those of partition folders. */
  @Override
  public StructType schema() {
    return planned.schema();
  }

  /** The readable files, as their footers describe them. */
  public List<ParquetFile> footers() {
    return files;
  }

  /** The listed files; damaged files are among the unread ones. */
  @Override
  public InputFiles files() {
    return listed;
  }

  @Override
  public List<String> notes() {
    return planned.notes();
  }

  @Override
  public Dataset<Row> rows(List<String> used, LongAccumulator read) {
    List<StructField> fields =
        Arrays.stream(schema().fields()).filter(field -> used.contains(field.name())).toList();
    // Pack the columns, because a scan returns rows of Java objects.
    List<Column> packed = new ArrayList<>();
    StructType schema = new StructType();
    List<Column> unpacked = new ArrayList<>();
    for (StructField field : fields) {
      String name = "c" + packed.size();
      packed.add(PackedColumn.pack(ColumnNames.quoted(field.name()), field.dataType()).as(name));
      schema = schema.add(name, PackedColumn.packed(field.dataType()));
      unpacked.add(
          PackedColumn.unpack(col(name), field.dataType(), true)
              .as(field.name(), field.metadata()));
    }
    schema = schema.add(InputErrors.field());
    unpacked.add(InputErrors.markedColumn());
    FileScan scan =
        scan(packed.toArray(Column[]::new), fields.stream().map(StructField::name).toList());
    int width = fields.size() + 1;
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    List<List<FileSplit>> tasks =
        pieces(SessionSettings.maxBytes(spark), context).stream()
            .map(piece -> piece.stream().map(this::split).toList())
            .toList();
    return spark
        .createDataFrame(
            scan.rows(
                context, tasks, null, all -> Iterators.map(all, row -> withError(row, width))),
            schema)
        .select(unpacked.toArray(Column[]::new));
  }

  private static Row withError(FileScan.Read read, int width) {
    Object[] values = new Object[width];
    for (int i = 0; read.row() != null && i < width - 1; i++) {
      values[i] = read.row().get(i);
    }
    values[width - 1] = InputErrors.value(read.error());
    return RowFactory.create(values);
  }

  /**
   * Plans a scan that returns the rows of these files.
   *
   * @param columns the columns to return, computed from columns of the schema
   * @param sources for each returned column, the column of the schema from which it is computed
   */
  public FileScan scan(Column[] columns, List<String> sources) {
    List<Dataset<Row>> scans = new ArrayList<>();
    for (int layout = 0; layout < planned.layouts().size(); layout++) {
      scans.add(rows(layout).select(columns));
    }
    return new FileScan(scans, sources, partitions);
  }

  /** Refuses files with different types for a used column: a stream reads files with one schema. */
  public void checkSameTypes() {
    files.forEach(planned::checkSameTypes);
  }

  private long tokens() {
    return files.stream()
        .flatMap(file -> file.rowGroups().stream())
        .mapToLong(ParquetFile.RowGroup::tokens)
        .sum();
  }

  /** The number of tokens per piece that yields enough pieces for all cores. */
  public long tokensPerPiece(int cores) {
    return Math.max(1, tokens() / ((long) PIECES_PER_CORE * cores));
  }

  /**
   * Splits the files into pieces, one for each task of a job without units, in the order of the
   * files.
   *
   * @param maxBytes the approximate maximum number of bytes of a piece
   */
  public List<List<RowGroups>> pieces(long maxBytes, JavaSparkContext context) {
    double share = (double) maxBytes / Math.max(1, listed.bytes());
    long maxTokens = (long) Math.max(1, Math.min(1, share) * tokens());
    return RowGroups.cut(files, Math.min(maxTokens, tokensPerPiece(Tasks.cores(context))));
  }

  /** Returns the split to read for a part of one of the files. */
  public FileSplit split(RowGroups part) {
    ParquetFile file = byName.get(part.input().path());
    return FileSplit.of(
        planned.layout(file),
        file.file(),
        part.start(),
        part.end() - part.start(),
        true,
        partitions);
  }

  /** Reads the columns of the schema from files of one layout; partition columns are null. */
  private Dataset<Row> rows(int layout) {
    List<StructField> own = planned.layouts().get(layout);
    StructType read = new StructType();
    for (StructField field : own) {
      read = field == null ? read : read.add(field);
    }
    ParquetFile any =
        files.stream()
            .filter(file -> planned.layout(file) == layout)
            .min(Comparator.comparing(file -> file.file().size()))
            .orElseThrow();
    Dataset<Row> rows =
        FileScan.reader(spark, "parquet", options.ofFiles(), read, any.file().path());
    List<Column> columns = new ArrayList<>();
    StructField[] fields = planned.schema().fields();
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
