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

/** Where the page of {@code --report} goes; what is on it is of another test. */
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
  void a_report_is_one_file_and_the_next_takes_its_place() throws IOException {
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
        .contains("Every token was scored given its whole document")
        .endsWith("</html>\n");
    scored(model, corpus, output, "--report", report, "--resume");
    assertThat(Files.readString(report)).isNotEqualTo(page).contains("2 of 2 units were done");
    scored(model, corpus, output, "--report", report, "--partitions", 2, "--overwrite");
    assertThat(names(own)).containsExactly("report.html", "scores");
    // The rows tell the curve where there are no units.
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
  void a_report_replaces_no_other_file_and_lies_nowhere_that_is_read() throws IOException {
    Path other = Files.writeString(own.resolve("notes.html"), "<html>mine</html>");
    Path folder = Files.createDirectory(own.resolve("folder"));
    scored(model, corpus, output);
    Map<String, String> before = contents(own);
    assertRefused(
        other,
        "Report %s exists and is none that mamba-spark has written; choose another"
            .formatted(other));
    assertRefused(folder, "Report %s is a folder; give the name of a file".formatted(folder));
    Path inside = output.resolve("report.html");
    assertRefused(
        inside,
        "Report %s lies in output %s, where Spark would read it as data; choose a place beside"
            .formatted(inside, output));
    Path below = other.resolve("report.html");
    assertRefused(below, "Cannot use report %s: file:%s is a file".formatted(below, other));
    Path read = corpus.resolve("report.html");
    assertRefused(
        read,
        "Report %s lies in input %s, where Spark would read it as data; choose a place beside"
            .formatted(read, corpus));
    assertThat(contents(own)).isEqualTo(before);
    Path above = own.resolve("above");
    Cli run = score(model, corpus, above.resolve("scores"), "--report", above);
    assertThat(run.err().strip())
        .isEqualTo(
            "error: Output %s lies in report %s, which is to be a file; choose a place beside",
            above.resolve("scores"), above);
    assertThat(above).doesNotExist();
  }

  private void assertRefused(Path place, String message) {
    Cli run = score(model, corpus, output, "--overwrite", "--report", place);
    assertThat(run.err().strip()).isEqualTo("error: " + message);
    assertThat(run.code()).isEqualTo(1);
  }

  @Test
  void a_job_that_fails_leaves_no_report_and_an_earlier_one_alone() throws IOException {
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
  void a_corpus_without_a_score_has_a_report_too() throws IOException {
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
