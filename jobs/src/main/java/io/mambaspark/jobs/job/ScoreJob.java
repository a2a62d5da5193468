package io.mambaspark.jobs.job;

import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.ScoringMetrics;
import io.mambaspark.jobs.io.DemoCorpus;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputFiles;
import io.mambaspark.jobs.io.InputSize;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.model.ModelSource;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.score.DatasetScorer;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.Session;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.stats.Buckets;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Groups;
import io.mambaspark.jobs.stats.Totals;
import io.mambaspark.jobs.text.TokenizerFile;
import io.mambaspark.jobs.units.RunIdentity;
import io.mambaspark.jobs.units.Unit;
import io.mambaspark.jobs.units.UnitPlan;
import io.mambaspark.jobs.units.UnitRun;
import io.mambaspark.jobs.units.UnitScoring;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/** Runs a scoring job from the model's files to the written scores. */
public final class ScoreJob {
  private final JobOptions options;
  private final PrintWriter out;

  /**
   * Prepares a job; nothing is touched yet.
   *
   * @param out gets the summary, or the plan of a dry run
   */
  public ScoreJob(JobOptions options, PrintWriter out) {
    this.options = options;
    this.out = out;
  }

  /**
   * Runs the job. Everything that can be refused is refused before the first task that scores.
   *
   * @return the number of rows that could not be scored, and of files that could not be read
   * @throws Refusal if the job cannot be carried out as given
   * @throws io.mambaspark.engine.checkpoint.CheckpointException if the model's files are bad
   */
  public long run() {
    Versions.checkSpark();
    Configuration files = HadoopFiles.configuration();
    Output output =
        options.output() == null
            ? null
            : Output.at(
                options.outputOptions(), options.buckets() != null, !options.dryRun(), files);
    InputFiles listed = Input.list(options.inputOptions(), files);
    options.checkApart(files);
    Optional<ReportFile> report = ReportFile.at(options, files);
    Map<String, Double> thresholds =
        options.bucketThresholds() == null
            ? Map.of()
            : Buckets.thresholds(options.bucketThresholds(), files);
    try (OpenModel model = new OpenModel(options.model())) {
      DatasetScorer scorer = new DatasetScorer(model, options.modelOptions(), options.scoring());
      scorer.check();
      return Session.during(
          "score",
          options.inputTable() != null,
          ScoringMetrics.class,
          spark -> {
            // What was sent to executors goes before they do.
            try (model) {
              return new Run(spark, scorer, listed, output, report, thresholds).run();
            }
          });
    }
  }

  /** The job, once Spark is there. */
  private final class Run {
    private final SparkSession spark;
    private final JavaSparkContext context;
    private final Configuration files;
    private final DatasetScorer scorer;
    private final ModelSource source;
    private final Output output;
    private final Optional<ReportFile> report;
    private final Map<String, Double> givenThresholds;
    private final Input input;
    private final Optional<UnitPlan> plan;
    private final ScoringSchema schema;
    private final TokenizerFile tokenizer;
    private final LongAccumulator progress;
    private final LongAccumulator bytesRead;
    private Timeline timeline = Timeline.NONE;

    Run(
        SparkSession spark,
        DatasetScorer scorer,
        InputFiles listed,
        Output output,
        Optional<ReportFile> report,
        Map<String, Double> givenThresholds) {
      this.spark = spark;
      this.context = JavaSparkContext.fromSparkContext(spark.sparkContext());
      this.files = spark.sparkContext().hadoopConfiguration();
      this.output = output;
      this.report = report;
      this.givenThresholds = givenThresholds;
      // Before Spark looks at the input, which takes a task.
      this.scorer = scorer;
      if (!options.dryRun()) {
        scorer.checkMemory(context);
      }
      this.source = scorer.model().source();
      this.input = options.open(spark, listed);
      this.schema = scorer.schema(input.schema());
      this.plan =
          options.byUnits()
              ? Optional.of(
                  new UnitPlan(
                      input.parquet(),
                      source.checkpoint().parameterCount() * options.scoring().windows().runs()))
              : Optional.empty();
      schema.rows().checkKept(options.groupBy(), "--group-by");
      if (options.hasBuckets()) {
        schema.rows().checkFree(Buckets.COLUMN);
      }
      this.tokenizer = scorer.tokenizer(schema);
      this.progress = spark.sparkContext().longAccumulator("tokens");
      this.bytesRead = spark.sparkContext().longAccumulator("bytes");
    }

    long run() {
      if (options.dryRun()) {
        dryRun();
        return 0;
      }
      String buckets =
          options.buckets() != null ? options.buckets().toString() : givenThresholds.toString();
      // Before the model is sent, too.
      Optional<UnitRun> units =
          plan.map(
              cut ->
                  UnitRun.plan(
                      output,
                      cut,
                      options.unitOptions(),
                      RunIdentity.of(
                          options.scoring(),
                          options.weights(),
                          schema,
                          source.checkpoint(),
                          tokenizer,
                          buckets,
                          spark.conf()),
                      context));
      Summary summary = units.isPresent() ? byUnits(units.get()) : atOnce();
      summary.print(out);
      if (output != null) {
        out.println("  written to " + Refusal.redacted(output.path().toString()));
      }
      report.ifPresent(file -> file.write(summary, timeline, out));
      out.flush();
      return summary.corpus().totals().errorRows() + summary.files().unread().size();
    }

