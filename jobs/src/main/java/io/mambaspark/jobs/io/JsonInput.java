package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.Iterators;
import io.mambaspark.jobs.spark.SessionSettings;
import io.mambaspark.jobs.spark.Tasks;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/**
 * JSON lines files as one table. Spark reads the lines, and {@link JsonLines} converts them to
 * rows. A line that does not fit the plan becomes a row with an error.
 *
 * <p>Without {@code --keep-columns}, the types of kept columns are inferred from all lines. With
 * it, they are inferred from the lines at the beginning of each file, so that the data is read only
 * once.
 */
public final class JsonInput implements Input {
  /** The minimum size of a task's share of the input, in bytes. */
  private static final long MIN_BYTES = 64 << 10;

  private static final int TASKS_PER_CORE = 4;
  public static final StructType LINE = new StructType().add("value", DataTypes.StringType);

  private final SparkSession spark;
  private final InputFiles listed;
  private final PartitionColumns partitions;
  private final StructType found;
  private final JsonPlan plan;
  private final List<String> notes;

  private JsonInput(
      SparkSession spark,
      InputFiles listed,
      PartitionColumns partitions,
      StructType found,
      JsonPlan plan,
      List<String> notes) {
    this.spark = spark;
    this.listed = listed;
    this.partitions = partitions;
    this.found = found;
    this.plan = plan;
    this.notes = notes;
  }

  /**
   * Reads the beginning of each file, and plans the columns.
   *
   * @param documents the columns that the job uses
   * @throws Refusal if a file is not a JSON lines file that this Spark version can read
   */
  static JsonInput plan(SparkSession spark, InputFiles listed, DocumentOptions documents) {
    DocumentColumns document = documents.columns();
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    boolean caseSensitive = Boolean.parseBoolean(spark.conf().get("spark.sql.caseSensitive"));
    JsonBeginnings beginnings = JsonBeginnings.of(listed, documents.kept() != null, configuration);
    InputFiles readable = listed.without(beginnings.unread());
    readable.notEmpty(listed.files().stream().map(InputFile::name).limit(1).toList());
    PartitionColumns partitions = PartitionColumns.of(readable.files(), spark.conf());
    StructType types = beginnings.types().schema(caseSensitive);
    if (!JsonPlan.hasAll(types, documents, caseSensitive)) {
      // The missing columns may appear after the sample.
      types = types(spark, readable).schema(caseSensitive);
    }
    if (types.isEmpty()) {
      // Every line has an error, so the types of the document's columns do not matter.
      for (String column : document.all()) {
        types = types.add(column, DataTypes.StringType);
      }
    }
    partitions.checkDocument(List.of(types.fieldNames()), document, caseSensitive);
    List<String> notes = new ArrayList<>();
    StructType columns = new StructType();
    for (StructField field : JsonPlan.typed(types, document, caseSensitive).fields()) {
      String hiding = partitions.hiding(field.name(), caseSensitive);
      if (hiding != null) {
        notes.add(partitions.note(hiding, readable.files().get(0)));
      } else {
        columns = columns.add(field);
      }
    }
    return new JsonInput(
        spark,
        readable,
        partitions,
        columns,
        JsonPlan.ofUsed(columns, documents, caseSensitive),
        notes);
  }

