package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DemoCorpus;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputSize;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.io.OutputOptions;
import io.mambaspark.jobs.io.TableOutput;
import io.mambaspark.jobs.model.ModelSource;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.DatasetScorer;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.stats.Buckets;
import io.mambaspark.jobs.stats.Totals;
import io.mambaspark.jobs.text.TokenizerFile;
import io.mambaspark.jobs.units.RunIdentity;
import io.mambaspark.jobs.units.Unit;
import io.mambaspark.jobs.units.UnitPlan;
import io.mambaspark.jobs.units.UnitRun;
import io.mambaspark.jobs.units.UnitScoring;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.LongAccumulator;

/** Carries out {@code score}, from opening the model's files to writing the scores. */
public final class ScoreJob {
  private final ScoreRequest request;
  private final PrintWriter out;

  /**
   * Creates a job, without reading or writing any file.
   *
   * @param out receives the summary, or the plan of a dry run
   */
  public ScoreJob(ScoreRequest request, PrintWriter out) {
    // The report shows the nll by position. The ledger of units stores it; other jobs have to write
    // it as a column.
    boolean positions = request.corpus().report() != null && !request.byUnits();
    this.request = positions ? request.with(request.scores().withPositionNll()) : request;
    this.out = out;
  }

  /**
   * Runs the job. Wrong requests are refused before the first task that scores.
   *
   * @return the number of rows that could not be scored plus the number of files that could not be
   *     read
   * @throws Refusal if the job cannot be carried out as given
   * @throws io.mambaspark.engine.checkpoint.CheckpointException if the model's files are invalid
   */
  public long run() {
    CorpusOptions corpus = request.corpus();
    Preparation prepared =
        Preparation.of(
            request.input(),
            request.output(),
            corpus.buckets() != null,
            !request.dryRun(),
            request.table().isPresent());
    Optional<ReportFile> report =
        ReportFile.at(
            corpus.report(),
            request.output().map(OutputOptions::path),
            request.input(),
            prepared.files());
    Map<String, Double> thresholds =
        corpus.bucketThresholds() == null
            ? Map.of()
            : Buckets.thresholds(
                corpus.bucketThresholds(),
                corpus.bucketBy(),
                request.scores().emit().signals().percent(corpus.bucketBy()),
                prepared.files());
    try (OpenModel model = new OpenModel(request.model().path())) {
      DatasetScorer scorer = DatasetScorer.of(model, request.model(), request.scores());
      scorer.check();
      return prepared.inSession(
          "score",
          spark -> {
            // Close the model and its broadcasts before the session ends.
            try (model) {
              ScoreRequest resolved = request.with(scorer.options());
              return new Run(spark, resolved, scorer, prepared, report, thresholds).run();
            }
          });
    }
  }

  /** The part of the job that runs in a Spark session. */
  private final class Run {
    private final SparkSession spark;

    /** The job's request with the defaults that the model's files name. */
    private final ScoreRequest request;

    private final JavaSparkContext context;
    private final Configuration files;
    private final DatasetScorer scorer;
    private final ModelSource source;
    private final Output output;
    private final Optional<TableOutput> table;
    private final Optional<ReportFile> report;
    private final Map<String, Double> givenThresholds;
    private final Input input;
    private final Optional<UnitPlan> plan;
    private final ScoringSchema schema;
    private final List<String> groupBy;
    private final TokenizerFile tokenizer;
    private final LongAccumulator progress;
    private final LongAccumulator bytesRead;
    private Timeline timeline = Timeline.NONE;

    Run(
        SparkSession spark,
        ScoreRequest request,
        DatasetScorer scorer,
        Preparation prepared,
        Optional<ReportFile> report,
        Map<String, Double> givenThresholds) {
      this.spark = spark;
      this.request = request;
      this.context = JavaSparkContext.fromSparkContext(spark.sparkContext());
      this.files = spark.sparkContext().hadoopConfiguration();
      this.output = prepared.output().orElse(null);
      this.report = report;
      this.givenThresholds = givenThresholds;
      this.table = request.table().map(options -> TableOutput.at(spark, options, request.input()));
      // Check the memory before Spark reads the input's schema, which may run a task.
      this.scorer = scorer;
      if (!request.dryRun()) {
        scorer.checkMemory(context);
      }
      this.source = scorer.model().source();
      this.input = prepared.open(spark, request.scores().documents());
      if (request.scores().failOnError()) {
        input.refuseUnread();
      }
      this.schema = scorer.schema(input.schema());
      this.plan =
          request.byUnits()
              ? Optional.of(
                  new UnitPlan(
                      input.parquet().orElseThrow(),
                      source.checkpoint().parameterCount() * request.scores().windows().runs()))
              : Optional.empty();
      this.groupBy = schema.rows().namesOfKept(request.corpus().groupBy(), "--group-by");
      if (request.corpus().hasBuckets()) {
        schema.rows().checkFree(Buckets.COLUMN);
      }
      StructType written = schema.outputSchema();
      StructType columns =
          request.corpus().hasBuckets() ? written.add(Buckets.COLUMN, "string") : written;
      table.ifPresent(to -> to.check(columns));
      this.tokenizer = scorer.tokenizer(schema);
      this.progress = spark.sparkContext().longAccumulator("tokens");
      this.bytesRead = spark.sparkContext().longAccumulator("bytes");
    }

