package io.mambaspark.examples;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.mambaspark.jobs.Main;
import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.ml.MambaPerplexity;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.feature.QuantileDiscretizer;
import org.apache.spark.ml.feature.SQLTransformer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.Trigger;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs the Java examples of README and {@code jobs/docs}, which {@link DocsTest} compares with this
 * class, on twenty documents of the demo. {@code scripts/python.sh} runs the SQL and Python
 * examples.
 */
class ExamplesTest {
  private static final String DEMO = "src/main/resources/io/mambaspark/jobs/demo/corpus.jsonl";
  private static final String RECORDED = "src/test/resources/harness/choices.jsonl";

  @TempDir Path folder;
  private SparkSession spark;
  private LocalFileSystem files;
  private org.apache.hadoop.fs.Path home;

  /** Makes relative paths refer to a folder of this test. */
  @BeforeEach
  void makeCorpus() throws IOException {
    spark = SparkSession.builder().master("local[2]").getOrCreate();
    files = FileSystem.getLocal(spark.sparkContext().hadoopConfiguration());
    home = files.getWorkingDirectory();
    Dataset<Row> demo = spark.read().json(DEMO);
    files.setWorkingDirectory(new org.apache.hadoop.fs.Path(folder.toUri()));
    demo.selectExpr("id", "substring(text, 1, 300) AS text")
        .orderBy("id")
        .limit(20)
        .coalesce(1)
        .write()
        .parquet("corpus");
  }

  @AfterEach
  void restore() {
    files.setWorkingDirectory(home);
  }

  /** Returns the perplexities that the command line computes, the lowest first. */
  private List<Row> byCommand() {
    String[] args = {
      "score", "--model", "demo", "--input", "corpus", "--text-column", "text", "--output", "all"
    };
    assertThat(Main.run(new PrintWriter(System.out), new PrintWriter(System.err), args)).isZero();
    return spark.read().parquet("all").orderBy("perplexity").collectAsList();
  }

  private List<Row> written(String path) {
    return spark.read().parquet(path).orderBy("perplexity").collectAsList();
  }

  @Test
  void a_corpus_is_filtered_by_percentile() {
    Dataset<Row> corpus = spark.read().parquet("corpus");

    // As documented.
    try (MambaScorer scorer = MambaScorer.load("demo").textColumn("text")) {
      scorer.score(corpus).write().parquet("scores");
    }
    Dataset<Row> scores = spark.read().parquet("scores");
    double p90 = scores.stat().approxQuantile("perplexity", new double[] {0.9}, 0)[0];
    scores.where(col("perplexity").leq(p90)).write().parquet("filtered");

    assertThat(written("filtered")).isEqualTo(byCommand().subList(0, 18));
  }

  @Test
  void a_pipeline_filters_by_percentile() throws IOException {
    Dataset<Row> corpus = spark.read().parquet("corpus");

    // As documented.
    Pipeline pipeline =
        new Pipeline()
            .setStages(
                new PipelineStage[] {
                  new MambaPerplexity().setModel("demo").setTextColumn("text"),
                  new QuantileDiscretizer()
                      .setInputCol("perplexity")
                      .setOutputCol("decile")
                      .setNumBuckets(10)
                      .setHandleInvalid("skip"),
                  new SQLTransformer().setStatement("SELECT * FROM __THIS__ WHERE decile < 9")
                });
    pipeline.fit(corpus).save("filter");
    PipelineModel.load("filter").transform(corpus).write().parquet("filtered");

    List<Row> filtered =
        spark.read().parquet("filtered").drop("decile").orderBy("perplexity").collectAsList();
    assertThat(filtered).isEqualTo(byCommand().subList(0, filtered.size()));
    assertThat(filtered).hasSizeBetween(17, 18);
  }

