package io.mambaspark.jobs.score;

import static io.mambaspark.jobs.TestScores.alone;
import static io.mambaspark.jobs.TestScores.byId;
import static io.mambaspark.jobs.TestScores.columns;
import static io.mambaspark.jobs.TestScores.score;
import static io.mambaspark.jobs.TestScores.scored;
import static io.mambaspark.jobs.TestScores.sum;
import static io.mambaspark.jobs.TestScores.write;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestScores;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.model.DemoModel;
import io.mambaspark.jobs.text.Tokenizer;
import io.mambaspark.jobs.text.TokenizerFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
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
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Scores of continuations, given their contexts. */
class ConditionalTest {
  private static final Object[] PAIR = {
    "--context-column", "context", "--continuation-column", "continuation"
  };
  private static final String[] SCORES = {"nll", "token_count", "perplexity", "is_greedy", "error"};
  private static final List<Object> MERGED =
      Arrays.asList(
          null,
          null,
          null,
          null,
          "Continuation has no token of its own: column continuation merges into the last token of"
              + " column context; move the end of the context to the continuation");

  @TempDir static Path shared;
  @TempDir Path own;

  private static Path folder;
  private static MambaModel model;
  private Path output;

  @BeforeAll
  static void openModel() {
    folder = TestModels.write(shared.resolve("model"), 3);
    model = MambaModel.load(folder);
  }

  @BeforeEach
  void nameOutput() {
    output = own.resolve("scores");
  }

  private JsonNode summary() throws IOException {
    return TestOutput.summary(output);
  }

  private static Object[] with(Object[] args, Object... more) {
    return Stream.of(args, more).flatMap(Stream::of).toArray();
  }

  private static StructType schema(DataType type) {
    return new StructType()
        .add("id", DataTypes.StringType)
        .add("context", type)
        .add("continuation", type);
  }

  private static int[] join(int[] one, int[] other) {
    return IntStream.concat(Arrays.stream(one), Arrays.stream(other)).toArray();
  }

  /** The scores of a null continuation. */
  private static final List<Object> NULL = Arrays.asList(null, null, null, null, null);

  /** Sums the engine's scores of a sequence's tokens from index {@code from} on. */
  private static List<Object> end(int[] tokens, int from, MambaModel model) {
    Scores<String> scores = alone(model, tokens);
    double nll = 0;
    boolean greedy = true;
    for (int i = from; i < tokens.length; i++) {
      nll -= scores.tokenLogprobs()[i - 1];
      greedy &= scores.greedyMatch()[i - 1];
    }
    long count = tokens.length - from;
    return count == 0
        ? Arrays.asList(0.0, 0L, null, null, null)
        : Arrays.asList(nll, count, StrictMath.exp(nll / count), greedy, null);
  }

  @Test
  void a_continuation_scores_like_the_end_of_the_joined_sequence_even_if_contexts_are_shared()
      throws IOException {
    Random random = new Random(3);
    List<Row> rows = new ArrayList<>();
    Map<String, List<Object>> expected = new java.util.LinkedHashMap<>();
    int[][] contexts = {
      random.ints(30, 0, 24).toArray(),
      random.ints(1, 0, 24).toArray(),
      {},
      null,
      random.ints(700, 0, 24).toArray(),
      random.ints(2, 0, 24).toArray(),
    };
    for (int i = 0; i < 60; i++) {
      int[] context = contexts[i / 10];
      int[] given = context == null || context.length == 0 ? new int[] {TestModels.BOS} : context;
      int[] continuation = random.ints(i % 10 == 7 ? 0 : i % 4 + 1, 0, 24).toArray();
      if (i % 10 == 5) {
        // The most likely token of the model.
        continuation = new int[] {greedy(given)};
      }
      if (continuation.length > 0 && given.length == 1 && continuation[0] == TestModels.BOS) {
        // Its first token would be the context; see the tests below.
        continuation[0]++;
      }
      String id = "row-%02d".formatted(i);
      boolean isNull = i % 20 == 17;
      rows.add(RowFactory.create(id, context, isNull ? null : continuation));
      expected.put(id, isNull ? NULL : end(join(given, continuation), given.length, model));
    }
    Path input = write(own.resolve("input"), 13, schema(TestScores.TOKENS), rows);
    scored(folder, input, output, with(PAIR, "--target-unit-tokens", 1));
    assertThat(columns(output, SCORES)).isEqualTo(expected);
    assertThat(byId(output).get("row-00").schema().fieldNames())
        .containsExactly("id", "nll", "token_count", "perplexity", "is_greedy", "error");
    long greedy = expected.values().stream().filter(row -> Boolean.TRUE.equals(row.get(3))).count();
    assertThat(greedy).isBetween(5L, 59L);
    JsonNode json = summary();
    assertThat(json.get("greedy_documents").asLong()).isEqualTo(greedy);
    assertThat(json.get("documents").asInt()).isEqualTo(60);
    assertThat(json.get("too_short_documents").asInt()).isEqualTo(3);
    assertThat(json.get("null_documents").asInt()).isEqualTo(3);
    assertThat(json.get("nll").asDouble())
        .isEqualTo(
            sum(
                expected.values().stream()
                    .filter(row -> row != NULL)
                    .map(row -> (Double) row.get(0))
                    .toList()));
    for (int partitions : new int[] {1, 60}) {
      Path once = own.resolve("once-" + partitions);
      scored(folder, input, once, with(PAIR, "--partitions", partitions));
      assertThat(columns(once, SCORES)).isEqualTo(expected);
      for (String sum : List.of("nll", "greedy_documents", "corpus_perplexity", "tokens")) {
        assertThat(TestOutput.summary(once).get(sum)).isEqualTo(json.get(sum));
      }
    }
  }