  /** Infers the types from all lines. */
  private static JsonTypes types(SparkSession spark, InputFiles listed) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobDescription("Finding the columns of %,d files".formatted(listed.files().size()));
    JsonTypes types = new JsonTypes();
    scan(
            spark,
            listed,
            PartitionColumns.NONE,
            null,
            lines -> {
              JsonTypes part = new JsonTypes();
              lines.forEachRemaining(
                  line -> {
                    if (line.row() != null) {
                      part.add(line.row().<byte[]>getAs(0));
                    }
                  });
              return List.of(RowFactory.create(Tasks.sent(part))).iterator();
            })
        .collect()
        .forEach(part -> types.add(Tasks.<JsonTypes>received(part.getAs(0))));
    context.setJobDescription(null);
    return types;
  }

  /** Reads rows (bytes of a line, packed partition values…) and maps them. */
  private static JavaRDD<Row> scan(
      SparkSession spark,
      InputFiles listed,
      PartitionColumns partitions,
      LongAccumulator read,
      FileScan.Reading reading) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    List<Column> columns = new ArrayList<>(List.of(col("value").cast("binary").as("value")));
    List<String> sources = new ArrayList<>(List.of(""));
    for (StructField field : partitions.schema().fields()) {
      columns.add(lit(null).cast(PackedColumn.packed(field.dataType())).as("p" + columns.size()));
      sources.add(field.name());
    }
    Dataset<Row> lines =
        FileScan.reader(spark, "text", Map.of(), LINE, listed.files().get(0).path())
            .select(columns.toArray(Column[]::new));
    return new FileScan(List.of(lines), sources, partitions)
        .rows(context, tasks(spark, listed, partitions), read, reading);
  }

  /** Splits the files, in their order, into lists of parts: one list for each task. */
  private static List<List<FileSplit>> tasks(
      SparkSession spark, InputFiles listed, PartitionColumns partitions) {
    int cores = spark.sparkContext().defaultParallelism();
    long share = listed.bytes() / ((long) TASKS_PER_CORE * cores);
    long target = Math.min(SessionSettings.maxBytes(spark), Math.max(MIN_BYTES, share));
    FirstBytes first = new FirstBytes("json", spark.sparkContext().hadoopConfiguration());
    List<List<FileSplit>> tasks = new ArrayList<>();
    List<FileSplit> task = new ArrayList<>();
    long bytes = 0;
    for (InputFile file : listed.files()) {
      boolean compressed = !first.isSplittable(file.path());
      for (long start = 0; start < file.size(); ) {
        long length =
            compressed ? file.size() : Math.min(file.size() - start, Math.max(1, target - bytes));
        task.add(FileSplit.of(0, file, start, length, compressed, partitions));
        start += length;
        bytes += length;
        if (bytes >= target) {
          tasks.add(task);
          task = new ArrayList<>();
          bytes = 0;
        }
      }
    }
    if (!task.isEmpty()) {
      tasks.add(task);
    }
    return tasks;
  }

  /** Returns the columns that the job reads from the lines. */
  public StructType ofLines() {
    return plan.columns();
  }

  /** Returns the columns of the lines, the partition columns and the error column. */
  @Override
  public StructType schema() {
    StructType schema = found;
    for (StructField field : partitions.schema().fields()) {
      schema = schema.add(field);
    }
    return schema.add(InputErrors.field());
  }

  @Override
  public InputFiles files() {
    return listed;
  }

  @Override
  public List<String> notes() {
    return notes;
  }

  @Override
  public long countedTotal() {
    return listed.bytes();
  }

  @Override
  public Dataset<Row> rows(List<String> used, LongAccumulator read) {
    JsonPlan planned = plan;
    int width = partitions.schema().length();
    return unpacked(
        spark.createDataFrame(
            scan(
                spark,
                listed,
                partitions,
                read,
                lines -> new JsonRows(planned.open(), width, lines)),
            packed(plan.columns(), partitions)),
        plan.columns(),
        partitions);
  }

  /**
   * Converts lines that Spark's own source reads, as in a stream, to rows.
   *
   * @param lines from the source {@code text}
   * @param columns the columns of the lines, from {@link #ofLines} of the planned input
   */
  public static Dataset<Row> rows(
      Dataset<Row> lines,
      StructType columns,
      DocumentColumns document,
      PartitionColumns partitions,
      boolean caseSensitive) {
    JsonPlan plan = JsonPlan.of(columns, document, caseSensitive);
    int width = partitions.schema().length();
    List<Column> read =
        new ArrayList<>(List.of(col("value").cast("binary"), col("_metadata.file_path")));
    for (StructField field : partitions.schema().fields()) {
      read.add(partitions.packed().getField(field.name()));
    }
    return unpacked(
        lines
            .select(read.toArray(Column[]::new))
            .mapPartitions(
                (MapPartitionsFunction<Row, Row>)
                    rows ->
                        new JsonRows(
                            plan.open(),
                            width,
                            Iterators.map(rows, row -> new FileScan.Read(row, null, null))),
                Encoders.row(packed(columns, partitions))),
        columns,
        partitions);
  }

  private static StructType packed(StructType columns, PartitionColumns partitions) {
    StructType schema = columns;
    for (StructField field : partitions.schema().fields()) {
      schema = schema.add(field.name(), PackedColumn.packed(field.dataType()));
    }
    return schema.add(InputErrors.field());
  }

  private static Dataset<Row> unpacked(
      Dataset<Row> packed, StructType columns, PartitionColumns partitions) {
    List<Column> unpacked = new ArrayList<>();
    for (StructField field : columns.fields()) {
      unpacked.add(ColumnNames.quoted(field.name()));
    }
    for (StructField field : partitions.schema().fields()) {
      unpacked.add(
          PackedColumn.unpack(ColumnNames.quoted(field.name()), field.dataType(), true)
              .as(field.name()));
    }
    unpacked.add(InputErrors.markedColumn());
    return packed.select(unpacked.toArray(Column[]::new));
  }
}
