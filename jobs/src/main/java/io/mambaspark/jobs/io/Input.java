package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.Iterators;
import io.mambaspark.jobs.spark.SessionSettings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/**
 * The rows that a job reads, and the files that they come from.
 *
 * @param files those that are read, and what was left out; {@link InputFiles#NONE} for tables, the
 *     demo and sources that are not Spark's own files
 * @param parquet how the files are read if they are Parquet; null otherwise
 * @param json how they are read if they are JSON lines; null otherwise
 * @param all the rows with all their columns; null if {@code parquet} or {@code json} reads them
 */
public record Input(
    SparkSession spark, InputFiles files, ParquetInput parquet, JsonInput json, Dataset<Row> all) {
  /** Spark's own file sources: their files are listed here, before Spark starts. */
  public static final Set<String> FILE_FORMATS =
      Set.of("parquet", "json", "orc", "avro", "csv", "text", "xml", "binaryfile");

  /** Tasks for every core, so that a slow last one costs little. */
  private static final int TASKS_PER_CORE = 2;

  /** Lists the files that a job reads. Needs no Spark session. */
  public static InputFiles list(InputOptions options, Configuration configuration) {
    return options.hasFiles()
        ? InputFiles.list(options.paths(), configuration).notEmpty(options.paths()).oneTable()
        : InputFiles.NONE;
  }

  /**
   * Refuses a folder that lies on, in or above an input path, and so would be read or replaced.
   *
   * @param what is written there
   */
  public static void checkApart(
      String what, Path folder, InputOptions options, Configuration configuration) {
    if (!options.hasFiles()) {
      return;
    }
    for (String path : options.paths()) {
      checkApart(what, folder, HadoopFiles.qualified(path, configuration), configuration);
      for (FileStatus found : HadoopFiles.matches(path, configuration)) {
        checkApart(what, folder, found.getPath(), configuration);
      }
    }
  }

  /** The same for an output and what only Spark knows the files of: tables, and other sources. */
  public void checkApart(Path output) {
    if (all != null) {
      for (String file : all.inputFiles()) {
        checkApart(
            "Output",
            output,
            new Path(java.net.URI.create(file)),
            spark.sparkContext().hadoopConfiguration());
      }
    }
  }

  private static void checkApart(
      String what, Path folder, Path input, Configuration configuration) {
    Path to = HadoopFiles.canonical(folder, configuration);
    Path from = HadoopFiles.canonical(input, configuration);
    if (HadoopFiles.within(to, from) || HadoopFiles.within(from, to)) {
      throw Refusal.because("%s %s and input %s overlap; they must lie apart", what, folder, input);
    }
  }

  /**
   * Decides the columns. Reads all footers of Parquet files, and of other files what Spark reads to
   * infer a schema.
   *
   * @param files as {@link #list} gave them
   */
  public static Input open(
      SparkSession spark, InputOptions options, DocumentOptions documents, InputFiles files) {
    return opened(spark, options, documents, files.withoutEmpty(options.format()));
  }

  /** Refuses files that cannot be read, where no row may be left out. */
  public void refuseUnread() {
    if (!files.unread().isEmpty()) {
      Map.Entry<String, String> first = files.unread().entrySet().iterator().next();
      throw Refusal.because(
          "Cannot read %s%s: %s; leave it out, or score the rest with --on-error quarantine",
          first.getKey(),
          files.unread().size() == 1 ? "" : " (and %d more)".formatted(files.unread().size() - 1),
          first.getValue());
    }
  }

  private static Input opened(
      SparkSession spark, InputOptions options, DocumentOptions documents, InputFiles files) {
    if (options.isDemo()) {
      // The rows travel with the tasks: executors need not see a file.
      JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
      List<Row> rows = DemoCorpus.rows();
      int tasks = Math.min(rows.size(), TASKS_PER_CORE * context.defaultParallelism());
      return new Input(
          spark,
          files,
          null,
          null,
          spark.createDataFrame(context.parallelize(rows, tasks), DemoCorpus.SCHEMA));
    }
    if (options.table() == null && options.format().equals("parquet")) {
      ParquetInput parquet = ParquetInput.plan(spark, files, documents);
      return new Input(spark, parquet.listed(), parquet, null, null);
    }
    if (options.table() == null && options.format().equals("json")) {
      JsonInput json = JsonInput.plan(spark, files, documents);
      return new Input(spark, json.listed(), null, json, null);
    }
    Dataset<Row> rows =
        options.table() != null
            ? spark.table(options.table())
            : files == InputFiles.NONE
                ? spark.read().format(options.format()).load(options.paths().toArray(String[]::new))
                : otherFiles(spark, options, documents, files);
    return new Input(spark, files, null, null, rows);
  }

  /** Files of a source that infers its columns itself. */
  private static Dataset<Row> otherFiles(
      SparkSession spark, InputOptions options, DocumentOptions documents, InputFiles files) {
    for (InputFiles.InputFile file : files.files()) {
      if (InputFiles.isHidden(file.path().getName())) {
        throw Refusal.because(
            "Cannot read input %s: Spark's source %s reads no file whose name begins with _ or .;"
                + " rename it",
            file.name(), options.format());
      }
    }
    Dataset<Row> rows =
        spark
            .read()
            .format(options.format())
            .option("__globPaths__", "false")
            // Without it, Spark reads a file whose path has a glob character once for each path.
            .option("recursiveFileLookup", true)
            // The columns of all files, by name. Spark's default is the columns of one file.
            .option("mergeSchema", options.format().equals("orc"))
            .load(files.files().stream().map(f -> f.path().toString()).toArray(String[]::new));
    PartitionColumns partitions = PartitionColumns.of(files.files(), spark.conf());
    boolean caseSensitive = Boolean.parseBoolean(spark.conf().get("spark.sql.caseSensitive"));
    partitions.checkDocument(documents.columns(), caseSensitive);
    for (String column : rows.columns()) {
      String hiding = partitions.hiding(column, caseSensitive);
      if (hiding != null) {
        throw Refusal.because(
            "Column %s is both in the files and a partition folder, such as that of %s; rename one"
                + " of them",
            column, files.files().get(0).name());
      }
    }
    return partitions.addTo(rows);
  }

  /** The columns of the input. */
  public StructType schema() {
    return parquet != null ? parquet.schema() : json != null ? json.schema() : all.schema();
  }

  /** What a user may not expect of the schema. */
  public List<String> notes() {
    return parquet != null ? parquet.notes() : json != null ? json.notes() : List.of();
  }

  /**
   * The rows with the columns that are used.
   *
   * @param used the names of the columns, in whatever order
   * @param read counts the bytes read, for the progress of inputs whose tokens are not known; for a
   *     display only. May be null
   */
  public Dataset<Row> rows(List<String> used, LongAccumulator read) {
    if (json != null) {
      return json.rows(read);
    }
    return parquet != null ? parquetRows(used) : all;
  }

  /** How many bytes {@link #rows} counts; 0 if it counts none. */
  public long countedBytes() {
    return json == null ? 0 : files.bytes();
  }

  private Dataset<Row> parquetRows(List<String> used) {
    List<StructField> fields =
        Arrays.stream(parquet.schema().fields())
            .filter(field -> used.contains(field.name()))
            .toList();
    // Packed, because rows of a scan are Java objects.
    List<Column> packed = new ArrayList<>();
    StructType schema = new StructType();
    List<Column> unpacked = new ArrayList<>();
    for (StructField field : fields) {
      String name = "c" + packed.size();
      packed.add(PackedColumn.pack(ColumnNames.quoted(field.name()), field.dataType()).as(name));
      schema = schema.add(name, PackedColumn.packed(field.dataType()));
      unpacked.add(
          PackedColumn.unpack(functions.col(name), field.dataType(), true)
              .as(field.name(), field.metadata()));
    }
    schema = schema.add(InputErrors.field());
    unpacked.add(InputErrors.marked());
    FileScan scan =
        parquet.scan(
            packed.toArray(Column[]::new), fields.stream().map(StructField::name).toList());
    int width = fields.size() + 1;
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    List<List<FileScan.Part>> tasks =
        parquet.pieces(SessionSettings.mostBytes(spark), context).stream()
            .map(piece -> piece.stream().map(parquet::part).toList())
            .toList();
    return spark
        .createDataFrame(
            scan.rows(
                context, tasks, null, read -> Iterators.map(read, row -> withError(row, width))),
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
   * Applies {@code --limit} and {@code --partitions}. A limit gathers its rows in one partition, so
   * they are dealt out again even when no number is given.
   */
  public static Dataset<Row> cut(Dataset<Row> rows, InputOptions options) {
    Dataset<Row> cut = options.limit() > 0 ? rows.limit(options.limit()) : rows;
    return options.partitions() > 0 || options.limit() > 0
        ? cut.repartition(partitions(rows, options))
        : cut;
  }

  /** How many tasks will score. */
  public static int partitions(Dataset<Row> rows, InputOptions options) {
    if (options.partitions() > 0) {
      return options.partitions();
    }
    if (options.limit() > 0) {
      int tasks = TASKS_PER_CORE * rows.sparkSession().sparkContext().defaultParallelism();
      return Math.min(options.limit(), tasks);
    }
    return rows.toJavaRDD().getNumPartitions();
  }
}
