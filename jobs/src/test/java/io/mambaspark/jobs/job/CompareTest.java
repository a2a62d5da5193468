package io.mambaspark.jobs.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.DemoCorpus;
import io.mambaspark.jobs.model.DemoModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code compare} with the demo's model and a copy of it that has another epsilon. */
class CompareTest {
  private static final int ROWS = 40;

  @TempDir static Path folder;
  @TempDir Path own;

  private static Path other;
  private static Path input;

  @BeforeAll
  static void writeModelAndTexts() throws IOException {
    other = Files.createDirectory(folder.resolve("other"));
    DemoModel.unpack(other);
    Path config = other.resolve("config.json");
    String changed =
        Files.readString(config)
            .replaceFirst("\"layer_norm_epsilon\": [^,]*", "\"layer_norm_epsilon\": 0.01");
    Files.writeString(config, changed);
    input = folder.resolve("texts");
    List<Row> rows = new ArrayList<>();
    List<Row> demo = DemoCorpus.rows();
    for (int i = 0; i < ROWS; i++) {
      Row row = demo.get(i * demo.size() / ROWS);
      String text = row.getString(3);
      rows.add(
          RowFactory.create(
              row.getString(0), row.getString(2), text.substring(0, Math.min(text.length(), 400))));
    }
    rows.add(RowFactory.create("zz-empty", "real", ""));
    TestSpark.session()
        .createDataFrame(
            rows, new StructType().add("id", "string").add("kind", "string").add("text", "string"))
        .repartition(3)
        .write()
        .parquet(input.toString());
  }

  private Cli compare(Path output, Object... more) {
    List<Object> args =
        new ArrayList<>(List.of("compare", "--model", "demo", "--model", other, "--input", input));
    args.addAll(List.of("--text-column", "text", "--output", output));
    args.addAll(Arrays.asList(more));
    return Cli.run(args.toArray());
  }

  private static List<Row> rows(Path of) {
    return TestSpark.session().read().parquet(of.toString()).sort("id").collectAsList();
  }

  private static JsonNode summary(Path of) throws IOException {
    return new ObjectMapper().readTree(of.resolve("_mamba_summary.json").toFile());
  }

  @ParameterizedTest
  @ValueSource(strings = {"bf16", "int8", "int16"})
  void each_model_may_have_its_own_format_of_weights(String format) throws IOException {
    Path f32 = TestModels.write(own.resolve("f32"));
    Path tokens = own.resolve("tokens");
    TestSpark.rows(new int[] {1, 2, 3, 4, 5}, new int[] {7, 8, 9}).write().parquet(tokens + "");
    Object[] of = {"--input", tokens, "--output"};
    for (String weights : List.of("f32", format)) {
      assertThat(
              Cli.run(
                      with(
                          of,
                          own.resolve(weights + "-scores"),
                          "score",
                          "--model",
                          f32,
                          "--weights",
                          weights))
                  .code())
          .isZero();
    }
    Path compared = own.resolve("compared");
    Cli run =
        Cli.run(
            with(
                of,
                compared,
                "compare",
                "--model",
                f32,
                "--model",
                f32,
                "--weights",
                "f32," + format));
    assertThat(run.code()).as(run.err()).isZero();
    List<Row> a = rows(own.resolve("f32-scores"));
    List<Row> b = rows(own.resolve(format + "-scores"));
    List<Row> both = rows(compared);
    for (int i = 0; i < both.size(); i++) {
      assertThat(both.get(i).<Double>getAs("nll_a")).isEqualTo(a.get(i).getAs("nll"));
      assertThat(both.get(i).<Double>getAs("nll_b")).isEqualTo(b.get(i).getAs("nll"));
      assertThat(both.get(i).<Double>getAs("delta_nll")).isNotZero();
    }
    assertThat(summary(compared).get("options").get("weights").asText()).isEqualTo("f32," + format);
    assertThat(compare(own.resolve("none"), "--weights", "f32,bf16,f32").error())
        .isEqualTo(
            "error: --weights f32,bf16,f32: found 3 formats for 2 models; expected one format, or"
                + " one for each model");
    assertThat(
            Cli.run(
                    with(
                        of,
                        own.resolve("none"),
                        "compare",
                        "--model",
                        f32,
                        "--model",
                        f32,
                        "--add-special-tokens"))
                .error())
        .isEqualTo(
            "error: --add-special-tokens requires text; give --text-column, or a context and"
                + " continuation of text");
    assertThat(compare(own.resolve("none"), "--weights", "f32,f16").error())
        .isEqualTo("error: --weights f16: expected f32, bf16, int8, int8-out16 or int16");
  }

