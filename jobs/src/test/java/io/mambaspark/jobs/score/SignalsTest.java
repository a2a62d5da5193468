package io.mambaspark.jobs.score;

import static io.mambaspark.jobs.TestScores.byId;
import static io.mambaspark.jobs.TestScores.columns;
import static io.mambaspark.jobs.TestScores.score;
import static io.mambaspark.jobs.TestScores.scored;
import static io.mambaspark.jobs.TestScores.sum;
import static io.mambaspark.jobs.TestScores.write;
import static io.mambaspark.jobs.TestSpark.floats;
import static io.mambaspark.jobs.TestSpark.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.PositionLogits;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestScores;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Signals of uncertainty and contamination. */
class SignalsTest {
  private static final String ALL =
      "token-entropy,entropy,min-k=20,min-k-plus-plus=30,curvature,longest-greedy-run";

  private static final String[] NUMBERS = {
    "entropy", "min_k", "min_k_plus_plus", "curvature", "longest_greedy_run"
  };

  private static final Outputs OUTPUTS = new Outputs(true, true, false, 0, false, true, true);

  private static final long SEED = 21;

  @TempDir static Path shared;
  @TempDir Path own;

  private static Path folder;
  private static MambaModel model;
  private static Path corpus;
  private static final List<int[]> TOKENS = new ArrayList<>();

