package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.FileContent;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.Iterators;
import io.mambaspark.jobs.spark.SessionSettings;
import io.mambaspark.jobs.spark.Tasks;
import java.io.IOException;
import java.io.Serializable;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Files of JSON lines as one table. Spark reads the lines, {@link JsonLines} makes rows of them,
 * each of which has an error of its own where it is not as planned.
 *
 * <p>The types of kept columns are those of all lines if no columns are named. With {@code
 * --keep-columns} they are those of the lines at the beginning of each file, so that the data is
 * read once only.
 */
public final class JsonInput {
  private static final Logger LOG = LoggerFactory.getLogger(JsonInput.class);

  /** At most so many bytes of a file are sampled for the types of columns. */
  private static final int SAMPLE = 1 << 20;

  /** At most so many bytes are sampled of all files together. */
  private static final long SAMPLES = 256L << 20;

  /** The least size of a task's share of the input, in bytes. */
  private static final long LEAST_BYTES = 64 << 10;

  private static final int TASKS_PER_CORE = 4;
  public static final StructType LINE = new StructType().add("value", DataTypes.StringType);

  private final SparkSession spark;
  private final InputFiles listed;
  private final PartitionColumns partitions;
  private final StructType found;
  private final Plan plan;
  private final List<String> notes;

  /** How lines are read, in tasks. */
  private record Plan(StructType columns, Set<String> texts, boolean caseSensitive)
      implements Serializable {
    JsonLines open() {
      return new JsonLines(columns, texts, caseSensitive);
    }
  }

  private JsonInput(
      SparkSession spark,
      InputFiles listed,
      PartitionColumns partitions,
      StructType found,
      Plan plan,
      List<String> notes) {
    this.spark = spark;
    this.listed = listed;
    this.partitions = partitions;
    this.found = found;
    this.plan = plan;
    this.notes = notes;
  }

  /**
   * Looks at the beginning of each file, and decides the columns.
   *
   * @param documents the columns that are used
   * @throws Refusal if a file is not one of JSON lines that this Spark can read
   */
  static JsonInput plan(SparkSession spark, InputFiles listed, DocumentOptions documents) {
    DocumentColumns document = documents.columns();
    List<String> keepColumns = documents.kept();
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    boolean caseSensitive = Boolean.parseBoolean(spark.conf().get("spark.sql.caseSensitive"));
    Beginnings beginnings = Beginnings.of(listed, keepColumns != null, configuration);
    InputFiles readable = listed.without(beginnings.unread);
    readable.notEmpty(listed.files().stream().map(InputFile::name).limit(1).toList());
    PartitionColumns partitions = PartitionColumns.of(readable.files(), spark.conf());
    StructType types = beginnings.types.schema(caseSensitive);
    if (!hasAll(types, document, keepColumns, caseSensitive)) {
      // The missing columns may appear after the sample.
      types = types(spark, readable).schema(caseSensitive);
    }
    if (types.isEmpty()) {
      // Every line has an error, so any type of the document's columns will do.
      for (String column : document.all()) {
        types = types.add(column, DataTypes.StringType);
      }
    }
    partitions.checkDocument(document, caseSensitive);
    List<String> notes = new ArrayList<>();
    StructType columns = new StructType();
    for (StructField field : types.fields()) {
      String name = document.spelling(field.name(), keepColumns, caseSensitive);
      String hiding = partitions.hiding(name, caseSensitive);
      if (hiding != null) {
        notes.add(partitions.note(hiding, readable.files().get(0)));
      } else {
        columns = columns.add(name, planned(name, field.dataType(), document), true);
      }
    }
    StructType used = new StructType();
    for (StructField field : columns.fields()) {
      if (keepColumns == null
          || keepColumns.contains(field.name())
          || document.all().contains(field.name())) {
        used = used.add(field);
      }
    }
    return new JsonInput(
        spark,
        readable,
        partitions,
        columns,
        new Plan(used, texts(used, document), caseSensitive),
        notes);
  }

  /** Whether columns are named, and the types of all of them are known. */
  private static boolean hasAll(
      StructType types, DocumentColumns document, List<String> kept, boolean caseSensitive) {
    Map<String, StructField> known = JoinedType.byName(types, caseSensitive);
    return kept != null
        && document.all().stream().allMatch(known::containsKey)
        && kept.stream().allMatch(known::containsKey);
  }