  private static Object[] with(Object[] of, Path output, Object... before) {
    return Stream.of(before, of, new Object[] {output}).flatMap(Stream::of).toArray();
  }

  @Test
  void every_row_has_the_scores_of_both_models_and_their_difference() throws IOException {
    Path compared = own.resolve("compared");
    Cli run = compare(compared, "--group-by", "kind");
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    assertThat(run.out())
        .containsPattern("(?m)^  group count +3$")
        .containsPattern("(?m)^  seconds +\\d+\\.\\d{4}$");
    Map<String, List<Row>> alone = new HashMap<>();
    for (String model : List.of("demo", other.toString())) {
      Path scores = own.resolve("scores" + alone.size());
      assertThat(
              Cli.run(
                      "score",
                      "--model",
                      model,
                      "--input",
                      input,
                      "--text-column",
                      "text",
                      "--emit",
                      "token-logprobs,top-k=1",
                      "--output",
                      scores)
                  .code())
          .isZero();
      alone.put(model, rows(scores));
    }
    List<Row> rows = rows(compared);
    assertThat(rows.get(0).schema().fieldNames())
        .containsExactly(
            "id",
            "kind",
            "text",
            "nll_a",
            "nll_b",
            "delta_nll",
            "token_count",
            "perplexity_a",
            "perplexity_b",
            "better_tokens",
            "kl",
            "top1_agreement",
            "byte_count",
            "truncated",
            "error");
    for (int i = 0; i < rows.size(); i++) {
      Row row = rows.get(i);
      Row a = alone.get("demo").get(i);
      Row b = alone.get(other.toString()).get(i);
      long tokens = a.getAs("token_count");
      assertThat(row.<Double>getAs("nll_a")).isEqualTo(a.<Double>getAs("nll"));
      assertThat(row.<Double>getAs("nll_b")).isEqualTo(b.<Double>getAs("nll"));
      assertThat(row.<Double>getAs("delta_nll"))
          .isEqualTo(b.<Double>getAs("nll") - a.<Double>getAs("nll"));
      assertThat(row.<Long>getAs("token_count")).isEqualTo(tokens);
      assertThat(row.<Double>getAs("perplexity_a")).isEqualTo(a.<Double>getAs("perplexity"));
      assertThat(row.<Double>getAs("perplexity_b")).isEqualTo(b.<Double>getAs("perplexity"));
      if (tokens == 0) {
        assertThat(row.<Double>getAs("better_tokens")).isNull();
        assertThat(row.<Double>getAs("kl")).isNull();
        continue;
      }
      long better = 0;
      long agree = 0;
      List<Float> logprobsA = a.getList(a.fieldIndex("token_logprobs"));
      List<Float> logprobsB = b.getList(b.fieldIndex("token_logprobs"));
      List<?> topA = a.getList(a.fieldIndex("top_k"));
      List<?> topB = b.getList(b.fieldIndex("top_k"));
      for (int t = 0; t < tokens; t++) {
        better += logprobsB.get(t) > logprobsA.get(t) ? 1 : 0;
        agree += first(topA.get(t)) == first(topB.get(t)) ? 1 : 0;
      }
      assertThat(row.<Double>getAs("better_tokens")).isEqualTo((double) better / tokens);
      assertThat(row.<Double>getAs("top1_agreement")).isEqualTo((double) agree / tokens);
      assertThat(row.<Double>getAs("kl")).isBetween(0.0, 5.0);
    }
    checkSums(summary(compared), rows);
    JsonNode groups = summary(compared).get("groups");
    assertThat(groups.size()).isEqualTo(3);
    for (JsonNode group : groups) {
      String kind = group.get("group").get("kind").asText();
      checkSums(group, rows.stream().filter(r -> r.getAs("kind").equals(kind)).toList());
    }
  }

  private static int first(Object pairs) {
    Object pair =
        pairs instanceof scala.collection.Seq<?> seq ? seq.apply(0) : ((List<?>) pairs).get(0);
    return ((Row) pair).getInt(0);
  }

