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
 * Carries out {@code score --stream}: scores each file of a folder once, as files arrive. It scores
 * them in batches, with Spark's file source, checkpoint and file sink. An interrupted batch is
 * scored again from its beginning, and its earlier output is ignored.
 */
public final class StreamJob {
  private static final Logger LOG = LoggerFactory.getLogger(StreamJob.class);

  /**
   * Files of a batch per core. A larger batch loses more work in a failure; smaller batches have
   * more overhead.
   */
  private static final int FILES_PER_CORE = 4;

  /** A limit that no file reaches: by default, Spark skips files a week older than the latest. */
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
   * Creates a job, without reading or writing any file.
   *
   * @param out receives the summary of this start, when the stream ends
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
   * Scores the files that exist, and, if an interval is given, those that arrive later.
   *
   * @return the number of rows that this start could not score, plus the number of unreadable files
   *     that existed at its beginning
   * @throws Refusal if the job cannot be carried out as given, or the output belongs to a different
   *     job
   */
  public long run() {
    Preparation prepared = Preparation.ofStream(request.input(), output);
    Configuration files = prepared.files();
    Input.checkOverlap("Checkpoint", checkpoint, request.input(), files);
    checkFolder(prepared.listed(), files);
    RunRecords records = new RunRecords(output, files);
    Optional<RunRecord> earlier = earlierStart(records, files);
    Map<String, Double> thresholds =
        request.corpus().bucketThresholds() == null
            ? Map.of()
            : Buckets.thresholds(
                request.corpus().bucketThresholds(), request.corpus().bucketBy(), files);
    try (OpenModel model = new OpenModel(request.model().path())) {
      DatasetScorer scorer = DatasetScorer.of(model, request.model(), request.scores());
      scorer.check();
      return prepared.inSession(
          "score",
          spark -> {
            try (model) {
              return run(spark, scorer, thresholds, prepared, records, earlier);
            }
          });
    }
  }

  /** Refuses an input that Spark's file source cannot watch. */
  private void checkFolder(InputFiles listed, Configuration configuration) {
    String named = request.input().paths().get(0);
    for (Map.Entry<String, String> entry : listed.excluded().entrySet()) {
      if (entry.getValue().startsWith(InputFiles.LOOP)) {
        throw Refusal.because(
            "Input %s contains a link to a folder above it, %s: Spark's streams would follow it and"
                + " read files repeatedly; remove the link",
            named, entry.getKey());
      }
    }
    FileStatus literal = HadoopFiles.literal(named, configuration);
    if (literal != null && literal.isFile()) {
      throw Refusal.because("Input %s is a file; --stream needs a folder or a glob", named);
    }
    if (literal != null && !HadoopFiles.escaped(input).equals(input.toString())) {
      checkEscaped(configuration);
    }
  }

  /**
   * Refuses folders that Spark cannot watch because their path contains glob characters. Spark
   * treats the path as a glob, even if it is escaped to match only this folder.
   */
  private void checkEscaped(Configuration configuration) {
    if (input.toUri().getPath().contains(":")) {
      throw Refusal.because(
          "Cannot stream input %s: Spark's streams treat a path with any of { } [ ] * ? \\ as a"
              + " glob, and Hadoop cannot match a glob against a path with a colon; rename the"
              + " folder",
          request.input().paths().get(0));
    }
    if (HadoopFiles.exists(new Path(input, SinkLog.FOLDER), configuration)) {
      throw Refusal.because(
          "Cannot stream input %s, which is the output of a stream: Spark finds its complete files"
              + " only if the path has none of { } [ ] * ? \\; rename the folder",
          request.input().paths().get(0));
    }
  }

  /**
   * Returns the record of an earlier start of this stream; empty if there was none. Refuses an
   * output or a checkpoint that belongs to a different job.
   */
  private Optional<RunRecord> earlierStart(RunRecords records, Configuration configuration) {
    try {
      FileSystem files = HadoopFiles.fileSystem(output, configuration);
      if (HadoopFiles.within(output, checkpoint)) {
        throw Refusal.because(
            "Checkpoint %s contains output %s; choose another with --checkpoint-location",
            checkpoint, target.path());
      }
      Optional<RunRecord> earlier = records.latest();
      boolean hasOffsets = containsFiles(new Path(checkpoint, "offsets"), configuration);
      boolean hasOutput = containsFiles(new Path(output, SinkLog.FOLDER), configuration);
      if (!hasOffsets && !hasOutput && (!files.exists(output) || Output.isEmpty(output, files))) {
        // An earlier start, if any, did not reach its first batch.
        return Optional.empty();
      }
      if (earlier.isEmpty() && files.exists(output)) {
        throw Refusal.because(
            "Output %s exists and was not written by a stream; choose another", target.path());
      }
      if (earlier.isEmpty()) {
        throw Refusal.because(
            "Checkpoint %s belongs to a stream that did not write to %s; choose another with"
                + " --checkpoint-location",
            checkpoint, target.path());
      }
      if (!earlier.get().isStream()) {
        throw Refusal.because(
            "Output %s was started without --stream; choose another", target.path());
      }
      RunIdentity.check(
          earlier.get().settings(),
          Map.of(
              CHECKPOINT,
              Refusal.redacted(checkpoint.toString()),
              RunIdentity.VERSION,
              Versions.mambaSpark()),
          output);
      if (hasOutput && !hasOffsets) {
        // Spark would number batches from 0 again, and its sink would skip the numbers that it has.
        throw Refusal.because(
            "Cannot continue output %s: its checkpoint %s does not exist; choose another output",
            target.path(), checkpoint);
      }
      return earlier;
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", target.path(), e.getMessage());
    }
  }