  private static int greedy(int[] context) {
    for (int id = 0; id < TestModels.VOCABULARY; id++) {
      Scores<String> scores = alone(model, join(context, new int[] {id}));
      if (scores.greedyMatch()[context.length - 1]) {
        return id;
      }
    }
    throw new IllegalStateException("No id is the likeliest");
  }

  @Test
  void the_prefix_precedes_each_context_and_invalid_ids_are_errors() {
    List<Row> rows =
        List.of(
            RowFactory.create("row-0", new int[] {5, 6}, new int[] {7, 8}),
            RowFactory.create("row-1", new int[] {}, new int[] {7}),
            RowFactory.create("row-2", new int[] {5, 24}, new int[] {7}),
            RowFactory.create("row-3", new int[] {5}, new int[] {7, -1}));
    Path input = write(own.resolve("input"), 10, schema(TestScores.TOKENS), rows);
    scored(folder, input, output, with(PAIR, "--prefix-token", 9));
    Map<String, List<Object>> scores = columns(output, SCORES);
    assertThat(scores.get("row-0")).isEqualTo(end(new int[] {9, 5, 6, 7, 8}, 3, model));
    assertThat(scores.get("row-1")).isEqualTo(end(new int[] {9, 7}, 1, model));
    assertThat(scores.get("row-2")).last().asString().contains("24").contains("position 1");
    assertThat(scores.get("row-3")).last().asString().contains("-1").contains("position 1");
  }

  @Test
  void a_continuation_that_begins_with_the_prefix_under_an_empty_context_has_it_as_context() {
    int bos = TestModels.BOS;
    List<Row> rows =
        List.of(
            RowFactory.create("row-0", new int[] {}, new int[] {bos, 7, 8}),
            RowFactory.create("row-1", null, new int[] {bos, bos, 7}),
            RowFactory.create("row-2", new int[] {}, new int[] {bos}),
            RowFactory.create("row-3", new int[] {5}, new int[] {bos, 7}));
    Path input = write(own.resolve("input"), 10, schema(TestScores.TOKENS), rows);
    scored(folder, input, output, PAIR);
    Map<String, List<Object>> scores = columns(output, SCORES);
    assertThat(scores.get("row-0")).isEqualTo(end(new int[] {bos, 7, 8}, 1, model));
    assertThat(scores.get("row-1")).isEqualTo(end(new int[] {bos, bos, 7}, 1, model));
    assertThat(scores.get("row-2"))
        .containsExactly(
            null,
            null,
            null,
            null,
            "Continuation has no token of its own: under an empty context, the only token of column"
                + " continuation is the prefix token");
    assertThat(scores.get("row-3")).isEqualTo(end(new int[] {5, bos, 7}, 1, model));
  }