  /** Checks the sums, among them the paired error, against a naive computation from the rows. */
  private static void checkSums(JsonNode sums, List<Row> rows) {
    double delta = 0;
    double kl = 0;
    long tokens = 0;
    long better = 0;
    long scored = 0;
    for (Row row : rows) {
      long n = row.getAs("token_count");
      tokens += n;
      delta += row.<Double>getAs("delta_nll");
      if (n > 0) {
        scored++;
        kl += row.<Double>getAs("kl") * n;
        better += Math.round(row.<Double>getAs("better_tokens") * n);
      }
    }
    double mean = delta / tokens;
    double squares = 0;
    for (Row row : rows) {
      double residual = row.<Double>getAs("delta_nll") - mean * row.<Long>getAs("token_count");
      squares += residual * residual;
    }
    double error = Math.sqrt(squares * scored / (scored - 1)) / tokens;
    assertThat(sums.get("documents").asLong()).isEqualTo(rows.size());
    assertThat(sums.get("tokens").asLong()).isEqualTo(tokens);
    assertThat(sums.get("delta_nll_per_token").asDouble()).isCloseTo(mean, within(1e-12));
    assertThat(sums.get("paired_error").asDouble()).isCloseTo(error, within(1e-9));
    assertThat(sums.get("kl").asDouble()).isCloseTo(kl / tokens, within(1e-12));
    assertThat(sums.get("better_tokens").asDouble()).isEqualTo((double) better / tokens);
  }

  @Test
  void cross_entropy_adds_two_columns() throws IOException {
    Path plain = own.resolve("plain");
    assertThat(compare(plain).code()).isZero();
    Path compared = own.resolve("compared");
    Cli run = compare(compared, "--emit", "cross-entropy");
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    List<Row> rows = rows(compared);
    List<String> names = new ArrayList<>(List.of(rows.get(0).schema().fieldNames()));
    assertThat(names.subList(names.indexOf("kl") + 1, names.indexOf("top1_agreement")))
        .containsExactly("cross_entropy", "binoculars");
    names.removeAll(List.of("cross_entropy", "binoculars"));
    assertThat(names).containsExactly(rows(plain).get(0).schema().fieldNames());
    // H(a, b) = KL(a||b) + H(a), where score writes the entropy of a.
    Path entropies = own.resolve("entropies");
    Object[] of = {"--input", input, "--text-column", "text", "--emit", "entropy", "--output"};
    assertThat(Cli.run(with(of, entropies, "score", "--model", "demo")).code()).isZero();
    List<Row> byA = rows(entropies);
    for (int i = 0; i < rows.size(); i++) {
      Row row = rows.get(i);
      if (row.<Long>getAs("token_count") == 0) {
        assertThat(row.<Double>getAs("cross_entropy")).isNull();
        assertThat(row.<Double>getAs("binoculars")).isNull();
        continue;
      }
      double crossEntropy = row.getAs("cross_entropy");
      assertThat(crossEntropy)
          .isCloseTo(row.<Double>getAs("kl") + byA.get(i).<Double>getAs("entropy"), within(1e-5));
      assertThat(row.<Double>getAs("binoculars"))
          .isCloseTo(
              row.<Double>getAs("nll_b") / row.<Long>getAs("token_count") / crossEntropy,
              within(1e-12));
    }
    assertThat(compare(own.resolve("x"), "--emit", "kl").error())
        .isEqualTo("error: --emit kl: expected cross-entropy, the only value of compare");
  }

  @Test
  void the_comparison_does_not_depend_on_partitions() throws IOException {
    List<List<Row>> results = new ArrayList<>();
    List<String> sums = new ArrayList<>();
    for (int partitions : new int[] {1, 5}) {
      Path compared = own.resolve("compared-" + partitions);
      assertThat(
              compare(
                      compared,
                      "--partitions",
                      partitions,
                      "--max-tokens",
                      20,
                      "--prefix-token",
                      "bos")
                  .code())
          .isZero();
      results.add(rows(compared));
      JsonNode json = summary(compared);
      sums.add(json.get("delta_nll") + " " + json.get("paired_error") + " " + json.get("kl"));
    }
    assertThat(results.get(1)).isEqualTo(results.get(0));
    assertThat(sums.get(1)).isEqualTo(sums.get(0));
  }

