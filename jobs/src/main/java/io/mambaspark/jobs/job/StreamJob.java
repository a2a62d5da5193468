package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputFiles;
import io.mambaspark.jobs.io.JsonInput;
import io.mambaspark.jobs.io.LedgerFolder;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.io.OutputOptions;
import io.mambaspark.jobs.io.ParquetInput;
import io.mambaspark.jobs.io.PartitionColumns;
import io.mambaspark.jobs.io.RunRecord;
import io.mambaspark.jobs.io.RunRecords;
import io.mambaspark.jobs.io.SinkLog;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.score.DatasetScorer;
import io.mambaspark.jobs.score.ScoreColumn;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.SessionSettings;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.stats.Buckets;
import io.mambaspark.jobs.units.RunIdentity;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.DataStreamWriter;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.StreamingQueryException;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Scores the files of a folder as they come, each once: batch by batch, by Spark's file source, its
 * checkpoint and its file sink. A batch that is cut off is done again from its beginning, and what
 * it had written counts for nothing.
 */
public final class StreamJob {
  private static final Logger LOG = LoggerFactory.getLogger(StreamJob.class);

  /** Files of a batch for each core: what is lost with a batch, against what a batch costs. */
  private static final int FILES_PER_CORE = 4;

  /** By default Spark does not look at files a week older than the latest one: for us a gap. */
  private static final String MAX_FILE_AGE = "36500d";

  private static final String CHECKPOINT = "--checkpoint-location";
  private static final String INPUT_SCHEMA = "the input's columns";
  private static final String PARTITION_SCHEMA = "the columns of partition folders";

  private final ScoreRequest request;
  private final StreamOptions stream;
  private final PrintWriter out;
  private final OutputOptions target;
  private final Path input;
  private final Path output;
  private final Path checkpoint;

  /**
   * Prepares a job; nothing is touched yet.
   *
   * @param out gets what this start has scored, when it ends
   */
  public StreamJob(ScoreRequest request, StreamOptions stream, PrintWriter out) {
    this.request = request;
    this.stream = stream;
    this.out = out;
    this.target = request.output().orElseThrow();
    Configuration files = HadoopFiles.configuration();
    this.input = HadoopFiles.qualified(request.input().paths().get(0), files);
    this.output = HadoopFiles.qualified(target.path(), files);
    this.checkpoint =
        stream.checkpointLocation() == null
            ? new Path(new Path(output, LedgerFolder.NAME), "checkpoint")
            : HadoopFiles.qualified(stream.checkpointLocation(), files);
  }

  /**
   * Scores what is there, and goes on with what comes if an interval is given.
   *
   * @return the number of rows of this start that could not be scored, and of files that were there
   *     at its beginning and cannot be read
   * @throws Refusal if the job cannot be carried out as given, or goes on with another one's output
   */
  public long run() {
    Preparation prepared = Preparation.ofStream(request.input(), output);
    Configuration files = prepared.files();
    Input.checkApart("Checkpoint", checkpoint, request.input(), files);
    checkFolder(prepared.listed(), files);
    RunRecords records = new RunRecords(output, files);
    Optional<RunRecord> earlier = earlier(records, files);
    Map<String, Double> thresholds =
        request.corpus().bucketThresholds() == null
            ? Map.of()
            : Buckets.thresholds(request.corpus().bucketThresholds(), files);
    try (OpenModel model = new OpenModel(request.model().path())) {
      DatasetScorer scorer = new DatasetScorer(model, request.model(), request.scores());
      scorer.check();
      return prepared.during(
          "score",
          spark -> {
            try (model) {
              return run(spark, scorer, thresholds, prepared, records, earlier);
            }
          });
    }
  }

  /** What Spark's file source cannot watch. */
  private void checkFolder(InputFiles listed, Configuration configuration) {
    String named = request.input().paths().get(0);
    for (Map.Entry<String, String> entry : listed.leftOut().entrySet()) {
      if (entry.getValue().startsWith(InputFiles.LOOP)) {
        throw Refusal.because(
            "Input %s has a link to a folder above it, %s, along which Spark's streams read files"
                + " again and again; remove the link",
            named, entry.getKey());
      }
    }
    FileStatus literal = HadoopFiles.literal(named, configuration);
    if (literal != null && literal.isFile()) {
      throw Refusal.because("Input %s is a file; --stream watches a folder, or a glob", named);
    }
    if (literal != null && !HadoopFiles.escaped(input).equals(input.toString())) {
      checkEscaped(configuration);
    }
  }

  /** What a folder cannot be that Spark takes for a glob, though the glob matches nothing else. */
  private void checkEscaped(Configuration configuration) {
    if (input.toUri().getPath().contains(":")) {
      throw Refusal.because(
          "Input %s: Hadoop matches no glob against a path with a colon, and Spark's streams take a"
              + " path with any of { } [ ] * ? \\ for a glob; rename the folder",
          request.input().paths().get(0));
    }
    if (HadoopFiles.exists(new Path(input, SinkLog.FOLDER), configuration)) {
      throw Refusal.because(
          "Input %s is the output of a stream, of which Spark finds the whole files only under a"
              + " path without any of { } [ ] * ? \\; rename the folder",
          request.input().paths().get(0));
    }
  }

