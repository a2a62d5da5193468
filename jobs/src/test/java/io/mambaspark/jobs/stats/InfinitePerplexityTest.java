package io.mambaspark.jobs.stats;

import static io.mambaspark.jobs.TestScores.byId;
import static io.mambaspark.jobs.TestScores.scored;
import static io.mambaspark.jobs.TestScores.write;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.MambaFunctions;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestScores;
import io.mambaspark.jobs.TestSpark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests rows with a finite nll and a perplexity that is too large for a double. */
class InfinitePerplexityTest {
  @TempDir static Path shared;
  @TempDir Path own;

  private static Path model;
  private static Path corpus;
  private static Cli plainRun;
  private static Map<String, Row> plain;

  /** The perplexities by document id, including infinite ones. */
  private static final Map<String, Double> PERPLEXITIES = new LinkedHashMap<>();

  private static long infinite;
  private Path output;

  @BeforeAll
  static void score() {
    model = TestModels.write(shared.resolve("model"), 400);
    Random random = new Random(5);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 24; i++) {
      int[] tokens = random.ints(i == 9 ? 1 : i % 12 + 2, 0, TestModels.VOCABULARY).toArray();
      rows.add(RowFactory.create("row-%02d".formatted(i), "kind-" + i % 2, tokens));
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.StringType)
            .add("kind", DataTypes.StringType)
            .add("tokens", TestScores.TOKENS);
    corpus = write(shared.resolve("corpus"), 5, schema, rows);
    Path all = shared.resolve("all");
    plainRun =
        scored(model, corpus, all, "--group-by", "kind", "--report", shared.resolve("report.html"));
    plain = byId(all);
    plain.forEach(
        (id, row) -> {
          long tokens = row.getAs("token_count");
          if (tokens > 0) {
            PERPLEXITIES.put(id, StrictMath.exp(row.<Double>getAs("nll") / tokens));
          }
        });
    infinite = PERPLEXITIES.values().stream().filter(p -> p.isInfinite()).count();
  }

  @BeforeEach
  void nameOutput() {
    output = own.resolve("scores");
  }

  @Test
  void the_rows_keep_nll_and_token_count_and_have_no_error() throws IOException {
    assertThat(PERPLEXITIES).hasSize(23);
    assertThat(infinite).isBetween(5L, 18L);
    plain.forEach(
        (id, row) -> {
          Double perplexity = PERPLEXITIES.get(id);
          assertThat(row.<String>getAs("error")).isNull();
          assertThat(row.<Double>getAs("perplexity"))
              .isEqualTo(perplexity == null || perplexity.isInfinite() ? null : perplexity);
        });
    JsonNode json = TestOutput.summary(shared.resolve("all"));
    assertThat(json.get("error_documents").asInt()).isZero();
    assertThat(json.get("scored_documents").asInt()).isEqualTo(23);
    assertThat(json.get("too_short_documents").asInt()).isEqualTo(1);
    assertThat(json.get("nll").isNumber()).isTrue();
    assertThat(json.get("mean_document_perplexity").isNull()).isTrue();
    assertThat(plainRun.out()).containsPattern("mean document perplexity +Infinity\n");
    for (String line : json.toPrettyString().split("\n")) {
      assertThat(line).doesNotContain("Infinity", "NaN");
    }
  }

  @Test
  void percentiles_are_infinite_and_the_report_mentions_it() throws IOException {
    double[] sorted = PERPLEXITIES.values().stream().mapToDouble(p -> p).sorted().toArray();
    JsonNode percentiles = TestOutput.summary(shared.resolve("all")).get("perplexity_percentiles");
    // Percentiles 25 and 75 of 23 documents are halfway between two documents.
    assertThat(percentiles.get("p25").asDouble()).isEqualTo((sorted[5] + sorted[6]) / 2);
    assertThat(sorted[17]).isInfinite();
    assertThat(percentiles.get("p75").isNull()).isTrue();
    assertThat(percentiles.get("p99").isNull()).isTrue();
    assertThat(Files.readString(shared.resolve("report.html")))
        .contains(
            infinite
                + " documents have an infinite perplexity: exp(nll / tokens) is too large for a"
                + " double.")
        .contains("<div class=\"value\">∞")
        .doesNotContain("Infinity", "NaN");
  }

  @Test
  void bounds_treat_the_perplexity_as_infinite() throws IOException {
    scored(model, corpus, output, "--max-perplexity", "1e300");
    List<String> above =
        PERPLEXITIES.keySet().stream().filter(id -> PERPLEXITIES.get(id) > 1e300).toList();
    assertThat(above).hasSizeGreaterThanOrEqualTo((int) infinite);
    assertThat(byId(output))
        .hasSize(24 - above.size())
        .doesNotContainKeys(above.toArray(new String[0]));
    JsonNode json = TestOutput.summary(output);
    assertThat(json.get("filtered_documents").asInt()).isEqualTo(above.size());
    assertThat(json.get("mean_document_perplexity").isNumber()).isTrue();
    Path bounded = own.resolve("bounded");
    scored(model, corpus, bounded, "--min-perplexity", "1e300", "--partitions", 2);
    assertThat(byId(bounded)).containsKeys(above.toArray(new String[0])).hasSize(above.size() + 1);
  }

  @Test
  void buckets_treat_the_perplexity_as_infinite() throws IOException {
    double[] sorted = PERPLEXITIES.values().stream().mapToDouble(p -> p).sorted().toArray();
    Map<String, String> expected = new LinkedHashMap<>();
    double head = sorted[2] + 0.2 * (sorted[3] - sorted[2]);
    plain
        .keySet()
        .forEach(
            id -> {
              Double p = PERPLEXITIES.get(id);
              expected.put(
                  id, p == null ? null : p < head ? "head" : p.isInfinite() ? "tail" : "middle");
            });
    assertThat(expected.values()).contains("head", "middle", "tail", null);
    scored(model, corpus, output, "--bucket", "head:10,middle:80");
    assertThat(buckets(output)).isEqualTo(expected);
    JsonNode thresholds = TestOutput.summary(output).get("bucket_thresholds");
    assertThat(thresholds.get("head").isNumber()).isTrue();
    assertThat(thresholds.get("middle").isNull()).isTrue();
    Path alike = own.resolve("alike");
    scored(model, corpus, alike, "--bucket-thresholds", output, "--partitions", 2);
    assertThat(buckets(alike)).isEqualTo(expected);
    assertThat(TestOutput.summary(alike).get("bucket_thresholds")).isEqualTo(thresholds);
  }

  private static Map<String, String> buckets(Path output) {
    Map<String, String> buckets = new LinkedHashMap<>();
    byId(output).forEach((id, row) -> buckets.put(id, row.getAs("bucket")));
    return buckets;
  }

  @Test
  void a_sql_function_and_a_comparison_return_the_same_values() throws IOException {
    MambaFunctions.register(TestSpark.session(), "large", model.toString());
    for (Row row :
        TestSpark.session()
            .sql(
                "SELECT id, s.* FROM (SELECT id, large(tokens) s FROM parquet.`%s`)"
                    .formatted(corpus))
            .collectAsList()) {
      Row same = plain.get(row.getString(0));
      assertThat(Arrays.asList(row.get(1), row.get(2), row.get(3), row.get(4)))
          .isEqualTo(
              Arrays.asList(
                  same.getAs("nll"), same.getAs("token_count"), same.getAs("perplexity"), null));
    }
    Object[] args = {"compare", "--model", model, "--model", model, "--input", corpus};
    List<Object> all = new ArrayList<>(Arrays.asList(args));
    all.addAll(List.of("--output", output));
    Cli run = Cli.run(all.toArray());
    assertThat(run.err()).isEmpty();
    byId(output)
        .forEach(
            (id, row) -> {
              assertThat(row.<String>getAs("error")).isNull();
              for (String column : List.of("perplexity_a", "perplexity_b")) {
                assertThat(row.<Double>getAs(column)).isEqualTo(plain.get(id).getAs("perplexity"));
              }
            });
    assertThat(Files.readString(output.resolve("_mamba_summary.json")))
        .doesNotContain("Infinity", "NaN");
  }
}
