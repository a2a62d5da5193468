package io.mambaspark.jobs.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.DemoCorpus;
import io.mambaspark.jobs.model.DemoModel;
import io.mambaspark.jobs.text.PythonText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizeTest {
  @TempDir Path folder;

  private Path texts;
  private Path output;

  @BeforeEach
  void writeTexts() {
    texts = folder.resolve("texts");
    output = folder.resolve("tokens");
    List<Row> rows = new ArrayList<>();
    for (Row row : DemoCorpus.rows().subList(0, 12)) {
      rows.add(RowFactory.create(row.getString(0), row.getString(3), row.get(4)));
    }
    rows.add(RowFactory.create("empty", "", new int[0]));
    rows.add(RowFactory.create("null", null, null));
    TestSpark.session()
        .createDataFrame(
            rows,
            new StructType().add("id", "string").add("text", "string").add("ids", "array<int>"))
        .repartition(3)
        .write()
        .parquet(texts.toString());
  }

  private Cli tokenize(Object... more) {
    List<Object> args =
        new ArrayList<>(
            List.of("tokenize", "--tokenizer", "demo", "--input", texts, "--output", output));
    args.addAll(Arrays.asList(more));
    return Cli.run(args.toArray());
  }

  private JsonNode summary(Path of) throws IOException {
    return new ObjectMapper().readTree(of.resolve("_mamba_summary.json").toFile());
  }

  @Test
  void tokens_with_special_tokens_have_the_scores_of_their_texts_with_special_tokens()
      throws IOException {
    Path model = Files.createDirectory(folder.resolve("model"));
    DemoModel.unpack(model);
    Path tokenizer = model.resolve("tokenizer.json");
    ObjectNode json = (ObjectNode) new ObjectMapper().readTree(tokenizer.toFile());
    String around =
        "{'type': 'TemplateProcessing', 'pair': [], 'single': ["
            + "{'SpecialToken': {'id': '<|endoftext|>', 'type_id': 0}},"
            + "{'Sequence': {'id': 'A', 'type_id': 0}}, {'SpecialToken': {'id': 'B', 'type_id': 0}}],"
            + "'special_tokens': {'<|endoftext|>': {'id': '<|endoftext|>', 'ids': [0],"
            + "'tokens': ['<|endoftext|>']}, 'B': {'id': 'B', 'ids': [34], 'tokens': ['B']}}}";
    json.set("post_processor", new ObjectMapper().readTree(around.replace('\'', '"')));
    Files.writeString(tokenizer, json.toString());
    Cli run =
        Cli.run(
            "tokenize",
            "--tokenizer",
            model,
            "--input",
            texts,
            "--add-special-tokens",
            "--keep-columns",
            "id,text,ids",
            "--output",
            output);
    assertThat(run.code()).as(run.err()).isZero();
    List<Row> rows = TestSpark.session().read().parquet(output.toString()).collectAsList();
    for (Row row : rows) {
      if (row.isNullAt(1)) {
        assertThat(row.isNullAt(3)).isTrue();
        continue;
      }
      List<Integer> expected = new ArrayList<>();
      expected.add(0);
      expected.addAll(row.getList(2));
      expected.add(34);
      assertThat(row.<Integer>getList(3)).isEqualTo(expected);
    }
    List<List<Row>> scores = new ArrayList<>();
    for (Object[] columns :
        List.of(
            new Object[] {"--text-column", "text", "--add-special-tokens"},
            new Object[] {"--tokens-column", "tokens"})) {
      Path scored = folder.resolve("scores" + scores.size());
      List<Object> args =
          new ArrayList<>(
              List.of("score", "--model", model, "--input", output, "--output", scored));
      args.addAll(Arrays.asList(columns));
      args.addAll(List.of("--keep-columns", "id"));
      assertThat(Cli.run(args.toArray()).code()).isZero();
      scores.add(
          TestSpark.session()
              .read()
              .parquet(scored.toString())
              .select("id", "nll", "token_count", "error")
              .sort("id")
              .collectAsList());
    }
    assertThat(scores.get(0)).isEqualTo(scores.get(1));
  }

  @Test
  void tokens_and_counts_are_correct_for_every_text() throws IOException {
    Cli run = tokenize("--keep-columns", "id,text,ids");
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    Dataset<Row> written = TestSpark.session().read().parquet(output.toString());
    assertThat(written.columns())
        .containsExactly("id", "text", "ids", "tokens", "byte_count", "word_count", "token_error");
    long tokens = 0;
    long bytes = 0;
    long words = 0;
    List<Row> rows = written.collectAsList();
    assertThat(rows).hasSize(14);
    for (Row row : rows) {
      assertThat(row.isNullAt(6)).isTrue();
      String text = row.getString(1);
      if (text == null) {
        assertThat(row.isNullAt(3) && row.isNullAt(4) && row.isNullAt(5)).isTrue();
        continue;
      }
      assertThat(row.getList(3)).isEqualTo(row.getList(2));
      assertThat(row.getLong(4)).isEqualTo(text.getBytes(StandardCharsets.UTF_8).length);
      assertThat(row.getLong(5)).isEqualTo(PythonText.words(text));
      tokens += row.getList(3).size();
      bytes += row.getLong(4);
      words += row.getLong(5);
    }
    JsonNode summary = summary(output);
    assertThat(summary.get("documents").asLong()).isEqualTo(14);
    assertThat(summary.get("errors").asLong()).isZero();
    assertThat(summary.get("tokens").asLong()).isEqualTo(tokens);
    assertThat(summary.get("bytes").asLong()).isEqualTo(bytes);
    assertThat(summary.get("words").asLong()).isEqualTo(words);
    assertThat(summary.get("tokenizer").get("fingerprint").asText()).matches("[0-9a-f]{64}");
  }

  @Test
  void scores_of_the_written_tokens_equal_the_scores_of_the_texts() throws IOException {
    assertThat(tokenize("--keep-columns", "id").code()).isZero();
    Path ofTokens = folder.resolve("of-tokens");
    Path ofTexts = folder.resolve("of-texts");
    Object[] score = {"score", "--model", "demo", "--max-tokens", 200};
    assertThat(
            Cli.run(
                    with(
                        score,
                        "--input",
                        output,
                        "--byte-count-column",
                        "byte_count",
                        "--word-count-column",
                        "word_count",
                        "--keep-columns",
                        "id",
                        "--output",
                        ofTokens))
                .code())
        .isZero();
    assertThat(
            Cli.run(
                    with(
                        score,
                        "--input",
                        texts,
                        "--text-column",
                        "text",
                        "--keep-columns",
                        "id",
                        "--output",
                        ofTexts))
                .code())
        .isZero();
    assertThat(rows(ofTokens)).isEqualTo(rows(ofTexts)).hasSize(14);
    for (String number : List.of("nll", "tokens", "word_perplexity", "bits_per_byte")) {
      assertThat(summary(ofTokens).get(number)).isEqualTo(summary(ofTexts).get(number));
    }
  }

  private static Object[] with(Object[] args, Object... more) {
    List<Object> all = new ArrayList<>(Arrays.asList(args));
    all.addAll(Arrays.asList(more));
    return all.toArray();
  }

  private static List<Row> rows(Path of) {
    return TestSpark.session().read().parquet(of.toString()).sort("id").collectAsList();
  }

  @Test
  void a_text_that_is_not_utf8_has_an_error_and_no_tokens() {
    Path bad = folder.resolve("bad");
    TestSpark.session()
        .sql("select 'a' as id, x'6162FF63' as text union all select 'b', x'6162'")
        .write()
        .parquet(bad.toString());
    Object[] args = {
      "tokenize", "--tokenizer", "demo", "--input", bad, "--output", output, "--strict"
    };
    Cli run = Cli.run(args);
    assertThat(run.code()).isEqualTo(3);
    List<Row> rows = rows(output);
    // The null token makes score report an error, and not a document without tokens.
    assertThat(rows.get(0).getList(1)).hasSize(1).containsOnlyNulls();
    assertThat(rows.get(0).getString(4))
        .isEqualTo("Text is not UTF-8: byte 0xFF at offset 2 of column text");
    assertThat(rows.get(1).getList(1)).isNotEmpty();
    assertThat(rows.get(1).isNullAt(4)).isTrue();
  }

  @Test
  void wrong_requests_are_refused_in_one_line() throws IOException {
    assertThat(tokenize("--text-column", "body").error())
        .isEqualTo(
            "error: Column body (--text-column) is not in the input; its columns are id, text, ids");
    assertThat(tokenize("--text-column", "ids").error())
        .isEqualTo("error: Column ids is array<int>; expected string or binary");
    Path notOne = folder.resolve("tokenizer.json");
    Files.writeString(notOne, "{}");
    Cli run = Cli.run("tokenize", "--tokenizer", notOne, "--input", texts, "--output", output);
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.error()).startsWith("error: Cannot read tokenizer " + notOne);
    assertThat(
            Cli.run(
                    "tokenize",
                    "--tokenizer",
                    folder.resolve("none"),
                    "--input",
                    texts,
                    "--output",
                    output)
                .error())
        .isEqualTo(
            "error: Cannot open tokenizer %s: no such file, or a folder without a tokenizer.json"
                .formatted(folder.resolve("none")));
    assertThat(Cli.run("tokenize", "--tokenizer", "demo", "--input", texts).error())
        .isEqualTo("error: Give --output: the output folder");
    assertThat(output).doesNotExist();
    assertThat(tokenize().code()).isZero();
    assertThat(tokenize().error())
        .isEqualTo(
            "error: Output %s exists; choose another, or replace it with --overwrite"
                .formatted(output));
    Path again = folder.resolve("again");
    assertThat(
            Cli.run(
                    "tokenize",
                    "--tokenizer",
                    "demo",
                    "--input",
                    output,
                    "--text-column",
                    "id",
                    "--output",
                    again)
                .error())
        .isEqualTo(
            "error: Kept column tokens has the same name as a column that tokenize adds; exclude it"
                + " with --keep-columns, or rename it");
  }
}