  private static boolean containsFiles(Path folder, Configuration configuration)
      throws IOException {
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
            request.with(scorer.options()).values(),
            scorer,
            schema,
            scorer.tokenizer(schema),
            thresholds.toString(),
            spark.conf());
    addStreamSettings(settings, columns);
    checkOrRecord(records, earlier, settings, spark);
    Dataset<Row> scored = scorer.score(rows(spark, columns), null);
    return SessionSettings.with(
        spark,
        // Streams do not support adaptive execution, and Spark warns if it is enabled.
        Map.of("spark.sql.adaptive.enabled", "false"),
        () ->
            write(
                thresholds.isEmpty()
                    ? scored
                    : Buckets.add(scored, request.corpus().bucketBy(), thresholds),
                schema.scores(),
                prepared.listed().withoutEmpty(request.input().format())));
  }

  /** Adds the settings that only a stream has; later starts must have the same values. */
  private void addStreamSettings(Map<String, String> settings, Columns columns) {
    settings.put(RunRecord.STREAM, Refusal.redacted(input.toString()));
    settings.put("--input-format", request.input().format());
    settings.put("--output-format", target.format());
    settings.put(CHECKPOINT, Refusal.redacted(checkpoint.toString()));
    settings.put(INPUT_SCHEMA, columns.ofFiles.json());
    settings.put(PARTITION_SCHEMA, columns.ofFolders.json());
  }

  /** Checks the settings against those of an earlier start, or records them if there was none. */
  private void checkOrRecord(
      RunRecords records,
      Optional<RunRecord> earlier,
      Map<String, String> settings,
      SparkSession spark) {
    if (earlier.isPresent()) {
      RunIdentity.check(earlier.get().settings(), settings, output);
    } else {
      records.add(new RunRecord(Output.newRunId(), settings, List.of()));
      new LedgerFolder(output, spark.sparkContext().hadoopConfiguration()).removeTemporaryFiles();
    }
  }

  /** Returns the streaming rows of the files. */
  private Dataset<Row> rows(SparkSession spark, Columns columns) {
    boolean json = request.input().format().equals("json");
    Dataset<Row> read =
        spark
            .readStream()
            .schema(json ? JsonInput.LINE : columns.ofFiles)
            .format(json ? "text" : request.input().format())
            .options(json ? Map.of() : request.input().options().ofFiles())
            .option("maxFilesPerTrigger", filesPerBatch(spark))
            .option("maxFileAge", MAX_FILE_AGE)
            // Without this option, Spark reads files in plain sub-folders or files in partition
            // folders, and skips the others.
            .option("recursiveFileLookup", true)
            // Spark's own listing would include _metadata files, which contain no rows.
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
   * @param ofFiles the columns inside the files
   * @param ofFolders the columns of partition folders
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

  /** Reads the columns that the first start recorded. */
  private static Columns columns(Map<String, String> settings) {
    return new Columns(
        (StructType) DataType.fromJson(settings.get(INPUT_SCHEMA)),
        (StructType) DataType.fromJson(settings.get(PARTITION_SCHEMA)));
  }

  private Columns columnsOf(SparkSession spark, Preparation prepared) {
    InputFiles listed = prepared.listed();
    if (listed.files().isEmpty()) {
      throw Refusal.because(
          "Input %s is empty: the first start of a stream reads its columns from existing files;"
              + " start the stream when the first file has arrived",
          request.input().paths().get(0));
    }
    listed.oneTable();
    Input found = prepared.open(spark, request.scores().documents());
    if (request.scores().failOnError()) {
      found.refuseUnread();
    }
    found.parquet().ifPresent(ParquetInput::checkSameTypes);
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
            .trigger(stream.trigger());
    target.ofWriter().forEach((key, value) -> option(writer, key, value));
    option(writer, "checkpointLocation", checkpoint.toString());
    spark.streams().addListener(batches);
    try {
      StreamingQuery query = writer.start(output.toString());
      try {
        query.awaitTermination();
      } finally {
        if (query.isActive()) {
          // This thread was interrupted. Stop the query, which would continue without its model.
          query.stop();
        }
      }
    } catch (StreamingQueryException | TimeoutException e) {
      throw Refusal.because(
          e,
          "%s; complete batches stay in %s; fix the cause, then run the same command again to"
              + " continue",
          Failures.oneLine(e),
          target.path());
    } finally {
      awaitListeners(spark);
      spark.streams().removeListener(batches);
    }
    batches.print(out);
    SummaryLines lines = new SummaryLines(out);
    lines.unread(unread);
    lines.writtenTo(output);
    out.flush();
    return batches.errors() + unread.unread().size();
  }

  /** Sets an option by reflection, because the method's return type differs in Spark 3.5 and 4. */
  private static void option(DataStreamWriter<Row> writer, String key, String value) {
    try {
      DataStreamWriter.class
          .getMethod("option", String.class, String.class)
          .invoke(writer, key, value);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Waits for Spark's listeners, which are notified some time after a batch ends. */
  private static void awaitListeners(SparkSession spark) {
    try {
      spark.sparkContext().listenerBus().waitUntilEmpty(10_000);
    } catch (TimeoutException e) {
      LOG.warn("Spark's listeners are behind; the printed sums may lack the last batches");
    }
  }
}