    long run() {
      if (request.dryRun()) {
        dryRun();
        return 0;
      }
      if (table.isPresent()) {
        return writeTable(table.get());
      }
      // Plan the units before the model is sent, so that a refusal comes early.
      Optional<UnitRun> units =
          plan.map(
              unitPlan -> UnitRun.plan(output, unitPlan, request.units(), identity(), context));
      Summary summary = units.isPresent() ? scoreUnits(units.get()) : scoreInOneJob();
      return print(summary, output == null ? null : output.path().toString());
    }

    private Map<String, String> identity() {
      String buckets =
          request.corpus().buckets() != null
              ? request.corpus().buckets().toString()
              : givenThresholds.toString();
      return RunIdentity.of(request.values(), scorer, schema, tokenizer, buckets, spark.conf());
    }

    /**
     * Prints a summary and writes the report.
     *
     * @param place the place of the rows; may be null
     */
    private long print(Summary summary, String place) {
      SummaryText.print(summary, out);
      if (place != null) {
        new SummaryLines(out).writtenTo(place);
      }
      report.ifPresent(file -> file.write(() -> SummaryPage.of(summary, timeline), out));
      out.flush();
      return summary.failures();
    }

    /**
     * Scores all rows in one Spark job, then writes them to a table in one commit. The scores stay
     * on the disks of the executors in between, because a commit that another writer prevents is
     * tried again, and because the thresholds of buckets depend on all scores.
     */
    private long writeTable(TableOutput to) {
      Map<String, String> settings = identity();
      settings.put(Options.LIMIT.flag(), Integer.toString(request.input().limit()));
      if (request.input().table() != null) {
        // The input's identity has the version that these options select.
        settings.remove(Options.INPUT_OPTION.flag());
      }
      String run =
          RunIdentity.id(
              settings, request.input().isDemo() ? Optional.of("demo") : input.identity());
      Optional<TableOutput.Commit> earlier = to.committed(run);
      if (earlier.isPresent()) {
        new SummaryLines(out).writtenBefore(to.shown(), earlier.get());
        return earlier.get().failures();
      }
      to.describe("model", source.checkpoint().fingerprint());
      to.describe("input", request.input().described());
      input
          .identity()
          .filter(text -> request.input().table() != null)
          .ifPresent(text -> to.describe("input-version", text));
      OneJob job = startOneJob();
      Dataset<Row> scored = job.scored().persist(StorageLevel.DISK_ONLY());
      try {
        Totals totals = summarizer().totals(scored);
        double seconds = stopDisplay(job);
        boolean addBuckets = request.corpus().buckets() != null;
        Map<String, Double> thresholds = addBuckets ? thresholds(scored, totals) : givenThresholds;
        Dataset<Row> bucketed = addBuckets ? addBuckets(scored, thresholds) : scored;
        Summary summary = summary(run, job, bucketed, thresholds, seconds);
        context.setJobDescription("Writing %,d rows to %s".formatted(totals.rows(), to.shown()));
        to.describe("failures", Long.toString(summary.failures()));
        to.write(bucketed, run);
        to.notes().forEach(note -> new SummaryLines(out).line("note", "%s", note));
        return print(summary, to.shown());
      } finally {
        job.display().stop();
        scored.unpersist();
      }
    }

    private void dryRun() {
      int cores = context.defaultParallelism();
      int tasks =
          plan.map(units -> units.units(target(units), List.of(units.inputs())).size())
              .orElseGet(
                  () ->
                      Input.partitions(
                          input.rows(schema.rows().inputNames(), null), request.input()));
      new DryRun(DryRun.Request.of(request), source.checkpoint(), schema, input, out)
          .print(inputSize(), tasks, cores);
    }

