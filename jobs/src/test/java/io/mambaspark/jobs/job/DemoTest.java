package io.mambaspark.jobs.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.DemoCorpus;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoTest {
  @TempDir Path folder;

  @Test
  void real_prose_has_a_low_perplexity_and_noise_a_high_one() {
    Cli run = Cli.run("score", "--model", "demo", "--input", "demo");
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    assertThat(run.out())
        .contains("Most like the books the model was trained on")
        .contains("Least like those books");
    double real = perplexity(run.out(), "real");
    double shuffled = perplexity(run.out(), "shuffled");
    double random = perplexity(run.out(), "random");
    assertThat(real).isBetween(20.0, 80.0);
    assertThat(shuffled).isGreaterThan(4 * real);
    assertThat(random).isGreaterThan(2 * shuffled);
  }

  @Test
  void the_first_eight_documents_have_the_perplexity_of_the_reference() throws IOException {
    Path output = folder.resolve("eight");
    Cli run =
        Cli.run(
            "score",
            "--model",
            "demo",
            "--input",
            "demo",
            "--prefix-token",
            "bos",
            "--limit",
            8,
            "--output",
            output);
    assertThat(run.code()).isZero();
    JsonNode summary = new ObjectMapper().readTree(output.resolve("_mamba_summary.json").toFile());
    // Computed with Hugging Face transformers from the same weights and tokens.
    assertThat(summary.get("tokens").asInt()).isEqualTo(7447);
    assertThat(summary.get("corpus_perplexity").asDouble()).isCloseTo(40.2469, within(1e-4));
  }

  @Test
  void the_formats_of_integers_have_the_documented_accuracy_on_prose() {
    List<Row> f32 = logprobs("f32");
    assertAccuracy(f32, logprobs("int8"), 0.002, 0.02, 0.05);
    assertAccuracy(f32, logprobs("int8-out16"), 0.001, 0.01, 0.04);
    assertAccuracy(f32, logprobs("int16"), 0.00001, 0.0001, 0.0005);
  }

  /**
   * Compares log-probabilities of the same tokens.
   *
   * @param change the largest relative change of the perplexity
   * @param low the smallest root mean square of the differences: rounding must have an effect
   * @param high the largest
   */
  private static void assertAccuracy(
      List<Row> f32, List<Row> rounded, double change, double low, double high) {
    double sum = 0;
    double squares = 0;
    long tokens = 0;
    for (int i = 0; i < f32.size(); i++) {
      assertThat(f32.get(i).<String>getAs("kind")).isEqualTo("real");
      List<Float> a = f32.get(i).getList(f32.get(i).fieldIndex("token_logprobs"));
      List<Float> b = rounded.get(i).getList(rounded.get(i).fieldIndex("token_logprobs"));
      for (int t = 0; t < a.size(); t++) {
        double delta = (double) a.get(t) - b.get(t);
        sum += delta;
        squares += delta * delta;
      }
      tokens += a.size();
    }
    assertThat(tokens).isGreaterThan(30_000);
    assertThat(Math.exp(sum / tokens)).isCloseTo(1, within(change));
    assertThat(Math.sqrt(squares / tokens)).isBetween(low, high);
  }

  /** Returns the log-probabilities of the first documents with weights in this format. */
  private List<Row> logprobs(String weights) {
    String output = folder.resolve(weights).toString();
    Object[] demo = {"score", "--model", "demo", "--input", "demo", "--prefix-token", "bos"};
    Object[] options = {"--emit", "token-logprobs", "--limit", 40, "--weights", weights};
    assertThat(Cli.run(with(with(demo, options), "--output", output)).code()).isZero();
    return TestSpark.session().read().parquet(output).sort("id").collectAsList();
  }

  private static double perplexity(String out, String kind) {
    Matcher line =
        Pattern.compile("^  " + kind + " +\\S+ +\\S+ +(\\S+) +\\S+$", Pattern.MULTILINE)
            .matcher(out);
    assertThat(line.find()).isTrue();
    return Double.parseDouble(line.group(1).replace(",", ""));
  }

  @Test
  void the_scores_of_the_demo_do_not_depend_on_partitions_or_on_the_output() {
    SparkSession spark = TestSpark.session();
    Object[] demo = {"score", "--model", "demo", "--input", "demo", "--max-tokens", 64};
    List<List<Row>> results = new ArrayList<>();
    List<String> tables = new ArrayList<>();
    for (int partitions : new int[] {1, 2, 7}) {
      String output = folder.resolve("scores-" + partitions).toString();
      Cli run = Cli.run(with(demo, "--partitions", partitions, "--output", output));
      assertThat(run.code()).isZero();
      results.add(spark.read().parquet(output).sort("id").collectAsList());
      tables.add(table(run));
    }
    tables.add(table(Cli.run(demo)));
    assertThat(results.get(0)).hasSize(DemoCorpus.rows().size());
    assertThat(results.get(1)).isEqualTo(results.get(0));
    assertThat(results.get(2)).isEqualTo(results.get(0));
    assertThat(tables).allMatch(tables.get(0)::equals);
  }

  private static Object[] with(Object[] args, Object... more) {
    return Stream.concat(Arrays.stream(args), Arrays.stream(more)).toArray();
  }

  private static String table(Cli run) {
    return run.out().substring(0, run.out().indexOf("  seconds"));
  }

  @Test
  void logits_of_the_demo_need_an_output() {
    Cli run = Cli.run("score", "--model", "demo", "--input", "demo", "--emit", "logits");
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.error())
        .isEqualTo("error: --emit logits needs --output: logits are too large for memory");
  }

  @Test
  void the_demo_prints_only_the_summary_if_columns_of_its_details_are_not_kept() {
    Cli run =
        Cli.run(
            "score",
            "--model",
            "demo",
            "--input",
            "demo",
            "--keep-columns",
            "id",
            "--max-tokens",
            9);
    assertThat(run.code()).isZero();
    assertThat(run.out()).contains("corpus perplexity").doesNotContain("Least like those");
  }
}