  /** The type of a column: a document's is fixed, whatever types the lines have. */
  private static DataType planned(String column, DataType found, DocumentColumns document) {
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

  /** The result of reading the beginning of each file. */
  private record Beginnings(JsonTypes types, Map<String, String> unread) {
    /**
     * Looks at a few files at a time.
     *
     * @param sample whether to find types, too
     */
    static Beginnings of(InputFiles listed, boolean sample, Configuration configuration) {
      FirstBytes first = new FirstBytes("json", configuration);
      long share = SAMPLES / Math.max(1, listed.files().size());
      int bytes = sample ? (int) Math.min(SAMPLE, Math.max(FirstBytes.LENGTH, share)) : 0;
      JsonTypes types = new JsonTypes();
      Map<String, String> unread = new TreeMap<>();
      ExecutorService threads = HadoopFiles.threads("mamba-spark-beginnings");
      try {
        List<Future<JsonTypes>> looking = new ArrayList<>();
        for (InputFile file : listed.files()) {
          looking.add(threads.submit(() -> look(file, first, bytes)));
        }
        for (int i = 0; i < looking.size(); i++) {
          try {
            types.add(looking.get(i).get());
          } catch (ExecutionException e) {
            if (!(e.getCause() instanceof IOException)) {
              throw Refusal.because(e, "%s", Failures.oneLine(e));
            }
            InputFile file = listed.files().get(i);
            String cause = Failures.cause(e.getCause(), file.path().toString());
            if (!FileContent.isBad(
                e.getCause(), file.path(), 0, FirstBytes.LENGTH, configuration)) {
              throw Refusal.because(e, "Cannot read %s: %s", file.name(), cause);
            }
            unread.put(file.name(), cause);
          }
        }
        return new Beginnings(types, unread);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw Refusal.because(e, "Interrupted while looking at the input");
      } finally {
        threads.shutdownNow();
      }
    }

    private static JsonTypes look(InputFile file, FirstBytes first, int bytes) throws IOException {
      first.check(file.path());
      JsonTypes types = new JsonTypes();
      byte[] lines = new byte[0];
      try {
        lines = bytes == 0 ? lines : first.lines(file.path(), bytes);
      } catch (IOException e) {
        // The file is damaged after its beginning: reading its rows reports the error.
        LOG.debug("Cannot find types in {}", file.name(), e);
      }
      int start = 0;
      for (int i = 0; i <= lines.length; i++) {
        if (i == lines.length || lines[i] == '\n' || lines[i] == '\r') {
          types.add(Arrays.copyOfRange(lines, start, i));
          start = i + 1;
        }
      }
      return types;
    }
  }

  /** The types of all lines. */
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

  /** Reads rows of (bytes of a line, packed partition values…) and maps them. */
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
        FileScan.reader(spark, "text", LINE, listed.files().get(0).path())
            .select(columns.toArray(Column[]::new));
    return new FileScan(List.of(lines), sources, partitions)
        .rows(context, tasks(spark, listed, partitions), read, reading);
  }

