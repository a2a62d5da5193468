package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.spark.TaskFailure;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Inputs from which an earlier version lost documents, each for another reason. Each Parquet file
 * has six rows, one of which is a single letter and too short to be scored.
 */
class InputCasesTest {
  private static final Path CASES = Path.of("src/test/resources/cases");

  @TempDir Path own;

  private Cli score(List<Object> input, Object... more) {
    List<Object> args = new ArrayList<>(List.of("score", "--model", "demo", "--input"));
    args.addAll(input);
    args.addAll(List.of("--output", own.resolve("out")));
    args.addAll(Arrays.asList(more));
    return Cli.run(args.toArray());
  }

  private Cli texts(String name, Object... more) {
    List<Object> args = new ArrayList<>(List.of("--text-column", "text"));
    args.addAll(Arrays.asList(more));
    return score(List.of(CASES.resolve(name)), args.toArray());
  }

  private JsonNode summary() throws IOException {
    return TestOutput.summary(own.resolve("out"));
  }

  private Dataset<Row> rows() {
    return TestSpark.session().read().parquet(own.resolve("out").toString());
  }

  private void assertScored(Cli run, int rows, int tooShort) throws IOException {
    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows().count()).isEqualTo(rows);
    assertThat(summary().get("documents").asInt()).isEqualTo(rows);
    assertThat(summary().get("scored_documents").asInt()).isEqualTo(rows - tooShort);
    assertThat(summary().get("too_short_documents").asInt()).isEqualTo(tooShort);
  }

  @ParameterizedTest
  @CsvSource({"''", "--partitions 2"})
  void a_column_without_values_in_the_first_file_has_the_type_of_the_second(String more)
      throws IOException {
    assertScored(texts("kept-column-null-first/in", words(more)), 12, 2);
    assertThat(rows().schema().apply("source").dataType()).isEqualTo(DataTypes.StringType);
    assertThat(rows().where("source is not null").count()).isEqualTo(6);
    assertThat(summary().get("input_notes")).isEmpty();
  }

  private static Object[] words(String more) {
    return more.isEmpty() ? new Object[0] : more.split(" ");
  }

  @ParameterizedTest
  @CsvSource({"''", "--partitions 2"})
  void a_column_that_some_files_lack_is_null_there_and_the_summary_notes_it(String more)
      throws IOException {
    Cli run = texts("column-only-in-second/in", words(more));
    assertScored(run, 12, 2);
    assertThat(rows().where("source is null").count()).isEqualTo(6);
    String note =
        "column source is null in 1 of 2 files, which do not have it, such as file:%s"
            .formatted(CASES.resolve("column-only-in-second/in/a.parquet").toAbsolutePath());
    assertThat(summary().get("input_notes").get(0).asText()).isEqualTo(note);
    assertThat(run.out()).contains(note);
  }

  @Test
  void a_file_without_rows_does_not_affect_the_types() throws IOException {
    assertScored(texts("empty-frame-first/in"), 6, 1);
  }

  @ParameterizedTest
  @CsvSource({"i32first, 12", "i64first, 30"})
  void token_ids_of_any_width_are_read_together(String folder, int rows) throws IOException {
    Path in = CASES.resolve("int-widths/in").resolve(folder);
    Cli run = score(List.of(in), "--tokens-column", "tokens", "--keep-columns", "id");
    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows().count()).isEqualTo(rows);
    assertThat(rows().where("nll is null").count()).isZero();
    // All files contain the same rows, with ids of different widths.
    assertThat(rows().groupBy("nll").count().where("count %% %d != 0".formatted(rows / 6)).count())
        .isZero();
  }

  @ParameterizedTest
  @CsvSource({"''", "--limit 100"})
  void files_in_sub_folders_are_read(String more) throws IOException {
    assertThat(texts("nested-folders/in", words(more)).code()).isZero();
    assertThat(summary().get("documents").asInt()).isEqualTo(18);
    assertThat(summary().get("files").get("named").asInt()).isEqualTo(3);
    assertThat(summary().get("files").get("read").asInt()).isEqualTo(3);
  }

  @Test
  void column_names_are_matched_under_the_case_rule_of_the_session() throws IOException {
    assertScored(texts("column-case/in"), 12, 2);
    TestSpark.session().conf().set("spark.sql.caseSensitive", "true");
    try {
      assertThat(texts("column-case/in", "--overwrite").error())
          .isEqualTo(
              "error: Column text (--text-column) is not in file:%s; its columns are ID, Text",
              CASES.resolve("column-case/in/b.parquet").toAbsolutePath());
    } finally {
      TestSpark.session().conf().unset("spark.sql.caseSensitive");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "bad dir, bad.parquet, ''",
    "badpart, lang=fr/bad.parquet, ''",
    "badpart, lang=fr/bad.parquet, --limit 100"
  })
  void a_damaged_file_is_reported_and_the_other_files_are_scored(
      String folder, String bad, String more) throws IOException {
    Path in = CASES.resolve("damaged-and-odd-path").resolve(folder);
    List<Object> args = new ArrayList<>(List.of("--text-column", "text", "--strict"));
    args.addAll(Arrays.asList(words(more)));
    Cli run = score(List.of(in), args.toArray());
    assertThat(run.code()).as(run.err()).isEqualTo(3);
    assertThat(rows().count()).isEqualTo(6);
    assertThat(summary().get("unreadable_files").fieldNames().next())
        .isEqualTo("file:" + in.resolve(bad).toAbsolutePath());
    assertThat(summary().get("files").get("unread").asInt()).isEqualTo(1);
    assertThat(run.out()).contains("  not read                  file:" + in.toAbsolutePath());
  }

  @ParameterizedTest
  @CsvSource({"half, FLOAT16", "interval, INTERVAL", "nanos, TIMESTAMP", "uuid, UUID"})
  void a_column_that_spark_cannot_read_is_refused_only_if_it_is_used(String name, String type)
      throws IOException {
    String file = "foreign-types/in/%s.parquet".formatted(name);
    Cli refused = texts(file);
    assertThat(refused.code()).isEqualTo(1);
    assertThat(refused.error())
        .startsWith("error: Column ")
        .contains(" of file:" + CASES.resolve(file).toAbsolutePath() + " has Parquet type ")
        .contains(type)
        .contains("; list the columns to keep with --keep-columns, without ");
    assertScored(texts(file, "--keep-columns", "text"), 6, 1);
  }

  @ParameterizedTest
  @CsvSource({"''", "--partitions 2"})
  void a_file_that_is_named_twice_is_read_once(String more) throws IOException {
    Path in = CASES.resolve("overlapping-inputs/in");
    List<Object> args = new ArrayList<>(List.of("--text-column", "text"));
    args.addAll(Arrays.asList(words(more)));
    assertScored(score(List.of(in, in.resolve("a.parquet")), args.toArray()), 12, 2);
  }

  /** Appends a Parquet file with one row to a folder. */
  private Path append(String... columns) {
    Path in = own.resolve("in");
    TestSpark.session()
        .sql("select " + String.join(", ", columns))
        .coalesce(1)
        .write()
        .mode("append")
        .parquet(in.toString());
    return in;
  }

  @Test
  void a_column_whose_types_cannot_be_joined_is_refused_with_the_remedy() {
    append("'the sea' as text", "1 as n");
    Path in = append("'the sea' as text", "'x' as n");
    String problem = "error: Column n has types that cannot be joined: ";
    assertThat(score(List.of(in), "--text-column", "text").error())
        .startsWith(problem)
        .endsWith("; list the columns to keep with --keep-columns, without n");
    assertThat(score(List.of(in), "--text-column", "text", "--keep-columns", "n").error())
        .startsWith(problem)
        .endsWith("; write the column with one type, or omit it from --keep-columns");
    assertThat(score(List.of(in), "--text-column", "n").error())
        .startsWith(problem)
        .endsWith("; write the files with one readable type, or score them in separate runs");
  }

  @Test
  void columns_whose_names_differ_only_in_case_are_refused() {
    TestSpark.session().conf().set("spark.sql.caseSensitive", "true");
    try {
      append("'the sea' as text", "1 as n", "2 as N");
    } finally {
      TestSpark.session().conf().unset("spark.sql.caseSensitive");
    }
    assertThat(score(List.of(own.resolve("in")), "--text-column", "text").error())
        .startsWith("error: File file:" + own.resolve("in"))
        .endsWith(
            " has two columns with the name N (spark.sql.caseSensitive is false); list the columns"
                + " to keep with --keep-columns, without n");
  }

  @Test
  void a_stream_refuses_files_with_different_types() {
    Path in = CASES.resolve("int-widths/in/i32first");
    assertThat(score(List.of(in), "--tokens-column", "tokens", "--stream").error())
        .startsWith("error: Column tokens is array<int> in file:" + in.toAbsolutePath())
        .endsWith(
            " and array<bigint> in other files, but --stream reads all files with one schema; write"
                + " the files with one type, or score them without --stream");
  }

  @Test
  void a_later_partition_folder_of_another_type_is_refused() {
    PartitionColumns columns =
        PartitionColumns.of(new StructType().add("k", "int"), TestSpark.session().conf());
    assertThatThrownBy(() -> columns.values(new org.apache.hadoop.fs.Path("file:/in/k=x/a")))
        .isInstanceOf(TaskFailure.class)
        .hasMessage(
            "Cannot read file:/in/k=x/a: partition folder k=x does not match type int of earlier"
                + " folders");
  }

  @Test
  void orc_files_are_refused_for_a_hidden_name_or_a_column_of_their_folders() throws IOException {
    Path in = own.resolve("in");
    TestSpark.session()
        .sql("select 'the sea' as text, 1 as k")
        .coalesce(1)
        .write()
        .orc(in.resolve("k=1").toString());
    Object[] options = {"--text-column", "text", "--input-format", "orc"};
    assertThat(score(List.of(in), options).error())
        .startsWith(
            "error: Column k is both a column of the files and a partition column, for example of"
                + " file:"
                + in.resolve("k=1"))
        .endsWith("; rename one of them");
    Path hidden = in.resolve("_a.orc");
    try (Stream<Path> files = Files.list(in.resolve("k=1"))) {
      Files.move(files.filter(f -> f.toString().endsWith(".orc")).findFirst().get(), hidden);
    }
    assertThat(score(List.of(hidden), options).error())
        .isEqualTo(
            "error: Cannot read input file:%s: Spark's source orc skips files whose names begin"
                    .formatted(hidden)
                + " with _ or .; rename the file");
  }

  @Test
  void footer_files_next_to_the_data_are_excluded() throws IOException {
    assertScored(texts("summary-files/in"), 12, 2);
    assertThat(summary().get("files").get("left_out").asInt()).isEqualTo(2);
    assertThat(summary().get("left_out_files").toString())
        .contains("summary-files/in/_metadata\":\"footers of the files in the same folder\"");
  }

  @Test
  void a_partition_folder_hides_a_column_of_the_files_and_the_summary_notes_it()
      throws IOException {
    Cli run = texts("partition-over-column/in");
    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows().count()).isEqualTo(12);
    assertThat(summary().get("input_notes").get(0).asText())
        .startsWith(
            "column lang of the files is hidden by the partition folders lang=, for example in"
                + " file:");
    List<Object> document = List.of(CASES.resolve("partition-over-column/in"));
    assertThat(score(document, "--text-column", "lang", "--overwrite").error())
        .isEqualTo(
            "error: Column lang (--text-column) is a partition column (lang=), but a document must"
                + " be a column of the files; rename the folders, or choose another column");
  }

  @ParameterizedTest
  @CsvSource({"in", "in/*", "in/*.parquet"})
  void the_files_of_a_delta_table_are_refused(String path) {
    Path table = CASES.resolve("delta-folder/in").toAbsolutePath();
    assertThat(texts("delta-folder/" + path).error())
        .isEqualTo(
            "error: Input file:%s is a table in Delta format, whose files also contain deleted"
                    .formatted(table)
                + " rows; read it with --input-table 'delta.`file:%s`' and the Delta package for Spark"
                    .formatted(table)
                + " (--packages, and the spark.sql.catalog settings in its documentation)");
  }

  @ParameterizedTest
  @CsvSource({"json, --keep-columns id", "parquet, --partitions 3"})
  void each_line_of_json_is_a_row(String format, String more) throws IOException {
    List<Object> args = new ArrayList<>(List.of("--input-format", "json", "--text-column", "text"));
    args.addAll(List.of("--output-format", format, "--strict"));
    args.addAll(Arrays.asList(words(more)));
    Cli run = score(List.of(CASES.resolve("json-lines/in")), args.toArray());
    assertThat(run.code()).as(run.err()).isEqualTo(3);
    Dataset<Row> rows =
        TestSpark.session().read().format(format).load(own.resolve("out").toString());
    assertThat(rows.columns()).contains("id", "error").doesNotContain("_corrupt_record");
    Map<String, String> errors = new TreeMap<>();
    for (Row row : rows.select("id", "error").collectAsList()) {
      String error = row.getString(1);
      errors.merge(
          String.valueOf(row.getString(0)),
          error == null ? "ok" : error.startsWith("Input line is malformed: ") ? "line" : "text",
          (a, b) -> a.compareTo(b) <= 0 ? a + " " + b : b + " " + a);
    }
    assertThat(errors)
        .containsAllEntriesOf(
            Map.ofEntries(
                Map.entry("ok", "ok"),
                Map.entry("cut", "line"),
                // Four lines without a readable id, and a line with the id "null".
                Map.entry("null", "line line line line ok"),
                Map.entry("missing", "ok"),
                Map.entry("empty", "ok"),
                Map.entry("number", "text"),
                Map.entry("object", "text"),
                Map.entry("list", "text"),
                Map.entry("bool", "text"),
                Map.entry("surrogate", "line"),
                Map.entry("pair", "ok"),
                Map.entry("nul", "ok"),
                Map.entry("rawnul", "line"),
                Map.entry("latin1", "line"),
                Map.entry("comma", "line"),
                Map.entry("nan", "ok"),
                Map.entry("two", "line"),
                Map.entry("rawtab", "line"),
                Map.entry("crlf", "ok"),
                Map.entry("fffe", "ok"),
                Map.entry("last", "ok")));
    assertThat(errors).hasSize(21);
    assertThat(summary().get("documents").asInt()).isEqualTo(25);
    assertThat(summary().get("null_documents").asInt()).isEqualTo(2);
    assertThat(summary().get("errors").get("not_text").asInt()).isEqualTo(4);
    assertThat(summary().get("errors").get("malformed_input").asInt()).isEqualTo(11);
  }

  /**
   * Compares the rows of random trees of Parquet and JSON files with the documents in the files.
   */
  @Test
  void every_document_of_a_tree_is_scored_or_its_file_is_reported() throws IOException {
    long seed = 20_261_126;
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    Path parquet = CASES.resolve("overlapping-inputs/in/a.parquet");
    List<String> ways = List.of("", "--partitions 2", "--limit 9999", "--output-format json");
    for (int tree = 0; tree < 4; tree++) {
      boolean json = tree % 2 == 1;
      Path root = own.resolve("tree %d [x]{y,z} é#".formatted(tree));
      Map<String, Integer> expected = new TreeMap<>();
      int unread = 0;
      for (int folder = 0; folder < 3; folder++) {
        String value = "%c ".formatted('a' + folder) + InputFilesTest.name(random);
        String encoded = URLEncoder.encode(value, StandardCharsets.UTF_8).replace("+", " ");
        Path below = root.resolve("k=" + encoded).resolve("sub " + InputFilesTest.name(random));
        Files.createDirectories(below);
        for (int file = random.nextInt(3); file >= 0; file--) {
          String name = file + InputFilesTest.name(random);
          Path to = below.resolve(name);
          if (json) {
            int rows = 1 + random.nextInt(5);
            Files.writeString(to, "{\"id\":\"x\",\"text\":\"the sea\"}\n".repeat(rows));
            expected.merge(value, rows, Integer::sum);
          } else if (random.nextInt(4) == 0) {
            Files.write(to, Arrays.copyOf(Files.readAllBytes(parquet), 500));
            unread++;
          } else {
            Files.copy(parquet, to);
            expected.merge(value, 6, Integer::sum);
          }
        }
        Files.createSymbolicLink(below.resolve("gone"), Path.of("nowhere"));
        unread++;
        Files.writeString(below.resolve("_SUCCESS"), "");
      }
      Path out = own.resolve("out" + tree);
      List<Object> args = new ArrayList<>(List.of("score", "--model", "demo", "--strict"));
      args.addAll(List.of("--input", root, "--output", out, "--text-column", "text"));
      args.addAll(List.of("--input-format", json ? "json" : "parquet"));
      args.addAll(List.of(words(ways.get(tree))));
      Cli run = Cli.run(args.toArray());
      assertThat(run.code()).as("tree %d: %s", tree, run.err()).isEqualTo(3);
      Map<String, Integer> found = new TreeMap<>();
      TestSpark.session()
          .read()
          .format(tree == 3 ? "json" : "parquet")
          .load(out.toString())
          .select("k")
          .collectAsList()
          .forEach(row -> found.merge(row.getString(0), 1, Integer::sum));
      assertThat(found).as("tree %d of seed %d", tree, seed).isEqualTo(expected);
      JsonNode summary = TestOutput.summary(out);
      assertThat(summary.get("unreadable_files")).hasSize(unread);
      assertThat(summary.get("documents").asInt())
          .isEqualTo(expected.values().stream().mapToInt(Integer::intValue).sum());
      assertThat(summary.get("files").get("left_out").asInt()).isEqualTo(3);
    }
  }

  @Test
  void small_files_share_a_unit_and_a_damaged_file_does_not_affect_the_others() throws IOException {
    Path in = Files.createDirectories(own.resolve("in"));
    Path source = CASES.resolve("overlapping-inputs/in/a.parquet");
    byte[] bytes = Files.readAllBytes(source);
    byte[] damaged = bytes.clone();
    // Damage the data pages, but not the footer.
    Arrays.fill(damaged, 4, 200, (byte) 0x55);
    for (int i = 0; i < 9; i++) {
      Files.write(in.resolve(i + ".parquet"), i == 4 ? damaged : bytes);
    }
    Object[] options = {"--text-column", "text", "--target-unit-tokens", 1_000_000, "--strict"};
    Cli run = score(List.of(in), options);
    assertThat(run.code()).as(run.err()).isEqualTo(3);
    assertThat(rows().count()).isEqualTo(8 * 6);
    assertThat(summary().get("units").asInt()).isEqualTo(1);
    assertThat(summary().get("documents").asInt()).isEqualTo(8 * 6);
    assertThat(summary().get("unreadable_files")).hasSize(1);
    assertThat(summary().get("unreadable_files").get("file:" + in.resolve("4.parquet")).asText())
        .startsWith("cannot read row group 0: ");
    // A resumed run retries the damaged file in a separate unit; new files are in separate units.
    Files.write(in.resolve("a.parquet"), bytes);
    List<Object> again = new ArrayList<>(List.of(options));
    again.addAll(List.of("--resume", "--allow-new-input"));
    assertThat(score(List.of(in), again.toArray()).code()).isEqualTo(3);
    assertThat(summary().get("units").asInt()).isEqualTo(3);
    assertThat(summary().get("resumed_units").asInt()).isEqualTo(1);
    assertThat(rows().count()).isEqualTo(9 * 6);
    // Repair the file, with the same size and time.
    FileTime time = Files.getLastModifiedTime(in.resolve("4.parquet"));
    Files.write(in.resolve("4.parquet"), bytes);
    Files.setLastModifiedTime(in.resolve("4.parquet"), time);
    Cli mended = score(List.of(in), again.toArray());
    assertThat(mended.code()).as(mended.err()).isZero();
    assertThat(rows().count()).isEqualTo(10 * 6);
    assertThat(summary().get("documents").asInt()).isEqualTo(10 * 6);
    assertThat(summary().get("unreadable_files")).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"--partitions 2", "--output-format json"})
  void a_file_with_damaged_data_ends_with_an_error_row(String way) throws IOException {
    Path in = Files.createDirectories(own.resolve("in"));
    byte[] bytes = Files.readAllBytes(CASES.resolve("overlapping-inputs/in/a.parquet"));
    Files.write(in.resolve("good.parquet"), bytes);
    Arrays.fill(bytes, 4, 200, (byte) 0x55);
    Files.write(in.resolve("bad.parquet"), bytes);
    List<Object> args = new ArrayList<>(List.of("--text-column", "text", "--strict"));
    args.addAll(Arrays.asList(words(way)));
    Cli run = score(List.of(in), args.toArray());
    assertThat(run.code()).as(run.err()).isEqualTo(3);
    assertThat(summary().get("documents").asInt()).isEqualTo(7);
    assertThat(summary().get("errors").get("unreadable_input").asInt()).isEqualTo(1);
    Dataset<Row> rows =
        TestSpark.session()
            .read()
            .format(way.endsWith("json") ? "json" : "parquet")
            .load(own.resolve("out").toString());
    assertThat(rows.where("error is not null").first().<String>getAs("error"))
        .startsWith(
            "Input cannot be read: reading file:%s failed after 0 rows: "
                .formatted(in.resolve("bad.parquet")));
    args.addAll(List.of("--on-error", "fail", "--overwrite"));
    assertThat(score(List.of(in), args.toArray()).error())
        .contains("Input cannot be read: reading file:");
  }

  private Path gzip(String name, byte[] content) throws IOException {
    Path file = own.resolve("in").resolve(name);
    Files.createDirectories(file.getParent());
    try (GZIPOutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
      out.write(content);
    }
    return file;
  }

  private Cli lines(Object... more) {
    List<Object> args = new ArrayList<>(List.of("--input-format", "json", "--text-column", "text"));
    args.addAll(Arrays.asList(more));
    return score(List.of(own.resolve("in")), args.toArray());
  }

  @ParameterizedTest
  @CsvSource({"''", "--keep-columns id"})
  void compressed_lines_are_read_up_to_a_truncation(String more) throws IOException {
    Random random = new Random(1);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 1500; i++) {
      String noise = Long.toHexString(random.nextLong()).repeat(6);
      text.append("{\"id\":%d,\"text\":\"a\",\"noise\":\"%s%d\"}\n".formatted(i, noise, i));
    }
    byte[] content = text.toString().getBytes(StandardCharsets.UTF_8);
    Path complete = gzip("whole.gz", content);
    Cli good = lines(words(more));
    assertThat(good.code()).as(good.err()).isZero();
    assertThat(rows().count()).isEqualTo(1500);
    byte[] compressed = Files.readAllBytes(complete);
    Files.write(own.resolve("in/cut.gz"), Arrays.copyOf(compressed, compressed.length * 9 / 10));
    List<Object> args = new ArrayList<>(List.of("--overwrite", "--strict"));
    args.addAll(Arrays.asList(words(more)));
    Cli run = lines(args.toArray());
    assertThat(run.code()).as(run.err()).isEqualTo(3);
    long documents = summary().get("documents").asLong();
    assertThat(documents).isBetween(2500L, 2999L).isEqualTo(rows().count());
    assertThat(summary().get("errors").get("unreadable_input").asInt()).isEqualTo(1);
    assertThat(rows().where("error like 'Input cannot be read: %cut.gz failed after %'").count())
        .isEqualTo(1);
  }

  @Test
  void malformed_lines_are_rows_with_errors_even_if_no_line_is_valid() throws IOException {
    Files.createDirectories(own.resolve("in"));
    Files.writeString(own.resolve("in/a.json"), "[{\"text\":\"a\"},{\"text\":\"b\"}]\n'no'\n");
    Files.createFile(own.resolve("in/empty.json"));
    Cli run = lines("--strict");
    assertThat(run.code()).as(run.err()).isEqualTo(3);
    assertThat(summary().get("errors").get("malformed_input").asInt()).isEqualTo(2);
    assertThat(rows().first().<String>getAs("error"))
        .contains("jq -c '.[]'")
        .endsWith(", in file:" + own.resolve("in/a.json"));
  }

  @Test
  void a_column_that_first_occurs_after_the_sample_is_found() throws IOException {
    Files.createDirectories(own.resolve("in"));
    Files.writeString(
        own.resolve("in/a.json"),
        "{\"id\":1,\"pad\":\"%s\"}\n".formatted("x".repeat(1 << 20)).repeat(2)
            + "{\"id\":2,\"text\":\"the sea\",\"source\":\"web\"}\n");
    Cli run = lines("--keep-columns", "id,source");
    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows().where("source = 'web' and nll > 0").count()).isEqualTo(1);
    assertThat(summary().get("null_documents").asInt()).isEqualTo(2);
  }

  @Test
  void lists_maps_and_structs_without_values_take_the_types_of_other_files() throws IOException {
    String first = "array(struct(cast(null as int) as x), null) as s, array() as l, map() as m";
    String second =
        "array(struct(named_struct('y', date'2020-01-01') as x)) as s, array('a') as l,"
            + " map('k', 1L) as m";
    Path in = own.resolve("in");
    for (String columns : List.of(first, second)) {
      TestSpark.session()
          .sql("select 'the sea' as text, " + columns)
          .selectExpr("text", "s", "l", "cast(m as map<string,int>) as m")
          .selectExpr(
              columns.equals(first)
                  ? new String[] {"text", "s", "cast(l as array<int>) as l", "m"}
                  : new String[] {"text", "s", "l", "cast(m as map<string,bigint>) as m"})
          .coalesce(1)
          .write()
          .mode("append")
          .parquet(in.toString());
    }
    for (String way : List.of("", "--partitions 2")) {
      List<Object> args = new ArrayList<>(List.of("--text-column", "text", "--overwrite"));
      args.addAll(Arrays.asList(words(way)));
      Cli run = score(List.of(in), args.toArray());
      assertThat(run.code()).as(run.err()).isZero();
      assertThat(
              rows().selectExpr("to_json(struct(s, l, m))").collectAsList().stream()
                  .map(row -> row.getString(0))
                  .sorted())
          .containsExactly(
              "{\"s\":[{\"x\":{\"y\":\"2020-01-01\"}}],\"l\":[\"a\"],\"m\":{\"k\":1}}",
              "{\"s\":[{},null],\"l\":[],\"m\":{}}");
    }
  }

  @Test
  void any_time_zone_of_the_session_and_any_case_of_column_names_work() throws IOException {
    TestSpark.session().conf().set("spark.sql.session.timeZone", "GMT+8:00");
    try {
      Cli run =
          score(
              List.of(CASES.resolve("column-case/in")),
              "--text-column",
              "TEXT",
              "--keep-columns",
              "Id",
              "--target-unit-tokens",
              40);
      assertScored(run, 12, 2);
      assertThat(rows().columns()).startsWith("Id");
      assertThat(summary().get("units").asInt()).isEqualTo(2);
    } finally {
      TestSpark.session().conf().unset("spark.sql.session.timeZone");
    }
  }
}
