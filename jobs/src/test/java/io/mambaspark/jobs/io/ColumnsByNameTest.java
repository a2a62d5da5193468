package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.ml.MambaPerplexity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Checks that every way of scoring finds columns by their names as Spark does. */
class ColumnsByNameTest {
  private static final String ROW =
      "named_struct('Body', 'the sea', 'Ids', array(5, 6, 7), 'bytes', 9L, 'x', %s) as Meta,"
          + " %d as Id, 'a' as `k, l`";

  @TempDir Path own;

  private Cli run(String command, Object... more) {
    List<Object> args =
        new ArrayList<>(
            List.of(command, "--input", own.resolve("in"), "--output", own.resolve("out")));
    args.addAll(List.of(command.equals("tokenize") ? "--tokenizer" : "--model", "demo"));
    args.addAll(Arrays.asList(more));
    return Cli.run(args.toArray());
  }

  private Dataset<Row> rows() {
    return TestSpark.session().read().parquet(own.resolve("out").toString());
  }

  private JsonNode summary() throws IOException {
    return TestOutput.summary(own.resolve("out"));
  }

  /** Writes two files that have different types in a field that is not read. */
  private void write(String format) {
    write(format, 2);
  }

  private void write(String format, int files) {
    for (int i = 0; i < files; i++) {
      TestSpark.session()
          .sql("select " + ROW.formatted(i == 0 ? "'text'" : "1", i))
          .coalesce(1)
          .write()
          .format(format)
          .mode("append")
          .save(own.resolve("in").toString());
    }
  }

  private static void assertSucceeded(Cli run) {
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
  }

  @ParameterizedTest
  @CsvSource({
    "parquet, ''",
    "parquet, --limit 9",
    "parquet, --stream",
    "json, ''",
    "json, --stream"
  })
  void a_document_may_be_a_field_of_which_only_the_leaf_is_read(String format, String more)
      throws IOException {
    write(format);
    List<Object> args =
        new ArrayList<>(
            List.of(
                "--input-format",
                format,
                "--text-column",
                "META.body",
                "--keep-columns",
                "ID,`K, L`",
                "--byte-count-column",
                "meta.`bytes`"));
    args.addAll(more.isEmpty() ? List.of() : Arrays.asList(more.split(" ")));
    assertSucceeded(run("score", args.toArray()));
    assertThat(rows().columns()).startsWith("ID", "K, L", "nll");
    assertThat(rows().select("token_count", "byte_count", "error").distinct().collectAsList())
        .extracting(Row::toString)
        .containsExactly("[%d,9,null]".formatted(rows().first().<Long>getAs("token_count")));
    assertThat(rows().count()).isEqualTo(2);
  }

  @Test
  void a_column_of_the_whole_name_wins_over_a_field_of_a_partition_column() {
    TestSpark.session()
        .sql("SELECT 'It was' AS `lang.text`")
        .write()
        .parquet(own.resolve("in/lang=en").toString());
    assertSucceeded(run("score", "--text-column", "LANG.text", "--keep-columns", "lang"));
    assertThat(rows().first().<String>getAs("lang")).isEqualTo("en");
    assertThat(rows().first().<Long>getAs("token_count")).isPositive();
  }

  @Test
  void an_unused_field_with_two_types_is_refused_only_if_its_column_is_kept() {
    write("parquet");
    assertThat(run("score", "--text-column", "meta.body").error())
        .startsWith("error: Column Meta has types that cannot be joined: struct<Body:string,");
  }

  @Test
  void a_dry_run_counts_the_tokens_of_fields() {
    write("parquet");
    Cli run = run("score", "--tokens-column", "meta.ids", "--keep-columns", "id", "--dry-run");
    assertThat(run.out()).containsPattern(" rows +2\n").containsPattern(" tokens +6\n");
  }

  @Test
  void only_the_fields_of_the_document_are_read_and_counted() {
    write("parquet");
    ParquetInput input =
        ParquetInput.plan(
            TestSpark.session(),
            InputFiles.list(List.of(own.resolve("in").toString()), new Configuration()),
            new DocumentOptions(DocumentColumns.text("meta.BODY"), List.of("ID")),
            SparkOptions.NONE);
    assertThat(input.schema().apply("Meta").dataType().catalogString())
        .isEqualTo("struct<Body:string>");
    // A quarter of the bytes of the text and of its encoding.
    assertThat(input.footers().get(0).rowGroups().get(0).tokens()).isBetween(5L, 20L);
  }

  @Test
  void a_group_is_named_as_the_kept_column() throws IOException {
    write("parquet");
    assertSucceeded(
        run(
            "score",
            "--tokens-column",
            "meta.IDS",
            "--keep-columns",
            "`k, l`,Id",
            "--group-by",
            "`K, L`,id",
            "--target-unit-tokens",
            1));
    assertThat(summary().get("units").asInt()).isEqualTo(2);
    assertThat(summary().get("groups").get(0).get("group").fieldNames())
        .toIterable()
        .containsExactly("k, l", "Id");
    assertThat(
            run(
                    "score",
                    "--overwrite",
                    "--tokens-column",
                    "meta.ids",
                    "--keep-columns",
                    "id",
                    "--group-by",
                    "ID,`id`")
                .error())
        .isEqualTo("error: --group-by lists column `id` twice; list it once");
  }

