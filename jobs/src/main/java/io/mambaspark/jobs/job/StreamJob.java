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
import io.mambaspark.jobs.io.TableInput;
import io.mambaspark.jobs.io.TableOptions;
import io.mambaspark.jobs.io.TableOutput;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.DatasetScorer;
import io.mambaspark.jobs.score.ScoreColumn;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.SessionSettings;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.spark.Writers;
import io.mambaspark.jobs.stats.Buckets;
import io.mambaspark.jobs.units.RunIdentity;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
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
 * Carries out {@code score --stream}: scores each file of a folder, or each row that is appended to
 * a table, once, and writes the scores to a folder or to a table. It scores batches, with Spark's
 * sources, checkpoint and sinks. An interrupted batch is scored again from its beginning, and its
 * earlier output is ignored.
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
  private final Configuration files = HadoopFiles.configuration();

  /** The input folder or glob; null for a table. */
  private final Path input;

  /** The output folder; null for a table. */
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
    this.input =
        request.input().table() != null
            ? null
            : HadoopFiles.qualified(request.input().paths().get(0), files);
    this.output =
        request.output().map(folder -> HadoopFiles.qualified(folder.path(), files)).orElse(null);
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
    Preparation prepared = Preparation.ofStream(request.input(), Optional.ofNullable(output));
    Input.checkOverlap("Checkpoint", checkpoint, request.input(), files);
    if (input != null) {
      checkFolder(prepared.listed());
    }
    // The place of the stream's record: a table has no folder of its own for it.
    RunRecords records = new RunRecords(output == null ? checkpoint : output, files);
    Optional<RunRecord> earlier =
        output == null ? earlierStartToTable(records) : earlierStart(records);
    Map<String, Double> thresholds =
        request.corpus().bucketThresholds() == null
            ? Map.of()
            : Buckets.thresholds(
                request.corpus().bucketThresholds(),
                request.corpus().bucketBy(),
                request.scores().emit().signals().percent(request.corpus().bucketBy()),
                files);
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
  private void checkFolder(InputFiles listed) {
    String named = request.input().paths().get(0);
    for (Map.Entry<String, String> entry : listed.excluded().entrySet()) {
      if (entry.getValue().startsWith(InputFiles.LOOP)) {
        throw Refusal.because(
            "Input %s contains a link to a folder above it, %s: Spark's streams would follow it and"
                + " read files repeatedly; remove the link",
            named, entry.getKey());
      }
    }
    FileStatus literal = HadoopFiles.literal(named, files);
    if (literal != null && literal.isFile()) {
      throw Refusal.because("Input %s is a file; --stream needs a folder or a glob", named);
    }
    if (literal != null && !HadoopFiles.escaped(input).equals(input.toString())) {
      checkEscaped();
    }
  }

  /**
   * Refuses folders that Spark cannot watch because their path contains glob characters. Spark
   * treats the path as a glob, even if it is escaped to match only this folder.
   */
  private void checkEscaped() {
    if (input.toUri().getPath().contains(":")) {
      throw Refusal.because(
          "Cannot stream input %s: Spark's streams treat a path with any of { } [ ] * ? \\ as a"
              + " glob, and Hadoop cannot match a glob against a path with a colon; rename the"
              + " folder",
          request.input().paths().get(0));
    }
    if (HadoopFiles.exists(new Path(input, SinkLog.FOLDER), files)) {
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
  private Optional<RunRecord> earlierStart(RunRecords records) {
    String named = request.output().orElseThrow().path();
    try {
      FileSystem folder = HadoopFiles.fileSystem(output, files);
      if (HadoopFiles.within(output, checkpoint)) {
        throw Refusal.because(
            "Checkpoint %s contains output %s; choose another with --checkpoint-location",
            checkpoint, named);
      }
      Optional<RunRecord> earlier = records.latest();
      boolean hasOffsets = hasOffsets();
      boolean hasOutput = containsFiles(new Path(output, SinkLog.FOLDER));
      if (!hasOffsets && !hasOutput && (!folder.exists(output) || Output.isEmpty(output, folder))) {
        // An earlier start, if any, did not reach its first batch.
        return Optional.empty();
      }
      if (earlier.isEmpty() && folder.exists(output)) {
        throw Refusal.because(
            "Output %s exists and was not written by a stream; choose another", named);
      }
      if (earlier.isEmpty()) {
        throw Refusal.because(
            "Checkpoint %s belongs to a stream that did not write to %s; choose another with"
                + " --checkpoint-location",
            checkpoint, named);
      }
      if (!earlier.get().isStream()) {
        throw Refusal.because("Output %s was started without --stream; choose another", named);
      }
      RunIdentity.check(
          earlier.get().settings(),
          Map.of(
              CHECKPOINT,
              Refusal.redacted(checkpoint.toString()),
              RunIdentity.VERSION,
              Versions.mambaSpark()),
          output.toString());
      if (hasOutput && !hasOffsets) {
        // Spark would number batches from 0 again, and its sink would skip the numbers that it has.
        throw Refusal.because(
            "Cannot continue output %s: its checkpoint %s does not exist; choose another output",
            named, checkpoint);
      }
      return earlier;
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", named, e.getMessage());
    }
  }

  /**
   * Returns the record of an earlier start of a stream into a table, which is in the checkpoint;
   * empty if there was none.
   */
  private Optional<RunRecord> earlierStartToTable(RunRecords records) {
    try {
      if (!hasOffsets()) {
        // An earlier start, if any, did not reach its first batch.
        return Optional.empty();
      }
      Optional<RunRecord> earlier = records.latest();
      if (earlier.isEmpty()) {
        throw Refusal.because(
            "Checkpoint %s belongs to another stream; choose another with --checkpoint-location",
            checkpoint);
      }
      return earlier;
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use checkpoint %s: %s", checkpoint, e.getMessage());
    }
  }

  private boolean hasOffsets() throws IOException {
    return containsFiles(new Path(checkpoint, "offsets"));
  }

  private boolean containsFiles(Path folder) throws IOException {
    try {
      return HadoopFiles.fileSystem(folder, files).listStatus(folder).length > 0;
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
    Optional<TableOutput> table =
        request.table().map(options -> TableOutput.at(spark, options, request.input()));
    table.ifPresent(TableOutput::checkStream);
    scorer.checkMemory(JavaSparkContext.fromSparkContext(spark.sparkContext()));
    Optional<Columns> columns =
        input == null
            ? Optional.empty()
            : earlier
                .map(run -> columns(run.settings()))
                .or(() -> Optional.of(columnsOf(spark, prepared)));
    Dataset<Row> rows =
        columns
            .map(found -> rows(spark, found))
            .orElseGet(() -> TableInput.stream(spark, request.input(), filesPerBatch(spark)));
    ScoringSchema schema = scorer.schema(columns.map(Columns::all).orElseGet(rows::schema));
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
    Dataset<Row> scored = scorer.score(rows, null);
    Dataset<Row> bucketed =
        thresholds.isEmpty()
            ? scored
            : Buckets.add(scored, request.corpus().bucketBy(), thresholds);
    table.ifPresent(to -> check(to, bucketed.schema(), settings, earlier));
    Dataset<Row> written = table.map(to -> to.asInTable(bucketed)).orElse(bucketed);
    String run = checkOrRecord(records, earlier, settings);
    table.ifPresent(to -> to.describe("model", scorer.model().source().checkpoint().fingerprint()));
    return SessionSettings.with(
        spark,
        // Streams do not support adaptive execution, and Spark warns if it is enabled.
        Map.of("spark.sql.adaptive.enabled", "false"),
        () ->
            write(
                written,
                schema.scores(),
                table,
                run,
                prepared.listed().withoutEmpty(request.input().format())));
  }

  /** Refuses a table that cannot hold the rows, or that does not fit the checkpoint. */
  private void check(
      TableOutput to, StructType rows, Map<String, String> settings, Optional<RunRecord> earlier) {
    to.check(rows);
    to.checkOverlap(checkpoint);
    if (earlier.isPresent() && !to.exists()) {
      throw Refusal.because(
          "Cannot continue: %s, to which the stream of checkpoint %s writes, does not exist; choose"
              + " another checkpoint with --checkpoint-location to score everything again",
          to.shown(), checkpoint);
    }
    Map<String, String> stream = new LinkedHashMap<>(settings);
    stream.remove(CHECKPOINT);
    to.checkStart(
        RunIdentity.id(stream, Optional.of(settings.get(RunRecord.STREAM))),
        checkpoint,
        earlier.isEmpty());
  }

  /** Adds the settings that only a stream has; later starts must have the same values. */
  private void addStreamSettings(Map<String, String> settings, Optional<Columns> columns) {
    settings.put(
        RunRecord.STREAM,
        input == null ? request.input().table() : Refusal.redacted(input.toString()));
    if (input == null) {
      // Options with which a stream skips commits may be added when a commit requires it.
      settings.remove(Options.INPUT_OPTION.flag());
    } else {
      settings.put("--input-format", request.input().format());
    }
    request.output().ifPresent(folder -> settings.put("--output-format", folder.format()));
    request.table().ifPresent(to -> settings.put(Options.OUTPUT_TABLE.flag(), to.name()));
    settings.put(CHECKPOINT, Refusal.redacted(checkpoint.toString()));
    columns.ifPresent(
        found -> {
          settings.put(INPUT_SCHEMA, found.ofFiles.json());
          settings.put(PARTITION_SCHEMA, found.ofFolders.json());
        });
  }

  /**
   * Checks the settings against those of an earlier start, or records them if there was none.
   *
   * @return the id of the first start
   */
  private String checkOrRecord(
      RunRecords records, Optional<RunRecord> earlier, Map<String, String> settings) {
    if (earlier.isPresent()) {
      RunIdentity.check(
          earlier.get().settings(), settings, output == null ? place() : output.toString());
      return earlier.get().id();
    }
    String run = Output.newRunId();
    records.add(new RunRecord(run, settings, List.of()));
    new LedgerFolder(output == null ? checkpoint : output, files).removeTemporaryFiles();
    return run;
  }

  /** Describes the output for messages. */
  private String place() {
    return request
        .table()
        .map(TableOptions::name)
        .orElseGet(() -> request.output().orElseThrow().path());
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
            .load(HadoopFiles.exists(input, files) ? HadoopFiles.escaped(input) : input.toString());
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

  private long write(
      Dataset<Row> scored,
      List<ScoreColumn> scores,
      Optional<TableOutput> table,
      String run,
      InputFiles unread) {
    Batches batches = new Batches(request.scores().emit().nll());
    SparkSession spark = scored.sparkSession();
    DataStreamWriter<Row> writer =
        batches.observed(scored, scores).writeStream().trigger(stream.trigger());
    Writers.option(writer, "checkpointLocation", checkpoint.toString());
    spark.streams().addListener(batches);
    try {
      StreamingQuery query =
          table.isPresent() ? table.get().start(writer, scored.schema(), run) : toFolder(writer);
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
          "%s; complete batches stay in %s; %s, then run the same command again to continue",
          Failures.oneLine(e),
          place(),
          TableInput.remedy(e).orElse("fix the cause"));
    } finally {
      awaitListeners(spark);
      spark.streams().removeListener(batches);
    }
    batches.print(out);
    SummaryLines lines = new SummaryLines(out);
    lines.unread(unread);
    lines.writtenTo(table.map(TableOutput::shown).orElseGet(() -> output.toString()));
    out.flush();
    return batches.errors() + unread.unread().size();
  }

  private StreamingQuery toFolder(DataStreamWriter<Row> writer) throws TimeoutException {
    OutputOptions folder = request.output().orElseThrow();
    folder.ofWriter().forEach((key, value) -> Writers.option(writer, key, value));
    return writer.format(folder.format()).start(output.toString());
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
