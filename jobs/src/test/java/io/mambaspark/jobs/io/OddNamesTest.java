package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Names of files and folders that Spark or Hadoop could parse as globs or URIs. */
class OddNamesTest {
  /** As a glob, the first name would match a sibling folder. */
  static final List<String> NAMES = List.of("run[12]", "{a,b}*?\\:#1;%20é ");

  private static final int ROWS = 6;

  @TempDir static Path shared;
  private static Path corpus;

  @TempDir Path own;

  @BeforeAll
  static void writeCorpus() {
    corpus = shared.resolve("corpus");
    write(corpus, 0);
  }

  /** Appends a file with {@value #ROWS} rows of the demo, starting with row {@code first}. */
  private static void write(Path folder, int first) {
    TestSpark.session()
        .createDataFrame(DemoCorpus.rows().subList(first, first + ROWS), DemoCorpus.SCHEMA)
        .selectExpr("id", "kind", "substring(text, 1, 100) as text", "slice(tokens, 1, 20) tokens")
        .coalesce(1)
        .write()
        .mode("append")
        .parquet(folder.toString());
  }

  /** Reads only this folder, even if its name is a glob. */
  private static List<Row> rows(Path folder, String format) {
    return TestSpark.session()
        .read()
        .format(format)
        .option("__globPaths__", false)
        .load(folder.toString())
        .sort("id")
        .collectAsList();
  }

  @BeforeEach
  void writeDecoy() {
    TestSpark.session().sql("SELECT 'decoy' AS id").write().parquet(own.resolve("run1").toString());
  }

  private static Cli succeed(Object... args) {
    Cli run = Cli.run(args);
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    return run;
  }

  private static Object[] score(Path output, Object... more) {
    List<Object> args =
        new ArrayList<>(List.of("score", "--model", "demo", "--input", corpus, "--output", output));
    args.addAll(Arrays.asList(more));
    return args.toArray();
  }

  @ParameterizedTest
  @FieldSource("NAMES")
  void score_finds_its_own_output_again(String name) throws IOException {
    Path output = own.resolve(name);
    Path report = own.resolve(name.replace(':', '.') + ".html");
    succeed(score(output, "--report", report, "--group-by", "kind"));
    assertThat(rows(output, "parquet")).hasSize(ROWS);
    assertThat(TestOutput.summary(output).get("documents").asInt()).isEqualTo(ROWS);
    assertThat(TestOutput.summary(output).get("groups")).isNotEmpty();
    assertThat(Files.readString(report)).endsWith("</html>\n");

    Files.delete(output.resolve(Output.SUMMARY));
    Object uri = new org.apache.hadoop.fs.Path("file", null, output.toString());
    Cli resumed =
        succeed("score", "--model", "demo", "--input", corpus, "--resume", "--output", uri);
    assertThat(resumed.out()).contains("done by earlier starts");
    assertThat(TestOutput.summary(output).get("documents").asInt()).isEqualTo(ROWS);

    String[] json = {"--partitions", "1", "--output-format", "json", "--bucket", "head:50"};
    succeed(score(output, Stream.concat(Stream.of("--overwrite"), Stream.of(json)).toArray()));
    assertThat(rows(output, "json")).hasSize(ROWS);
    Path parted = own.resolve("parted by " + name);
    succeed(score(parted, "--bucket-thresholds", output));
    assertThat(rows(parted, "parquet")).hasSize(ROWS);
  }

  @ParameterizedTest
  @FieldSource("NAMES")
  void compare_and_tokenize_find_their_own_output_again(String name) throws IOException {
    Path compared = own.resolve(name);
    succeed(
        "compare",
        "--model",
        "demo",
        "--model",
        "demo",
        "--input",
        corpus,
        "--output",
        compared,
        "--group-by",
        "kind");
    assertThat(TestOutput.summary(compared).get("documents").asInt()).isEqualTo(ROWS);
    Path tokens = own.resolve("tokens of " + name);
    succeed(
        "tokenize",
        "--tokenizer",
        "demo",
        "--input",
        corpus,
        "--keep-columns",
        "id",
        "--output",
        tokens,
        "--output-format",
        "orc");
    assertThat(TestOutput.summary(tokens).get("documents").asInt()).isEqualTo(ROWS);
    assertThat(rows(tokens, "orc")).hasSize(ROWS);
  }

  private Cli stream(Path input, Path output, Object... more) {
    List<Object> args =
        new ArrayList<>(
            List.of("score", "--model", "demo", "--stream", "--input", input, "--output", output));
    args.addAll(Arrays.asList(more));
    return Cli.run(args.toArray());
  }

  private static void assertSucceeded(Cli run, int rows) {
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    assertThat(run.out()).containsPattern("rows +%d\n".formatted(rows));
  }

