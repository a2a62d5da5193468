package io.mambaspark.jobs.score;

import static io.mambaspark.jobs.TestScores.byId;
import static io.mambaspark.jobs.TestScores.columns;
import static io.mambaspark.jobs.TestScores.score;
import static io.mambaspark.jobs.TestScores.scored;
import static io.mambaspark.jobs.TestScores.sum;
import static io.mambaspark.jobs.TestScores.write;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.DemoCorpus;
import io.mambaspark.jobs.model.DemoModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
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
import org.junit.jupiter.params.provider.ValueSource;

/** Texts as documents. */
class TextTest {
  /** Matches the same white space as {@code \s} in Python's {@code re} for a {@code str}. */
  private static final Pattern SPACES =
      Pattern.compile(
          "[\\t-\\r\\x1C-\\x20\\x85\\xA0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000]+");

  private static final String[] TEXTS = {
    "It was the best of times, it was the worst of times.",
    " \nNaïve façade — \u201Cœuvre\u201D, \uD83D\uDE00\u2003 ",
    "one\u001Cword\u0085and\u00A0more\u200Bbut not this",
    "a NUL \u0000 in the middle",
    "\uFFFD replaced before",
    "Oh",
    "   ",
    "",
    null
  };

  @TempDir static Path shared;
  @TempDir Path own;

  private static Path prose;
  private static Path small;
  private static Path odd;
  private Path output;

  /** Writes the prose of the demo in row groups of ten, with its tokens, and odd texts. */
  @BeforeAll
  static void writeInputs() {
    List<Row> real =
        DemoCorpus.rows().stream().filter(row -> row.getString(2).equals("real")).toList();
    prose = write(shared.resolve("prose"), 10, DemoCorpus.SCHEMA, real);
    small = TestModels.write(shared.resolve("small"));
    odd = write(shared.resolve("odd"), "text", DataTypes.StringType, (Object[]) TEXTS);
  }

  @BeforeEach
  void nameOutput() {
    output = own.resolve("scores");
  }

  private JsonNode summary() throws IOException {
    return TestOutput.summary(output);
  }

  @Test
  void a_text_and_its_tokens_have_bit_identical_scores() throws IOException {
    Object[] shortened = {"--max-tokens", 30, "--keep-columns", "id", "--emit", "token-logprobs"};
    String[] scores = {"nll", "token_count", "perplexity", "truncated", "token_logprobs", "error"};
    scored("demo", prose, output, with(shortened, "--text-column", "text"));
    assertThat(summary().get("tokenizer").get("path").asText()).isEqualTo("demo/tokenizer.json");
    assertThat(summary().get("tokenizer").get("fingerprint").asText()).matches("[0-9a-f]{64}");
    Path tokens = own.resolve("tokens");
    scored("demo", prose, tokens, shortened);
    assertThat(columns(output, scores)).hasSize(103).isEqualTo(columns(tokens, scores));
    assertThat(summary().get("nll")).isEqualTo(TestOutput.summary(tokens).get("nll"));
    assertThat(TestOutput.summary(tokens).get("tokenizer").isNull()).isTrue();
  }

  private static Object[] with(Object[] args, Object... more) {
    return Stream.of(args, more).flatMap(Stream::of).toArray();
  }