    private long target(UnitPlan units) {
      return request.units().targetTokens() > 0
          ? request.units().targetTokens()
          : units.targetTokens(context);
    }

    /** Scores the missing units. Each is committed separately, so a failure keeps the others. */
    private Summary scoreUnits(UnitRun run) {
      long start = System.nanoTime();
      List<Unit> missing = run.missing();
      if (missing.isEmpty()) {
        run.begin();
      } else {
        context.setJobDescription(
            description(
                "%,d units, %s %,d tokens"
                    .formatted(
                        missing.size(),
                        schema.rows().text() ? "about" : "at most",
                        run.missingTokens())));
        Dataset<Row> scored =
            UnitScoring.score(
                output.runId(),
                input.parquet().orElseThrow(),
                missing,
                schema,
                request.scores(),
                scorer.partitions(schema, spark, progress),
                spark);
        Progress display = showProgress(() -> OptionalLong.of(runs(run.missingTokens())));
        run.begin();
        try {
          run.write(withGivenBuckets(scored));
        } finally {
          timeline = display.stop();
        }
      }
      return finishUnits(run, seconds(start));
    }

    /** Sums up the rows of the units, adds their buckets if requested, and commits the output. */
    private Summary finishUnits(UnitRun run, double seconds) {
      UnitRun.Result result = run.result();
      if (output.hasSecondPass()) {
        run.end();
        Dataset<Row> scores = output.read(spark, output.scores(), schema.outputSchema());
        Map<String, Double> thresholds = thresholds(scores, result.totals());
        return output.write(
            addBuckets(scores, thresholds),
            summarize(run, result, thresholds, seconds),
            SummaryJson::text);
      }
      Map<String, Double> thresholds =
          request.corpus().buckets() == null
              ? givenThresholds
              : Buckets.found(
                  output.path().toString(),
                  request.corpus().bucketBy(),
                  request.scores().emit().signals().percent(request.corpus().bucketBy()),
                  files);
      Function<Path, Summary> summarize = summarize(run, result, thresholds, seconds);
      if (run.missing().isEmpty() && output.isComplete()) {
        return summarize.apply(output.path());
      }
      run.end();
      return output.finish(() -> summarize.apply(output.target()), SummaryJson::text);
    }

    /** Returns the function that summarizes the units, given the folder of their rows. */
    private Function<Path, Summary> summarize(
        UnitRun run, UnitRun.Result result, Map<String, Double> thresholds, double seconds) {
      // Use the planned schema: a resumed run may have no output file to infer it from.
      return folder ->
          summarizer()
              .ofUnits(
                  output.runId(),
                  run,
                  result,
                  output.read(spark, folder, schema.outputSchema()),
                  thresholds,
                  seconds);
    }

    private Summarizer summarizer() {
      return new Summarizer(
          SummaryRequest.of(request, groupBy),
          input,
          schema,
          report.isPresent(),
          new Summary.ScoredWith(
              Summary.Model.of(source, request.model().weights()),
              Optional.ofNullable(tokenizer).map(Artifact::of)));
    }

    /** One Spark job that scores all rows, and the display of its progress. */
    private record OneJob(Dataset<Row> rows, Dataset<Row> scored, Progress display, long start) {}

    /** Scores all rows in one Spark job, whose output is committed only when it is complete. */
    private Summary scoreInOneJob() {
      OneJob job = startOneJob();
      try {
        return output == null
            ? collect(job)
            : output.hasSecondPass() ? writeInTwoPasses(job) : writeInOnePass(job);
      } finally {
        job.display().stop();
      }
    }

    private OneJob startOneJob() {
      Dataset<Row> rows =
          Input.limited(input.rows(schema.rows().inputNames(), bytesRead), request.input());
      context.setJobDescription(description(request.input().isDemo() ? "the demo corpus" : "rows"));
      Dataset<Row> scored = withGivenBuckets(scorer.score(rows, progress));
      long start = System.nanoTime();
      return new OneJob(rows, scored, showProgress(() -> total(inputSize())), start);
    }

    /** Stops the display after all rows are scored. Returns the seconds since the job's start. */
    private double stopDisplay(OneJob job) {
      double seconds = seconds(job.start());
      timeline = job.display().stop();
      return seconds;
    }

    /** Scores the demo without an output, and keeps its rows on the driver. */
    private Summary collect(OneJob job) {
      List<Row> rows = job.scored().collectAsList();
      double seconds = stopDisplay(job);
      Dataset<Row> result = spark.createDataFrame(rows, job.scored().schema());
      boolean addBuckets = request.corpus().buckets() != null;
      Map<String, Double> thresholds =
          addBuckets ? thresholds(result, summarizer().totals(result)) : givenThresholds;
      Dataset<Row> bucketed = addBuckets ? addBuckets(result, thresholds) : result;
      printDemo(bucketed);
      return summary("demo", job, bucketed, thresholds, seconds);
    }

