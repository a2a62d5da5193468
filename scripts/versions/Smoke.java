import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;

import io.mambaspark.jobs.Main;
import io.mambaspark.jobs.MambaFunctions;
import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.ml.MambaPerplexity;
import io.mambaspark.jobs.sql.MambaExtensions;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;

/**
 * Scores through every API, and through the command on inputs that versions of Spark read
 * differently. Must print the same lines on every version. {@code scripts/versions.sh} runs it.
 */
public final class Smoke {
  private Smoke() {}

  public static void main(String[] args) throws Exception {
    SparkSession spark = SparkSession.builder().appName("smoke").getOrCreate();
    Path folder = Files.createTempDirectory("mamba-spark-smoke");
    // From a file, because Spark evaluates functions of literal rows on the driver.
    spark
        .sql(
            "SELECT * FROM VALUES ('a', 'It was the best of times, it was the worst of times.'),"
                + " ('b', 'times the it. best was of was It worst the of times,') AS v(id, text)")
        .write()
        .parquet(folder + "/corpus");
    Dataset<Row> corpus = spark.read().parquet(folder + "/corpus");
    try (MambaScorer scorer = MambaScorer.load("demo").textColumn("text")) {
      print("api", scorer.score(corpus));
      // Scala 2.12 and 2.13 have different classes for lambdas, sequences and maps.
      String kept = "map(id, named_struct('dates', array(date'1582-10-10', null))) AS kept";
      scorer.score(corpus.selectExpr("*", kept)).sort("id").selectExpr("string(kept)")
          .collectAsList().forEach(row -> System.out.println("kept " + row));
      stream(scorer, corpus, folder);
      // Exact sums of integers have the same bits on all kernels.
      for (String weights : List.of("int8", "int8-out16", "int16")) {
        print(weights, scorer.weights(weights).score(corpus));
      }
    }
    pipeline(corpus, folder);
    sql(spark, corpus);
    // Integer types of all widths in one folder, a column without values in one of two files, nested
    // folders, and JSON lines.
    files(spark, args[0] + "/int-widths/in/i64first", "--keep-columns id", folder + "/widths");
    files(spark, args[0] + "/kept-column-null-first/in", "--text-column text", folder + "/nulls");
    files(spark, args[0] + "/nested-folders/in", "--text-column text --limit 99", folder + "/once");
    files(
        spark,
        args[0] + "/json-lines/in",
        "--input-format json --text-column text",
        folder + "/lines");
    spark.stop();
  }

  private static void stream(MambaScorer scorer, Dataset<Row> corpus, Path folder)
      throws Exception {
    SparkSession spark = corpus.sparkSession();
    StreamingQuery query =
        scorer
            .score(spark.readStream().schema(corpus.schema()).parquet(folder + "/corpus"))
            .writeStream()
            .format("parquet")
            .option("checkpointLocation", folder + "/checkpoint")
            .trigger(Trigger.AvailableNow())
            .start(folder + "/scores");
    query.awaitTermination();
    print("stream", spark.read().parquet(folder + "/scores"));
    int code =
        Main.run(
            new PrintWriter(System.err, true),
            new PrintWriter(System.err, true),
            ("score --stream --model demo --text-column text --input " + folder + "/corpus --output "
                    + folder + "/streamed")
                .split(" "));
    if (code != 0) {
      throw new AssertionError("score --stream failed with exit code " + code);
    }
    print("command", spark.read().parquet(folder + "/streamed"));
  }

  /** Scores files with the command in the current session, and prints the rows. */
  private static void files(SparkSession spark, String input, String options, String output) {
    int code =
        Main.run(
            new PrintWriter(System.err, true),
            new PrintWriter(System.err, true),
            ("score --model demo --input " + input + " --output " + output + " " + options)
                .split(" "));
    if (code != 0) {
      throw new AssertionError("score failed with exit code " + code + " for input " + input);
    }
    String name = output.substring(output.lastIndexOf('/') + 1);
    spark.read().parquet(output).selectExpr("id", "nll", "token_count", "error").collectAsList()
        .stream()
        .map(row -> name + " " + row)
        .sorted()
        .forEach(System.out::println);
  }

  private static void pipeline(Dataset<Row> corpus, Path folder) throws Exception {
    MambaPerplexity stage = new MambaPerplexity().setModel("demo").setTextColumn("text");
    new Pipeline()
        .setStages(new PipelineStage[] {stage})
        .fit(corpus)
        .write()
        .save(folder + "/pipeline");
    print("ml", PipelineModel.load(folder + "/pipeline").transform(corpus));
    stage.setSaveModel(true).save(folder + "/copied");
    MambaPerplexity.load(folder + "/copied").write().overwrite().save(folder + "/copied");
    Files.move(folder.resolve("copied"), folder.resolve("moved"));
    print("moved", MambaPerplexity.load(folder + "/moved").transform(corpus));
  }

  private static void sql(SparkSession spark, Dataset<Row> corpus) {
    corpus.createOrReplaceTempView("corpus");
    print(
        "sql",
        spark.sql("SELECT id, s.nll, s.token_count, mamba_perplexity(text) AS perplexity FROM"
            + " (SELECT *, mamba_score(text) AS s FROM corpus)"));
    spark.sql(
        "CREATE TEMPORARY VIEW likely AS SELECT id, mamba_score(text) AS s FROM corpus"
            + " WHERE mamba_perplexity(text) < 1000");
    print("view", spark.table("likely").select("id", "s.nll", "s.token_count", "s.perplexity"));
    spark
        .sql("DESCRIBE FUNCTION mamba_nll")
        .collectAsList()
        .forEach(row -> System.out.println("describe " + row.getString(0)));
    MambaExtensions.register(spark, "demo");
    print(
        "again",
        spark.sql("SELECT id, mamba_nll(text) AS nll, s.token_count, s.perplexity FROM"
            + " (SELECT *, mamba_score(text) AS s FROM corpus)"));
    MambaFunctions.register(spark, "registered", "demo");
    print("function", corpus.withColumn("s", expr("registered(text)")).select(col("id"), col("s.*")));
  }

  private static void print(String way, Dataset<Row> scored) {
    scored.select("id", "nll", "token_count", "perplexity").collectAsList().stream()
        .sorted(Comparator.comparing(row -> row.getString(0)))
        .forEach(row -> System.out.println(way + " " + row));
  }
}