  @ParameterizedTest
  @ValueSource(strings = {"string", "binary"})
  void the_bytes_and_words_of_a_text_are_counted(String type) throws IOException {
    Path input = own.resolve("input");
    TestSpark.session()
        .read()
        .parquet(odd.toString())
        .selectExpr("id", "cast(text as " + type + ") text")
        .write()
        .parquet(input.toString());
    scored("demo", input, output, "--text-column", "text", "--prefix-token", "bos");
    Map<String, Row> rows = byId(output);
    assertThat(rows).hasSize(TEXTS.length);
    List<Double> nll = new ArrayList<>();
    long bytes = 0;
    long words = 0;
    for (int i = 0; i < TEXTS.length; i++) {
      Row row = rows.get("row-" + i);
      assertThat(row.<String>getAs("error")).isNull();
      if (TEXTS[i] == null) {
        assertThat(row.<Double>getAs("nll")).isNull();
        assertThat(row.<Long>getAs("byte_count")).isNull();
        assertThat(row.<Long>getAs("word_count")).isNull();
        assertThat(row.<Double>getAs("bits_per_byte")).isNull();
        continue;
      }
      nll.add(row.getAs("nll"));
      long own = TEXTS[i].getBytes(StandardCharsets.UTF_8).length;
      long pieces = SPACES.split(TEXTS[i], -1).length;
      assertThat(row.<Long>getAs("byte_count")).isEqualTo(own);
      assertThat(row.<Long>getAs("word_count")).isEqualTo(pieces);
      if (own == 0) {
        assertThat(row.<Double>getAs("bits_per_byte")).isNull();
        assertThat(row.<Double>getAs("perplexity")).isNull();
      } else {
        assertThat(row.<Double>getAs("bits_per_byte"))
            .isEqualTo(row.<Double>getAs("nll") / own / StrictMath.log(2));
      }
      bytes += own;
      words += pieces;
    }
    JsonNode json = summary();
    assertThat(json.get("nll").asDouble()).isEqualTo(sum(nll));
    assertThat(json.get("byte_perplexity").asDouble()).isEqualTo(StrictMath.exp(sum(nll) / bytes));
    assertThat(json.get("word_perplexity").asDouble()).isEqualTo(StrictMath.exp(sum(nll) / words));
    assertThat(json.get("bits_per_byte").asDouble())
        .isEqualTo(sum(nll) / bytes / StrictMath.log(2));
    assertThat(json.get("too_short_documents").asInt()).isEqualTo(1);
    assertThat(json.get("null_documents").asInt()).isEqualTo(1);
    assertThat(json.get("error_documents").asInt()).isZero();
  }

  @Test
  void counts_in_the_input_take_precedence_over_counts_of_the_text() throws IOException {
    Path input = own.resolve("input");
    TestSpark.session()
        .read()
        .parquet(prose.toString())
        .orderBy("id")
        .limit(4)
        .selectExpr(
            "id", "text", "tokens", "1000 bytes", "case when id like '%2' then 7S end words")
        .write()
        .parquet(input.toString());
    Object[] given = {"--byte-count-column", "bytes", "--word-count-column", "words"};
    scored("demo", input, output, with(given, "--text-column", "text"));
    Map<String, Row> rows = byId(output);
    List<Double> all = new ArrayList<>();
    List<Double> counted = new ArrayList<>();
    for (Row row : rows.values()) {
      assertThat(row.<Long>getAs("byte_count")).isEqualTo(1000);
      boolean has = row.<String>getAs("id").endsWith("2");
      assertThat(row.<Long>getAs("word_count")).isEqualTo(has ? 7L : null);
      all.add(row.getAs("nll"));
      if (has) {
        counted.add(row.getAs("nll"));
      }
    }
    assertThat(counted).isNotEmpty().hasSizeLessThan(4);
    assertThat(rows.values().iterator().next().schema().fieldNames())
        .containsExactly(
            "id",
            "text",
            "tokens",
            "nll",
            "token_count",
            "perplexity",
            "byte_count",
            "bits_per_byte",
            "word_count",
            "truncated",
            "error");
    JsonNode json = summary();
    assertThat(json.get("bits_per_byte").asDouble()).isEqualTo(sum(all) / 4000 / StrictMath.log(2));
    // Only the documents with a word count are included.
    assertThat(json.get("word_perplexity").asDouble())
        .isEqualTo(StrictMath.exp(sum(counted) / (7 * counted.size())));
    Path tokens = own.resolve("tokens");
    scored("demo", input, tokens, given);
    String[] scores = {"nll", "byte_count", "word_count", "bits_per_byte"};
    assertThat(columns(tokens, scores)).isEqualTo(columns(output, scores));
    assertThat(TestOutput.summary(tokens).get("word_perplexity"))
        .isEqualTo(json.get("word_perplexity"));
  }

