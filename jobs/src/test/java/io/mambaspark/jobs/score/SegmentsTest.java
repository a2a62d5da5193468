package io.mambaspark.jobs.score;

import static io.mambaspark.jobs.TestScores.byId;
import static io.mambaspark.jobs.TestScores.columns;
import static io.mambaspark.jobs.TestScores.score;
import static io.mambaspark.jobs.TestScores.scored;
import static io.mambaspark.jobs.TestScores.write;
import static io.mambaspark.jobs.TestSpark.floats;
import static io.mambaspark.jobs.TestSpark.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.TestModels;
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
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataTypes;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Scores of the parts of documents. */
class SegmentsTest {
  private static final long SEED = 2104;
  private static final int DOCUMENTS = 30;
  private static final String[] PARTS = {
    "It was the best", " of times", "\n", "\n\n", "\r\n", " \t\n", "é", "😀", " ", "日本", "x\ny"
  };

  @TempDir static Path shared;
  @TempDir Path own;

  private static Path folder;
  private static Path corpus;
  private static Path prose;
  private static final List<int[]> TOKENS = new ArrayList<>();
  private static final List<String> TEXTS = new ArrayList<>();
  private static Tokenizer tokenizer;

  private record Segment(int start, int end, int tokens, double nll) {}

  /** Writes documents of 0 to 29 tokens or parts, a null document, and one with an error. */
  @BeforeAll
  static void writeInputs() {
    folder = TestModels.write(shared.resolve("model"), 3);
    tokenizer =
        TokenizerFile.parse("demo", DemoModel.tokenizer()).tokenizer(shared.resolve("native"));
    Random random = new Random(SEED);
    List<Object> tokens = new ArrayList<>();
    List<Object> texts = new ArrayList<>();
    for (int i = 0; i < DOCUMENTS; i++) {
      TOKENS.add(random.ints(i, 0, TestModels.VOCABULARY).toArray());
      tokens.add(TOKENS.get(i));
      StringBuilder text = new StringBuilder();
      random.ints(i, 0, PARTS.length).forEach(part -> text.append(PARTS[part]));
      TEXTS.add(text.toString());
      texts.add(text.toString().getBytes(StandardCharsets.UTF_8));
    }
    tokens.addAll(Arrays.asList(null, new int[] {1, 99}));
    texts.addAll(Arrays.asList(null, new byte[] {(byte) 0xFF}));
    corpus = write(shared.resolve("corpus"), "tokens", TestScores.TOKENS, tokens.toArray());
    prose = write(shared.resolve("prose"), "text", DataTypes.BinaryType, texts.toArray());
  }

  private static List<Segment> segments(Row row) {
    List<Segment> segments = new ArrayList<>();
    for (Row each : row.<Row>getList(row.fieldIndex("segments"))) {
      segments.add(new Segment(each.getInt(0), each.getInt(1), each.getInt(2), each.getDouble(3)));
    }
    return segments;
  }

  /** Compares the segments of a row with its token_logprobs. */
  private static void check(
      Row row, int[] bounds, int[] starts, IntPredicate isScored, String where) {
    float[] logprobs = floats(row, "token_logprobs");
    int[] tokens = IntStream.range(0, starts.length).filter(isScored).toArray();
    assertThat(tokens).as(where).hasSameSizeAs(logprobs);
    List<Segment> expected = new ArrayList<>();
    for (int s = 0; s + 1 < bounds.length; s++) {
      int count = 0;
      double nll = 0;
      for (int i = 0; i < tokens.length; i++) {
        boolean last = s + 2 == bounds.length;
        int start = starts[tokens[i]];
        if (start >= bounds[s] && (last || start < bounds[s + 1])) {
          count++;
          nll -= logprobs[i];
        }
      }
      expected.add(new Segment(bounds[s], bounds[s + 1], count, nll));
    }
    List<Segment> segments = segments(row);
    assertThat(segments).as(where).isEqualTo(expected);
    double nll = (Double) value(row, "nll");
    assertThat(segments.stream().mapToDouble(Segment::nll).sum())
        .as(where)
        .isCloseTo(nll, within(1e-12 * nll));
    assertThat(segments.stream().mapToLong(Segment::tokens).sum())
        .isEqualTo(value(row, "token_count"));
  }

