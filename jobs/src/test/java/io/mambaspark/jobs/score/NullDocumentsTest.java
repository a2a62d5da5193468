package io.mambaspark.jobs.score;

import static io.mambaspark.jobs.TestScores.byId;
import static io.mambaspark.jobs.TestScores.scored;
import static io.mambaspark.jobs.TestScores.write;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
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

/** Null texts, tokens and continuations. Unlike empty documents, they have no scores at all. */
class NullDocumentsTest {
  @TempDir static Path shared;
  @TempDir Path own;

  private static Path model;
  private static Path corpus;
  private Path output;

  /** Six rows: for each kind of document two null, one empty, one invalid and two valid. */
  @BeforeAll
  static void writeInput() {
    model = TestModels.write(shared.resolve("model"));
    DataType tokens = TestScores.TOKENS;
    StructType schema =
        new StructType()
            .add("id", DataTypes.StringType)
            .add("kind", DataTypes.StringType)
            .add("tokens", tokens)
            .add("text", DataTypes.BinaryType)
            .add("context", tokens)
            .add("continuation", tokens);
    byte[] text = "It was the best of times".getBytes();
    int[] none = {};
    int[] some = {5, 6, 7};
    List<Row> rows =
        List.of(
            RowFactory.create("row-0", "a", some, text, some, some),
            RowFactory.create("row-1", "a", null, null, some, null),
            RowFactory.create("row-2", "a", none, new byte[0], some, none),
            RowFactory.create("row-3", "b", null, null, null, null),
            RowFactory.create("row-4", "b", new int[] {-1}, new byte[] {-1}, none, new int[] {-1}),
            RowFactory.create("row-5", "b", some, text, null, some));
    corpus = write(shared.resolve("corpus"), 2, schema, rows);
  }

  @BeforeEach
  void nameOutput() {
    output = own.resolve("scores");
  }

  @ParameterizedTest
  @CsvSource({
    "--tokens-column tokens,                                   perplexity",
    "--tokens-column tokens --prefix-token bos,                last-logits",
    "--context-column context --continuation-column continuation, top-k=1",
    "--context-column context --continuation-column continuation, last-logits",
    "--text-column text --tokenizer demo --model demo,         perplexity",
  })
  void all_scores_of_null_documents_are_null_and_they_are_counted_separately(
      String columns, String emit) throws IOException {
    List<Object> args = new ArrayList<>(Arrays.asList((Object[]) columns.split(" ")));
    Object with = model;
    if (args.remove("--model")) {
      with = args.remove(args.size() - 1);
    }
    args.addAll(List.of("--keep-columns", "id", "--emit", emit));
    Cli run = scored(with, corpus, output, args.toArray());
    Map<String, Row> rows = byId(output);
    assertThat(rows).hasSize(6);
    rows.forEach(
        (id, row) -> {
          boolean isNull = id.equals("row-1") || id.equals("row-3");
          long values =
              Arrays.stream(row.schema().fieldNames())
                  .filter(column -> row.getAs(column) != null)
                  .count();
          assertThat(values == 1).as(id).isEqualTo(isNull);
        });
    JsonNode json = TestOutput.summary(output);
    assertThat(json.get("documents").asInt()).isEqualTo(6);
    assertThat(json.get("null_documents").asInt()).isEqualTo(2);
    assertThat(json.get("error_documents").asInt()).isEqualTo(1);
    if (!emit.equals("last-logits")) {
      assertThat(json.get("scored_documents").asInt()).isEqualTo(2);
      assertThat(json.get("too_short_documents").asInt()).isEqualTo(1);
      assertThat(run.out()).containsPattern("    too short +1\n    null +2\n");
    }
    assertThat(run.out()).containsPattern("    null +2\n");
    // The first run sums over the ledger, the second over the rows that it wrote.
    args.addAll(List.of("--partitions", 2, "--output-format", "json"));
    Path once = own.resolve("once");
    scored(with, corpus, once, args.toArray());
    assertThat(TestOutput.lasting(TestOutput.summary(once))).isEqualTo(TestOutput.lasting(json));
  }

