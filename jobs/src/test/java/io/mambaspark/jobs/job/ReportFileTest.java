package io.mambaspark.jobs.job;

import static io.mambaspark.jobs.TestScores.contents;
import static io.mambaspark.jobs.TestScores.names;
import static io.mambaspark.jobs.TestScores.score;
import static io.mambaspark.jobs.TestScores.scored;
import static io.mambaspark.jobs.TestScores.write;
import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestScores;
import io.mambaspark.jobs.TestSpark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
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

/** The path of {@code --report}. Other tests check the content of the page. */
class ReportFileTest {
  @TempDir static Path shared;
  @TempDir Path own;

  private static Path model;
  private static Path corpus;
  private Path output;
  private Path report;

  @BeforeAll
  static void writeCorpus() {
    model = TestModels.write(shared.resolve("model"));
    Random random = new Random(6);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      rows.add(
          RowFactory.create(
              "<i>row-%02d".formatted(i), random.ints(3 * i, 0, TestModels.VOCABULARY).toArray()));
    }
    StructType schema =
        new StructType().add("id", DataTypes.StringType).add("tokens", TestScores.TOKENS);
    corpus = write(shared.resolve("corpus"), 10, schema, rows);
  }

  @BeforeEach
  void nameFiles() {
    output = own.resolve("scores");
    report = own.resolve("report.html");
  }

  @Test
  void a_report_is_one_file_and_a_later_report_replaces_it() throws IOException {
    Cli run = scored(model, corpus, output, "--report", report, "--target-unit-tokens", 1);
    assertThat(run.out()).endsWith("  report at file:" + report + "\n");
    assertThat(names(own)).containsExactly("report.html", "scores");
    String page = Files.readString(report);
    assertThat(page)
        .startsWith("<!")
        .contains("mamba-spark")
        .contains("&lt;i&gt;row-")
        .doesNotContain("<i>row-")
        .contains("position in its document")
        .contains("Every token was scored given all earlier tokens of its document")
        .contains("± is the standard error if documents are a random sample.")
        .endsWith("</html>\n");
    scored(model, corpus, output, "--report", report, "--resume");
    assertThat(Files.readString(report)).isNotEqualTo(page).contains("2 of 2 units were scored");
    scored(model, corpus, output, "--report", report, "--partitions", 2, "--overwrite");
    assertThat(names(own)).containsExactly("report.html", "scores");
    // Without units, the position curve is computed from a column of the rows.
    assertThat(TestSpark.session().read().parquet(output.toString()).columns())
        .contains("position_nll");
    assertThat(TestOutput.summary(output).get("position_curve")).hasSize(6);
    assertThat(Files.readString(report)).contains("position in its document");
    Path deep = own.resolve("a/b/report.html");
    scored(
        model,
        corpus,
        own.resolve("other"),
        "--report",
        deep,
        "--group-by",
        "id",
        "--bucket",
        "a:50");
    assertThat(Files.readString(deep)).endsWith("</html>\n");
  }

  @Test
  void a_report_does_not_replace_other_files_and_is_not_inside_input_or_output()
      throws IOException {
    Path other = Files.writeString(own.resolve("notes.html"), "<html>mine</html>");
    Path folder = Files.createDirectory(own.resolve("folder"));
    scored(model, corpus, output);
    Map<String, String> before = contents(own);
    assertRefused(
        other,
        "Report %s exists and is not a mamba-spark report; choose another path".formatted(other));
    assertRefused(folder, "Report %s is a folder; give the path of a file".formatted(folder));
    Path inside = output.resolve("report.html");
    assertRefused(
        inside,
        "Report %s is inside output %s, where Spark would read it as data; choose a path outside"
            .formatted(inside, output));
    Path below = other.resolve("report.html");
    assertRefused(
        below,
        "Cannot use report %s: file:%s is a file, not a folder; choose another path"
            .formatted(below, other));
    Path read = corpus.resolve("report.html");
    assertRefused(
        read,
        "Report %s is inside input %s, where Spark would read it as data; choose a path outside"
            .formatted(read, corpus));
    assertThat(contents(own)).isEqualTo(before);
    Path above = own.resolve("above");
    Cli run = score(model, corpus, above.resolve("scores"), "--report", above);
    assertThat(run.err().strip())
        .isEqualTo(
            "error: Output %s is inside report %s, which must be a file; choose another path for"
                + " the report",
            above.resolve("scores"), above);
    assertThat(above).doesNotExist();
  }

  private void assertRefused(Path place, String message) {
    Cli run = score(model, corpus, output, "--overwrite", "--report", place);
    assertThat(run.err().strip()).isEqualTo("error: " + message);
    assertThat(run.code()).isEqualTo(1);
  }

  @Test
  void a_job_that_fails_writes_no_report_and_keeps_an_earlier_one() throws IOException {
    Path bad = write(own.resolve("bad"), "tokens", TestScores.TOKENS, new int[] {1, 99});
    Cli run = score(model, bad, output, "--on-error", "fail", "--report", report);
    assertThat(run.code()).isEqualTo(1);
    assertThat(names(own)).containsExactly("bad");
    scored(model, corpus, output, "--report", report);
    String page = Files.readString(report);
    assertThat(
            score(model, bad, output, "--on-error", "fail", "--report", report, "--overwrite")
                .code())
        .isEqualTo(1);
    assertThat(Files.readString(report)).isEqualTo(page);
    try (Stream<Path> files = Files.list(own)) {
      assertThat(files.map(f -> f.getFileName().toString())).noneMatch(f -> f.contains(".part"));
    }
  }

  @Test
  void a_report_that_cannot_be_written_does_not_lose_the_scores() throws IOException {
    Path part = Files.createDirectory(own.resolve(".report.html.part"));
    Cli run = score(model, corpus, output, "--report", report);
    assertThat(run.err().strip())
        .startsWith("error: Cannot write report file:" + report + ": ")
        .contains(part.toString())
        .endsWith("; the scores are complete");
    assertThat(run.code()).isEqualTo(1);
    assertThat(report).doesNotExist();
    assertThat(TestScores.byId(output)).hasSize(20);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--window rolling --window-tokens 8 --prefix-token 0 | Documents were split into windows of"
            + " 8 tokens, as in lm-evaluation-harness (window rolling).",
        "--window strided --window-tokens 8 --stride 4 | A window of 8 tokens started every 4"
            + " tokens, as in ",
        "--window chunked --window-tokens 8 | The second half of each window of 8 tokens was"
            + " scored, as in llama.cpp (window chunked).",
        "--window chunked --window-tokens 8 | error bar: the standard error if tokens are a random"
            + " sample."
      })
  void a_report_describes_the_windows_and_the_error(String options, String note)
      throws IOException {
    List<Object> more = new ArrayList<>(List.of("--report", report));
    more.addAll(List.of(options.split(" ")));
    scored(model, corpus, output, more.toArray());
    assertThat(Files.readString(report)).contains(note);
  }

  @Test
  void a_corpus_without_any_score_has_a_report() throws IOException {
    Path input = write(own.resolve("input"), "tokens", TestScores.TOKENS, new int[] {1}, null);
    scored(model, input, output, "--report", report);
    assertThat(Files.readString(report)).contains("too short");
    Cli demo =
        Cli.run(
            "score",
            "--model",
            "demo",
            "--input",
            "demo",
            "--max-tokens",
            3,
            "--report",
            own.resolve("demo.html"),
            "--group-by",
            "kind",
            "--bucket",
            "a:50");
    assertThat(demo.err()).isEmpty();
    assertThat(demo.out()).contains("report at ").contains("bucket a below");
  }
}