  @Test
  void a_pair_keeps_the_last_tokens_under_a_maximum_length() throws IOException {
    Random random = new Random(11);
    List<Row> rows = new ArrayList<>();
    Map<String, List<Object>> expected = new java.util.LinkedHashMap<>();
    int[][] lengths = {{7, 3}, {5, 3}, {6, 3}, {8, 1}, {1, 7}, {1, 8}, {3, 8}, {0, 8}, {3, 9}};
    for (int[] length : lengths) {
      int[] context = random.ints(length[0], 4, 24).toArray();
      int[] continuation = random.ints(length[1], 4, 24).toArray();
      String id = "row-" + rows.size();
      rows.add(RowFactory.create(id, context, continuation));
      int[] all = join(length[0] == 0 ? new int[] {TestModels.BOS} : context, continuation);
      int[] kept = Arrays.copyOfRange(all, Math.max(0, all.length - 9), all.length);
      expected.put(id, end(kept, kept.length - Math.min(8, length[1]), model));
    }
    String error = "Continuation is too long: found 9 tokens, expected at most --max-length 8";
    expected.put("row-8", Arrays.asList(null, null, null, null, error));
    Path input = write(own.resolve("input"), 4, schema(TestScores.TOKENS), rows);
    scored(folder, input, output, with(PAIR, "--max-length", 8));
    assertThat(columns(output, SCORES)).isEqualTo(expected);
    assertThat(columns(output, "context_truncated").values())
        .containsExactly(
            List.of(true),
            List.of(false),
            List.of(false),
            List.of(false),
            List.of(false),
            List.of(false),
            List.of(true),
            List.of(false),
            List.of(false));
    assertThat(summary().get("truncated_contexts").asInt()).isEqualTo(2);
    assertThat(summary().get("errors").get("long_continuation").asInt()).isEqualTo(1);
    assertThat(score(folder, input, output, with(PAIR, "--max-length", 9, "--resume")).error())
        .contains("--max-length was 8 and is 9");
    // The limit also holds after the first token of a continuation became its context.
    int[] tooLong = random.ints(10, 4, 24).toArray();
    tooLong[0] = TestModels.BOS;
    List<Row> begins = List.of(RowFactory.create("row-0", new int[] {}, tooLong));
    Path beginning = write(own.resolve("beginning"), 10, schema(TestScores.TOKENS), begins);
    scored(folder, beginning, own.resolve("too-long"), with(PAIR, "--max-length", 8));
    assertThat(columns(own.resolve("too-long"), SCORES).get("row-0")).last().isEqualTo(error);
    scored(folder, beginning, own.resolve("fits"), with(PAIR, "--max-length", 9));
    assertThat(columns(own.resolve("fits"), SCORES).get("row-0")).isEqualTo(end(tooLong, 1, model));
    // A prefix is a part of the context, and is dropped first.
    Path prefixed = own.resolve("prefixed");
    Cli run = scored(folder, input, prefixed, with(PAIR, "--max-length", 8, "--prefix-token", 9));
    assertThat(run.out()).containsPattern("  contexts truncated +5\n");
    int[] tokens = join(ints(rows.get(1).get(1)), ints(rows.get(1).get(2)));
    assertThat(columns(prefixed, SCORES).get("row-1"))
        .isEqualTo(end(join(new int[] {9}, tokens), 6, model));
    assertThat(columns(prefixed, SCORES).get("row-2")).isEqualTo(expected.get("row-2"));
  }

  private static int[] ints(Object array) {
    return (int[]) array;
  }

  @Test
  void a_maximum_length_needs_pairs_and_special_tokens_need_texts() {
    Path input = write(own.resolve("input"), "tokens", TestScores.TOKENS, new int[] {1, 2});
    assertThat(score(folder, input, output, "--max-length", 8).error())
        .isEqualTo("error: --max-length needs --context-column; --max-tokens truncates documents");
    assertThat(score(folder, input, output, "--add-special-tokens").error())
        .isEqualTo(
            "error: --add-special-tokens requires text; give --text-column, or a context and"
                + " continuation of text");
    List<Row> row = List.of(RowFactory.create("row-0", new int[] {5}, new int[] {7}));
    Path pair = write(own.resolve("pair"), 10, schema(TestScores.TOKENS), row);
    assertThat(score(folder, pair, output, with(PAIR, "--add-special-tokens")).error())
        .isEqualTo(
            "error: --add-special-tokens needs text columns; found tokens in context and"
                + " continuation");
  }