    private void dryRun() {
      int cores = context.defaultParallelism();
      int tasks =
          plan.map(units -> units.units(target(units), List.of(units.inputs())).size())
              .orElseGet(
                  () ->
                      Input.partitions(
                          input.rows(schema.rows().inputNames(), null), options.inputOptions()));
      DryRun.print(options, source.checkpoint(), schema, input, inputSize(), tasks, cores, out);
    }

    private long target(UnitPlan units) {
      return options.targetUnitTokens() > 0
          ? options.targetUnitTokens()
          : units.targetTokens(context);
    }

    /** Unit by unit: each is there when it is done, and what is done stays. */
    private Summary byUnits(UnitRun run) {
      long start = System.nanoTime();
      List<Unit> missing = run.missing();
      // Of what is written: there may be no file to read it from.
      StructType columns = schema.outputSchema();
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
                input.parquet(),
                missing,
                schema,
                options.scoring(),
                scorer.partitions(schema, spark, progress),
                spark);
        Progress shown = showProgress(OptionalLong.of(runs(run.missingTokens())));
        run.begin();
        try {
          run.write(withGivenBuckets(scored));
        } finally {
          timeline = shown.stop();
        }
      }
      UnitRun.Result result = run.result();
      double seconds = seconds(start);
      if (output.hasSecondPass()) {
        run.end();
        Dataset<Row> scores = output.read(spark, output.scores(), columns);
        Map<String, Double> thresholds = thresholds(scores, result.totals());
        return output.write(
            Buckets.add(scores, thresholds),
            folder -> summary(run, result, columns, folder, thresholds, seconds),
            Summary::toJson);
      }
      Map<String, Double> thresholds =
          options.buckets() == null
              ? givenThresholds
              : Buckets.found(output.path().toString(), files);
      if (missing.isEmpty() && output.isWhole()) {
        return summary(run, result, columns, output.path(), thresholds, seconds);
      }
      run.end();
      return output.finish(
          () -> summary(run, result, columns, output.target(), thresholds, seconds),
          Summary::toJson);
    }

    private Summary summary(
        UnitRun run,
        UnitRun.Result result,
        StructType columns,
        Path folder,
        Map<String, Double> thresholds,
        double seconds) {
      Dataset<Row> written = output.read(spark, folder, columns);
      return new Summary(
          output.runId(),
          run.units(),
          run.units() - run.missing().size(),
          input.files().without(result.unreadable()),
          input.notes(),
          corpus(written, result.totals(), thresholds),
          options,
          result.documents(),
          result.totals().count(Totals.Count.DROPPED),
          seconds,
          describe(),
          tokenizer());
    }

    /** In one Spark job, whose output is there when all of it is done. */
    private Summary atOnce() {
      Dataset<Row> rows =
          Input.cut(input.rows(schema.rows().inputNames(), bytesRead), options.inputOptions());
      context.setJobDescription(description(options.demo() ? "the demo corpus" : "rows"));
      Dataset<Row> scored = withGivenBuckets(scorer.score(rows, progress));
      long start = System.nanoTime();
      Progress shown = showProgress(null);
      try {
        if (output == null) {
          List<Row> collected = scored.collectAsList();
          timeline = shown.stop();
          Dataset<Row> result = spark.createDataFrame(collected, scored.schema());
          return reported("demo", result, rows, seconds(start));
        }
        if (output.hasSecondPass()) {
          output.writeScores(scored);
          timeline = shown.stop();
          double seconds = seconds(start);
          Dataset<Row> scores = output.read(spark, output.scores(), scored.schema());
          Map<String, Double> thresholds;
          try {
            thresholds = thresholds(scores, totals(scores));
          } catch (RuntimeException e) {
            output.discardWithoutLedger();
            throw e;
          }
          Dataset<Row> parted = Buckets.add(scores, thresholds);
          return shown(
              output.write(
                  parted,
                  folder ->
                      summary(
                          output.runId(),
                          output.read(spark, folder, parted.schema()),
                          thresholds,
                          rows,
                          seconds),
                  Summary::toJson),
              parted.schema());
        }
        return shown(
            output.write(
                scored,
                folder -> {
                  double seconds = seconds(start);
                  timeline = shown.stop();
                  return summary(
                      output.runId(),
                      output.read(spark, folder, scored.schema()),
                      givenThresholds,
                      rows,
                      seconds);
                },
                Summary::toJson),
            scored.schema());
      } finally {
        shown.stop();
      }
    }

    /** What was not written: the demo without an output. */
    private Summary reported(String run, Dataset<Row> result, Dataset<Row> rows, double seconds) {
      Map<String, Double> thresholds =
          options.buckets() == null ? givenThresholds : thresholds(result, totals(result));
      Dataset<Row> parted = options.buckets() == null ? result : Buckets.add(result, thresholds);
      DemoReport.print(parted, options.groupBy().isEmpty(), out);
      out.println();
      return summary(run, parted, thresholds, rows, seconds);
    }

    /** Of the demo its documents, too. */
    private Summary shown(Summary summary, StructType written) {
      if (options.demo()) {
        DemoReport.print(
            output.read(spark, output.path(), written), options.groupBy().isEmpty(), out);
        out.println();
      }
      return summary;
    }

    private Dataset<Row> withGivenBuckets(Dataset<Row> scored) {
      return givenThresholds.isEmpty() ? scored : Buckets.add(scored, givenThresholds);
    }

    private Map<String, Double> thresholds(Dataset<Row> scores, Totals totals) {
      context.setJobDescription("Finding the buckets of %,d rows".formatted(totals.rows()));
      return options.buckets().thresholds(scores, totals.scoredRows());
    }

    /** For the page of Spark that shows jobs and stages. */
    private String description(String what) {
      String from =
          options.inputTable() != null
              ? options.inputTable()
              : Refusal.redacted(String.join(", ", options.input()));
      return "Scoring %s of %s with %s (%s)"
          .formatted(what, from, source.name(), source.checkpoint().fingerprint().substring(0, 12));
    }

    private Totals totals(Dataset<Row> scored) {
      return Totals.of(scored, options.scoring().emit(), schema.scores());
    }

    private Summary summary(
        String run,
        Dataset<Row> scored,
        Map<String, Double> thresholds,
        Dataset<Row> rows,
        double seconds) {
      Totals totals = totals(scored);
      ScoreOptions scoring = options.scoring();
      // A row without tokens leaves no row of logits, and one that is left out none at all, so only
      // the input can tell their number.
      boolean counted = scoring.emit().logits() || scoring.filters();
      long documents = counted ? rows.count() : totals.rows();
      return new Summary(
          run,
          0,
          0,
          input.files(),
          input.notes(),
          corpus(scored, totals, thresholds),
          options,
          documents,
          scoring.filters() ? documents - totals.rows() : 0,
          seconds,
          describe(),
          tokenizer());
    }

    private CorpusScores corpus(
        Dataset<Row> written, Totals totals, Map<String, Double> thresholds) {
      List<String> groupBy = options.groupBy();
      if (groupBy.isEmpty() && report.isEmpty()) {
        return new CorpusScores(totals, Groups.none(), null, thresholds);
      }
      context.setJobDescription("Summing up %,d rows".formatted(totals.rows()));
      Groups<Totals> groups =
          groupBy.isEmpty()
              ? Groups.none()
              : Totals.byGroup(written, options.scoring().emit(), schema.scores(), groupBy);
      List<String> shown = report.isPresent() ? schema.rows().showable() : List.of();
      return new CorpusScores(
          totals, groups, Distributions.of(written, groupBy, shown), thresholds);
    }

    private Map<String, Object> describe() {
      MambaCheckpoint checkpoint = source.checkpoint();
      Map<String, Object> model = new LinkedHashMap<>();
      model.put("path", source.name());
      model.put("fingerprint", checkpoint.fingerprint());
      model.put("weights", options.weights().name().toLowerCase(Locale.ROOT));
      model.put("weights_rounded", checkpoint.rounds(options.weights()));
      model.put("parameters", checkpoint.parameterCount());
      return model;
    }

    private Map<String, Object> tokenizer() {
      return tokenizer == null
          ? null
          : Map.of("path", tokenizer.name(), "fingerprint", tokenizer.fingerprint());
    }

    private Optional<InputSize> inputSize() {
      if (options.demo()) {
        return Optional.of(DemoCorpus.size());
      }
      return Optional.ofNullable(input.parquet())
          .map(parquet -> InputSize.of(parquet.files(), schema.rows().keptNames()));
    }

    /**
     * Shows how far the job is.
     *
     * @param total of tokens; null to find it beside the running job
     */
    private Progress showProgress(OptionalLong total) {
      return new Progress(
          context,
          progress,
          () -> total == null ? total(inputSize()) : total,
          bytesRead,
          options.limit() > 0 ? 0 : input.countedBytes(),
          Progress.terminal());
    }

    private OptionalLong total(Optional<InputSize> size) {
      // The size count all rows, and whole ones.
      boolean cut = options.limit() > 0 || options.scoring().maxTokens() > 0;
      return cut || size.isEmpty()
          ? OptionalLong.empty()
          : OptionalLong.of(runs(size.get().tokens()));
    }

    /** Windows may run a token more than once. */
    private long runs(long tokens) {
      return (long) (tokens * options.scoring().windows().runs());
    }
  }

  private static double seconds(long start) {
    return (System.nanoTime() - start) / 1e9;
  }
}
