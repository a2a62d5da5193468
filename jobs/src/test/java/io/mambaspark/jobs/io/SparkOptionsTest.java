package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests the options that the user passes to Spark's reader and writer. */
class SparkOptionsTest {
  @TempDir Path own;

  private Path write(String name, String content) throws IOException {
    Path file = own.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, content);
  }

  private Cli score(String input, Object... more) {
    return run("score", "demo", input, more);
  }

  private Cli run(String command, String model, String input, Object... more) {
    List<Object> args =
        new ArrayList<>(
            List.of(command, "--input", own.resolve(input), "--output", own.resolve("out")));
    args.addAll(
        command.equals("tokenize") ? List.of("--tokenizer", model) : List.of("--model", model));
    args.addAll(Arrays.asList(more));
    return Cli.run(args.toArray());
  }

  private List<Row> rows(String format) {
    return TestSpark.session()
        .read()
        .format(format)
        .load(own.resolve("out").toString())
        .sort("id")
        .collectAsList();
  }

  private JsonNode summary() throws IOException {
    return TestOutput.summary(own.resolve("out"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--input-option header | --input-option header: expected KEY=VALUE, such as header=true",
        "--input-option =true | --input-option =…: expected KEY=VALUE, such as header=true",
        "--input-option db:hunter2 | --input-option db…: expected KEY=VALUE, such as header=true",
        "--input-option columnPRUNING=true | --input-option columnPRUNING cannot be set: the job"
            + " compares each record with all columns",
        "--input-option encoding=utf8x | --input-option encoding=utf8x: Java has no character set of"
            + " this name; give one such as UTF-8 or ISO-8859-1",
        "--output-option zstd | --output-option zstd: expected KEY=VALUE, such as compression=zstd",
        "--input-option sep=; --input-option SEP=, | --input-option SEP is given twice; keys are equal"
            + " whatever their case",
        "--input-option MODE=DROPMALFORMED | --input-option MODE cannot be set: the job reports rows"
            + " that cannot be read; see --on-error",
        "--input-option pathglobfilter=*.csv | --input-option pathglobfilter cannot be set: the job"
            + " lists the files itself; name the files in --input",
        "--input-option IgnoreCorruptFiles=true | --input-option IgnoreCorruptFiles cannot be set: it"
            + " would skip input without an error",
        "--input-option orc.skip.corrupt.data=true | --input-option orc.skip.corrupt.data cannot be"
            + " set: it would skip input without an error",
        "--input-option fs.s3a.region=x | --input-option fs.s3a.region is a setting of Hadoop, not an"
            + " option of a reader; give spark-submit --conf spark.hadoop.fs.s3a.region=VALUE",
        "--input-option compression=gzip | --input-option compression cannot be set: Spark recognises"
            + " compressed files by the ends of their names",
        "--output-option MergeSchema=true | --output-option MergeSchema cannot be set: the job always"
            + " joins the columns of all files",
        "--output-option path=x | --output-option path cannot be set: the job sets the place; use"
            + " --input or --output",
        "--output-option partitionBy=x | --output-option partitionBy has no effect: the job writes"
            + " parquet with these options only: compression, maxRecordsPerFile, and keys that begin"
            + " with parquet.",
      })
  void options_that_have_no_effect_or_that_the_job_sets_are_refused(String options, String error) {
    List<Object> args =
        new ArrayList<>(List.of("score", "--model", "demo", "--input", "x", "--output", "y"));
    args.addAll(List.of("--input-format", "csv"));
    args.addAll(Arrays.asList(options.split(" ")));
    Cli run = Cli.runWithoutSession(args.toArray());
    assertThat(run.error()).isEqualTo("error: " + error);
    assertThat(run.code()).isEqualTo(2);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "parquet --input-option vectorized=false | --input-option vectorized has no effect: the job"
            + " reads parquet files itself, so that no value is lost, and uses only basePath,"
            + " datetimeRebaseMode, int96RebaseMode",
        "json --input-option lineSep=; | --input-option lineSep has no effect: the job reads json"
            + " files itself, so that no value is lost, and uses only basePath, multiLine; with"
            + " multiLine=true, Spark reads the files",
        "json --input-option multiline=yes | --input-option multiLine=yes: expected true or false",
        "json --input-option multiLine=true --stream | --stream cannot be combined with --input-option"
            + " multiLine=true: it reads one JSON object a line; write each object on one line: jq -c ."
            + " FILE",
        "parquet --output-option MAXRECORDSPERFILE=9 | --output-option maxRecordsPerFile cannot be set:"
            + " each unit is written to one file; use --target-unit-tokens",
      })
  void options_of_files_that_the_job_reads_itself_are_refused(String options, String error) {
    List<Object> args =
        new ArrayList<>(
            List.of("score", "--model", "demo", "--input", "x", "--output", "y", "--input-format"));
    args.addAll(Arrays.asList(options.split(" ")));
    assertThat(Cli.runWithoutSession(args.toArray()).error()).isEqualTo("error: " + error);
  }

  @Test
  void the_demo_has_no_reader_and_without_an_output_there_is_no_writer() {
    String[] demo = {"score", "--model", "demo", "--input", "demo"};
    assertThat(
            Cli.runWithoutSession(
                    Stream.concat(Arrays.stream(demo), Stream.of("--input-option", "a=b"))
                        .toArray())
                .error())
        .isEqualTo("error: --input demo cannot be combined with --input-option");
    assertThat(
            Cli.runWithoutSession(
                    Stream.concat(Arrays.stream(demo), Stream.of("--output-option", "a=b"))
                        .toArray())
                .error())
        .isEqualTo("error: --output-option needs --output");
  }

  private static List<String> shown(String... given) {
    return SparkOptions.ofInput(OptionValues.NONE.with(Options.INPUT_OPTION, List.of(given)), null)
        .shown();
  }

  @Test
  void options_are_shown_in_one_order_and_form_without_secrets() {
    assertThat(shown("Snapshot-Id=7", "asOf=a=b", "empty="))
        .isEqualTo(shown("empty=", "ASOF=a=b", "snapshot-id=7"))
        .containsExactly("asof=a=b", "empty=", "snapshot-id=7");
    List<String> secret =
        shown(
            "dbPassword=hunter2",
            "url=jdbc:x:me/pw@db",
            "kafka.sasl.jaas.config=x password=pw@",
            "credentials=hunter2",
            "accountKey=hunter2",
            "es.net.http.auth.pass=hunter2");
    assertThat(secret).allMatch(option -> option.contains("=*********(redacted, hash "));
    assertThat(secret.toString()).doesNotContain("hunter2", "pw@");
    assertThat(shown("dbPassword=hunter3")).isNotEqualTo(shown("dbPassword=hunter2"));
  }

  @Test
  void csv_with_a_header_is_read_and_malformed_records_have_errors() throws IOException {
    write("in/a.csv", "id;Text;n\n1;the sea;7\n2;\"a; b\";8\n3;short\n");
    write("in/b.csv", "id;Text;n\n4;a whale;9\n5;too;long;row\n");
    Cli run =
        score(
            "in",
            "--input-format",
            "CSV",
            "--input-option",
            "header=true",
            "--input-option",
            "sep=;",
            "--input-option",
            "inferSchema=true",
            "--text-column",
            "text",
            "--keep-columns",
            "ID,n");
    assertThat(run.err()).isEmpty();
    List<Row> rows = rows("parquet");
    assertThat(rows).extracting(row -> row.<Integer>getAs("ID")).containsExactly(1, 2, 3, 4, 5);
    assertThat(rows)
        .extracting(row -> row.<String>getAs("error") == null)
        .containsExactly(true, true, false, true, false);
    assertThat(rows.get(2).<String>getAs("error"))
        .isEqualTo(
            "Input line is malformed: found 3;short; expected a record of the columns id, Text, n, in"
                + " file:"
                + own.resolve("in/a.csv"));
    assertThat(summary().get("errors").get("malformed_input").asInt()).isEqualTo(2);
    assertThat(summary().get("options").get("input-option").toString())
        .isEqualTo("[\"header=true\",\"inferschema=true\",\"sep=;\"]");
    assertThat(
            score(
                    "in",
                    "--overwrite",
                    "--on-error",
                    "fail",
                    "--input-format",
                    "csv",
                    "--input-option",
                    "header=true",
                    "--input-option",
                    "sep=;",
                    "--text-column",
                    "text")
                .code())
        .isEqualTo(1);
  }

  @Test
  void csv_files_with_different_headers_are_refused() throws IOException {
    write("in/a.csv", "id,text\n1,the sea\n");
    write("in/b.csv", "text,id\na whale,2\n");
    Cli run =
        score(
            "in",
            "--input-format",
            "csv",
            "--input-option",
            "header=true",
            "--text-column",
            "text");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.error()).contains("header").contains("b.csv");
  }

  @Test
  void a_broken_file_of_multi_line_json_is_named_and_unread() throws IOException {
    write("in/a.json", "{\n \"id\": 1,\n \"text\": \"the sea\", // c\n \"on\": \"31/12/2020\"}\n");
    write("in/b.json", "[{\"id\": 2, \"text\": \"a\"}, \n\n {\"id\": 3, \"text\": \"b\"}]");
    write("in/empty.json", "\n");
    Path cut = write("in/cut.json", "[{\"id\": 4, \"text\": \"c\"},\n{\"id\": 5, \"text\": ");
    Path lines = write("in/lines.json", "{\"id\": 6, \"text\": \"d\"}\n{\"id\": 7}\n");
    Path words = write("in/words.json", "[{\"id\": 8},\n \"text\"]");
    String[] options = {
      "--input-format", "json", "--input-option", "multiLine=TRUE", "--input-option",
      "allowComments=true", "--text-column", "text", "--keep-columns", "id"
    };
    Cli run = score("in", Stream.concat(Arrays.stream(options), Stream.of("--strict")).toArray());
    assertThat(run.code()).isEqualTo(3);
    assertThat(rows("parquet"))
        .extracting(row -> row.<Long>getAs("id"))
        .containsExactly(1L, 2L, 3L);
    JsonNode unread = summary().get("unreadable_files");
    assertThat(unread.size()).isEqualTo(3);
    assertThat(unread.get("file:" + cut).asText())
        .startsWith("invalid JSON at line 2, column ")
        .contains("end-of-input")
        .doesNotContain("Source");
    assertThat(unread.get("file:" + lines).asText())
        .isEqualTo(
            "found a second value at line 2, column 1; expected one object or one list of objects;"
                + " give the file without multiLine if it has one object a line");
    assertThat(unread.get("file:" + words).asText())
        .isEqualTo("found a value at line 2, column 2; expected a list of objects only");
    assertThat(
            score(
                    "in",
                    Stream.concat(
                            Arrays.stream(options), Stream.of("--overwrite", "--on-error", "fail"))
                        .toArray())
                .error())
        .startsWith("error: Cannot read file:" + cut + " (and 2 more): invalid JSON at line 2");
    Cli tokenized =
        run(
            "tokenize",
            "demo",
            "in",
            Stream.concat(Arrays.stream(options), Stream.of("--overwrite")).toArray());
    assertThat(tokenized.err()).isEmpty();
    assertThat(summary().get("documents").asInt()).isEqualTo(3);
    assertThat(summary().get("unreadable_files").size()).isEqualTo(3);
  }

  @ParameterizedTest
  @CsvSource({"json", "parquet", "csv"})
  void folders_above_the_input_are_columns_below_the_base_path(String format) throws IOException {
    Path in = own.resolve("in/lang=en/year=2024");
    TestSpark.session()
        .sql("select 1 as id, 'the sea' as text")
        .coalesce(1)
        .write()
        .option("header", true)
        .format(format)
        .save(in.toString());
    List<Object> args =
        new ArrayList<>(
            List.of(
                "--input-format",
                format,
                "--input-option",
                "BASEPATH=" + own.resolve("in"),
                "--text-column",
                "text",
                "--keep-columns",
                "Lang,year"));
    if (format.equals("csv")) {
      args.addAll(List.of("--input-option", "header=true"));
    }
    assertThat(score("in/lang=en/*", args.toArray()).err()).isEmpty();
    assertThat(
            TestSpark.session()
                .read()
                .parquet(own.resolve("out").toString())
                .select("Lang", "year")
                .first())
        .hasToString("[en,2024]");
    if (!format.equals("csv")) {
      assertThat(
              run(
                      "score",
                      "demo",
                      "in/lang=en/year=2024",
                      Stream.concat(args.stream(), Stream.of("--stream", "--output-format", "json"))
                          .toArray())
                  .error())
          .startsWith("error: Output ");
    }
    args.set(3, "basePath=" + own.resolve("other"));
    assertThat(
            score("in/lang=en", Stream.concat(args.stream(), Stream.of("--overwrite")).toArray())
                .error())
        .isEqualTo(
            "error: Cannot read input file:%s/in/lang=en: it is not in the folder file:%s/other of"
                    .formatted(own, own)
                + " --input-option basePath");
  }

  private List<String> files(String suffix) throws IOException {
    try (Stream<Path> files = Files.list(own.resolve("out"))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(f -> f.endsWith(suffix))
          .toList();
    }
  }

  @Test
  void units_and_streams_compress_as_told_and_a_resumed_run_needs_the_same_options()
      throws IOException {
    TestSpark.session()
        .sql("select 1 as id, 'the sea' as text, date'2020-01-31' as on")
        .coalesce(1)
        .write()
        .parquet(own.resolve("in").toString());
    String[] text = {"--text-column", "text"};
    Object[] zstd = {
      "--text-column",
      "text",
      "--output-option",
      "compression=zstd",
      "--output-option",
      "parquet.block.size=1000000",
      "--resume"
    };
    assertThat(score("in", zstd).err()).isEmpty();
    assertThat(summary().get("units").asInt()).isEqualTo(1);
    String file =
        Files.walk(own.resolve("out"))
            .map(Path::toString)
            .filter(f -> f.endsWith(".parquet"))
            .findFirst()
            .get();
    assertThat(Files.readString(Path.of(file), java.nio.charset.StandardCharsets.ISO_8859_1))
        .contains("\u0028\u00b5\u002f\u00fd");
    Object[] swapped = {
      "--text-column",
      "text",
      "--output-option",
      "PARQUET.block.size=1000000",
      "--output-option",
      "Compression=zstd",
      "--resume"
    };
    assertThat(score("in", swapped).err()).isEmpty();
    assertThat(score("in", "--text-column", "text", "--resume").error())
        .contains(
            "--output-option was [compression=zstd, parquet.block.size=1000000] and is none;"
                + " restore the earlier settings");
    assertThat(
            score(
                    "in",
                    "--text-column",
                    "text",
                    "--resume",
                    "--output-option",
                    "compression=zstd",
                    "--output-option",
                    "parquet.block.size=1000000",
                    "--input-option",
                    "datetimeRebaseMode=LEGACY")
                .error())
        .contains("--input-option was none and is [datetimerebasemode=LEGACY]");

    Path streamed = own.resolve("streamed");
    Object[] stream = {
      "score",
      "--model",
      "demo",
      "--input",
      own.resolve("in"),
      "--output",
      streamed,
      "--stream",
      text[0],
      text[1],
      "--output-option",
      "compression=gzip",
      "--output-format",
      "json",
      "--output-option",
      "dateFormat=dd/MM/yyyy",
      "--input-option",
      "int96RebaseMode=CORRECTED"
    };
    assertThat(Cli.run(stream).err()).isEmpty();
    List<String> lines =
        TestSpark.session().read().text(streamed + "/*.json.gz").collectAsList().stream()
            .map(row -> row.getString(0))
            .toList();
    assertThat(lines).hasSize(1).allMatch(line -> line.contains("\"on\":\"31/01/2020\""));
    stream[11] = "compression=none";
    assertThat(Cli.run(stream).error()).contains("--output-option was [compression=gzip, ");
  }

  @Test
  void dates_in_json_output_are_read_back_for_the_groups() throws IOException {
    write("in/a.csv", "id,text,on\n1,the sea,31/01/2020\n2,a whale,01/02/2020\n");
    Cli run =
        score(
            "in",
            "--input-format",
            "csv",
            "--input-option",
            "header=true",
            "--input-option",
            "inferSchema=true",
            "--input-option",
            "dateFormat=dd/MM/yyyy",
            "--text-column",
            "text",
            "--group-by",
            "ON",
            "--output-format",
            "json",
            "--output-option",
            "dateFormat=yyyy|MM|dd",
            "--output-option",
            "lineSep=;",
            "--output-option",
            "maxRecordsPerFile=1");
    assertThat(run.err()).isEmpty();
    assertThat(files(".json")).hasSize(3).contains(Output.SUMMARY);
    assertThat(summary().get("groups").findValuesAsText("on"))
        .containsExactlyInAnyOrder("2020-01-31", "2020-02-01");
  }

  @Test
  void a_table_and_a_comparison_pass_their_options_on() throws IOException {
    TestSpark.session()
        .sql(
            "create table numbers using csv options (header 'true') as select 1 as id,"
                + " 'the sea' as text");
    try {
      Cli run =
          Cli.run(
              "compare",
              "--model",
              "demo",
              "--model",
              "demo",
              "--input-table",
              "numbers",
              "--text-column",
              "TEXT",
              "--output",
              own.resolve("out"),
              "--input-option",
              "nullValue=the sea",
              "--output-option",
              "compression=gzip");
      assertThat(run.err()).isEmpty();
      assertThat(files(".gz.parquet")).hasSize(1);
      assertThat(rows("parquet").get(0).isNullAt(1)).isTrue();
      assertThat(summary().get("options").get("input-option").get(0).asText())
          .isEqualTo("nullvalue=the sea");
    } finally {
      TestSpark.session().sql("drop table numbers");
    }
  }
}
