package io.mambaspark.jobs;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sum;

import io.mambaspark.jobs.ScoringSchema.ScoreColumn;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeoutException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.StreamingQueryException;
import org.apache.spark.sql.streaming.StreamingQueryListener;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Scores the files of a folder as they come, each once: batch by batch, by Spark's file source, its
 * checkpoint and its file sink. A batch that is cut off is done again from its beginning, and what
 * it had written counts for nothing.
 */
final class StreamJob {
  private static final Logger LOG = LoggerFactory.getLogger(StreamJob.class);

  /** Files of a batch for each core: what is lost with a batch, against what a batch costs. */
  private static final int FILES_PER_CORE = 4;

  /** By default Spark does not look at files a week older than the latest one: for us a gap. */
  private static final String MAX_FILE_AGE = "36500d";

  private static final String INPUT_SCHEMA = "the input's columns";

  private final JobOptions options;
  private final StreamOptions stream;
  private final PrintWriter out;
  private final Path output;
  private final Path checkpoint;

  /**
   * Prepares a job; nothing is touched yet.
   *
   * @param out gets what this start has scored, when it ends
   */
  StreamJob(JobOptions options, StreamOptions stream, PrintWriter out) {
    stream.check(options);
    this.options = options;
    this.stream = stream;
    this.out = out;
    Configuration files = HadoopFiles.configuration();
    this.output = HadoopFiles.qualified(options.output(), files);
    this.checkpoint =
        stream.checkpointLocation() == null
            ? new Path(new Path(output, Ledger.FOLDER), "checkpoint")
            : HadoopFiles.qualified(stream.checkpointLocation(), files);
  }

  /**
   * Scores what is there, and goes on with what comes if an interval is given.
   *
   * @return the number of rows of this start that could not be scored
   * @throws Refusal if the job cannot be carried out as given, or goes on with another one's output
   */
  long run() {
    Configuration files = HadoopFiles.configuration();
    Ledger ledger = new Ledger(output, files);
    Optional<Ledger.Run> earlier = earlier(ledger, files);
    Input.checkPaths(options, files);
    Input.checkApart(options, files);
    Map<String, Double> thresholds =
        options.bucketThresholds() == null
            ? Map.of()
            : Buckets.thresholds(options.bucketThresholds(), files);
    try (MambaScorer scorer = MambaScorer.of(options)) {
      return Session.during(
          "score",
          false,
          spark -> {
            try (scorer) {
              return run(spark, scorer, thresholds, ledger, earlier);
            }
          });
    }
  }

  /** The run that an earlier start has begun; refuses what belongs to something else. */
  private Optional<Ledger.Run> earlier(Ledger ledger, Configuration configuration) {
    try {
      FileSystem files = HadoopFiles.fileSystem(output, configuration);
      Optional<Ledger.Run> earlier = ledger.run();
      if (earlier.isEmpty() && files.exists(output) && files.listStatus(output).length > 0) {
        throw Refusal.because(
            "Output %s exists, and no stream has begun it; choose another", options.output());
      }
      if (earlier.isPresent() && !earlier.get().isStream()) {
        throw Refusal.because(
            "Output %s was begun without --stream; choose another", options.output());
      }
      boolean taken = holdsFiles(new Path(checkpoint, "offsets"), configuration);
      boolean written = holdsFiles(new Path(output, "_spark_metadata"), configuration);
      if (written && !taken) {
        // Spark would begin anew, and its sink would take the new batches for those it has.
        throw Refusal.because(
            "Cannot go on with output %s: its checkpoint %s is gone; choose another output",
            options.output(), checkpoint);
      }
      if (taken && earlier.isEmpty()) {
        throw Refusal.because(
            "Checkpoint %s is that of a stream which did not write to %s; choose another with"
                + " --checkpoint-location",
            checkpoint, options.output());
      }
      return earlier;
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", options.output(), e.getMessage());
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
      MambaScorer scorer,
      Map<String, Double> thresholds,
      Ledger ledger,
      Optional<Ledger.Run> earlier) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    MambaScorer fitting = scorer.fitting(context);
    StructType input =
        earlier.map(run -> columns(run.settings())).orElseGet(() -> columnsOfFiles(spark));
    ScoringSchema schema = fitting.schema(input);
    if (!thresholds.isEmpty()) {
      schema.rows().checkFree(Buckets.COLUMN);
    }
    Map<String, String> settings =
        RunSettings.of(
            options,
            schema,
            fitting.source(),
            fitting.tokenizer(schema),
            thresholds.toString(),
            spark.conf());
    settings.put(Ledger.Run.STREAM, HadoopFiles.redacted(options.input().get(0)));
    settings.put("--input-format", options.inputFormat());
    settings.put("--output-format", options.outputFormat());
    settings.put("--checkpoint-location", HadoopFiles.redacted(checkpoint.toString()));
    settings.put(INPUT_SCHEMA, input.json());
    if (earlier.isPresent()) {
      RunSettings.check(earlier.get().settings(), settings, output);
    } else {
      ledger.record(new Ledger.Run(Output.newRun(), settings, List.of()));
      ledger.sweep();
    }
    int files =
        stream.maxFilesPerBatch() > 0
            ? stream.maxFilesPerBatch()
            : FILES_PER_CORE * context.defaultParallelism();
    Dataset<Row> rows =
        spark
            .readStream()
            .schema(input)
            .format(options.inputFormat())
            .option("maxFilesPerTrigger", files)
            .option("maxFileAge", MAX_FILE_AGE)
            .load(options.input().get(0));
    Dataset<Row> scored = fitting.score(rows);
    return SessionSettings.during(
        spark,
        // Streams have none, and Spark warns of it.
        Map.of("spark.sql.adaptive.enabled", "false"),
        () -> write(thresholds.isEmpty() ? scored : Buckets.add(scored, thresholds)));
  }