  @Test
  void a_negative_count_is_an_error_of_its_row() throws IOException {
    Path input = write(own.resolve("input"), "bytes", DataTypes.LongType, 5L, -2L, null);
    Path documents = own.resolve("documents");
    TestSpark.session()
        .read()
        .parquet(input.toString())
        .selectExpr("id", "array(1, 2, 3) tokens", "bytes")
        .write()
        .parquet(documents.toString());
    scored(small, documents, output, "--byte-count-column", "bytes");
    assertThat(columns(output, "error", "byte_count"))
        .containsEntry(
            "row-1",
            java.util.Arrays.asList("Count in column bytes is -2; expected at least 0", null))
        .containsEntry("row-2", java.util.Arrays.asList(null, null));
    assertThat(summary().get("errors").get("negative_count").asInt()).isEqualTo(1);
  }

  @Test
  void a_truncated_text_has_a_byte_count_but_no_bits_per_byte() throws IOException {
    scored("demo", prose, output, "--text-column", "text", "--max-tokens", 9, "--limit", 3);
    for (Row row : byId(output).values()) {
      assertThat(row.<Boolean>getAs("truncated")).isTrue();
      assertThat(row.<Long>getAs("byte_count")).isGreaterThan(1000);
      assertThat(row.<Double>getAs("bits_per_byte")).isNull();
    }
    assertThat(summary().get("bits_per_byte").isNull()).isTrue();
    assertThat(summary().get("word_perplexity").isNull()).isTrue();
    assertThat(summary().get("corpus_perplexity").asDouble()).isPositive();
  }

  @ParameterizedTest
  @ValueSource(strings = {"string", "binary"})
  void text_that_is_not_utf8_is_an_error_of_its_row(String type) throws IOException {
    Path input = own.resolve("input");
    byte[] bad = {'a', 'b', (byte) 0xC3, '(', 'c'};
    byte[] incomplete = {(byte) 0xF0, (byte) 0x9F, (byte) 0x98};
    byte[] good = "très bon".getBytes(StandardCharsets.UTF_8);
    write(own.resolve("bytes"), "text", DataTypes.BinaryType, good, bad, incomplete);
    TestSpark.session()
        .read()
        .parquet(own.resolve("bytes").toString())
        .selectExpr("id", "cast(text as " + type + ") text")
        .coalesce(1)
        .write()
        .parquet(input.toString());
    Object[] text = {"--text-column", "text", "--keep-columns", "id"};
    scored("demo", input, output, text);
    assertThat(columns(output, "error"))
        .containsEntry("row-0", java.util.Collections.singletonList(null))
        .containsEntry("row-1", List.of("Text is not UTF-8: byte 0xC3 at offset 2 of column text"))
        .containsEntry("row-2", List.of("Text is not UTF-8: byte 0xF0 at offset 0 of column text"));
    assertThat(summary().get("errors").get("invalid_utf8").asInt()).isEqualTo(2);
    assertThat(score("demo", input, output, with(text, "--overwrite", "--strict")).code())
        .isEqualTo(3);
    Cli failing = score("demo", input, own.resolve("failing"), with(text, "--on-error", "fail"));
    assertThat(failing.code()).isEqualTo(1);
    assertThat(failing.err().strip())
        .matches(
            "error: Text is not UTF-8: byte 0xC3 at offset 2 of column text, in row 1 of"
                + " file:\\S+\\.parquet; the row has id=row-1");
    assertThat(own.resolve("failing")).doesNotExist();
  }

