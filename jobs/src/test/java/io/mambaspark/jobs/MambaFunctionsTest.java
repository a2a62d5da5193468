package io.mambaspark.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.mambaspark.jobs.io.DemoCorpus;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.spark.Failures;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The scoring function in SQL. */
class MambaFunctionsTest {
  private static final String CORPUS =
      "(SELECT id, substring(text, 1, 200) AS text, slice(tokens, 1, 40) AS tokens FROM demo)";

  @TempDir static Path folder;

  private static SparkSession spark;
  private static MambaScorer scorer;

  @BeforeAll
  static void register() {
    spark = TestSpark.session();
    String corpus = folder.resolve("corpus").toString();
    spark
        .createDataFrame(DemoCorpus.rows().subList(90, 120), DemoCorpus.SCHEMA)
        .write()
        .parquet(corpus);
    spark.read().parquet(corpus).createOrReplaceTempView("demo");
    scorer = MambaScorer.load("demo");
    MambaFunctions.register(spark, "mamba_score", "demo");
  }

  @AfterAll
  static void close() {
    scorer.close();
  }

  @Test
  void a_function_returns_the_scores_of_texts_and_tokens() {
    for (String column : List.of("text", "tokens")) {
      List<Row> found =
          spark
              .sql(
                  "SELECT id, s.nll, s.token_count, s.perplexity, s.error FROM (SELECT id,"
                      + " mamba_score(%s) AS s FROM %s) ORDER BY id".formatted(column, CORPUS))
              .collectAsList();
      MambaScorer same = column.equals("text") ? scorer.textColumn("text") : scorer;
      List<Row> expected =
          same.keepColumns("id")
              .score(spark.sql("SELECT * FROM " + CORPUS))
              .selectExpr("id", "nll", "token_count", "perplexity", "error")
              .sort("id")
              .collectAsList();
      assertThat(found).isEqualTo(expected).hasSize(30);
    }
  }

  @Test
  void a_function_returns_signals() {
    String emit = "token-entropy,entropy,min-k=20,min-k-plus-plus=20,curvature,longest-greedy-run";
    MambaFunctions.register(spark, "audit", "demo", emit);
    String[] columns = {
      "nll",
      "token_entropy",
      "entropy",
      "min_k",
      "min_k_plus_plus",
      "curvature",
      "longest_greedy_run",
      "error"
    };
    List<Row> found =
        spark
            .sql("SELECT id, audit(text) AS s FROM " + CORPUS + " ORDER BY id")
            .selectExpr(Arrays.stream(columns).map("s."::concat).toArray(String[]::new))
            .collectAsList();
    List<Row> expected =
        scorer
            .textColumn("text")
            .keepColumns("id")
            .emit(emit)
            .score(spark.sql("SELECT * FROM " + CORPUS))
            .sort("id")
            .selectExpr(columns)
            .collectAsList();
    assertThat(found).isEqualTo(expected).hasSize(30);

    Row missing = spark.sql("SELECT s.* FROM (SELECT audit(CAST(NULL AS STRING)) AS s)").first();
    for (String column : columns) {
      assertThat(missing.isNullAt(missing.fieldIndex(column))).as(column).isTrue();
    }
    assertThatThrownBy(() -> MambaFunctions.register(spark, "wrong", "demo", "entropy,top-k=2"))
        .hasMessage(
            "A function cannot return top-k=2,entropy; expected perplexity and signals such as"
                + " entropy,min-k=20");
  }

  @Test
  void a_row_that_is_filtered_and_selected_is_scored_once() {
    LongAccumulator run = spark.sparkContext().longAccumulator("run");
    MambaFunctions.register(spark, "counted", scorer, Emit.PERPLEXITY, run);
    Dataset<Row> cheap =
        spark.sql(
            "SELECT id, counted(tokens).perplexity FROM "
                + CORPUS
                + " WHERE counted(tokens).nll > 0 AND counted(tokens).token_count = 39");
    assertThat(cheap.collectAsList()).hasSize(30);
    // All tokens of each row except the last.
    assertThat(run.sum()).isEqualTo(30 * 39);
  }

  @Test
  void a_bad_row_has_an_error_and_a_missing_one_has_no_scores() {
    List<Row> rows =
        spark
            .sql(
                "SELECT s.* FROM (SELECT mamba_score(t) AS s FROM VALUES (array(1, 4096)),"
                    + " (array(7)), (CAST(null AS array<int>)), (array(1, null)) AS v(t))")
            .collectAsList();
    assertThat(rows.get(0).getString(3))
        .isEqualTo("Token id 4096 at position 1 is outside [0, 4096)");
    assertThat(rows.get(1)).isEqualTo(RowFactory.create(0.0, 0L, null, null));
    assertThat(rows.get(2)).isEqualTo(RowFactory.create(null, null, null, null));
    assertThat(rows.get(3).getString(3)).isEqualTo("Token at position 1 is null");
  }

  @Test
  void a_model_without_a_tokenizer_scores_only_tokens() {
    Path model = TestModels.write(folder.resolve("model"));
    MambaFunctions.register(spark, "bare", model.toString());
    assertThat(spark.sql("SELECT bare(array(1, 2, 3)).token_count").first().getLong(0))
        .isEqualTo(2);
    assertThat(
            Failures.oneLine(
                catchThrowable(() -> spark.sql("SELECT bare('text').nll").collectAsList())))
        .isEqualTo(
            "Cannot score a text: the function's model has no tokenizer.json in its folder; call"
                + " the function with token ids, or add the file and register the function again");
    assertThatThrownBy(() -> MambaFunctions.register(spark, "none", "/no/such/model"))
        .isInstanceOf(Refusal.class);
  }
}
