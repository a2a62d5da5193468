import io.mambaspark.jobs.MambaFunctions;
import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.ml.MambaPerplexity;
import io.mambaspark.jobs.sql.MambaExtensions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * The ways into a pipeline, on whatever Spark runs it: prints the same lines everywhere. {@code
 * scripts/versions.sh} runs it.
 */
public final class Smoke {
  private Smoke() {}

  public static void main(String[] args) throws Exception {
    SparkSession spark = SparkSession.builder().appName("smoke").getOrCreate();
    Dataset<Row> corpus =
        spark.sql(
            "SELECT * FROM VALUES ('a', 'It was the best of times, it was the worst of times.'),"
                + " ('b', 'times the it. best was of was It worst the of times,') AS v(id, text)");
    try (MambaScorer scorer = MambaScorer.load("demo").textColumn("text")) {
      print("api", scorer.score(corpus).selectExpr("id", "nll", "token_count", "perplexity"));
    }
    MambaPerplexity stage = new MambaPerplexity().setModel("demo").setTextColumn("text");
    Path saved = Files.createTempDirectory("mamba-spark-smoke").resolve("pipeline");
    new Pipeline()
        .setStages(new PipelineStage[] {stage})
        .fit(corpus)
        .write()
        .save(saved.toString());
    print(
        "ml",
        PipelineModel.load(saved.toString())
            .transform(corpus)
            .selectExpr("id", "nll", "token_count", "perplexity"));
    Path copied = saved.resolveSibling("copied");
    stage.setSaveModel(true).save(copied.toString());
    MambaPerplexity.load(copied.toString()).write().overwrite().save(copied.toString());
    Path moved = Files.move(copied, saved.resolveSibling("moved"));
    print(
        "copied",
        MambaPerplexity.load(moved.toString())
            .transform(corpus)
            .selectExpr("id", "nll", "token_count", "perplexity"));
    corpus.createOrReplaceTempView("corpus");
    print(
        "sql",
        spark.sql("SELECT id, s.nll, s.token_count, mamba_perplexity(text) AS perplexity FROM"
            + " (SELECT *, mamba_score(text) AS s FROM corpus)"));
    MambaExtensions.register(spark, "demo");
    print(
        "again",
        spark.sql("SELECT id, mamba_nll(text), s.token_count, s.perplexity FROM"
            + " (SELECT *, mamba_score(text) AS s FROM corpus)"));
    spark.sql("DESCRIBE FUNCTION mamba_nll").collectAsList().stream()
        .filter(row -> row.getString(0).startsWith("Usage:"))
        .forEach(row -> System.out.println(row.getString(0)));
    MambaFunctions.register(spark, "registered", "demo");
    print(
        "function",
        spark.sql("SELECT id, s.nll, s.token_count, s.perplexity FROM"
            + " (SELECT id, registered(text) AS s FROM corpus)"));
    spark.stop();
  }

  private static void print(String way, Dataset<Row> scored) {
    List<Row> rows = scored.sort("id").collectAsList();
    rows.forEach(row -> System.out.println(way + " " + row));
  }
}