  @Test
  void a_text_of_ten_million_bytes_is_read_completely_even_if_few_tokens_are_scored()
      throws IOException {
    String start = DemoCorpus.rows().get(0).getString(3);
    String text = start.repeat(10_000_000 / start.length() + 1);
    Path input = write(own.resolve("long"), "text", DataTypes.StringType, text, start);
    scored(
        "demo", input, output, "--text-column", "text", "--max-tokens", 50, "--keep-columns", "id");
    Map<String, List<Object>> rows =
        columns(output, "nll", "token_count", "truncated", "bits_per_byte");
    assertThat(rows.get("row-0")).isEqualTo(rows.get("row-1")).contains(49L, true);
    Row row = byId(output).get("row-0");
    assertThat(row.<Long>getAs("byte_count"))
        .isEqualTo(text.getBytes(StandardCharsets.UTF_8).length);
    assertThat(row.<Long>getAs("word_count")).isEqualTo(SPACES.split(text, -1).length);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "1 text | Column text is int; expected string or binary",
        "array(1) text | Column text is array<int>; expected string or binary",
        "struct('a') text | Column text is struct<col1:string>; expected string or binary",
        "'a' txt | Column text (--text-column) is not in the input; its columns are txt",
      })
  void a_text_column_of_another_type_is_refused(String column, String message) {
    Path input = own.resolve("input");
    TestSpark.session().range(1).selectExpr(column).write().parquet(input.toString());
    Cli run = score("demo", input, output, "--text-column", "text");
    assertThat(run.err().strip()).isEqualTo("error: " + message);
    assertThat(run.code()).isEqualTo(1);
    assertThat(output).doesNotExist();
  }

  @Test
  void a_count_column_must_be_an_integer() {
    Path input = own.resolve("input");
    TestSpark.session().range(1).selectExpr("'a' text", "1.5D n").write().parquet(input.toString());
    Cli run = score("demo", input, output, "--text-column", "text", "--word-count-column", "n");
    assertThat(run.err().strip())
        .isEqualTo("error: Column n is double; expected bigint, int or smallint");
  }

  private Cli withTokenizer(Object model, Object... tokenizer) {
    Cli run = score(model, odd, output, with(tokenizer, "--text-column", "text"));
    if (run.code() != 0) {
      assertThat(run.err().lines()).hasSizeLessThanOrEqualTo(2);
      assertThat(output).doesNotExist();
    }
    return run;
  }

  @Test
  void a_tokenizer_is_in_the_models_folder_or_named_by_an_option() throws IOException {
    Path model = Files.createDirectory(own.resolve("model"));
    DemoModel.unpack(model);
    assertThat(withTokenizer(model).code()).isZero();
    Map<String, List<Object>> expected = columns(output, "nll", "token_count");
    Path moved = Files.createDirectory(own.resolve("moved")).resolve("tokenizer.json");
    Files.move(model.resolve("tokenizer.json"), moved);
    output = own.resolve("none");
    Cli none = withTokenizer(model);
    assertThat(none.code()).isEqualTo(1);
    assertThat(none.error())
        .isEqualTo(
            "error: Cannot find the tokenizer of model "
                + model
                + ": its folder has no tokenizer.json; give --tokenizer, or score tokens with"
                + " --tokens-column");
    for (Path path : List.of(moved, moved.getParent())) {
      output = own.resolve("by-" + path.getFileName());
      assertThat(withTokenizer(model, "--tokenizer", path).code()).isZero();
      assertThat(columns(output, "nll", "token_count")).isEqualTo(expected);
      assertThat(summary().get("tokenizer").get("path").asText()).isEqualTo(path.toString());
    }
    output = own.resolve("nowhere");
    Path empty = Files.createDirectory(own.resolve("empty"));
    for (Path path : List.of(own.resolve("no.json"), empty)) {
      Cli run = withTokenizer(model, "--tokenizer", path);
      assertThat(run.code()).isEqualTo(1);
      assertThat(run.error())
          .isEqualTo(
              "error: Cannot open tokenizer "
                  + path
                  + ": no such file, or a folder without a tokenizer.json");
    }
  }

  @Test
  void a_file_that_is_not_a_tokenizer_is_refused_before_scoring() throws IOException {
    Path notJson = Files.writeString(own.resolve("a.json"), "merges");
    assertThat(withTokenizer("demo", "--tokenizer", notJson).error())
        .isEqualTo(
            "error: Cannot read tokenizer "
                + notJson
                + ": not JSON: Unrecognized token 'merges' (line 1, column 1); expected the"
                + " tokenizer.json of Hugging Face's tokenizers");
    Path config = Files.writeString(own.resolve("b.json"), "{\"model_type\": \"mamba\"}");
    assertThat(withTokenizer("demo", "--tokenizer", config).error())
        .isEqualTo(
            "error: Cannot read tokenizer "
                + config
                + ": it has no model.vocab; expected the tokenizer.json of Hugging Face's"
                + " tokenizers. This is a model's config.json: use the tokenizer.json in its folder");
    Path empty = Files.createFile(own.resolve("c.json"));
    assertThat(withTokenizer("demo", "--tokenizer", empty).code()).isEqualTo(1);
    // This JSON has the shape of a tokenizer; only the library finds the error.
    Path shape =
        Files.writeString(
            own.resolve("d.json"), "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}}}");
    Cli run = withTokenizer("demo", "--tokenizer", shape);
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.error())
        .startsWith("error: Cannot use tokenizer " + shape + ": Hugging Face's tokenizers library");
  }

  @Test
  void a_tokenizer_with_more_ids_than_the_model_is_refused() {
    Cli run = withTokenizer(small, "--tokenizer", "demo");
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.error())
        .isEqualTo(
            "error: Tokenizer demo does not fit model "
                + small
                + ": its largest id is 4092, but the model's embedding has 24 rows; use the tokenizer"
                + " that the model was trained with");
  }

  @Test
  void a_job_on_texts_is_resumed_with_its_own_tokenizer_only() throws IOException {
    Object[] job = {"--text-column", "text", "--max-tokens", 20, "--target-unit-tokens", 1};
    scored("demo", prose, output, job);
    Map<String, String> before = TestOutput.rows(output);
    JsonNode summary = summary();
    Path unit;
    try (Stream<Path> files = Files.list(output)) {
      unit = files.filter(f -> f.toString().endsWith(".parquet")).findFirst().get();
    }
    Files.delete(unit);
    Files.delete(output.resolve("." + unit.getFileName() + ".crc"));
    String other = new String(DemoModel.tokenizer(), StandardCharsets.UTF_8) + "\n";
    Path changed = Files.writeString(own.resolve("changed.json"), other);
    assertThat(score("demo", prose, output, with(job, "--resume", "--tokenizer", changed)).error())
        .startsWith(
            "error: Cannot resume output file:" + output + ": the tokenizer's fingerprint was ");
    assertThat(
            score("demo", prose, output, with(job, "--resume", "--byte-count-column", "id")).code())
        .isEqualTo(1);
    assertThat(score("demo", prose, output, "--max-tokens", 20, "--resume").error())
        .contains(
            "the columns of the document was --text-column text and is --tokens-column tokens");
    scored("demo", prose, output, with(job, "--resume"));
    assertThat(TestOutput.rows(output)).isEqualTo(before);
    assertThat(TestOutput.lasting(summary())).isEqualTo(TestOutput.lasting(summary));
    for (String sum : List.of("bits_per_byte", "word_perplexity", "position_curve", "tokenizer")) {
      assertThat(summary().get(sum)).isEqualTo(summary.get(sum));
    }
    assertThat(summary().get("resumed_units").asInt()).isEqualTo(10);
  }

  @Test
  void texts_can_be_read_from_json_and_written_to_json() throws IOException {
    Path input = own.resolve("json");
    TestSpark.session().read().parquet(odd.toString()).write().json(input.toString());
    scored("demo", odd, own.resolve("parquet"), "--text-column", "text");
    scored(
        "demo",
        input,
        output,
        "--text-column",
        "text",
        "--input-format",
        "json",
        "--output-format",
        "json");
    JsonNode parquet = TestOutput.summary(own.resolve("parquet"));
    for (String sum : List.of("nll", "tokens", "bits_per_byte", "word_perplexity")) {
      assertThat(summary().get(sum)).isEqualTo(parquet.get(sum));
    }
  }

  @Test
  void a_text_column_may_have_any_name() throws IOException {
    StructType schema =
        new StructType().add("id", DataTypes.StringType).add("the `text`.x", DataTypes.StringType);
    Path input =
        write(own.resolve("input"), 10, schema, List.of(RowFactory.create("row-0", "Oh, no")));
    scored("demo", input, output, "--text-column", "the `text`.x");
    assertThat(byId(output).get("row-0").<String>getAs("the `text`.x")).isEqualTo("Oh, no");
  }
}
