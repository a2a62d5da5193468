package io.mambaspark.jobs;

import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.engine.model.MambaConfig;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
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
   * @return the number of rows that could not be scored
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
      ModelBroadcast model = new ModelBroadcast(source.checkpoint(), options.weights());
      if (source.checkpoint().rounds(options.weights())) {
        LOG.warn("--weights bf16 rounds weights that the checkpoint holds in more digits");
      }
      boolean ours = SparkSession.getDefaultSession().isEmpty();
      SparkSession spark = session();
      try {
        // Logs which kernels this JVM runs; executors say so too.
        Kernels.best();
        return SmallBatches.during(spark, () -> run(spark, source, model, output));
      } finally {
        ModelBroadcast.Packed.drop(model.identity());
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
    if (options.inputTable() != null
        && !given.contains("spark.sql.catalogImplementation")
        && hiveIsThere()) {
      builder.enableHiveSupport();
    }
    return builder.getOrCreate();
  }

  private long run(SparkSession spark, ModelSource source, ModelBroadcast model, Output output) {
    MambaConfig config = source.checkpoint().config();
    Configuration files = spark.sparkContext().hadoopConfiguration();
    Dataset<Row> input = Input.read(spark, options);
    ScoringSchema schema = ScoringSchema.of(input.schema(), options.scoring());
    Input.checkApart(input, options, files);
    Dataset<Row> rows = Input.cut(input, options);
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    if (options.dryRun()) {
      DryRun.print(
          options,
          model.model(),
          schema,
          input.inputFiles(),
          footers(input, schema, files),
          Input.partitions(input, options),
          context.defaultParallelism(),
          out);
      return 0;
    }

    LongAccumulator progress = spark.sparkContext().longAccumulator("tokens");
    Broadcast<ModelBroadcast> broadcast = context.broadcast(model);
    try {
      Dataset<Row> scored = Scoring.score(rows, options.scoring(), config, broadcast, progress);
      long start = System.nanoTime();
      Summary summary;
      Dataset<Row> result;
      if (output == null) {
        List<Row> collected;
        Progress shown = progress(context, progress, () -> total(footers(input, schema, files)));
        try {
          collected = scored.collectAsList();
        } finally {
          shown.stop();
        }
        double seconds = seconds(start);
        result = spark.createDataFrame(collected, scored.schema());
        summary = summary(result, rows, seconds, source);
      } else {
        Progress shown = progress(context, progress, () -> total(footers(input, schema, files)));
        try {
          summary =
              output.write(
                  scored,
                  newRun(),
                  folder -> {
                    double seconds = seconds(start);
                    shown.stop();
                    return summary(
                        written(spark, folder.toString(), scored), rows, seconds, source);
                  },
                  Summary::toJson);
        } finally {
          shown.stop();
        }
        result = written(spark, output.path().toString(), scored);
      }
      if (options.demo()) {
        Demo.report(result, out);
        out.println();
      }
      summary.print(out);
      if (output != null) {
        out.println("  written to " + output.path());
        out.flush();
      }
      return summary.totals().errorRows();
    } finally {
      quietly("remove the model from the executors", broadcast::destroy);
    }
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
      Dataset<Row> scored, Dataset<Row> rows, double seconds, ModelSource source) {
    Emit emit = options.scoring().emit();
    Totals totals = Totals.of(scored, emit);
    // A row without tokens leaves no row of logits, so only the input can tell their number.
    long documents = emit.logits() ? rows.count() : totals.rows();
    MambaCheckpoint checkpoint = source.checkpoint();
    Map<String, Object> model = new LinkedHashMap<>();
    model.put("path", source.name());
    model.put("fingerprint", checkpoint.fingerprint());
    model.put("weights", options.weights().name().toLowerCase(Locale.ROOT));
    model.put("weights_rounded", checkpoint.rounds(options.weights()));
    model.put("parameters", checkpoint.parameterCount());
    return new Summary(totals, emit, documents, seconds, model, options.byName());
  }

  private Optional<Footers> footers(Dataset<Row> input, ScoringSchema schema, Configuration files) {
    if (options.demo()) {
      return Optional.of(Demo.footers());
    }
    if (!options.inputFormat().equals("parquet")) {
      return Optional.empty();
    }
    return Footers.read(
        input.inputFiles(),
        options.scoring().tokensColumn(),
        Set.copyOf(schema.keptNames()),
        files);
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

  private static String newRun() {
    return DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss")
            .withZone(ZoneOffset.UTC)
            .format(Instant.now())
        + "-"
        + UUID.randomUUID().toString().substring(0, 8);
  }
}
