package io.mambaspark.jobs.score;

import static io.mambaspark.jobs.TestScores.alone;
import static io.mambaspark.jobs.TestScores.columns;
import static io.mambaspark.jobs.TestScores.score;
import static io.mambaspark.jobs.TestScores.scored;
import static io.mambaspark.jobs.TestScores.sum;
import static io.mambaspark.jobs.TestScores.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestScores;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Compares each policy with the program that defines it. The engine scores the windows of that
 * program one by one.
 */
class WindowTest {
  private static final int DOCUMENTS = 24;

  @TempDir static Path shared;
  @TempDir Path own;

  private static Path folder;
  private static MambaModel model;
  private static Path corpus;
  private static final int[][] TOKENS = new int[DOCUMENTS][];
  private Path output;

  /** Writes documents of 0 to 23 tokens and one with an invalid id, in two row groups. */
  @BeforeAll
  static void writeCorpus() {
    folder = TestModels.write(shared.resolve("model"));
    model = MambaModel.load(folder);
    Random random = new Random(11);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < DOCUMENTS; i++) {
      TOKENS[i] = random.ints(i, 0, TestModels.VOCABULARY).toArray();
      rows.add(RowFactory.create("row-" + i, TOKENS[i]));
    }
    rows.add(RowFactory.create("row-bad", new int[] {1, 99}));
    StructType schema =
        new StructType().add("id", DataTypes.StringType).add("tokens", TestScores.TOKENS);
    corpus = write(shared.resolve("corpus"), 13, schema, rows);
  }

  @BeforeEach
  void nameOutput() {
    output = own.resolve("scores");
  }

  private JsonNode summary() throws IOException {
    return TestOutput.summary(output);
  }

  /** The log-probabilities of a document's tokens by position; the prefix, if any, is at 0. */
  private static final class Scored {
    final TreeMap<Integer, Float> logprobs = new TreeMap<>();

    /** Scores a window at position {@code start}; adds its tokens from index {@code from} on. */
    void add(int[] window, int from, int start) {
      float[] all = alone(model, window).tokenLogprobs();
      for (int i = Math.max(from, 1); i < window.length; i++) {
        assertThat(logprobs.put(start + i, all[i - 1])).isNull();
      }
    }

    double nll() {
      double nll = 0;
      for (float logprob : logprobs.values()) {
        nll -= logprob;
      }
      return nll;
    }
  }

  /** Follows {@code get_rolling_token_windows} of lm-evaluation-harness, with a context of 1. */
  private static Scored rolling(int[] tokens, int prefix, int max) {
    Scored scored = new Scored();
    if (tokens.length == 0) {
      return scored;
    }
    int predicted = Math.min(max, tokens.length);
    scored.add(join(prefix, Arrays.copyOf(tokens, predicted)), 1, 0);
    while (predicted < tokens.length) {
      int predict = Math.min(tokens.length - predicted, max);
      int end = predicted + predict;
      int first = end - max - 1;
      int[] window = Arrays.copyOfRange(tokens, first, end);
      scored.add(window, window.length - predict, first + 1);
      predicted += predict;
    }
    return scored;
  }

  /** Follows the loop in Hugging Face's guide to the perplexity of fixed-length models. */
  private static Scored strided(int[] tokens, int max, int stride) {
    Scored scored = new Scored();
    int before = 0;
    for (int begin = 0; begin < tokens.length; begin += stride) {
      int end = Math.min(begin + max, tokens.length);
      int targets = end - before;
      int[] window = Arrays.copyOfRange(tokens, begin, end);
      scored.add(window, window.length - targets, begin);
      before = end;
      if (end == tokens.length) {
        break;
      }
    }
    return scored;
  }

  /** Follows llama.cpp: positions n_ctx / 2 to n_ctx - 2 of a chunk predict the next token. */
  private static Scored chunked(int[] tokens, int size, Integer first) {
    Scored scored = new Scored();
    for (int chunk = 0; chunk < tokens.length / size; chunk++) {
      int[] window = Arrays.copyOfRange(tokens, chunk * size, (chunk + 1) * size);
      if (first != null) {
        window[0] = first;
      }
      scored.add(window, size / 2 + 1, chunk * size);
    }
    return scored;
  }

  private static int[] join(int first, int[] rest) {
    return IntStream.concat(IntStream.of(first), Arrays.stream(rest)).toArray();
  }

  private static Scored expected(
      String policy, int[] tokens, int size, int stride, Integer prefix) {
    return switch (policy) {
      case "rolling" -> rolling(tokens, prefix == null ? TestModels.BOS : prefix, size);
      case "strided" -> strided(prefix == null ? tokens : join(prefix, tokens), size, stride);
      case "chunked" -> chunked(tokens, size, prefix);
      default -> {
        Scored scored = new Scored();
        int[] all = prefix == null ? tokens : join(prefix, tokens);
        if (all.length > 0) {
          scored.add(all, 1, 0);
        }
        yield scored;
      }
    };
  }

  @ParameterizedTest
  @CsvSource({
    "full, 0, 0,",
    "rolling, 1, 0,",
    "rolling, 5, 0, 7",
    "rolling, 2048, 0,",
    "strided, 6, 4, 7",
    "chunked, 5, 0,",
    "chunked, 6, 0, 3",
  })
  void each_policy_scores_the_windows_of_the_program_that_defines_it(
      String policy, int size, int stride, Integer prefix) throws IOException {
    List<Object> job = new ArrayList<>(List.of("--window", policy));
    job.addAll(size > 0 ? List.of("--window-tokens", size) : List.of());
    job.addAll(stride > 0 ? List.of("--stride", stride) : List.of());
    job.addAll(prefix == null ? List.of() : List.of("--prefix-token", prefix));
    scored(folder, corpus, output, with(job, "--target-unit-tokens", 1));

    Map<String, List<Object>> rows = columns(output, "nll", "token_count", "perplexity");
    List<Scored> documents =
        Arrays.stream(TOKENS).map(ids -> expected(policy, ids, size, stride, prefix)).toList();
    for (int i = 0; i < DOCUMENTS; i++) {
      Scored document = documents.get(i);
      long count = document.logprobs.size();
      double nll = document.nll();
      assertThat(rows.get("row-" + i))
          .as("%d tokens", i)
          .isEqualTo(Arrays.asList(nll, count, count == 0 ? null : StrictMath.exp(nll / count)));
    }
    JsonNode json = summary();
    assertThat(json.get("window").toString())
        .isEqualTo(
            "{\"policy\":\"%s\",\"tokens\":%s,\"stride\":%s}",
            policy, size == 0 ? null : size, stride == 0 ? null : stride);
    assertThat(json.get("tokens").asLong())
        .isEqualTo(documents.stream().mapToLong(d -> d.logprobs.size()).sum());
    assertThat(json.get("too_short_documents").asLong())
        .isEqualTo(documents.stream().filter(d -> d.logprobs.isEmpty()).count());
    assertThat(json.get("nll").asDouble())
        .isEqualTo(sum(documents.stream().map(Scored::nll).toList()));
    assertThat(json.get("corpus_perplexity_error").asDouble())
        .isCloseTo(error(documents, policy.equals("chunked")), within(1e-9));
    checkCurve(json.get("position_curve"), documents);

    Path once = own.resolve("once");
    scored(folder, corpus, once, with(job, "--partitions", 3, "--emit", "position-nll"));
    assertThat(columns(once, "nll", "token_count", "perplexity", "error"))
        .isEqualTo(columns(output, "nll", "token_count", "perplexity", "error"));
    for (String name : json.properties().stream().map(Map.Entry::getKey).limit(19).toList()) {
      if (!name.equals("run")) {
        assertThat(TestOutput.summary(once).get(name)).as(name).isEqualTo(json.get(name));
      }
    }
  }

  private static Object[] with(List<Object> args, Object... more) {
    return Stream.concat(args.stream(), Arrays.stream(more)).toArray();
  }

  private static double error(List<Scored> documents, boolean overTokens) {
    double nll = documents.stream().mapToDouble(Scored::nll).sum();
    double count = documents.stream().mapToInt(d -> d.logprobs.size()).sum();
    double mean = nll / count;
    double squares = 0;
    int scored = 0;
    for (Scored document : documents) {
      if (document.logprobs.isEmpty()) {
        continue;
      }
      scored++;
      if (overTokens) {
        for (float logprob : document.logprobs.values()) {
          squares += (double) logprob * logprob;
        }
      } else {
        squares += Math.pow(document.nll() - mean * document.logprobs.size(), 2);
      }
    }
    double perplexity = Math.exp(mean);
    return overTokens
        ? Math.sqrt((squares / count - mean * mean) / (count - 1)) * perplexity
        : Math.sqrt(squares * scored / (scored - 1)) / count * perplexity;
  }

  private static void checkCurve(JsonNode curve, List<Scored> documents) {
    TreeMap<Integer, List<Float>> buckets = new TreeMap<>();
    for (Scored document : documents) {
      document.logprobs.forEach(
          (position, logprob) ->
              buckets
                  .computeIfAbsent(Integer.highestOneBit(position), b -> new ArrayList<>())
                  .add(logprob));
    }
    assertThat(curve).hasSameSizeAs(buckets.keySet());
    int i = 0;
    for (Map.Entry<Integer, List<Float>> bucket : buckets.entrySet()) {
      JsonNode point = curve.get(i++);
      double nll = -bucket.getValue().stream().mapToDouble(Float::doubleValue).sum();
      assertThat(point.get("from").asInt()).isEqualTo(bucket.getKey());
      assertThat(point.get("to").asInt()).isEqualTo(2 * bucket.getKey() - 1);
      assertThat(point.get("tokens").asInt()).isEqualTo(bucket.getValue().size());
      assertThat(point.get("nll").asDouble()).isCloseTo(nll, within(1e-9));
      assertThat(point.get("perplexity").asDouble())
          .isCloseTo(Math.exp(nll / bucket.getValue().size()), within(1e-9));
    }
  }

  @Test
  void rolling_windows_require_bos_or_else_eos_as_prefix() throws IOException {
    Path other = TestModels.write(own.resolve("other"));
    Path config = other.resolve("config.json");
    String bos = Files.readString(config);
    Object[] rolling = {"--window", "rolling", "--window-tokens", 4};
    Files.writeString(config, bos.replace("bos_token_id", "eos_token_id"));
    scored(other, corpus, output, rolling);
    assertThat(columns(output, "nll").get("row-9"))
        .containsExactly(rolling(TOKENS[9], TestModels.BOS, 4).nll());
    Files.writeString(config, bos.replace("bos_token_id", "other_id"));
    Cli neither = score(other, corpus, own.resolve("neither"), rolling);
    assertThat(neither.code()).isEqualTo(2);
    assertThat(neither.error())
        .isEqualTo(
            "error: --window rolling needs a prefix token, but the model's files name no bos or"
                + " eos token in its vocabulary; give --prefix-token ID");
    Files.writeString(config, bos.replace(": 3}", ": 24}"));
    assertThat(score(other, corpus, own.resolve("outside"), rolling).error())
        .isEqualTo(
            "error: --window rolling needs a prefix token, but the model's files name no bos or"
                + " eos token in its vocabulary; give --prefix-token ID");
  }

  @Test
  void a_job_with_another_window_cannot_be_resumed() {
    scored(folder, corpus, output, "--window", "chunked", "--window-tokens", 6);
    Cli run = score(folder, corpus, output, "--window", "chunked", "--resume");
    assertThat(run.error())
        .contains(
            ": --window was chunked, 6 tokens and is chunked, 512 tokens; restore the earlier"
                + " settings");
  }

  @Test
  void a_corpus_without_a_chunk_has_no_perplexity_and_says_why() throws IOException {
    Cli run = scored(folder, corpus, output, "--window", "chunked");
    assertThat(run.out())
        .containsPattern("too short +24\n")
        .containsPattern("window +chunked, 512");
    assertThat(summary().get("corpus_perplexity").isNull()).isTrue();
    assertThat(summary().get("corpus_perplexity_error").isNull()).isTrue();
    assertThat(summary().get("scored_documents").asInt()).isZero();
    assertThat(summary().get("position_curve").isNull()).isTrue();
  }

  @Test
  void the_demos_first_eight_texts_have_the_perplexity_of_the_reference() throws IOException {
    Cli.run(
        "score",
        "--model",
        "demo",
        "--input",
        "demo",
        "--window",
        "rolling",
        "--limit",
        8,
        "--output",
        output);
    assertThat(summary().get("tokens").asInt()).isEqualTo(7447);
    assertThat(summary().get("corpus_perplexity").asDouble()).isCloseTo(40.2469, within(1e-4));
    assertThat(summary().get("bits_per_byte").asDouble()).isPositive();
  }
}