  /** Moves the only Parquet file of a folder. */
  private static void move(Path folder, Path to) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      Files.createDirectories(to.getParent());
      Files.move(files.filter(f -> f.toString().endsWith(".parquet")).findFirst().get(), to);
    }
  }

  /**
   * Uses a subfolder and several files per batch, which Spark's own source would read repeatedly.
   */
  @ParameterizedTest
  @FieldSource("NAMES")
  void a_stream_reads_each_file_once_even_after_a_restart(String name) throws IOException {
    Path input = own.resolve("in").resolve(name.replace(':', '.'));
    for (int i = 0; i < 3; i++) {
      write(own.resolve("made" + i), ROWS * i);
    }
    move(own.resolve("made0"), input.resolve("a[0].parquet"));
    move(own.resolve("made1"), input.resolve(name).resolve(name.replace(':', '.') + ".parquet"));
    Path output = own.resolve("out").resolve(name);
    Object[] checkpoint = {"--checkpoint-location", own.resolve("checkpoint " + name)};
    assertSucceeded(stream(input, output, checkpoint), 2 * ROWS);
    move(own.resolve("made2"), input.resolve("a[1].parquet"));
    assertSucceeded(stream(input, output, checkpoint), ROWS);
    assertThat(rows(output, "parquet"))
        .extracting(row -> row.getAs("id"))
        .doesNotHaveDuplicates()
        .hasSize(3 * ROWS);
  }

  @Test
  void a_stream_of_partition_folders_with_odd_names_keeps_their_columns() throws IOException {
    Path input = own.resolve("run[12]");
    write(own.resolve("made0"), 0);
    write(own.resolve("made1"), ROWS);
    move(own.resolve("made0"), input.resolve("day=[1]").resolve("a{b}.parquet"));
    move(own.resolve("made1"), input.resolve("day=2").resolve("a.parquet"));
    Path output = own.resolve("scores");
    assertSucceeded(stream(input, output), 2 * ROWS);
    assertThat(rows(output, "parquet"))
        .extracting(row -> row.getAs("day"))
        .containsOnly("[1]", "2")
        .hasSize(2 * ROWS);
    write(own.resolve("made2"), 2 * ROWS);
    move(own.resolve("made2"), input.resolve("flat.parquet"));
    // The first start has decided the columns; no file is skipped.
    assertSucceeded(stream(input, output), ROWS);
    assertThat(rows(output, "parquet")).filteredOn(row -> row.getAs("day") == null).hasSize(ROWS);
  }

  @Test
  void a_stream_refuses_files_with_different_partition_folders() throws IOException {
    Path input = own.resolve("in");
    write(own.resolve("made"), 0);
    move(own.resolve("made"), input.resolve("day=1").resolve("a.parquet"));
    Files.copy(input.resolve("day=1/a.parquet"), input.resolve("b.parquet"));
    assertThat(stream(input, own.resolve("scores")).error())
        .isEqualTo(
            "error: Input files have different partition folders and cannot be one table:"
                + " file:%s/b.parquet has none, file:%s/day=1/a.parquet has day=; score them in"
                    .formatted(input, input)
                + " separate runs");
    assertThat(own.resolve("scores")).doesNotExist();
  }

  @Test
  void a_folder_name_that_would_hide_files_from_a_stream_is_refused() throws IOException {
    Path scored = own.resolve("run[12]");
    Files.createDirectories(scored.resolve("_spark_metadata"));
    assertThat(stream(scored, own.resolve("again")).error())
        .isEqualTo(
            "error: Cannot stream input %s, which is the output of a stream: Spark finds its"
                    .formatted(scored)
                + " complete files only if the path has none of { } [ ] * ? \\; rename the folder");
    Path colon = Files.createDirectory(own.resolve("a:b[1]"));
    assertThat(stream(colon, own.resolve("again")).error())
        .isEqualTo(
            "error: Cannot stream input %s: Spark's streams treat a path with any of { } [ ] * ?"
                    .formatted(colon)
                + " \\ as a glob, and Hadoop cannot match a glob against a path with a colon;"
                + " rename the folder");
  }

  /**
   * Spark 2.4 escaped the path of a stream's output. By default, Spark therefore refuses to read "a
   * b" if "a%20b" is the output of a stream.
   */
  @Test
  void an_output_may_be_next_to_a_folder_with_its_escaped_name() throws IOException {
    assertSucceeded(stream(corpus, own.resolve("a%20b")), ROWS);
    succeed(score(own.resolve("a b"), "--group-by", "kind"));
    assertThat(TestOutput.summary(own.resolve("a b")).get("documents").asInt()).isEqualTo(ROWS);
  }

  @Test
  void a_file_with_a_colon_in_its_name_is_refused_if_hadoop_cannot_write_it() throws IOException {
    Path page = own.resolve("a:b.html");
    assertThat(Cli.run(score(own.resolve("scores"), "--report", page)).error())
        .isEqualTo(
            "error: Cannot use file file:%s: Hadoop does not support local files with a colon in"
                    .formatted(page)
                + " their names; choose another name");
    Path thresholds = Files.writeString(own.resolve("a:b.json"), "{}");
    assertThat(Cli.run(score(own.resolve("scores"), "--bucket-thresholds", thresholds)).error())
        .isEqualTo(
            "error: Cannot use file file:%s: Hadoop does not support local files with a colon in"
                    .formatted(thresholds)
                + " their names; choose another name");
  }

  @Test
  void a_name_that_parses_as_a_uri_is_refused_with_the_remedy() {
    assertThat(Cli.run(score(Path.of("run:1"))).error())
        .isEqualTo(
            "error: Cannot use path run:1: the text before the colon is parsed as the scheme of a URI;"
                + " write ./run:1 for a file or folder of that name");
    assertThat(HadoopFiles.qualified("./run:1", HadoopFiles.configuration()).toUri().getPath())
        .isEqualTo(Path.of("run:1").toAbsolutePath().toString());
  }
}
