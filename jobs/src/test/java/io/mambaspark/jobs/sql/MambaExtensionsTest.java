package io.mambaspark.jobs.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.Refusal;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class MambaExtensionsTest {
  private static SparkSession before;
  private static SparkSession spark;

  /** A session without the extension. */
  private static SparkSession plain;

  @BeforeAll
  static void startSession() {
    before = SparkSession.builder().master("local[2]").getOrCreate();
    plain = before.newSession();
    SparkSession.clearActiveSession();
    SparkSession.clearDefaultSession();
    spark = SparkSession.builder().withExtensions(new MambaExtensions()).getOrCreate();
  }

  @AfterAll
  static void restoreSession() {
    SparkSession.setDefaultSession(before);
    SparkSession.setActiveSession(before);
  }

  @Test
  void the_functions_of_a_session_score_in_queries_and_views() {
    spark.conf().set(MambaExtensions.MODEL, "demo");
    spark.sql(
        "CREATE OR REPLACE TEMPORARY VIEW scored AS SELECT t, mamba_score(t) AS s,"
            + " mamba_perplexity(t) AS p, mamba_nll(t) AS n FROM VALUES ('It was the best of"
            + " times.'), ('times best the of was It'), ('') AS v(t)");
    List<Row> rows = spark.sql("SELECT s.perplexity, s.nll, p, n FROM scored").collectAsList();
    try (MambaScorer scorer = MambaScorer.load("demo").textColumn("t").keepColumns()) {
      List<Row> expected =
          scorer
              .score(spark.sql("SELECT t FROM scored"))
              .selectExpr("perplexity", "nll", "perplexity", "nll")
              .collectAsList();
      assertThat(rows).isEqualTo(expected).hasSize(3);
    }
    assertThat(spark.sql("SELECT t FROM scored WHERE mamba_perplexity(t) < 1000").count())
        .isEqualTo(rows.stream().filter(r -> !r.isNullAt(0) && r.getDouble(0) < 1000).count());
  }

  @Test
  void the_struct_has_the_signals_that_a_setting_lists() {
    spark.conf().set(MambaExtensions.MODEL, "demo");
    spark.conf().set(MambaExtensions.EMIT, "entropy,min-k=20");
    try {
      String text = "'It was the best of times.'";
      Row row =
          spark
              .sql(
                  "SELECT s.*, mamba_nll(%1$s) AS n FROM (SELECT mamba_score(%1$s) AS s)"
                      .formatted(text))
              .first();
      assertThat(row.schema().fieldNames())
          .containsExactly("nll", "token_count", "perplexity", "error", "entropy", "min_k", "n");
      assertThat(row.<Double>getAs("n")).isEqualTo(row.<Double>getAs("nll"));
      assertThat(row.<Double>getAs("entropy")).isPositive();
      assertThat(row.<Double>getAs("min_k")).isNegative();
      spark.conf().set(MambaExtensions.EMIT, "top-k=2");
      assertThatThrownBy(() -> spark.sql("SELECT mamba_score('a')"))
          .hasMessageContaining("A function cannot return top-k=2");
    } finally {
      spark.conf().unset(MambaExtensions.EMIT);
    }
  }

  @Test
  void describe_function_shows_the_usage() {
    assertThat(spark.sql("DESCRIBE FUNCTION mamba_perplexity").collectAsList())
        .extracting(row -> row.getString(0))
        .anyMatch(line -> line.contains("mamba_perplexity(document) - Scores a text"));
  }

  @Test
  void a_session_without_the_extension_gets_the_same_functions() {
    String texts =
        "VALUES ('It was the best of times.'), ('times best the of was It'), ('') AS v(t)";
    String scores =
        "SELECT mamba_score(t), mamba_perplexity(t), mamba_nll(t) FROM "
            + texts
            + " WHERE coalesce(mamba_nll(t), 0) >= 0";
    assertThatThrownBy(() -> plain.sql(scores)).hasMessageContaining("mamba_score");
    assertThatThrownBy(() -> MambaExtensions.register(plain, "/no/such/model"))
        .isInstanceOf(Refusal.class)
        .hasMessage("Cannot open model /no/such/model: no such folder");
    assertThat(plain.conf().contains(MambaExtensions.MODEL)).isFalse();
    MambaExtensions.register(plain, "demo");
    // A second registration is allowed.
    MambaExtensions.register(plain, "demo");

    spark.conf().set(MambaExtensions.MODEL, "demo");
    assertThat(plain.sql(scores).collectAsList())
        .isEqualTo(spark.sql(scores).collectAsList())
        .hasSize(3);
    for (String name : List.of("mamba_score", "mamba_perplexity", "mamba_nll")) {
      assertThat(plain.sql("DESCRIBE FUNCTION EXTENDED " + name).collectAsList())
          .isEqualTo(spark.sql("DESCRIBE FUNCTION EXTENDED " + name).collectAsList());
    }
    // Other sessions do not get the functions.
    assertThatThrownBy(() -> before.newSession().sql(scores)).hasMessageContaining("mamba_score");
  }

  @Test
  void a_query_without_a_model_names_the_setting() {
    spark.conf().unset(MambaExtensions.MODEL);
    assertThatThrownBy(() -> spark.sql("SELECT mamba_nll('a')"))
        .hasMessageContaining(
            "Cannot score: spark.mambaspark.model is not set; set it to a checkpoint's folder");
  }
}