  @Test
  void models_with_different_tokenizers_are_compared_by_bytes() throws IOException {
    Path third = Files.createDirectory(own.resolve("third"));
    DemoModel.unpack(third);
    Path tokenizer = third.resolve("tokenizer.json");
    // Without merges, the tokenizer encodes every byte as one token.
    ObjectMapper json = new ObjectMapper();
    JsonNode file = json.readTree(tokenizer.toFile());
    ((com.fasterxml.jackson.databind.node.ObjectNode) file.get("model"))
        .set("merges", json.createArrayNode());
    json.writeValue(tokenizer.toFile(), file);
    Path compared = own.resolve("compared");
    Cli run =
        Cli.run(
            "compare",
            "--model",
            "demo",
            "--model",
            third,
            "--input",
            input,
            "--text-column",
            "text",
            "--emit",
            "cross-entropy",
            "--output",
            compared);
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    JsonNode sums = summary(compared);
    long bytes = 0;
    double delta = 0;
    for (Row row : rows(compared)) {
      long n = row.getAs("byte_count");
      bytes += n;
      delta += row.<Double>getAs("delta_nll");
      assertThat(row.<Long>getAs("token_count_b")).isEqualTo(Math.max(0, n - 1));
      assertThat(row.<Double>getAs("better_tokens")).isNull();
      assertThat(row.<Double>getAs("kl")).isNull();
      assertThat(row.<Double>getAs("top1_agreement")).isNull();
      assertThat(row.<Double>getAs("cross_entropy")).isNull();
      assertThat(row.<Double>getAs("binoculars")).isNull();
    }
    assertThat(sums.get("delta_nll_per_byte").asDouble()).isCloseTo(delta / bytes, within(1e-12));
    assertThat(sums.get("paired_error").asDouble()).isPositive();
    assertThat(sums.get("kl").isNull()).isTrue();
    assertThat(sums.get("better_tokens").isNull()).isTrue();
    Cli limited =
        Cli.run(
            "compare",
            "--model",
            "demo",
            "--model",
            third,
            "--input",
            input,
            "--text-column",
            "text",
            "--max-tokens",
            5,
            "--output",
            own.resolve("limited"));
    assertThat(limited.error())
        .isEqualTo(
            "error: Cannot use --max-tokens with models that have different tokenizers: each model"
                + " would score a different part of a text; truncate the texts instead");
  }

  @Test
  void rows_that_cannot_be_scored_have_an_error_and_strict_exits_with_3() throws IOException {
    Path bad = own.resolve("bad");
    TestSpark.session()
        .sql("select 'a' as id, array(1, 2, 3) as tokens union all select 'b', array(1, 4096)")
        .write()
        .parquet(bad.toString());
    Path compared = own.resolve("compared");
    Object[] args = {
      "compare",
      "--model",
      "demo",
      "--model",
      other,
      "--input",
      bad,
      "--output",
      compared,
      "--strict"
    };
    assertThat(Cli.run(args).code()).isEqualTo(3);
    List<Row> rows = rows(compared);
    assertThat(rows.get(0).<String>getAs("error")).isNull();
    assertThat(rows.get(1).<String>getAs("error"))
        .isEqualTo("Token id 4096 at position 1 is outside [0, 4096)");
    assertThat(rows.get(1).<Double>getAs("nll_a")).isNull();
    assertThat(summary(compared).get("error_documents").asLong()).isEqualTo(1);
  }

  @Test
  void wrong_usage_is_reported_in_one_line() {
    Cli one = Cli.run("compare", "--model", "demo", "--input", input, "--output", own.resolve("x"));
    assertThat(one.code()).isEqualTo(2);
    assertThat(one.error()).isEqualTo("error: Give --model twice; found 1");
    Cli noOutput = Cli.run("compare", "--model", "demo", "--model", "demo", "--input", "demo");
    assertThat(noOutput.code()).isEqualTo(2);
    assertThat(noOutput.error()).isEqualTo("error: Give --output: the output folder");
    assertThat(compare(own.resolve("x"), "--group-by", "language").error())
        .isEqualTo(
            "error: Column language (--group-by) is not among the kept columns: id, kind, text");
  }
}