  private static void checkUnscored(Map<String, Row> rows) {
    assertThat(value(rows.get("row-" + DOCUMENTS), "segments")).isNull();
    assertThat(value(rows.get("row-" + DOCUMENTS), "error")).isNull();
    assertThat(value(rows.get("row-" + (DOCUMENTS + 1)), "segments")).isNull();
    assertThat(value(rows.get("row-" + (DOCUMENTS + 1)), "error")).isNotNull();
  }

  /** The indices at which segments of {@code tokens} tokens begin, and the end. */
  private static int[] every(int tokens, int count) {
    IntStream starts = IntStream.range(0, count).filter(i -> i % tokens == 0);
    return IntStream.concat(starts, IntStream.of(count)).toArray();
  }

  @ParameterizedTest
  @CsvSource({
    "full,,,0",
    "full,5,,7",
    "rolling,5,,0",
    "strided,,8,0",
    "strided,,4,11",
    "chunked,,,0",
    "chunked,5,,20"
  })
  void segments_of_tokens_divide_the_scored_tokens_of_all_windows(
      String policy, Integer prefix, Integer stride, int max) {
    List<Object> job =
        new ArrayList<>(
            List.of("--window", policy, "--emit", "token-logprobs", "--segment-by", "tokens=3"));
    job.addAll(policy.equals("full") ? List.of() : List.of("--window-tokens", 8));
    job.addAll(prefix == null ? List.of() : List.of("--prefix-token", prefix));
    job.addAll(stride == null ? List.of() : List.of("--stride", stride));
    job.addAll(max == 0 ? List.of() : List.of("--max-tokens", max));
    Path units = own.resolve("units");
    scored(folder, corpus, units, with(job, "--target-unit-tokens", 1));

    Map<String, Row> rows = byId(units);
    for (int i = 0; i < DOCUMENTS; i++) {
      int count = max == 0 ? i : Math.min(i, max);
      // Chunked windows replace a token instead of adding one.
      int before = prefix == null || policy.equals("chunked") ? 0 : 1;
      int complete = (count + before) / 8 * 8;
      IntPredicate isScored =
          token -> {
            int position = token + before;
            return switch (policy) {
              case "strided" -> stride == 8 ? position % 8 > 0 : position > 0;
              case "chunked" -> position < complete && position % 8 > 4;
              default -> position > 0;
            };
          };
      int[] starts = IntStream.range(0, count).toArray();
      String where = "seed %d, %s, %d tokens".formatted(SEED, job, i);
      check(rows.get("row-" + i), every(3, count), starts, isScored, where);
    }
    checkUnscored(rows);

    Path once = own.resolve("once");
    scored(folder, corpus, once, with(job, "--partitions", 3));
    assertThat(columns(once, "segments")).isEqualTo(columns(units, "segments"));
  }

  private static Object[] with(List<Object> args, Object... more) {
    return Stream.concat(args.stream(), Arrays.stream(more)).toArray();
  }

  /** The bounds of lines or paragraphs by their definitions, in the bytes of a text. */
  private static int[] parts(String text, boolean paragraphs) {
    List<Integer> bounds = new ArrayList<>(List.of(0));
    int end = 0;
    boolean afterBlank = false;
    for (String line : text.isEmpty() ? new String[0] : text.split("(?<=\n)")) {
      boolean blank = line.matches("[ \t\r\n]*");
      if (end > 0 && (!paragraphs || afterBlank && !blank)) {
        bounds.add(end);
      }
      end += line.getBytes(StandardCharsets.UTF_8).length;
      afterBlank = blank;
    }
    if (end > 0) {
      bounds.add(end);
    }
    return bounds.stream().mapToInt(Integer::intValue).toArray();
  }