    private Summary writeInOnePass(OneJob job) {
      Summary summary =
          output.write(
              job.scored(),
              folder -> {
                double seconds = stopDisplay(job);
                Dataset<Row> written = output.read(spark, folder, job.scored().schema());
                return summary(output.runId(), job, written, givenThresholds, seconds);
              },
              SummaryJson::text);
      printIfDemo(job.scored().schema());
      return summary;
    }

    /**
     * Writes the rows twice, first without and then with buckets, because the thresholds of buckets
     * depend on all scores.
     */
    private Summary writeInTwoPasses(OneJob job) {
      output.writeScores(job.scored());
      double seconds = stopDisplay(job);
      Dataset<Row> scores = output.read(spark, output.scores(), job.scored().schema());
      Map<String, Double> thresholds = thresholdsOrDiscard(scores);
      Dataset<Row> bucketed = addBuckets(scores, thresholds);
      Summary summary =
          output.write(
              bucketed,
              folder -> {
                Dataset<Row> written = output.read(spark, folder, bucketed.schema());
                return summary(output.runId(), job, written, thresholds, seconds);
              },
              SummaryJson::text);
      printIfDemo(bucketed.schema());
      return summary;
    }

    private Map<String, Double> thresholdsOrDiscard(Dataset<Row> scores) {
      try {
        return thresholds(scores, summarizer().totals(scores));
      } catch (RuntimeException e) {
        output.discardWithoutLedger();
        throw e;
      }
    }

    private Summary summary(
        String run,
        OneJob job,
        Dataset<Row> written,
        Map<String, Double> thresholds,
        double seconds) {
      return summarizer().ofRows(run, job.rows(), written, thresholds, seconds);
    }

    private void printIfDemo(StructType written) {
      if (request.input().isDemo()) {
        printDemo(output.read(spark, output.path(), written));
      }
    }

    private void printDemo(Dataset<Row> scored) {
      DemoReport.print(scored, request.corpus().groupBy().isEmpty(), out);
      out.println();
    }

    private Dataset<Row> withGivenBuckets(Dataset<Row> scored) {
      return givenThresholds.isEmpty() ? scored : addBuckets(scored, givenThresholds);
    }

    private Dataset<Row> addBuckets(Dataset<Row> scores, Map<String, Double> thresholds) {
      return Buckets.add(scores, request.corpus().bucketBy(), thresholds);
    }

    private Map<String, Double> thresholds(Dataset<Row> scores, Totals totals) {
      context.setJobDescription("Finding the buckets of %,d rows".formatted(totals.rows()));
      CorpusOptions corpus = request.corpus();
      return corpus.buckets().thresholds(scores, corpus.bucketBy(), totals.scoredRows());
    }

    /** Returns the description that Spark's UI shows for the job. */
    private String description(String what) {
      return "Scoring %s of %s with %s (%s)"
          .formatted(
              what,
              request.input().described(),
              source.name(),
              source.checkpoint().fingerprint().substring(0, 12));
    }

    private Optional<InputSize> inputSize() {
      if (request.input().isDemo()) {
        return Optional.of(DemoCorpus.size());
      }
      return input
          .parquet()
          .map(parquet -> InputSize.of(parquet.footers(), schema.rows().keptNames()));
    }

    /**
     * Starts the display of the job's progress.
     *
     * @param total returns the number of tokens; runs while the job is running
     */
    private Progress showProgress(Supplier<OptionalLong> total) {
      return new Progress(
          context,
          progress,
          total,
          bytesRead,
          request.input().limit() > 0 ? 0 : input.countedTotal(),
          Progress.terminal());
    }

    private OptionalLong total(Optional<InputSize> size) {
      // The size counts all rows of the input and all their tokens.
      boolean limited = request.input().limit() > 0 || request.scores().maxTokens() > 0;
      return limited || size.isEmpty()
          ? OptionalLong.empty()
          : OptionalLong.of(runs(size.get().tokens()));
    }

    /** Returns the number of tokens to run for a number of input tokens; windows may overlap. */
    private long runs(long tokens) {
      return (long) (tokens * request.scores().windows().runs());
    }
  }

  private static double seconds(long start) {
    return (System.nanoTime() - start) / 1e9;
  }
}