  @Test
  void a_stream_is_scored_every_night() throws Exception {
    StructType schema = spark.read().parquet("corpus").schema();
    // A stream resolves relative paths against the JVM's working folder.
    String nightly = folder.resolve("nightly").toString();
    String checkpoint = folder.resolve("checkpoint").toString();

    // As documented.
    try (MambaScorer scorer = MambaScorer.load("demo").textColumn("text")) {
      scorer
          .score(spark.readStream().schema(schema).parquet("corpus"))
          .writeStream()
          .format("parquet")
          .option("path", nightly)
          .option("checkpointLocation", checkpoint)
          .trigger(Trigger.AvailableNow())
          .start()
          .awaitTermination();
    }

    assertThat(written(nightly)).isEqualTo(byCommand());
  }

  /**
   * Compares {@code acc}, {@code acc_norm} and each score with those that lm-evaluation-harness
   * computed for the same items, see {@code scripts/harness.sh}.
   */
  @Test
  void choices_have_the_accuracies_of_lm_evaluation_harness() {
    Dataset<Row> recorded = spark.read().json(Path.of(RECORDED).toAbsolutePath().toString());
    Dataset<Row> choices =
        recorded
            .selectExpr("query", "gold", "posexplode(choices) AS (place, choice)")
            .selectExpr(
                "query AS question_id", "query AS question", "choice", "place = gold AS correct");

    // As documented.
    MambaScorer scorer =
        MambaScorer.load("demo").contextAndContinuationColumns("question", "continuation");
    scorer
        .score(
            choices
                .withColumn("continuation", concat(lit(" "), col("choice")))
                .repartition(col("question"))
                .sortWithinPartitions("question"))
        .createOrReplaceTempView("scored");
    Row accuracy =
        spark
            .sql(
                "SELECT avg(int(correct)) AS acc, avg(int(correct_by_length)) AS acc_norm"
                    + " FROM (SELECT min_by(correct, nll) AS correct,"
                    + " min_by(correct, nll / length(choice)) AS correct_by_length"
                    + " FROM scored GROUP BY question_id)")
            .first();
    scorer.close();

    Row expected = recorded.selectExpr("avg(acc)", "avg(acc_norm)").first();
    assertThat(accuracy).isEqualTo(expected);
    choices
        .withColumn("continuation", concat(lit(" "), col("choice")))
        .coalesce(1)
        .write()
        .parquet("questions");
    String[] args = {
      "score",
      "--model",
      "demo",
      "--input",
      "questions",
      "--output",
      "all",
      "--context-column",
      "question",
      "--continuation-column",
      "continuation"
    };
    assertThat(Main.run(new PrintWriter(System.out), new PrintWriter(System.err), args)).isZero();
    Map<String, Row> items =
        spark
            .read()
            .parquet("all")
            .groupBy("question_id")
            .agg(
                expr("int(min_by(correct, nll))"),
                expr("int(min_by(correct, nll / length(choice)))"),
                expr("int(min_by(correct, nll / length(continuation)))"),
                expr("map_from_entries(collect_list(struct(choice, -nll)))"))
            .collectAsList()
            .stream()
            .collect(Collectors.toMap(row -> row.getString(0), row -> row));
    boolean delimiterMatters = false;
    for (Row sample : recorded.collectAsList()) {
      Row item = items.get(sample.<String>getAs("query"));
      assertThat(item.getInt(1)).as(sample.toString()).isEqualTo(number(sample, "acc"));
      assertThat(item.getInt(2)).as(sample.toString()).isEqualTo(number(sample, "acc_norm"));
      delimiterMatters |= item.getInt(3) != number(sample, "acc_norm");
      List<String> texts = sample.getList(sample.fieldIndex("choices"));
      List<Double> loglikelihoods = sample.getList(sample.fieldIndex("loglikelihoods"));
      Map<String, Double> scores = item.getJavaMap(4);
      assertThat(scores).containsOnlyKeys(texts);
      for (int i = 0; i < texts.size(); i++) {
        assertThat(scores.get(texts.get(i)))
            .as(texts.get(i))
            .isCloseTo(loglikelihoods.get(i), within(1e-5));
      }
    }
    assertThat(delimiterMatters).isTrue();
  }

  private static int number(Row sample, String column) {
    return Math.toIntExact(sample.<Long>getAs(column));
  }
}