  @ParameterizedTest
  @CsvSource({
    "newline,,0",
    "newline,bos,0",
    "newline,,9",
    "blank-line,bos,0",
    "blank-line,,30",
    "tokens=4,bos,0",
    "tokens=4,,9"
  })
  void segments_of_texts_have_bounds_in_bytes(String how, String prefix, int max) {
    List<Object> job =
        new ArrayList<>(
            List.of(
                "--text-column", "text", "--emit", "token-logprobs,perplexity", "--segment-by"));
    job.add(how);
    job.addAll(prefix == null ? List.of() : List.of("--prefix-token", prefix));
    job.addAll(max == 0 ? List.of() : List.of("--max-tokens", max));
    Path output = own.resolve("output");
    scored("demo", prose, output, job.toArray());
    Map<String, Row> rows = byId(output);
    int several = 0;
    for (int i = 0; i < DOCUMENTS; i++) {
      String text = TEXTS.get(i);
      int[] starts = tokenizer.locate(text).starts();
      int end = text.getBytes(StandardCharsets.UTF_8).length;
      if (max > 0 && starts.length > max) {
        end = starts[max];
        starts = Arrays.copyOf(starts, max);
      }
      int[] kept = starts;
      int last = end;
      String scoredText =
          new String(text.getBytes(StandardCharsets.UTF_8), 0, end, StandardCharsets.UTF_8);
      int[] bounds =
          how.startsWith("tokens")
              ? IntStream.of(every(4, kept.length))
                  .map(token -> token == kept.length ? last : kept[token])
                  .toArray()
              : parts(scoredText, how.equals("blank-line"));
      String where = "seed %d, %s, text %d".formatted(SEED, job, i);
      Row row = rows.get("row-" + i);
      if (how.startsWith("tokens")) {
        // Two tokens may begin in one character, so check by index.
        int[] index = IntStream.range(0, kept.length).toArray();
        List<Segment> found = segments(row);
        assertThat(found.stream().mapToInt(Segment::start).toArray())
            .as(where)
            .containsExactly(Arrays.copyOf(bounds, bounds.length - 1));
        assertThat(found.stream().mapToInt(Segment::end).toArray())
            .as(where)
            .containsExactly(Arrays.copyOfRange(bounds, 1, bounds.length));
        int skipped = prefix == null && index.length > 0 ? 1 : 0;
        for (int s = 0; s < found.size(); s++) {
          int size = Math.min(4, index.length - 4 * s) - (s == 0 ? skipped : 0);
          assertThat(found.get(s).tokens()).as(where).isEqualTo(size);
        }
      } else {
        check(row, bounds, kept, token -> prefix != null || token > 0, where);
      }
      several += bounds.length > 2 ? 1 : 0;
    }
    assertThat(several).isGreaterThan(5);
    checkUnscored(rows);
  }

  private static Segments ofText(String how, String text, int[] starts, int count) {
    return Segments.ofText(
        SegmentBy.parse(how), text.getBytes(StandardCharsets.UTF_8), starts, count);
  }

  @Test
  void bounds_follow_lines_and_blank_lines() {
    String text = "\na\n \r\n\nb\nc\n\n";
    int[] starts = IntStream.range(0, text.length()).toArray();
    assertThat(ofText("newline", text, starts, starts.length).bounds())
        .containsExactly(0, 1, 3, 6, 7, 9, 11, 12);
    assertThat(ofText("blank-line", text, starts, starts.length).bounds())
        .containsExactly(0, 1, 7, 12);
    // Kept tokens end at "b".
    assertThat(ofText("blank-line", text, starts, 8).bounds()).containsExactly(0, 1, 7, 8);
    assertThat(ofText("blank-line", text, starts, 7).bounds()).containsExactly(0, 1, 7);
    // A token of two line feeds belongs to the first line.
    Segments spanning = ofText("newline", "a\n\nb", new int[] {0, 1, 3}, 3);
    assertThat(spanning.bounds()).containsExactly(0, 2, 3, 4);
    assertThat(spanning.first()).containsExactly(0, 2, 2);
    assertThat(ofText("newline", "", new int[0], 0).size()).isZero();
    // Special tokens of an empty text, and a text without tokens.
    assertThat(ofText("newline", "", new int[] {0, 0}, 2).bounds()).containsExactly(0, 0);
    assertThat(ofText("tokens=4", "a\n", new int[0], 0).bounds()).containsExactly(0, 2);
  }

