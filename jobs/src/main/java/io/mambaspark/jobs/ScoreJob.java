package io.mambaspark.jobs;

import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.model.MambaCheckpoint;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs a scoring job from the model's files to the written scores. */
public final class ScoreJob {
  private static final Logger LOG = LoggerFactory.getLogger(ScoreJob.class);

  private static final String PLUGINS = "spark.plugins";
  private static final String BLOCK_SIZE = "spark.broadcast.blockSize";

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
    Configuration files = HadoopFiles.configuration();
    Output output = options.output() == null ? null : Output.at(options, files);
    Input.checkPaths(options, files);
    Input.checkApart(options, files);
    try (ModelSource source = ModelSource.open(options.model(), files)) {
      options.scoring().check(source.checkpoint().config());
      // Every weight is read here, and one that is not finite is found.
      source.checkpoint().fingerprint();
      if (source.checkpoint().rounds(options.weights())) {
        LOG.warn("--weights bf16 rounds weights that the checkpoint holds in more digits");
      }
      boolean ours = SparkSession.getDefaultSession().isEmpty();
      SparkSession spark = session();
      try {
        // Logs which kernels this JVM runs; executors say so too.
        Kernels.best();
        return SessionSettings.smallBatches(spark, () -> run(spark, source, output));
      } finally {
        spark.sparkContext().setJobDescription(null);
        if (ours) {
          quietly("stop Spark", spark::stop);
        }
      }
    }
  }

  /** Tables are most often those of a Hive metastore, which a session has to be told of. */
  private static boolean hiveIsThere() {
    try {
      ClassLoader loader = Thread.currentThread().getContextClassLoader();
      Class.forName("org.apache.spark.sql.hive.HiveSessionStateBuilder", false, loader);
      Class.forName("org.apache.hadoop.hive.conf.HiveConf", false, loader);
      return true;
    } catch (ClassNotFoundException | NoClassDefFoundError e) {
      return false;
    }
  }

  private SparkSession session() {
    SparkConf given = new SparkConf();
    SparkSession.Builder builder = SparkSession.builder().appName("mamba-spark score");
    if (!given.contains("spark.master")) {
      builder.master("local[*]");
    }
    if (given.get("spark.master", "local").startsWith("local")
        && !given.contains("spark.executor.heartbeatInterval")) {
      // Progress comes with heartbeats. On a cluster Spark's own ten seconds spare the driver.
      builder.config("spark.executor.heartbeatInterval", "1s");
    }
    if (!given.contains(BLOCK_SIZE)) {
      // A piece of 4 MB, Spark's default, and its header take one more region of G1's heap: with
      // regions of 2 MB half as much again as the weights of a broadcast.
      builder.config(BLOCK_SIZE, "4095k");
    }
    String plugins = given.get(PLUGINS, "");
    if (!plugins.contains(ScoringMetrics.class.getName())) {
      String ours = ScoringMetrics.class.getName();
      builder.config(PLUGINS, plugins.isEmpty() ? ours : plugins + "," + ours);
    }
    if (options.inputTable() != null
        && !given.contains("spark.sql.catalogImplementation")
        && hiveIsThere()) {
      builder.enableHiveSupport();
    }
    return builder.getOrCreate();
  }

  private long run(SparkSession spark, ModelSource source, Output output) {
    Configuration files = spark.sparkContext().hadoopConfiguration();
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    // Before Spark looks at the input, which takes a task.
    ModelDelivery.Mode delivery =
        options.dryRun()
            ? options.modelDelivery()
            : ModelMemory.choose(options.modelDelivery(), source, options.weights(), context);
    Optional<UnitPlan> plan = options.byUnits() ? UnitPlan.of(spark, options) : Optional.empty();
    Dataset<Row> input = plan.map(UnitPlan::rows).orElseGet(() -> Input.read(spark, options));
    ScoringSchema schema = ScoringSchema.of(input.schema(), options.scoring());
    Input.checkApart(input, options, files);
    if (options.dryRun()) {
      dryRun(source, context, plan, input, schema);
      return 0;
    }
    // Before the model is sent, too.
    Optional<UnitRun> units =
        plan.map(cut -> UnitRun.plan(output, cut, options, schema, source, context));
    try (ModelDelivery model = ModelDelivery.send(delivery, source, options.weights(), context)) {
      LongAccumulator progress = spark.sparkContext().longAccumulator("tokens");
      Summary summary =
          units.isPresent()
              ? byUnits(context, input, units.get(), source, model, output, progress)
              : atOnce(context, input, schema, source, model, output, progress);
      summary.print(out);
      if (output != null) {
        out.println("  written to " + HadoopFiles.redacted(output.path().toString()));
        out.flush();
      }
      return summary.totals().errorRows() + summary.unreadable().size();
    }
  }

  private void dryRun(
      ModelSource source,
      JavaSparkContext context,
      Optional<UnitPlan> plan,
      Dataset<Row> input,
      ScoringSchema schema) {
    int cores = context.defaultParallelism();
    long parameters = source.checkpoint().parameterCount();
    int tasks =
        plan.map(units -> units.units(target(units, parameters, context)).size())
            .orElseGet(() -> Input.partitions(input, options));
    DryRun.print(
        options,
        source.checkpoint(),
        schema,
        input.inputFiles(),
        plan.isPresent()
            ? Footers.of(plan.get().files(), schema.keptNames())
            : footers(input, schema, context.hadoopConfiguration()),
        tasks,
        cores,
        out);
  }

  private long target(UnitPlan plan, long parameters, JavaSparkContext context) {
    return options.targetUnitTokens() > 0
        ? options.targetUnitTokens()
        : plan.targetTokens(parameters, context);
  }

  /** Unit by unit: each is there when it is done, and what is done stays. */
  private Summary byUnits(
      JavaSparkContext context,
      Dataset<Row> input,
      UnitRun run,
      ModelSource source,
      ModelDelivery model,
      Output output,
      LongAccumulator progress) {
    long start = System.nanoTime();
    List<Unit> missing = run.missing();
    if (missing.isEmpty()) {
      run.begin();
    } else {
      context.setJobDescription(
          description(
              "%,d units, at most %,d tokens".formatted(missing.size(), run.missingTokens()),
              source));
      Dataset<Row> scored =
          Scoring.score(
              input,
              output.run(),
              missing,
              options.scoring(),
              source.checkpoint().config(),
              model,
              progress);
      Progress shown = progress(context, progress, () -> OptionalLong.of(run.missingTokens()));
      run.begin();
      try {
        run.write(scored);
      } finally {
        shown.stop();
      }
    }
    UnitRun.Result result = run.result();
    Summary summary =
        new Summary(
            output.run(),
            run.units(),
            run.units() - missing.size(),
            result.unreadable(),
            result.totals(),
            options.scoring().emit(),
            result.documents(),
            seconds(start),
            describe(source),
            options.byName());
    if (!missing.isEmpty() || !output.isWhole()) {
      run.end();
      output.finish(() -> summary, Summary::toJson);
    }
    return summary;
  }

  /** In one Spark job, whose output is there when all of it is done. */
  private Summary atOnce(
      JavaSparkContext context,
      Dataset<Row> input,
      ScoringSchema schema,
      ModelSource source,
      ModelDelivery model,
      Output output,
      LongAccumulator progress) {
    SparkSession spark = input.sparkSession();
    Dataset<Row> rows = Input.cut(input, options);
    context.setJobDescription(description(options.demo() ? "the demo corpus" : "rows", source));
    Dataset<Row> scored =
        Scoring.score(rows, options.scoring(), source.checkpoint().config(), model, progress);
    long start = System.nanoTime();
    Progress shown =
        progress(
            context, progress, () -> total(footers(input, schema, context.hadoopConfiguration())));
    Summary summary;
    Dataset<Row> result;
    try {
      if (output == null) {
        List<Row> collected = scored.collectAsList();
        shown.stop();
        double seconds = seconds(start);
        result = spark.createDataFrame(collected, scored.schema());
        summary = summary("demo", result, rows, seconds, source);
      } else {
        summary =
            output.write(
                scored,
                folder -> {
                  double seconds = seconds(start);
                  shown.stop();
                  Dataset<Row> written = written(spark, folder.toString(), scored);
                  return summary(output.run(), written, rows, seconds, source);
                },
                Summary::toJson);
        result = written(spark, output.path().toString(), scored);
      }
    } finally {
      shown.stop();
    }
    if (options.demo()) {
      Demo.report(result, out);
      out.println();
    }
    return summary;
  }

  /** For the page of Spark that shows jobs and stages. */
  private String description(String what, ModelSource source) {
    String from =
        options.inputTable() != null
            ? options.inputTable()
            : HadoopFiles.redacted(String.join(", ", options.input()));
    return "Scoring %s of %s with %s (%s)"
        .formatted(what, from, source.name(), source.checkpoint().fingerprint().substring(0, 12));
  }

  /** What fails after the outcome is there must not stand for it. */
  private static void quietly(String what, Runnable action) {
    try {
      action.run();
    } catch (RuntimeException e) {
      LOG.warn("Could not {}: {}", what, e.toString());
    }
  }

  /** What lies in the output, by the schema that it was written with. */
  private Dataset<Row> written(SparkSession spark, String folder, Dataset<Row> scored) {
    StructType schema = new StructType();
    for (StructField field : scored.schema().fields()) {
      schema = schema.add(field.name(), field.dataType(), true);
    }
    return spark.read().schema(schema).format(options.outputFormat()).load(folder);
  }

  private Summary summary(
      String run, Dataset<Row> scored, Dataset<Row> rows, double seconds, ModelSource source) {
    Emit emit = options.scoring().emit();
    Totals totals = Totals.of(scored, emit);
    // A row without tokens leaves no row of logits, so only the input can tell their number.
    long documents = emit.logits() ? rows.count() : totals.rows();
    return new Summary(
        run, 0, 0, Map.of(), totals, emit, documents, seconds, describe(source), options.byName());
  }

  private Map<String, Object> describe(ModelSource source) {
    MambaCheckpoint checkpoint = source.checkpoint();
    Map<String, Object> model = new LinkedHashMap<>();
    model.put("path", source.name());
    model.put("fingerprint", checkpoint.fingerprint());
    model.put("weights", options.weights().name().toLowerCase(Locale.ROOT));
    model.put("weights_rounded", checkpoint.rounds(options.weights()));
    model.put("parameters", checkpoint.parameterCount());
    return model;
  }

  private Optional<Footers> footers(Dataset<Row> input, ScoringSchema schema, Configuration files) {
    if (options.demo()) {
      return Optional.of(Demo.footers());
    }
    if (!options.inputFormat().equals("parquet")) {
      return Optional.empty();
    }
    List<ParquetFile> found =
        ParquetFile.read(input.inputFiles(), options.scoring().tokensColumn(), files);
    return Footers.of(found, schema.keptNames());
  }

  private OptionalLong total(Optional<Footers> footers) {
    // The footers count all rows, and whole ones.
    boolean cut = options.limit() > 0 || options.scoring().maxTokens() > 0;
    return cut || footers.isEmpty()
        ? OptionalLong.empty()
        : OptionalLong.of(footers.get().tokens());
  }

  private static Progress progress(
      JavaSparkContext context, LongAccumulator tokens, Supplier<OptionalLong> total) {
    PrintStream terminal = Progress.terminal();
    return new Progress(context, tokens, total, terminal);
  }

  private static double seconds(long start) {
    return (System.nanoTime() - start) / 1e9;
  }
}
