package io.mambaspark.jobs;

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
record Input(
    SparkSession spark, InputFiles files, ParquetInput parquet, JsonInput json, Dataset<Row> all) {
  /** Spark's own file sources: their files are listed here, before Spark starts. */
  static final Set<String> FILE_FORMATS =
      Set.of("parquet", "json", "orc", "avro", "csv", "text", "xml", "binaryfile");

  /** Tasks for every core, so that a slow last one costs little. */
  private static final int TASKS_PER_CORE = 2;

  /** Whether a job reads files of one of Spark's own sources. */
  static boolean hasFiles(JobOptions options) {
    return !options.demo()
        && options.inputTable() == null
        && FILE_FORMATS.contains(options.inputFormat());
  }

  /** Lists the files that a job reads. Needs no Spark session. */
  static InputFiles list(JobOptions options, Configuration configuration) {
    return hasFiles(options)
        ? InputFiles.list(options.input(), configuration).notEmpty(options.input()).oneTable()
        : InputFiles.NONE;
  }

  /**
   * Refuses an output that lies on, in or above an input path, and so would be read or replaced.
   */
  static void checkApart(JobOptions options, Configuration configuration) {
    if (options.output() == null || !hasFiles(options)) {
      return;
    }
    checkApart(
        "Output", HadoopFiles.qualified(options.output(), configuration), options, configuration);
  }

  /**
   * Refuses a folder that lies on, in or above an input path.
   *
   * @param what is written there
   */
  static void checkApart(
      String what, Path folder, JobOptions options, Configuration configuration) {
    for (String path : options.input()) {
      checkApart(what, folder, HadoopFiles.qualified(path, configuration), configuration);
      for (FileStatus found : HadoopFiles.matches(path, configuration)) {
        checkApart(what, folder, found.getPath(), configuration);
      }
    }
  }

  /**
   * As {@link #checkApart(JobOptions, Configuration)}, for tables, once Spark knows their files.
   */
  private static void checkApart(
      Dataset<Row> input, JobOptions options, Configuration configuration) {
    if (options.output() == null) {
      return;
    }
    Path output = HadoopFiles.qualified(options.output(), configuration);
    for (String file : input.inputFiles()) {
      checkApart("Output", output, new Path(java.net.URI.create(file)), configuration);
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
  static Input open(SparkSession spark, JobOptions options, InputFiles files) {
    Input input = opened(spark, options, files.withoutEmpty(options.inputFormat()));
    Map<String, String> unread = input.files.unread();
    if (options.scoring().failOnError() && !unread.isEmpty()) {
      Map.Entry<String, String> first = unread.entrySet().iterator().next();
      throw Refusal.because(
          "Cannot read %s%s: %s; leave it out, or score the rest with --on-error quarantine",
          first.getKey(),
          unread.size() == 1 ? "" : " (and %d more)".formatted(unread.size() - 1),
          first.getValue());
    }
    return input;
  }

  private static Input opened(SparkSession spark, JobOptions options, InputFiles files) {
    if (options.demo()) {
      // The rows travel with the tasks: executors need not see a file.
      JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
      List<Row> rows = Demo.rows();
      int tasks = Math.min(rows.size(), TASKS_PER_CORE * context.defaultParallelism());
      return new Input(
          spark,
          files,
          null,
          null,
          spark.createDataFrame(context.parallelize(rows, tasks), Demo.SCHEMA));
    }
    ScoreOptions scoring = options.scoring();
    if (options.inputTable() == null && options.inputFormat().equals("parquet")) {
      ParquetInput parquet =
          ParquetInput.plan(spark, files, scoring.columns(), scoring.keepColumns());
      return new Input(spark, parquet.listed(), parquet, null, null);
    }
    if (options.inputTable() == null && options.inputFormat().equals("json")) {
      JsonInput json = JsonInput.plan(spark, files, scoring.columns(), scoring.keepColumns());
      return new Input(spark, json.listed(), null, json, null);
    }
    Dataset<Row> rows =
        options.inputTable() != null
            ? spark.table(options.inputTable())
            : files == InputFiles.NONE
                ? spark
                    .read()
                    .format(options.inputFormat())
                    .load(options.input().toArray(String[]::new))
                : otherFiles(spark, options, files);
    checkApart(rows, options, spark.sparkContext().hadoopConfiguration());
    return new Input(spark, files, null, null, rows);
  }

  /** Files of a source that infers its columns itself. */
  private static Dataset<Row> otherFiles(SparkSession spark, JobOptions options, InputFiles files) {
    for (InputFiles.InputFile file : files.files()) {
      if (InputFiles.isHidden(file.path().getName())) {
        throw Refusal.because(
            "Cannot read input %s: Spark's source %s reads no file whose name begins with _ or .;"
                + " rename it",
            file.name(), options.inputFormat());
      }
    }
    Dataset<Row> rows =
        spark
            .read()
            .format(options.inputFormat())
            .option("__globPaths__", "false")
            // Without it, Spark reads a file whose path has a glob character once for each path.
            .option("recursiveFileLookup", true)
            // The columns of all files, by name. Spark's default is the columns of one file.
            .option("mergeSchema", options.inputFormat().equals("orc"))
            .load(files.files().stream().map(f -> f.path().toString()).toArray(String[]::new));
    PartitionColumns partitions = PartitionColumns.of(files.files(), spark.conf());
    boolean caseSensitive = Boolean.parseBoolean(spark.conf().get("spark.sql.caseSensitive"));
    partitions.checkDocument(options.scoring().columns(), caseSensitive);
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
  StructType schema() {
    return parquet != null ? parquet.schema() : json != null ? json.schema() : all.schema();
  }

  /** What a user may not expect of the schema. */
  List<String> notes() {
    return parquet != null ? parquet.notes() : json != null ? json.notes() : List.of();
  }

  /**
   * The rows with the columns that are used.
   *
   * @param read counts the bytes read, for the progress of inputs whose tokens are not known; for a
   *     display only. May be null
   */
  Dataset<Row> rows(RowSchema used, LongAccumulator read) {
    if (json != null) {
      return json.rows(read);
    }
    return parquet != null ? parquetRows(used) : all;
  }

  /** How many bytes {@link #rows} counts; 0 if it counts none. */
  long countedBytes() {
    return json == null ? 0 : files.bytes();
  }

  private Dataset<Row> parquetRows(RowSchema used) {
    List<StructField> fields =
        Arrays.stream(parquet.schema().fields())
            .filter(field -> used.inputNames().contains(field.name()))
            .toList();
    // Packed, because rows of a scan are Java objects.
    List<Column> packed = new ArrayList<>();
    StructType schema = new StructType();
    List<Column> unpacked = new ArrayList<>();
    for (StructField field : fields) {
      String name = "c" + packed.size();
      packed.add(Opaque.pack(RowSchema.quoted(field.name()), field.dataType()).as(name));
      schema = schema.add(name, Opaque.packed(field.dataType()));
      unpacked.add(
          Opaque.unpack(functions.col(name), field.dataType(), true)
              .as(field.name(), field.metadata()));
    }
    schema = schema.add(RowSchema.inputErrorField());
    unpacked.add(RowSchema.markedInputError());
    FileScan scan =
        parquet.scan(
            packed.toArray(Column[]::new), fields.stream().map(StructField::name).toList());
    int width = fields.size() + 1;
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    List<List<FileScan.Part>> tasks =
        UnitPlan.pieces(parquet, SessionSettings.mostBytes(spark), context).stream()
            .map(piece -> piece.parts().stream().map(parquet::part).toList())
            .toList();
    return spark
        .createDataFrame(
            scan.rows(
                context,
                tasks,
                null,
                read -> PartitionScoring.map(read, row -> withError(row, width))),
            schema)
        .select(unpacked.toArray(Column[]::new));
  }

  private static Row withError(FileScan.Read read, int width) {
    Object[] values = new Object[width];
    for (int i = 0; read.row() != null && i < width - 1; i++) {
      values[i] = read.row().get(i);
    }
    values[width - 1] = read.error();
    return RowFactory.create(values);
  }

  /**
   * Applies {@code --limit} and {@code --partitions}. A limit gathers its rows in one partition, so
   * they are dealt out again even when no number is given.
   */
  static Dataset<Row> cut(Dataset<Row> rows, JobOptions options) {
    Dataset<Row> cut = options.limit() > 0 ? rows.limit(options.limit()) : rows;
    return options.partitions() > 0 || options.limit() > 0
        ? cut.repartition(partitions(rows, options))
        : cut;
  }

  /** How many tasks will score. */
  static int partitions(Dataset<Row> rows, JobOptions options) {
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