  /** Parts of files for each task, in the order of the files. */
  private static List<List<FileScan.Part>> tasks(
      SparkSession spark, InputFiles listed, PartitionColumns partitions) {
    int cores = spark.sparkContext().defaultParallelism();
    long share = listed.bytes() / ((long) TASKS_PER_CORE * cores);
    long target = Math.min(SessionSettings.mostBytes(spark), Math.max(LEAST_BYTES, share));
    FirstBytes first = new FirstBytes("json", spark.sparkContext().hadoopConfiguration());
    List<List<FileScan.Part>> tasks = new ArrayList<>();
    List<FileScan.Part> task = new ArrayList<>();
    long bytes = 0;
    for (InputFile file : listed.files()) {
      boolean whole = !first.isSplittable(file.path());
      for (long start = 0; start < file.size(); ) {
        long length =
            whole ? file.size() : Math.min(file.size() - start, Math.max(1, target - bytes));
        task.add(FileScan.part(0, file, start, length, whole, partitions));
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

  /** The columns of the lines that are read. */
  public StructType ofLines() {
    return plan.columns;
  }

  /** The columns of the lines, then those of partition folders. */
  StructType schema() {
    StructType schema = found;
    for (StructField field : partitions.schema().fields()) {
      schema = schema.add(field);
    }
    return schema.add(InputErrors.field());
  }

  InputFiles listed() {
    return listed;
  }

  /** Facts about the columns that a user may not expect. */
  List<String> notes() {
    return notes;
  }

  /**
   * The rows, with the columns that are used.
   *
   * @param read counts bytes of the files; for a display only. May be null
   */
  public Dataset<Row> rows(LongAccumulator read) {
    Plan planned = plan;
    int width = partitions.schema().length();
    return natural(
        spark.createDataFrame(
            scan(spark, listed, partitions, read, lines -> new Rows(planned.open(), width, lines)),
            packed(plan.columns, partitions)),
        plan.columns,
        partitions);
  }

  /**
   * The same of lines that Spark's own source gives, as in a stream.
   *
   * @param lines as {@code text} reads them
   * @param columns those of the lines, as {@link #ofLines} gave them once
   */
  public static Dataset<Row> rows(
      Dataset<Row> lines,
      StructType columns,
      DocumentColumns document,
      PartitionColumns partitions,
      boolean caseSensitive) {
    Plan plan = new Plan(columns, texts(columns, document), caseSensitive);
    int width = partitions.schema().length();
    List<Column> read =
        new ArrayList<>(List.of(col("value").cast("binary"), col("_metadata.file_path")));
    for (StructField field : partitions.schema().fields()) {
      read.add(partitions.packed().getField(field.name()));
    }
    return natural(
        lines
            .select(read.toArray(Column[]::new))
            .mapPartitions(
                (MapPartitionsFunction<Row, Row>)
                    rows ->
                        new Rows(
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

  private static Dataset<Row> natural(
      Dataset<Row> packed, StructType columns, PartitionColumns partitions) {
    List<Column> natural = new ArrayList<>();
    for (StructField field : columns.fields()) {
      natural.add(ColumnNames.quoted(field.name()));
    }
    for (StructField field : partitions.schema().fields()) {
      natural.add(
          PackedColumn.unpack(ColumnNames.quoted(field.name()), field.dataType(), true)
              .as(field.name()));
    }
    natural.add(InputErrors.marked());
    return packed.select(natural.toArray(Column[]::new));
  }

  /**
   * Rows of lines: the planned columns, those of partition folders, the error. A line is a row of
   * its bytes, in a stream the URI of its file, and the packed values of its partition folders.
   */
  private static final class Rows implements Iterator<Row> {
    private final JsonLines json;
    private final int partitions;
    private final Iterator<FileScan.Read> lines;
    private Row next;

    Rows(JsonLines json, int partitions, Iterator<FileScan.Read> lines) {
      this.json = json;
      this.partitions = partitions;
      this.lines = lines;
    }

    @Override
    public boolean hasNext() {
      while (next == null && lines.hasNext()) {
        next = row(lines.next());
      }
      return next != null;
    }

    @Override
    public Row next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      Row row = next;
      next = null;
      return row;
    }

    /** Null for a blank line. */
    private Row row(FileScan.Read line) {
      JsonLines.Line found =
          line.error() == null
              ? json.read(line.row().<byte[]>getAs(0))
              : new JsonLines.Line(json.nothing(), line.error());
      if (found == null) {
        return null;
      }
      int columns = found.values().length;
      Object[] values = Arrays.copyOf(found.values(), columns + partitions + 1);
      for (int i = 0; i < partitions; i++) {
        values[columns + i] =
            line.error() == null
                ? line.row().get(line.row().length() - partitions + i)
                : line.part().partition()[i];
      }
      values[values.length - 1] =
          InputErrors.value(
              found.error() == null || line.error() != null
                  ? found.error()
                  : found.error().in(file(line)));
      return RowFactory.create(values);
    }

    private static String file(FileScan.Read line) {
      Path path =
          line.part() == null ? new Path(URI.create(line.row().getString(1))) : line.part().path();
      return Refusal.redacted(path.toString());
    }
  }
}