  @Test
  void special_tokens_belong_to_the_first_and_to_the_last_segment() throws IOException {
    ObjectMapper json = new ObjectMapper();
    ObjectNode changed = (ObjectNode) json.readTree(DemoModel.tokenizer());
    String token = "{\"SpecialToken\":{\"id\":\"<|endoftext|>\",\"type_id\":0}}";
    String sequence = "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}";
    changed.set(
        "post_processor",
        json.readTree(
            ("{\"type\":\"TemplateProcessing\",\"single\":[%s,%s,%s],\"pair\":[%s,%s],"
                    + "\"special_tokens\":{\"<|endoftext|>\":{\"id\":\"<|endoftext|>\",\"ids\":[%d],"
                    + "\"tokens\":[\"<|endoftext|>\"]}}}")
                .formatted(
                    token, sequence, token, sequence, sequence.replace("\"A\"", "\"B\""), 0)));
    Path file = Files.write(own.resolve("tokenizer.json"), json.writeValueAsBytes(changed));
    Path input = write(own.resolve("input"), "text", DataTypes.StringType, "a\nb", "");
    Path output = own.resolve("output");
    Object[] job = {"--text-column", "text", "--tokenizer", file, "--add-special-tokens"};
    scored("demo", input, output, with(List.of(job), "--segment-by", "newline"));
    Map<String, Row> rows = byId(output);
    // The first special token is context. The tokens are "a", a line feed, "b", and the last one.
    assertThat(segments(rows.get("row-0")).stream().map(Segment::tokens).toList())
        .containsExactly(2, 2);
    assertThat(segments(rows.get("row-1")))
        .containsExactly(new Segment(0, 0, 1, (Double) value(rows.get("row-1"), "nll")));
  }

  @Test
  void the_scorer_and_a_stream_have_the_same_segments() {
    Path output = own.resolve("output");
    scored("demo", prose, output, "--text-column", "text", "--segment-by", "blank-line");
    Path stream = own.resolve("stream");
    scored(
        "demo", prose, stream, "--text-column", "text", "--segment-by", "blank-line", "--stream");
    assertThat(columns(stream, "segments")).isEqualTo(columns(output, "segments"));
    try (MambaScorer scorer = MambaScorer.load("demo").textColumn("text").segmentBy("blank-line")) {
      List<Row> rows =
          scorer
              .score(TestSpark.session().read().parquet(prose.toString()))
              .sort("id")
              .collectAsList();
      assertThat(rows.stream().map(row -> value(row, "segments")).toList())
          .isEqualTo(byId(output).values().stream().map(row -> value(row, "segments")).toList());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "lines", "tokens", "tokens=0", "tokens=-1", "tokens=1e3", "newline "})
  void other_values_are_refused(String how) {
    assertThatThrownBy(() -> SegmentBy.parse(how))
        .isInstanceOf(Refusal.class)
        .hasMessage(
            "--segment-by %s: expected newline, blank-line, or tokens=N with an integer N from 1 to"
                + " 999999999",
            how);
  }

  @Test
  void combinations_without_segments_are_refused() {
    Path output = own.resolve("output");
    Cli lines = score(folder, corpus, output, "--segment-by", "newline");
    assertThat(lines.code()).isEqualTo(2);
    assertThat(lines.err())
        .contains(
            "--segment-by newline needs text columns; found tokens in tokens. --segment-by tokens=N"
                + " divides tokens");
    Cli logits = score(folder, corpus, output, "--segment-by", "tokens=2", "--emit", "logits");
    assertThat(logits.code()).isEqualTo(2);
    assertThat(logits.err()).contains("--emit logits cannot be combined with --segment-by");
    Object[] pair = {"--context-column", "tokens", "--continuation-column", "id"};
    Cli pairs = score(folder, corpus, output, with(List.of(pair), "--segment-by", "tokens=2"));
    assertThat(pairs.code()).isEqualTo(2);
    assertThat(pairs.err())
        .contains(
            "--segment-by cannot be combined with --context-column: segments divide complete"
                + " documents");
    assertThat(output).doesNotExist();
  }
}