  @Test
  void null_documents_have_no_rows_of_logits() throws IOException {
    scored(model, corpus, output, "--emit", "logits", "--keep-columns", "id");
    JsonNode json = TestOutput.summary(output);
    assertThat(json.get("documents").asInt()).isEqualTo(6);
    assertThat(json.get("null_documents").isNull()).isTrue();
    assertThat(json.get("tokens").asInt()).isEqualTo(6);
  }

  @Test
  void groups_and_the_report_count_null_documents_and_bounds_do_not_exclude_them()
      throws IOException {
    Path report = own.resolve("report.html");
    scored(
        model,
        corpus,
        output,
        "--keep-columns",
        "id,kind",
        "--group-by",
        "kind",
        "--report",
        report,
        "--max-perplexity",
        1);
    JsonNode json = TestOutput.summary(output);
    assertThat(json.get("filtered_documents").asInt()).isEqualTo(2);
    assertThat(json.get("null_documents").asInt()).isEqualTo(2);
    assertThat(byId(output)).containsOnlyKeys("row-1", "row-2", "row-3", "row-4");
    for (JsonNode group : json.get("groups")) {
      assertThat(group.get("null_documents").asInt()).isEqualTo(1);
    }
    assertThat(Files.readString(report)).contains("2 documents were null and have no scores.");
  }

  @Test
  void an_input_without_null_documents_prints_no_line_about_them() throws IOException {
    Path input = write(own.resolve("input"), "tokens", TestScores.TOKENS, new int[] {1, 2});
    assertThat(scored(model, input, output).out()).doesNotContain("null");
    assertThat(TestOutput.summary(output).get("null_documents").asInt()).isZero();
  }

  @Test
  void a_comparison_counts_null_documents() throws IOException {
    Cli run =
        Cli.run(
            "compare",
            "--model",
            model,
            "--model",
            model,
            "--input",
            corpus,
            "--keep-columns",
            "id",
            "--output",
            output);
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).containsPattern("  null documents +2\n");
    JsonNode json = TestOutput.summary(output);
    assertThat(json.get("documents").asInt()).isEqualTo(6);
    assertThat(json.get("scored_documents").asInt()).isEqualTo(2);
    assertThat(json.get("null_documents").asInt()).isEqualTo(2);
    assertThat(json.get("error_documents").asInt()).isEqualTo(1);
    Row row = byId(output).get("row-1");
    for (int i = 1; i < row.size(); i++) {
      assertThat(row.isNullAt(i)).as(row.schema().fieldNames()[i]).isTrue();
    }
    assertThat(byId(output).get("row-2").<Long>getAs("token_count")).isZero();
  }

  @Test
  void tokenize_counts_null_documents_and_keeps_them_null() throws IOException {
    Cli run =
        Cli.run(
            "tokenize",
            "--tokenizer",
            "demo",
            "--input",
            corpus,
            "--keep-columns",
            "id",
            "--output",
            output);
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).containsPattern("  documents +6\n    null +2\n  errors +1\n");
    JsonNode json = TestOutput.summary(output);
    assertThat(json.get("null_documents").asInt()).isEqualTo(2);
    Path scores = own.resolve("scores-of-tokens");
    scored("demo", output, scores);
    assertThat(TestOutput.summary(scores).get("null_documents").asInt()).isEqualTo(2);
    assertThat(TestOutput.summary(scores).get("too_short_documents").asInt()).isEqualTo(1);
  }

  @Test
  void a_stream_counts_null_documents() {
    Cli run = scored(model, corpus, output, "--stream", "--keep-columns", "id");
    assertThat(run.out()).containsPattern("  rows +6\n    null +2\n    with errors +1\n");
  }
}