  /** Writes documents of 0 to 39 tokens, a null document, and one with an invalid id. */
  @BeforeAll
  static void writeCorpus() {
    folder = TestModels.write(shared.resolve("model"), 3);
    model = MambaModel.load(folder);
    Random random = new Random(SEED);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      TOKENS.add(random.ints(i, 0, TestModels.VOCABULARY).toArray());
      rows.add(RowFactory.create("row-" + i, TOKENS.get(i), "kind-" + i % 3));
    }
    rows.add(RowFactory.create("row-null", null, "kind-0"));
    rows.add(RowFactory.create("row-bad", new int[] {1, 99}, "kind-1"));
    StructType schema =
        new StructType()
            .add("id", DataTypes.StringType)
            .add("tokens", TestScores.TOKENS)
            .add("kind", DataTypes.StringType);
    corpus = write(shared.resolve("corpus"), 13, schema, rows);
  }

  private static Scores<String> engine(int[] tokens, int context, Windows windows) {
    return new Scorer(model)
        .score(List.of(new Sequence<>("", tokens, context)).iterator(), OUTPUTS, windows)
        .next();
  }

  private static List<Object> numbers(Scores<?> scores) {
    return scores.tokenCount() == 0
        ? Arrays.asList(null, null, null, null, null)
        : List.of(
            scores.entropy(),
            scores.minK(20),
            scores.minKPlusPlus(30),
            scores.curvature(),
            scores.longestGreedyRun());
  }

  private static int[] join(int first, int[] rest) {
    return IntStream.concat(IntStream.of(first), Arrays.stream(rest)).toArray();
  }

  @ParameterizedTest
  @CsvSource({"full,", "full, 5", "rolling, 5", "strided,", "strided, 5", "chunked,"})
  void signals_equal_the_engines_in_all_windows(String policy, Integer prefix) throws IOException {
    List<Object> job = new ArrayList<>(List.of("--window", policy, "--emit", ALL));
    job.addAll(policy.equals("full") ? List.of() : List.of("--window-tokens", 8));
    job.addAll(prefix == null ? List.of() : List.of("--prefix-token", prefix));
    Windows windows =
        WindowOptions.parse(policy, policy.equals("full") ? null : 8, null)
            .windows(TokenOptions.NO_PREFIX);
    Path units = own.resolve("units");
    scored(folder, corpus, units, with(job, "--target-unit-tokens", 1));

    Map<String, Row> rows = byId(units);
    List<List<Double>> values = new ArrayList<>();
    for (int i = 0; i < TOKENS.size(); i++) {
      int[] tokens = TOKENS.get(i);
      Scores<String> scores = engine(prefix == null ? tokens : join(prefix, tokens), 1, windows);
      Row row = rows.get("row-" + i);
      String where = "seed %d, %s, prefix %s, %d tokens".formatted(SEED, policy, prefix, i);
      assertThat(Arrays.stream(NUMBERS).<Object>map(name -> value(row, name)).toList())
          .as(where)
          .isEqualTo(numbers(scores));
      float[] entropies = new float[(int) scores.tokenCount()];
      for (int t = 0; t < entropies.length; t++) {
        entropies[t] = 0 - scores.moments().tokenMeans()[t];
      }
      assertThat(floats(row, "token_entropy")).as(where).containsExactly(entropies);
      if (scores.tokenCount() > 0) {
        values.add(
            numbers(scores).stream().map(number -> ((Number) number).doubleValue()).toList());
      }
    }
    for (String id : List.of("row-null", "row-bad")) {
      for (String column : NUMBERS) {
        assertThat(value(rows.get(id), column)).isNull();
      }
      assertThat(value(rows.get(id), "token_entropy")).isNull();
    }
    assertThat(values).hasSizeBetween(30, 40);
    for (int i = 0; i < NUMBERS.length; i++) {
      int column = i;
      assertThat(TestOutput.summary(units).get("mean_document_" + NUMBERS[i]).asDouble())
          .isEqualTo(mean(values.stream().map(row -> row.get(column)).toList()));
    }

    Path once = own.resolve("once");
    scored(folder, corpus, once, with(job, "--partitions", 3));
    assertThat(columns(once, NUMBERS)).isEqualTo(columns(units, NUMBERS));
    for (String column : NUMBERS) {
      String mean = "mean_document_" + column;
      assertThat(TestOutput.summary(once).get(mean)).isEqualTo(TestOutput.summary(units).get(mean));
    }
  }

  private static Object[] with(List<Object> args, Object... more) {
    return Stream.concat(args.stream(), Arrays.stream(more)).toArray();
  }

  /** Returns the mean of the exact sum, rounded once. */
  private static double mean(List<Double> values) {
    return values.stream()
        .map(BigDecimal::new)
        .reduce(BigDecimal.ZERO, BigDecimal::add)
        .divide(BigDecimal.valueOf(values.size()), MathContext.DECIMAL128)
        .doubleValue();
  }

  /** Computes the signals from logits in double precision, by the papers' definitions. */
  @Test
  void signals_follow_their_definitions() {
    Path output = own.resolve("scores");
    scored(folder, corpus, output, "--emit", ALL);
    Map<String, Row> rows = byId(output);
    for (int i = 2; i < TOKENS.size(); i++) {
      int[] tokens = TOKENS.get(i);
      List<Double> logprobs = new ArrayList<>();
      List<Double> standardized = new ArrayList<>();
      double difference = 0;
      double variances = 0;
      double entropies = 0;
      List<PositionLogits<Integer>> positions = new ArrayList<>();
      new Scorer(model)
          .logits(List.of(new Sequence<>(0, tokens)).iterator())
          .forEachRemaining(positions::add);
      for (int t = 0; t < tokens.length - 1; t++) {
        double sum = 0;
        for (float logit : positions.get(t).logits()) {
          sum += Math.exp(logit);
        }
        double mean = 0;
        double squares = 0;
        for (float logit : positions.get(t).logits()) {
          double logprob = logit - Math.log(sum);
          mean += Math.exp(logprob) * logprob;
          squares += Math.exp(logprob) * logprob * logprob;
        }
        double logprob = positions.get(t).logits()[tokens[t + 1]] - Math.log(sum);
        logprobs.add(logprob);
        standardized.add((logprob - mean) / Math.sqrt(squares - mean * mean));
        difference += logprob - mean;
        variances += squares - mean * mean;
        entropies -= mean;
      }
      int n = tokens.length - 1;
      Row row = rows.get("row-" + i);
      String where = "seed %d, %d tokens".formatted(SEED, i);
      assertThat(row.<Double>getAs("min_k"))
          .as(where)
          .isCloseTo(lowest(logprobs, Math.max(1, n / 5)), within(1e-5));
      assertThat(row.<Double>getAs("min_k_plus_plus"))
          .as(where)
          .isCloseTo(lowest(standardized, Math.max(1, 3 * n / 10)), within(1e-4));
      assertThat(row.<Double>getAs("curvature"))
          .as(where)
          .isCloseTo(difference / Math.sqrt(variances), within(1e-4));
      assertThat(row.<Double>getAs("entropy")).as(where).isCloseTo(entropies / n, within(1e-5));
    }
  }

  private static double lowest(List<Double> values, int count) {
    return values.stream().sorted().limit(count).mapToDouble(v -> v).average().orElseThrow();
  }

  @Test
  void signals_of_a_continuation_are_those_of_its_tokens() {
    Random random = new Random(SEED);
    List<Row> rows = new ArrayList<>();
    List<Scores<String>> expected = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      int[] all = random.ints(5 + i, 0, TestModels.VOCABULARY).toArray();
      int context = 1 + i % 4;
      rows.add(
          RowFactory.create(
              "row-%02d".formatted(i),
              Arrays.copyOf(all, context),
              Arrays.copyOfRange(all, context, all.length)));
      expected.add(engine(all, context, Windows.FULL));
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.StringType)
            .add("context", TestScores.TOKENS)
            .add("continuation", TestScores.TOKENS);
    Path input = write(own.resolve("pairs"), 100, schema, rows);
    Path output = own.resolve("scores");
    scored(
        folder,
        input,
        output,
        "--context-column",
        "context",
        "--continuation-column",
        "continuation",
        "--emit",
        ALL);

    List<List<Object>> found = List.copyOf(columns(output, NUMBERS).values());
    assertThat(found).isEqualTo(expected.stream().map(SignalsTest::numbers).toList());
  }

  /** Returns a percentile with linear interpolation between the closest ranks. */
  private static double percentile(List<Double> values, int percent) {
    List<Double> sorted = values.stream().sorted().toList();
    double rank = (sorted.size() - 1) * percent / 100.0;
    int below = (int) rank;
    double above = sorted.get(Math.min(below + 1, sorted.size() - 1));
    return sorted.get(below) + (rank - below) * (above - sorted.get(below));
  }

  @Test
  void groups_have_means_and_percentiles_of_their_signals() throws IOException {
    Path output = own.resolve("scores");
    Cli run = scored(folder, corpus, output, "--emit", ALL, "--group-by", "kind");

    JsonNode summary = TestOutput.summary(output);
    assertThat(summary.get("groups")).hasSize(3);
    List<JsonNode> all = new ArrayList<>(List.of(summary));
    summary.get("groups").forEach(all::add);
    for (JsonNode sums : all) {
      int kind = sums == summary ? -1 : sums.get("group").get("kind").asText().charAt(5) - '0';
      for (int column = 0; column < NUMBERS.length; column++) {
        List<Double> values = new ArrayList<>();
        for (int i = 2; i < TOKENS.size(); i++) {
          if (kind < 0 || i % 3 == kind) {
            Object value = numbers(engine(TOKENS.get(i), 1, Windows.FULL)).get(column);
            values.add(((Number) value).doubleValue());
          }
        }
        String where = NUMBERS[column] + " of group " + kind;
        assertThat(sums.get("mean_document_" + NUMBERS[column]).asDouble())
            .as(where)
            .isEqualTo(mean(values));
        JsonNode percentiles = sums.get(NUMBERS[column] + "_percentiles");
        assertThat(percentiles).as(where).hasSize(7);
        for (int percent : new int[] {1, 5, 25, 50, 75, 95, 99}) {
          assertThat(percentiles.get("p" + percent).asDouble())
              .as(where)
              .isCloseTo(percentile(values, percent), within(1e-9));
        }
      }
    }
    assertThat(run.out())
        .containsPattern(
            "  min_k_plus_plus +5 % +median +95 %\n  all( +-\\d+\\.\\d{4}){3}\n  kind-\\d ");
  }

  @Test
  void the_report_has_a_histogram_of_each_signal() throws IOException {
    Path report = own.resolve("report.html");
    scored(folder, corpus, own.resolve("scores"), "--emit", ALL, "--report", report);

    String page = Files.readString(report);
    for (String column : NUMBERS) {
      // One for wide and one for narrow screens.
      assertThat(page.split("aria-label=\"Histogram of " + column + "\"", -1)).hasSize(3);
    }
    scored(folder, corpus, own.resolve("without"), "--report", own.resolve("other.html"));
    assertThat(Files.readString(own.resolve("other.html"))).doesNotContain("<h2>Signals</h2>");
  }

  @Test
  void a_signal_that_is_not_finite_is_an_error() throws IOException {
    Path certain = TestModels.write(own.resolve("certain"), 1e6f);
    Path output = own.resolve("scores");
    Path finite = own.resolve("finite");
    score(certain, corpus, output, "--emit", "min-k-plus-plus=100");
    score(certain, corpus, finite, "--emit", "entropy,min-k=100,longest-greedy-run");

    Row row = byId(output).get("row-30");
    assertThat(row.<String>getAs("error")).contains("min_k_plus_plus").contains("Infinity");
    assertThat(value(row, "nll")).isNull();
    assertThat(value(row, "truncated")).isEqualTo(false);
    assertThat(TestOutput.summary(output).get("errors").get("non_finite_score").asInt())
        .isGreaterThan(20);
    // Entropies of 0 are not errors, although the variance is 0.
    assertThat(byId(finite).get("row-30").<String>getAs("error")).isNull();
    assertThat(byId(finite).get("row-30").<Double>getAs("entropy")).isZero();
    assertThat(TestOutput.summary(finite).get("nll").asDouble())
        .isEqualTo(
            sum(
                byId(finite).values().stream()
                    .map(scored -> scored.<Double>getAs("nll"))
                    .filter(nll -> nll != null)
                    .toList()));
  }

  /** Returns a column's values by id in an output, without nulls, in ascending order. */
  private static List<Map.Entry<String, Double>> ascending(Path output, String column) {
    return byId(output).entrySet().stream()
        .filter(row -> value(row.getValue(), column) != null)
        .map(row -> Map.entry(row.getKey(), ((Number) value(row.getValue(), column)).doubleValue()))
        .sorted(Map.Entry.comparingByValue())
        .toList();
  }

  @ParameterizedTest
  @ValueSource(strings = {"min_k", "curvature", "longest_greedy_run"})
  void documents_outside_a_bound_are_dropped(String column) throws IOException {
    Path all = own.resolve("all");
    scored(folder, corpus, all, "--emit", ALL);
    List<Map.Entry<String, Double>> values = ascending(all, column);
    double least = values.get(10).getValue();
    double most = values.get(30).getValue();
    Object[] bounds = {
      "--emit",
      ALL,
      "--min",
      column + "=" + least,
      "--max",
      column + "=" + most,
      "--max",
      "entropy=9"
    };
    List<String> kept =
        byId(all).entrySet().stream()
            .filter(
                row -> {
                  Number value = (Number) value(row.getValue(), column);
                  return value == null
                      || (value.doubleValue() >= least && value.doubleValue() <= most);
                })
            .map(Map.Entry::getKey)
            .toList();
    Path units = own.resolve("units");
    Path once = own.resolve("once");
    scored(folder, corpus, units, with(List.of(bounds), "--target-unit-tokens", 1));
    scored(folder, corpus, once, with(List.of(bounds), "--partitions", 2));

    for (Path output : List.of(units, once)) {
      assertThat(byId(output).keySet()).containsExactlyElementsOf(kept);
      assertThat(TestOutput.summary(output).get("filtered_documents").asInt())
          .isEqualTo(byId(all).size() - kept.size());
    }
    assertThat(kept).hasSizeBetween(15, 41).contains("row-0", "row-null", "row-bad");
  }

  @Test
  void buckets_divide_the_corpus_by_a_signal() throws IOException {
    Path output = own.resolve("buckets");
    Object[] by = {"--emit", ALL, "--bucket-by", "min_k"};
    scored(folder, corpus, output, with(List.of(by), "--bucket", "head:30,middle:60"));
    JsonNode summary = TestOutput.summary(output);
    double head = summary.get("bucket_thresholds").get("head").asDouble();
    double middle = summary.get("bucket_thresholds").get("middle").asDouble();

    assertThat(summary.get("bucket_by").asText()).isEqualTo("min_k");
    assertThat(head).isLessThan(middle).isNegative();
    List<Map.Entry<String, Double>> values = ascending(output, "min_k");
    // The percentile interpolates between the values at ranks 11.1 of 0 to 37.
    assertThat(head).isBetween(values.get(11).getValue(), values.get(12).getValue());
    Map<String, Row> rows = byId(output);
    for (Map.Entry<String, Double> row : values) {
      String expected =
          row.getValue() < head ? "head" : row.getValue() < middle ? "middle" : "tail";
      assertThat(value(rows.get(row.getKey()), "bucket")).as(row.getKey()).isEqualTo(expected);
    }
    assertThat(value(rows.get("row-0"), "bucket")).isNull();
    assertThat(value(rows.get("row-null"), "bucket")).isNull();

    Path alike = own.resolve("alike");
    scored(folder, corpus, alike, with(List.of(by), "--bucket-thresholds", output));
    assertThat(columns(alike, "bucket")).isEqualTo(columns(output, "bucket"));
    Cli other =
        score(folder, corpus, own.resolve("other"), "--emit", ALL, "--bucket-thresholds", output);
    assertThat(other.code()).isNotZero();
    assertThat(other.err())
        .contains("they divide min_k, expected perplexity; give --bucket-by min_k");
    Object[] five = {"--emit", "min-k=5", "--bucket-by", "min_k", "--bucket-thresholds", output};
    Cli percent = score(folder, corpus, own.resolve("five"), five);
    assertThat(percent.code()).isNotZero();
    assertThat(percent.err())
        .contains("they divide min_k of 20 % of the tokens, expected 5 %; give --emit min-k=20");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--min entropy=2 | --min entropy=2: entropy is not a signal that --emit perplexity writes; it"
            + " writes none",
        "--emit curvature --max min_k=2 | --max min_k=2: min_k is not a signal that --emit curvature"
            + " writes; it writes curvature",
        "--emit entropy --min entropy | --min entropy: expected COLUMN=X with a finite number X",
        "--emit entropy --min entropy=NaN | --min entropy=NaN: expected COLUMN=X with a finite",
        "--emit entropy --min entropy=1 --min entropy=2 | --min bounds entropy twice",
        "--emit entropy --min entropy=3 --max entropy=2 | --min entropy=3.0 is above --max"
            + " entropy=2.0: nothing would be written",
        "--emit entropy --bucket a:50 --bucket-by nll | --bucket-by nll: nll is not a signal that"
            + " --emit entropy writes; it writes entropy",
        "--emit entropy --bucket-by entropy | --bucket-by needs --bucket or --bucket-thresholds",
      })
  void wrong_bounds_and_buckets_are_refused(String options, String message) {
    Cli run = score(folder, corpus, own.resolve("scores"), (Object[]) options.split(" "));
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err()).contains(message);
  }
}