  @Test
  void texts_are_encoded_as_lm_evaluation_harness_encodes_pairs() throws IOException {
    String[][] texts = {
      {"It was the best of", " times, it was"},
      {"It was the best of ", "times, it was"},
      {"It was the best of \n\u00A0", "times"},
      {"", "It was"},
      {null, "It was"},
      {"  ", "It was"},
      {"It w", "as"},
      {"It was", ""},
      {"It was", null},
      {"It was  ", null},
    };
    Tokenizer tokenizer =
        TokenizerFile.parse("demo", DemoModel.tokenizer()).tokenizer(own.resolve("native"));
    Path demo = Files.createDirectory(own.resolve("demo"));
    DemoModel.unpack(demo);
    MambaModel books = MambaModel.load(demo);
    List<Row> rows = new ArrayList<>();
    Map<String, List<Object>> expected = new java.util.LinkedHashMap<>();
    for (int i = 0; i < texts.length; i++) {
      rows.add(RowFactory.create("row-" + i, texts[i][0], texts[i][1]));
      String context = texts[i][0] == null ? "" : texts[i][0];
      String continuation = texts[i][1] == null ? "" : texts[i][1];
      int[] given = tokenizer.encode(context.replaceFirst("[\\s\u00A0]+$", ""));
      int[] both = tokenizer.encode(context + continuation);
      int[] target = Arrays.copyOfRange(both, given.length, Math.max(given.length, both.length));
      given = given.length == 0 ? new int[] {0} : given;
      expected.put("row-" + i, end(join(given, target), given.length, books));
    }
    // The continuation of row-6 merges into the last token of its context.
    expected.put("row-6", MERGED);
    expected.put("row-8", NULL);
    expected.put("row-9", NULL);
    Path input = write(own.resolve("input"), 10, schema(DataTypes.StringType), rows);
    scored("demo", input, output, PAIR);
    assertThat(columns(output, SCORES)).isEqualTo(expected);
    assertThat(expected.get("row-0")).isEqualTo(expected.get("row-1"));
    long bytes = 0;
    for (int i = 0; i < texts.length; i++) {
      Long count =
          expected.get("row-" + i).get(0) == null
              ? null
              : (long) texts[i][1].getBytes(StandardCharsets.UTF_8).length;
      assertThat(byId(output).get("row-" + i).<Long>getAs("byte_count")).isEqualTo(count);
      bytes += count == null ? 0 : count;
    }
    List<Double> nll = new ArrayList<>();
    for (int i : new int[] {0, 1, 2, 3, 4, 5, 7}) {
      nll.add((Double) expected.get("row-" + i).get(0));
    }
    assertThat(summary().get("bits_per_byte").asDouble())
        .isEqualTo(sum(nll) / bytes / StrictMath.log(2));
    // The texts are kept, and a text column may be binary.
    assertThat(byId(output).get("row-1").<String>getAs("context")).isEqualTo(texts[1][0]);
    Path binary = own.resolve("binary");
    TestSpark.session()
        .read()
        .parquet(input.toString())
        .selectExpr("id", "cast(context as binary) context", "continuation")
        .write()
        .parquet(binary.toString());
    output = own.resolve("of-binary");
    scored("demo", binary, output, PAIR);
    assertThat(columns(output, SCORES)).isEqualTo(expected);
  }