  /** What the first start has found. */
  private static StructType columns(Map<String, String> settings) {
    return (StructType) DataType.fromJson(settings.get(INPUT_SCHEMA));
  }

  private StructType columnsOfFiles(SparkSession spark) {
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    try {
      for (FileStatus found : HadoopFiles.glob(options.input().get(0), configuration)) {
        FileSystem files = HadoopFiles.fileSystem(found.getPath(), configuration);
        RemoteIterator<LocatedFileStatus> all = files.listFiles(found.getPath(), true);
        while (all.hasNext()) {
          if (!all.next().getPath().getName().matches("[_.].*")) {
            return Input.read(spark, options).schema();
          }
        }
      }
    } catch (IOException e) {
      throw Refusal.because(
          e, "Cannot read input %s: %s", options.input().get(0), Failures.oneLine(e));
    }
    throw Refusal.because(
        "Input %s is empty: the first start of a stream finds its columns in the files that are"
            + " there; start it when the first has come",
        options.input().get(0));
  }

  private long write(Dataset<Row> scored) {
    boolean nll = options.scoring().emit().nll();
    Batches batches = new Batches(nll);
    SparkSession spark = scored.sparkSession();
    spark.streams().addListener(batches);
    try {
      StreamingQuery query =
          scored
              .observe(
                  batches.name,
                  count(lit(1)),
                  count(col(ScoreColumn.ERROR.column())),
                  sum(nll ? col(ScoreColumn.TOKEN_COUNT.column()) : lit(0L)),
                  sum(nll ? col(ScoreColumn.NLL.column()) : lit(0.0)))
              .writeStream()
              .format(options.outputFormat())
              .option("path", output.toString())
              .option("checkpointLocation", checkpoint.toString())
              .trigger(stream.trigger())
              .start();
      query.awaitTermination();
      // Spark tells of a batch later than it ends.
      spark.sparkContext().listenerBus().waitUntilEmpty(10_000);
    } catch (StreamingQueryException e) {
      throw Refusal.because(
          e,
          "%s; what was scored in whole batches stays in %s, start the same command again to go on",
          Failures.oneLine(e),
          options.output());
    } catch (TimeoutException e) {
      LOG.debug("Listeners are behind; the last batch may be missing in the sums", e);
    } finally {
      spark.streams().removeListener(batches);
    }
    batches.print(out);
    out.println("  written to " + HadoopFiles.redacted(output.toString()));
    out.flush();
    return batches.errors;
  }

  /** Adds up the batches of this start; what a retried task has counted before is not in it. */
  private static final class Batches extends StreamingQueryListener {
    private static final long serialVersionUID = 1;

    private final String name = "mamba_" + UUID.randomUUID();
    private final boolean nll;
    private final long start = System.nanoTime();
    private long number;
    private volatile long errors;
    private long documents;
    private long tokens;
    private double sum;

    Batches(boolean nll) {
      this.nll = nll;
    }

    @Override
    public void onQueryStarted(QueryStartedEvent event) {}

    @Override
    public void onQueryTerminated(QueryTerminatedEvent event) {}

    @Override
    public synchronized void onQueryProgress(QueryProgressEvent event) {
      Row batch = event.progress().observedMetrics().get(name);
      if (batch == null) {
        return;
      }
      long batchTokens = batch.isNullAt(2) ? 0 : batch.getLong(2);
      double batchSum = batch.isNullAt(3) ? 0 : batch.getDouble(3);
      number++;
      documents += batch.getLong(0);
      errors += batch.getLong(1);
      tokens += batchTokens;
      sum += batchSum;
      LOG.info(
          "Batch {}: {}",
          event.progress().batchId(),
          String.format(
              Locale.ROOT,
              "%,d rows%s, %,d errors, %.1f s",
              batch.getLong(0),
              batchTokens == 0
                  ? ""
                  : String.format(
                      Locale.ROOT,
                      ", %,d tokens, perplexity %,.2f",
                      batchTokens,
                      Math.exp(batchSum / batchTokens)),
              batch.getLong(1),
              event.progress().batchDuration() / 1e3));
    }

    synchronized void print(PrintWriter out) {
      Summary.line(out, "batches", "%,d", number);
      Summary.line(out, "rows", "%,d", documents);
      if (errors > 0) {
        Summary.line(out, "  with errors", "%,d", errors);
      }
      if (nll) {
        Summary.line(out, "tokens scored", "%,d", tokens);
      }
      if (tokens > 0) {
        Summary.line(out, "corpus perplexity", "%,.4f", Math.exp(sum / tokens));
      }
      Summary.line(out, "seconds", "%,.1f", (System.nanoTime() - start) / 1e9);
    }
  }
}
