package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.udf;
import static org.apache.spark.sql.functions.when;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Plans;
import java.net.URI;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/**
 * Rows that Spark or one of its sources reads: files of other formats, other sources, the demo.
 *
 * @param all the rows with all their columns
 */
record SourceInput(InputFiles files, Dataset<Row> all) implements Input {
  /** The column in which Spark stores a record that it cannot parse. */
  private static final String CORRUPT = "_mamba_corrupt_record";

  /** The number of tasks per core: more than one, so that a slow last task costs little. */
  static final int TASKS_PER_CORE = 2;

  static SourceInput of(
      SparkSession spark, InputOptions options, DocumentOptions documents, InputFiles files) {
    return new SourceInput(files, read(spark, options, documents, files));
  }

  private static Dataset<Row> read(
      SparkSession spark, InputOptions options, DocumentOptions documents, InputFiles files) {
    if (options.isDemo()) {
      return demo(spark);
    }
    Map<String, String> given = options.options().values();
    return files == InputFiles.NONE
        ? spark
            .read()
            .format(options.format())
            .options(given)
            .load(options.paths().toArray(String[]::new))
        : otherFiles(spark, options, documents, files);
  }

  /** Creates the rows of the demo. They are sent with the tasks, so executors read no file. */
  private static Dataset<Row> demo(SparkSession spark) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    List<Row> rows = DemoCorpus.rows();
    int tasks = Math.min(rows.size(), TASKS_PER_CORE * context.defaultParallelism());
    return spark.createDataFrame(context.parallelize(rows, tasks), DemoCorpus.SCHEMA);
  }

  /** Reads files with a source that infers its own columns. */
  private static Dataset<Row> otherFiles(
      SparkSession spark, InputOptions options, DocumentOptions documents, InputFiles files) {
    for (InputFiles.InputFile file : files.files()) {
      if (InputFiles.isHidden(file.path().getName())) {
        throw Refusal.because(
            "Cannot read input %s: Spark's source %s skips files whose names begin with _ or .;"
                + " rename the file",
            file.name(), options.format());
      }
    }
    boolean csv = options.format().equals("csv");
    DataFrameReader reader =
        spark
            .read()
            .format(options.format())
            .options(readerOptions(options, files))
            .option("mode", csv ? "PERMISSIVE" : "FAILFAST")
            .option("columnNameOfCorruptRecord", CORRUPT)
            .option("__globPaths__", "false")
            // Without this option, Spark reads a file with a glob character in its path once for
            // each path.
            .option("recursiveFileLookup", true)
            // Merges the columns of all files by name. By default, Spark uses the columns of one
            // file.
            .option("mergeSchema", options.format().equals("orc"));
    String[] paths = files.files().stream().map(f -> f.path().toString()).toArray(String[]::new);
    Dataset<Row> rows = reader.load(paths);
    if (csv) {
      rows =
          withErrors(reader.schema(rows.schema().add(CORRUPT, DataTypes.StringType)).load(paths));
    }
    PartitionColumns partitions = PartitionColumns.of(files.files(), spark.conf());
    boolean caseSensitive = Boolean.parseBoolean(spark.conf().get("spark.sql.caseSensitive"));
    partitions.checkDocument(List.of(rows.columns()), documents.columns(), caseSensitive);
    for (String column : rows.columns()) {
      String hiding = partitions.hiding(column, caseSensitive);
      if (hiding != null) {
        throw Refusal.because(
            "Column %s is both a column of the files and a partition column, for example of %s;"
                + " rename one of them",
            column, files.files().get(0).name());
      }
    }
    return partitions.addTo(rows);
  }

  private static Map<String, String> readerOptions(InputOptions options, InputFiles files) {
    // Compare the headers, because Spark matches the columns of CSV files by their positions.
    return options.format().equals("csv") && files.files().size() > 1
        ? new SparkOptions(options.options().ofFiles()).withDefault("enforceSchema", false).values()
        : options.options().ofFiles();
  }

  /** Replaces the column of malformed records by that of errors. */
  private static Dataset<Row> withErrors(Dataset<Row> rows) {
    String expected =
        Arrays.stream(rows.columns())
            .filter(column -> !column.equals(CORRUPT))
            .collect(Collectors.joining(", ", "a record of the columns ", ""));
    UDF2<String, String, Row> error =
        (record, file) ->
            InputErrors.value(
                RowError.malformedInput(JsonExcerpt.of(record, 0, record.length()), expected)
                    .in(Refusal.redacted(new Path(URI.create(file)).toString())));
    Column record = col(CORRUPT);
    return rows.withColumn(
            InputErrors.COLUMN,
            when(
                record.isNotNull(),
                udf(error, InputErrors.TYPE).apply(record, col("_metadata.file_path"))))
        .withColumn(InputErrors.COLUMN, InputErrors.markedColumn())
        .drop(CORRUPT);
  }

  @Override
  public StructType schema() {
    return all.schema();
  }

  @Override
  public List<String> notes() {
    return List.of();
  }

  @Override
  public Dataset<Row> rows(List<String> used, LongAccumulator read) {
    return all;
  }

  @Override
  public void checkOverlap(Path output) {
    checkOverlap(all, output);
  }

  /** Refuses an output that overlaps the places of a dataset's rows. */
  static void checkOverlap(Dataset<Row> rows, Path output) {
    for (Path root : Plans.roots(rows)) {
      OverlappingPaths.refuse(
          "Output", output, root, rows.sparkSession().sparkContext().hadoopConfiguration());
    }
  }
}