  @Test
  void comparing_and_tokenizing_find_the_same_columns() throws IOException {
    write("parquet");
    assertSucceeded(
        run(
            "compare",
            "--model",
            "demo",
            "--tokens-column",
            "meta.ids",
            "--keep-columns",
            "id",
            "--group-by",
            "iD"));
    assertThat(rows().where("token_count = 2").count()).isEqualTo(2);
    assertSucceeded(
        run("tokenize", "--text-column", "meta.body", "--keep-columns", "iD", "--overwrite"));
    assertThat(rows().columns()).startsWith("iD", "tokens");
    assertThat(rows().where("size(tokens) > 0 and byte_count = 7").count()).isEqualTo(2);
  }

  @Test
  void a_column_of_the_complete_name_is_read_instead_of_a_field() {
    TestSpark.session()
        .sql("select named_struct('text', array(1)) as meta, 'the sea' as `Meta.Text`, 1 as id")
        .coalesce(1)
        .write()
        .parquet(own.resolve("in").toString());
    assertSucceeded(run("score", "--text-column", "meta.text", "--keep-columns", "`meta.text`,id"));
    assertThat(rows().columns()).startsWith("meta.text", "id");
    assertThat(run("score", "--text-column", "meta.`text`", "--overwrite").error())
        .isEqualTo("error: Column meta.`text` is array<int>; expected string or binary");
  }

  @Test
  void a_text_in_a_json_object_has_the_errors_of_a_text() throws IOException {
    Files.createDirectories(own.resolve("in"));
    Files.writeString(
        own.resolve("in/a.json"),
        "{\"m\":{\"text\":\"the sea\"},\"id\":1}\n{\"m\":{\"text\":[7]},\"id\":2}\n{\"id\":3}\n");
    assertSucceeded(
        run("score", "--input-format", "json", "--text-column", "m.text", "--keep-columns", "id"));
    assertThat(rows().sort("id").select("error").collectAsList())
        .extracting(row -> row.getString(0))
        .satisfiesExactly(
            error -> assertThat(error).isNull(),
            error ->
                assertThat(error)
                    .startsWith("Text is not a string: found a list at character")
                    .contains(" in column m.text, in file:"),
            error -> assertThat(error).isNull());
  }

  @Test
  void wrong_names_are_refused_as_the_user_wrote_them() {
    write("orc", 1);
    for (String[] wrong :
        new String[][] {
          {
            "--text-column",
            "meta.bodi",
            "is not in the input; its columns are Meta with the fields"
                + " Body and Ids and bytes and x, Id, k, l"
          },
          {"--byte-count-column", "meta.Ids", "is array<int>; expected bigint, int or smallint"},
          {
            "--keep-columns",
            "meta.x",
            "(--keep-columns) is a field of column Meta; only complete"
                + " columns are kept: list Meta"
          },
          {
            "--word-count-column",
            "Meta.Body",
            "is given for two options; give a different column" + " for each"
          },
        }) {
      List<Object> args = new ArrayList<>(List.of("--input-format", "orc", wrong[0], wrong[1]));
      if (!wrong[0].equals("--text-column")) {
        args.addAll(List.of("--text-column", "meta.`Body`"));
      }
      assertThat(run("score", args.toArray()).error())
          .as(wrong[1])
          .startsWith("error: Column " + wrong[1] + " ")
          .endsWith(wrong[2]);
    }
  }

  @Test
  void a_scorer_and_a_stage_find_fields_and_keep_the_other_columns() {
    Dataset<Row> rows =
        TestSpark.session().sql("select " + ROW.formatted("1", 3) + ", 1 as `a.b`, 2 as `it``s`");
    try (MambaScorer scorer = MambaScorer.load("demo")) {
      Row scored =
          scorer
              .tokensColumn("META.ids")
              .byteCountColumn("meta.BYTES")
              .keepColumns("`it``s`", "A.B", "id")
              .score(rows)
              .first();
      assertThat(scored.schema().fieldNames()).startsWith("it`s", "A.B", "id", "nll");
      assertThat(scored.<Long>getAs("token_count")).isEqualTo(2);
      assertThat(scored.<Long>getAs("byte_count")).isEqualTo(9);
      Dataset<Row> twice = rows.selectExpr("Id", "Id as ID", "Meta.Body as text");
      assertThatThrownBy(() -> scorer.textColumn("text").keepColumns("id").score(twice))
          .hasMessage(
              "Column id (--keep-columns) is ambiguous: the input has Id and ID; rename all but one"
                  + " of them, or set spark.sql.caseSensitive=true");
    }
    Row staged =
        new MambaPerplexity().setModel("demo").setTextColumn("meta.body").transform(rows).first();
    assertThat(staged.schema().fieldNames()).startsWith("Meta", "Id", "k, l", "a.b", "it`s", "nll");
    assertThat(staged.<String>getAs("error")).isNull();
  }
}