  @Test
  void a_continuation_without_a_token_of_its_own_is_an_error() throws IOException {
    String[][] texts = {
      {"The unfortu", "nate man"},
      {"The unfortu", "n"},
      {"The unfortu", " nate"},
      {"He was read", "ing the book"},
      {"He was read", "y"},
      {"She said that he wa", "s"},
      {"She said that he wa", "lked"},
      {"Give me th", "e book"},
      {"Give me th", "at"},
      {"Give me th", "e"},
      {"e", "\u0301"},
      {"It w", ""},
    };
    Tokenizer tokenizer =
        TokenizerFile.parse("demo", DemoModel.tokenizer()).tokenizer(own.resolve("native"));
    List<Row> rows = new ArrayList<>();
    Map<String, Long> expected = new java.util.TreeMap<>();
    for (int i = 0; i < texts.length; i++) {
      String id = "row-%02d".formatted(i);
      rows.add(RowFactory.create(id, texts[i][0], texts[i][1]));
      int given = tokenizer.encode(texts[i][0]).length;
      int both = tokenizer.encode(texts[i][0] + texts[i][1]).length;
      expected.put(id, both <= given && !texts[i][1].isEmpty() ? null : (long) both - given);
    }
    assertThat(expected.values()).contains(null, 0L, 1L);
    Path input = write(own.resolve("input"), 10, schema(DataTypes.StringType), rows);
    scored("demo", input, output, PAIR);
    columns(output, SCORES)
        .forEach(
            (id, scores) -> {
              if (expected.get(id) == null) {
                assertThat(scores).isEqualTo(MERGED);
              } else {
                assertThat(scores.get(1)).isEqualTo(expected.get(id));
              }
            });
    long merged = expected.values().stream().filter(count -> count == null).count();
    assertThat(summary().get("errors").get("merged_continuation").asLong()).isEqualTo(merged);
    assertThat(score("demo", input, own.resolve("strict"), with(PAIR, "--strict")).code())
        .isEqualTo(3);
    assertThat(score("demo", input, own.resolve("fail"), with(PAIR, "--on-error", "fail")).err())
        .contains(MERGED.get(4) + ", in row ");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'a' context, array(1) continuation | Column context is string and column continuation is"
            + " array<int>; expected two texts or two lists of tokens",
        "array(1) context, 'a' continuation | Column context is array<int> and column continuation"
            + " is string; expected two texts or two lists of tokens",
        "1 context, 'a' continuation | Column context is int; expected string, binary, array<int>,"
            + " array<bigint> or array<smallint>",
        "'a' context | Column continuation (--continuation-column) is not in the input; its columns"
            + " are context",
      })
  void a_pair_must_be_two_texts_or_two_lists_of_tokens(String columns, String message) {
    Path input = own.resolve("input");
    TestSpark.session().range(1).selectExpr(columns.split(", ")).write().parquet(input.toString());
    Cli run = score("demo", input, output, PAIR);
    assertThat(run.err().strip()).isEqualTo("error: " + message);
    assertThat(run.code()).isEqualTo(1);
    assertThat(output).doesNotExist();
  }

  @Test
  void a_tokenizer_is_refused_for_tokens_and_required_for_texts() {
    List<Row> rows = List.of(RowFactory.create("row-0", new int[] {5}, new int[] {7}));
    Path tokens = write(own.resolve("tokens"), 10, schema(TestScores.TOKENS), rows);
    Cli superfluous = score(folder, tokens, output, with(PAIR, "--tokenizer", "demo"));
    assertThat(superfluous.error())
        .isEqualTo(
            "error: --tokenizer needs text columns; found tokens in context and continuation");
    assertThat(superfluous.code()).isEqualTo(2);
    Path texts =
        write(
            own.resolve("texts"),
            10,
            schema(DataTypes.StringType),
            List.of(RowFactory.create("row-0", "a", "b")));
    assertThat(score(folder, texts, output, PAIR).error())
        .startsWith(
            "error: Cannot find the tokenizer of model "
                + folder
                + ": its folder has no tokenizer.json; ");
  }

  @Test
  void an_empty_context_requires_a_prefix_from_the_model_or_an_option() throws IOException {
    Path other = TestModels.write(own.resolve("other"));
    Path config = other.resolve("config.json");
    Files.writeString(config, Files.readString(config).replace("bos_token_id", "other_id"));
    List<Row> rows =
        List.of(
            RowFactory.create("row-0", new int[] {}, new int[] {7}),
            RowFactory.create("row-1", new int[] {5}, new int[] {7}));
    Path input = write(own.resolve("input"), 10, schema(TestScores.TOKENS), rows);
    // Only the empty context requires a prefix.
    scored(other, input, own.resolve("without"), PAIR);
    Map<String, List<Object>> without = columns(own.resolve("without"), "error");
    assertThat(without.get("row-0"))
        .containsExactly(
            "Context is empty, and the model has no bos or eos token to use instead; see"
                + " --prefix-token");
    assertThat(without.get("row-1")).containsOnlyNulls();
    scored(other, input, output, with(PAIR, "--prefix-token", 2));
    assertThat(columns(output, "error").get("row-0")).containsOnlyNulls();
  }
}