  /** The run that an earlier start has begun; refuses what belongs to something else. */
  private Optional<RunRecord> earlier(RunRecords records, Configuration configuration) {
    try {
      FileSystem files = HadoopFiles.fileSystem(output, configuration);
      if (HadoopFiles.within(output, checkpoint)) {
        throw Refusal.because(
            "Checkpoint %s holds output %s; choose another with --checkpoint-location",
            checkpoint, target.path());
      }
      Optional<RunRecord> earlier = records.latest();
      boolean taken = holdsFiles(new Path(checkpoint, "offsets"), configuration);
      boolean written = holdsFiles(new Path(output, SinkLog.FOLDER), configuration);
      if (!taken && !written && (!files.exists(output) || Output.isEmpty(output, files))) {
        // An earlier start, if there was one, has not come to its first batch.
        return Optional.empty();
      }
      if (earlier.isEmpty() && files.exists(output)) {
        throw Refusal.because(
            "Output %s exists, and no stream has begun it; choose another", target.path());
      }
      if (earlier.isEmpty()) {
        throw Refusal.because(
            "Checkpoint %s is that of a stream which did not write to %s; choose another with"
                + " --checkpoint-location",
            checkpoint, target.path());
      }
      if (!earlier.get().isStream()) {
        throw Refusal.because(
            "Output %s was begun without --stream; choose another", target.path());
      }
      RunIdentity.check(
          earlier.get().settings(),
          Map.of(
              CHECKPOINT,
              Refusal.redacted(checkpoint.toString()),
              RunIdentity.VERSION,
              Versions.mambaSpark()),
          output);
      if (written && !taken) {
        // Spark would begin anew, and its sink would take the new batches for those it has.
        throw Refusal.because(
            "Cannot go on with output %s: its checkpoint %s is gone; choose another output",
            target.path(), checkpoint);
      }
      return earlier;
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", target.path(), e.getMessage());
    }
  }

  private static boolean holdsFiles(Path folder, Configuration configuration) throws IOException {
    try {
      return HadoopFiles.fileSystem(folder, configuration).listStatus(folder).length > 0;
    } catch (FileNotFoundException e) {
      return false;
    }
  }

  private long run(
      SparkSession spark,
      DatasetScorer scorer,
      Map<String, Double> thresholds,
      Preparation prepared,
      RunRecords records,
      Optional<RunRecord> earlier) {
    scorer.checkMemory(JavaSparkContext.fromSparkContext(spark.sparkContext()));
    Columns columns =
        earlier.map(run -> columns(run.settings())).orElseGet(() -> columnsOf(spark, prepared));
    ScoringSchema schema = scorer.schema(columns.all());
    if (!thresholds.isEmpty()) {
      schema.rows().checkFree(Buckets.COLUMN);
    }
    Map<String, String> settings =
        RunIdentity.of(
            request.values(),
            request.scores(),
            schema,
            scorer.model().source().checkpoint(),
            scorer.tokenizer(schema),
            thresholds.toString(),
            spark.conf());
    addOfStream(settings, columns);
    begin(records, earlier, settings, spark);
    Dataset<Row> scored = scorer.score(rows(spark, columns), null);
    return SessionSettings.during(
        spark,
        // Streams have none, and Spark warns of it.
        Map.of("spark.sql.adaptive.enabled", "false"),
        () ->
            write(
                thresholds.isEmpty() ? scored : Buckets.add(scored, thresholds),
                schema.scores(),
                prepared.listed().withoutEmpty(request.input().format())));
  }

  /** Adds the settings that only a stream has: a start with others must not go on with it. */
  private void addOfStream(Map<String, String> settings, Columns columns) {
    settings.put(RunRecord.STREAM, Refusal.redacted(input.toString()));
    settings.put("--input-format", request.input().format());
    settings.put("--output-format", target.format());
    settings.put(CHECKPOINT, Refusal.redacted(checkpoint.toString()));
    settings.put(INPUT_SCHEMA, columns.ofFiles.json());
    settings.put(PARTITION_SCHEMA, columns.ofFolders.json());
  }

  private void begin(
      RunRecords records,
      Optional<RunRecord> earlier,
      Map<String, String> settings,
      SparkSession spark) {
    if (earlier.isPresent()) {
      RunIdentity.check(earlier.get().settings(), settings, output);
    } else {
      records.add(new RunRecord(Output.newRunId(), settings, List.of()));
      new LedgerFolder(output, spark.sparkContext().hadoopConfiguration()).sweep();
    }
  }

  /** The rows of the files as they come. */
  private Dataset<Row> rows(SparkSession spark, Columns columns) {
    boolean json = request.input().format().equals("json");
    Dataset<Row> read =
        spark
            .readStream()
            .schema(json ? JsonInput.LINE : columns.ofFiles)
            .format(json ? "text" : request.input().format())
            .option("maxFilesPerTrigger", filesPerBatch(spark))
            .option("maxFileAge", MAX_FILE_AGE)
            // By itself Spark takes files in plain sub-folders, or those in partition folders, and
            // passes over the others.
            .option("recursiveFileLookup", true)
            // Spark's own listing includes _metadata files, which are no data.
            .option("pathGlobFilter", "{[^_]*,_*=*}")
            .load(
                HadoopFiles.exists(input, spark.sparkContext().hadoopConfiguration())
                    ? HadoopFiles.escaped(input)
                    : input.toString());
    PartitionColumns folders = PartitionColumns.of(columns.ofFolders, spark.conf());
    return json
        ? JsonInput.rows(
            read,
            columns.ofFiles,
            request.scores().columns(),
            folders,
            Boolean.parseBoolean(spark.conf().get("spark.sql.caseSensitive")))
        : folders.addTo(read);
  }

  private int filesPerBatch(SparkSession spark) {
    return stream.maxFilesPerBatch() > 0
        ? stream.maxFilesPerBatch()
        : FILES_PER_CORE * spark.sparkContext().defaultParallelism();
  }

  /**
   * The columns of the input.
   *
   * @param ofFiles those in the files
   * @param ofFolders those that partition folders give
   */
  private record Columns(StructType ofFiles, StructType ofFolders) {
    StructType all() {
      StructType all = ofFiles;
      for (StructField field : ofFolders.fields()) {
        all = all.add(field);
      }
      return all;
    }
  }

  /** What the first start has found. */
  private static Columns columns(Map<String, String> settings) {
    return new Columns(
        (StructType) DataType.fromJson(settings.get(INPUT_SCHEMA)),
        (StructType) DataType.fromJson(settings.get(PARTITION_SCHEMA)));
  }

  private Columns columnsOf(SparkSession spark, Preparation prepared) {
    InputFiles listed = prepared.listed();
    if (listed.files().isEmpty()) {
      throw Refusal.because(
          "Input %s is empty: the first start of a stream finds its columns in the files that are"
              + " there; start it when the first has come",
          request.input().paths().get(0));
    }
    listed.oneTable();
    Input found = prepared.open(spark, request.scores().documents());
    if (request.scores().failOnError()) {
      found.refuseUnread();
    }
    found.parquet().ifPresent(ParquetInput::checkReadAtOnce);
    StructType folders = PartitionColumns.of(listed.files(), spark.conf()).schema();
    if (found instanceof JsonInput json) {
      return new Columns(json.ofLines(), folders);
    }
    List<String> names = List.of(folders.fieldNames());
    StructType files = new StructType();
    for (StructField field : found.schema().fields()) {
      files = names.contains(field.name()) ? files : files.add(field);
    }
    return new Columns(files, folders);
  }

  private long write(Dataset<Row> scored, List<ScoreColumn> scores, InputFiles unread) {
    Batches batches = new Batches(request.scores().emit().nll());
    SparkSession spark = scored.sparkSession();
    DataStreamWriter<Row> writer =
        batches
            .observed(scored, scores)
            .writeStream()
            .format(target.format())
            // As Output has them.
            .option("ignoreNullFields", false)
            .option("parquet.block.size", Output.ROW_GROUP_BYTES)
            .trigger(stream.trigger());
    option(writer, "checkpointLocation", checkpoint.toString());
    spark.streams().addListener(batches);
    try {
      StreamingQuery query = writer.start(output.toString());
      try {
        query.awaitTermination();
      } finally {
        if (query.isActive()) {
          // When this thread is interrupted; it would go on without its model.
          query.stop();
        }
      }
    } catch (StreamingQueryException | TimeoutException e) {
      throw Refusal.because(
          e,
          "%s; what was scored in whole batches stays in %s; when the cause is mended, start the"
              + " same command again to go on",
          Failures.oneLine(e),
          target.path());
    } finally {
      toldAll(spark);
      spark.streams().removeListener(batches);
    }
    batches.print(out);
    SummaryLines lines = new SummaryLines(out);
    lines.unread(unread);
    lines.writtenTo(output);
    out.flush();
    return batches.errors() + unread.unread().size();
  }

  /** By reflection: what it returns is an Object in Spark 4 and a writer in 3.5. */
  private static void option(DataStreamWriter<Row> writer, String key, String value) {
    try {
      DataStreamWriter.class
          .getMethod("option", String.class, String.class)
          .invoke(writer, key, value);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Spark tells of a batch later than it ends. */
  private static void toldAll(SparkSession spark) {
    try {
      spark.sparkContext().listenerBus().waitUntilEmpty(10_000);
    } catch (TimeoutException e) {
      LOG.warn("Spark's listeners are behind; the last batches may be missing in the sums");
    }
  }
}
