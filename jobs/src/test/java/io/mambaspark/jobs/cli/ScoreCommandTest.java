package io.mambaspark.jobs.cli;

import static io.mambaspark.jobs.TestSpark.rows;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.engine.checkpoint.StoredTensor;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.QuickPermissions;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.model.ModelSource;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ScoreCommandTest {
  @TempDir static Path shared;
  @TempDir Path own;

  private static Path model;
  private static Path good;
  private static Path bad;
  private Path output;

  @BeforeAll
  static void writeInputs() {
    model = TestModels.write(shared.resolve("model"));
    good = shared.resolve("good");
    Random random = new Random(2);
    Object[] lists = new Object[30];
    for (int i = 0; i < lists.length; i++) {
      lists[i] = random.ints(i * 3, 0, TestModels.VOCABULARY).toArray();
    }
    rows(lists).repartition(3).write().parquet(good.toString());
    bad = shared.resolve("bad");
    rows(new int[] {1, 2}, new int[] {1, 24}, new int[] {3, 4, 5}, new int[] {-1})
        .write()
        .parquet(bad.toString());
  }

  @BeforeEach
  void nameOutput() {
    output = own.resolve("scores");
  }

  private Cli score(Path input, Object... more) {
    List<Object> args = new ArrayList<>(List.of("score", "--model", model, "--input", input));
    args.addAll(List.of("--output", output));
    args.addAll(Arrays.asList(more));
    return Cli.run(args.toArray());
  }

  private Dataset<Row> written() {
    return TestSpark.session().read().parquet(output.toString());
  }

  private JsonNode summary() throws IOException {
    return new ObjectMapper().readTree(output.resolve("_mamba_summary.json").toFile());
  }

  private List<String> siblings() throws IOException {
    try (Stream<Path> files = Files.list(own)) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void scores_and_a_summary_are_written() throws IOException {
    Cli run = score(good);
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    assertThat(written().columns())
        .containsExactly("id", "nll", "token_count", "perplexity", "truncated", "error");
    assertThat(written().count()).isEqualTo(30);
    JsonNode json = summary();
    assertThat(json.get("documents").asInt()).isEqualTo(30);
    assertThat(json.get("scored_documents").asInt()).isEqualTo(29);
    // 0 + 2 + 5 + … + 86: the first token of each document is only context.
    assertThat(json.get("tokens").asInt()).isEqualTo(3 * 435 - 29);
    assertThat(json.get("error_documents").asInt()).isZero();
    assertThat(json.get("errors").size()).isEqualTo(RowError.Kind.values().length);
    double nll = json.get("nll").asDouble();
    assertThat(json.get("corpus_perplexity").asDouble())
        .isEqualTo(StrictMath.exp(nll / (3 * 435 - 29)));
    assertThat(json.get("mean_document_perplexity").asDouble()).isPositive();
    assertThat(json.get("model").get("fingerprint").asText()).matches("[0-9a-f]{64}");
    assertThat(json.get("options").get("emit").asText()).isEqualTo("perplexity");
    assertThat(json.get("options").size()).isEqualTo(48);
    assertThat(json.get("versions").get("mamba_spark").asText()).matches("\\d+\\.\\d+\\.\\d+.*");
    assertThat(json.get("versions").get("spark").asText()).isEqualTo(TestSpark.session().version());
    assertThat(run.out()).contains("corpus perplexity").contains("written to");
  }

  @ParameterizedTest
  @CsvSource({"f32, false", "bf16, true", "int8, true", "int8-out16, true", "int16, true"})
  void the_summary_records_the_format_of_the_weights(String weights, boolean rounded)
      throws IOException {
    Cli run = score(good, "--weights", weights);
    assertThat(run.code()).isZero();
    if (weights.equals("f32")) {
      assertThat(run.out()).doesNotContainPattern("\n  weights");
    } else {
      assertThat(run.out()).containsPattern("\n  weights +" + weights + "\n");
    }
    JsonNode model = summary().get("model");
    assertThat(model.get("weights").asText()).isEqualTo(weights);
    assertThat(model.get("weights_rounded").asBoolean()).isEqualTo(rounded);
  }

  @Test
  void the_summary_does_not_depend_on_the_number_of_partitions() throws IOException {
    List<List<String>> sums = new ArrayList<>();
    for (int partitions : new int[] {1, 2, 7}) {
      output = own.resolve("scores-" + partitions);
      assertThat(score(good, "--partitions", partitions).code()).isZero();
      JsonNode json = summary();
      sums.add(
          Stream.of("nll", "tokens", "corpus_perplexity", "mean_document_perplexity")
              .map(name -> json.get(name).asText())
              .toList());
      try (Stream<Path> files = Files.list(output)) {
        assertThat(files.filter(f -> f.getFileName().toString().matches("part-.*parquet")).count())
            .isEqualTo(partitions);
      }
    }
    assertThat(sums.get(1)).isEqualTo(sums.get(0));
    assertThat(sums.get(2)).isEqualTo(sums.get(0));
  }

  @ParameterizedTest
  @ValueSource(strings = {"json", "orc"})
  void other_formats_have_the_same_summary(String format) throws IOException {
    assertThat(score(bad, "--emit", "token-logprobs").code()).isZero();
    JsonNode parquet = summary();
    Path input = own.resolve("input");
    TestSpark.session()
        .read()
        .parquet(bad.toString())
        .write()
        .format(format)
        .save(input.toString());
    output = own.resolve("other");
    Cli run =
        score(
            input, "--input-format", format, "--output-format", format, "--emit", "token-logprobs");
    assertThat(run.err()).isEmpty();
    JsonNode other = summary();
    for (String name : List.of("documents", "nll", "corpus_perplexity", "errors")) {
      assertThat(other.get(name)).as(name).isEqualTo(parquet.get(name));
    }
  }

  @Test
  void bad_rows_are_counted_and_change_the_exit_code_only_under_strict() throws IOException {
    Cli run = score(bad);
    assertThat(run.code()).isZero();
    JsonNode json = summary();
    assertThat(json.get("documents").asInt()).isEqualTo(4);
    assertThat(json.get("scored_documents").asInt()).isEqualTo(2);
    assertThat(json.get("error_documents").asInt()).isEqualTo(2);
    assertThat(json.get("errors").get("negative_id").asInt()).isEqualTo(1);
    assertThat(json.get("errors").get("id_outside_vocabulary").asInt()).isEqualTo(1);
    assertThat(json.get("tokens").asInt()).isEqualTo(3);
    assertThat(run.out()).contains("with errors");
    assertThat(score(bad, "--overwrite", "--strict").code()).isEqualTo(3);
    output = own.resolve("fine");
    assertThat(score(good, "--strict").code()).isZero();
  }

  @Test
  void with_on_error_fail_the_message_is_one_line_with_the_row_s_columns() throws IOException {
    Cli run = score(bad, "--on-error", "fail");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err().strip())
        .matches(
            "error: Token id 24 at position 1 is outside \\[0, 24\\), in row 1 of file:\\S+/bad/part-"
                + "\\S+\\.parquet; the row has id=row-1");
    assertThat(Files.exists(output)).isFalse();
    assertThat(score(bad, "--on-error", "fail", "--verbose").err()).contains("\tat ");
  }

  @Test
  void an_existing_output_is_refused_and_unchanged() throws IOException {
    Files.createDirectories(output);
    Files.writeString(output.resolve("precious"), "x");
    Cli run = score(good);
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err())
        .isEqualToIgnoringNewLines(
            "error: Output " + output + " exists; choose another, or replace it with --overwrite");
    assertThat(Files.readString(output.resolve("precious"))).isEqualTo("x");
  }

  @Test
  void overwrite_replaces_the_old_output() throws IOException {
    assertThat(score(good).code()).isZero();
    assertThat(score(bad, "--overwrite").code()).isZero();
    assertThat(written().count()).isEqualTo(4);
    assertThat(summary().get("documents").asInt()).isEqualTo(4);
    assertThat(siblings()).containsExactly("scores");
  }

  @Test
  void a_failing_job_does_not_change_the_old_output() throws IOException {
    assertThat(score(good).code()).isZero();
    List<String> before = listing();
    assertThat(score(bad, "--overwrite", "--on-error", "fail").code()).isEqualTo(1);
    assertThat(listing()).isEqualTo(before);
    assertThat(siblings()).containsExactly("scores");
  }

  private List<String> listing() throws IOException {
    try (Stream<Path> files = Files.walk(output)) {
      List<String> listing = new ArrayList<>();
      for (Path file : files.sorted(Comparator.naturalOrder()).toList()) {
        listing.add(file + " " + Files.getLastModifiedTime(file));
      }
      return listing;
    }
  }

  @ParameterizedTest
  @CsvSource({"'',good", "'inside',good/inside", "'above',.", "'glob',good"})
  void an_output_that_overlaps_the_input_is_refused(String what, String place) {
    output = shared.resolve(place).normalize();
    Cli run =
        what.equals("glob")
            ? score(good.resolve("*.parquet"), "--overwrite")
            : score(good, "--overwrite");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).contains(" overlap; choose separate paths").hasLineCount(1);
    assertThat(TestSpark.session().read().parquet(good.toString()).count()).isEqualTo(30);
  }

  @Test
  void an_overlap_is_found_through_links_and_whatever_the_case_of_the_format() throws IOException {
    Path link = Files.createSymbolicLink(own.resolve("link"), shared);
    output = link.resolve("good").resolve("new");
    assertThat(score(good).err()).contains(" overlap; choose separate paths");
    output = good;
    assertThat(score(link.resolve("good"), "--overwrite").err()).contains(" overlap;");
    assertThat(score(good, "--overwrite", "--input-format", "Parquet").err()).contains(" overlap;");
    assertThat(TestSpark.session().read().parquet(good.toString()).count()).isEqualTo(30);
  }

  @Test
  void a_table_is_scored_and_an_output_in_its_folder_is_refused() {
    TestSpark.session().sql("drop table if exists texts");
    Path place = own.resolve("table");
    TestSpark.session()
        .read()
        .parquet(good.toString())
        .write()
        .option("path", place.toString())
        .saveAsTable("texts");
    Object[] args = {"score", "--model", model, "--input-table", "texts", "--output"};
    Cli overlapping = Cli.run(with(args, place, "--overwrite"));
    assertThat(overlapping.code()).isEqualTo(1);
    assertThat(overlapping.err()).contains("overlap");
    assertThat(Cli.run(with(args, output)).code()).isZero();
    assertThat(written().count()).isEqualTo(30);
    TestSpark.session().sql("drop table texts");
  }

  private static Object[] with(Object[] args, Object... more) {
    return Stream.concat(Arrays.stream(args), Arrays.stream(more)).toArray();
  }

  @Test
  void a_limit_is_the_number_of_rows_that_are_read() throws IOException {
    assertThat(score(good, "--limit", 7).code()).isZero();
    assertThat(written().count()).isEqualTo(7);
    assertThat(summary().get("documents").asInt()).isEqualTo(7);
  }

  @Test
  void several_inputs_and_globs_are_read_together() throws IOException {
    assertThat(score(good, "--input", bad.resolve("*.parquet")).code()).isZero();
    assertThat(written().count()).isEqualTo(34);
  }

  @Test
  void with_logits_documents_are_counted_from_the_input() throws IOException {
    assertThat(score(bad, "--emit", "logits").code()).isZero();
    assertThat(written().columns()).containsExactly("id", "position", "token", "logits", "error");
    assertThat(written().count()).isEqualTo(2 + 1 + 3 + 1);
    JsonNode json = summary();
    assertThat(json.get("documents").asInt()).isEqualTo(4);
    assertThat(json.get("error_documents").asInt()).isEqualTo(2);
    assertThat(json.get("tokens").asInt()).isEqualTo(5);
    assertThat(json.get("corpus_perplexity").isNull()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({"last-logits,true,-1", "top-k=2,false,3"})
  void without_nll_the_summary_counts_tokens_only_if_a_column_has_them(
      String emit, boolean unknown, int tokens) throws IOException {
    assertThat(score(bad, "--emit", emit).code()).isZero();
    JsonNode json = summary();
    assertThat(json.get("documents").asInt()).isEqualTo(4);
    assertThat(json.get("tokens").isNull()).isEqualTo(unknown);
    if (!unknown) {
      assertThat(json.get("tokens").asInt()).isEqualTo(tokens);
    }
  }

  @Test
  void a_dry_run_prints_the_plan_and_writes_nothing() throws IOException {
    Cli run = score(good, "--dry-run", "--emit", "token-logprobs");
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    // 1,305 ids, and one more for the empty list.
    assertThat(run.out())
        .containsPattern("tokens +1,306")
        .containsPattern("rows +30")
        .containsPattern("time +\\d+\\.\\d+ hours")
        .containsPattern("output +\\d+\\.\\d kB")
        .containsPattern("speed +[\\d,]+ tokens/s on 2 cores")
        .containsPattern("packed in memory +\\d+\\.\\d kB in f32 per JVM\n")
        .contains("nothing: this is a dry run");
    assertThat(score(good, "--dry-run", "--weights", "int8-out16").out())
        .containsPattern("packed in memory +\\d+\\.\\d kB in int8-out16 per JVM\n");
    assertThat(siblings()).isEmpty();
  }

  @Test
  void a_dry_run_includes_the_size_of_kept_columns_in_each_row_of_the_output() {
    Path wide = own.resolve("wide");
    rows(new Random(1).ints(200, 0, 24).toArray())
        .selectExpr("tokens", "randstr(20000, 7) as a", "randstr(40000, 8) as b")
        .write()
        .parquet(wide.toString());
    assertThat(score(wide, "--dry-run", "--keep-columns", "").out())
        .containsPattern("output +\\d+ bytes");
    assertThat(score(wide, "--dry-run", "--keep-columns", "a").out())
        .containsPattern("output +(1\\d|20)\\.\\d kB");
    assertThat(score(wide, "--dry-run", "--keep-columns", "a", "--emit", "logits").out())
        .containsPattern("output +[34]\\.\\d MB");
    assertThat(
            Cli.run(
                    "score",
                    "--model",
                    model,
                    "--input",
                    "demo",
                    "--tokens-column",
                    "tokens",
                    "--dry-run")
                .out())
        .containsPattern("tokens +\\d[\\d,]+");
  }

  @Test
  void a_dry_run_reports_an_unknown_number_of_tokens_for_json() {
    Path lines = own.resolve("lines");
    rows(new int[] {1, 2, 3}).write().json(lines.toString());
    assertThat(score(lines, "--input-format", "json", "--dry-run").out())
        .containsPattern(
            "tokens +unknown: only Parquet files have the number of tokens in metadata\n");
  }

  @Test
  void arguments_can_be_read_from_a_file() throws IOException {
    Path file = own.resolve("my.args");
    Files.writeString(
        file, "# comment\n--emit token-logprobs,top-k=2\n--max-tokens\n5\n--strict\n");
    assertThat(score(good, "@" + file).code()).isZero();
    assertThat(written().columns()).contains("token_logprobs", "top_k");
    JsonNode options = summary().get("options");
    assertThat(options.get("max-tokens").asInt()).isEqualTo(5);
    assertThat(options.get("strict").asBoolean()).isTrue();
    assertThat(summary().get("truncated_documents").asInt()).isEqualTo(28);
  }

  @ParameterizedTest
  @CsvSource({"perplexity.args,perplexity", "logits.args,logits"})
  void the_project_s_argument_files_work(String file, String column) {
    Path conf = Path.of("..", "conf", file).toAbsolutePath();
    assertThat(score(good, "@" + conf).err()).isEmpty();
    assertThat(written().columns()).contains(column);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--emit words | --emit: unknown value 'words'; expected a list of perplexity,"
            + " token-logprobs, token-ranks, top-k=K, position-nll, token-entropy, entropy, min-k=P,"
            + " min-k-plus-plus=P, curvature, longest-greedy-run, last-logits, or logits alone",
        "--emit perplexity,perplexity | --emit names perplexity twice",
        "--emit logits,perplexity | --emit logits cannot be combined with other"
            + " values: it writes one row per position",
        "--emit top-k=25 | --emit top-k=25: the vocabulary has only 24 ids",
        "--prefix-token eos | --prefix-token eos: the model's files name no eos token; give the id"
            + " itself",
        "--prefix-token 24 | --prefix-token 24: id 24 is outside the vocabulary [0, 24)",
        "--prefix-token -1 | --prefix-token -1: expected an id, bos, eos or none",
        "--prefix-token first | --prefix-token first: expected an id, bos, eos or none",
        "--max-tokens 0 | --max-tokens 0: expected at least 1",
        "--partitions -2 | --partitions -2: expected at least 1",
        "--limit 0 | --limit 0: expected at least 1",
        "--on-error ignore | --on-error ignore: expected quarantine or fail",
        "--weights f16 | --weights f16: expected f32, bf16, int8, int8-out16 or int16",
        "--output-format csv | --output-format csv: expected one of parquet, json, orc",
        "--input-table t | Give either --input or --input-table, not both",
        "--input demo | --input demo cannot be combined with other paths",
        "--input a --tokns b | Unknown option: '--tokns'; Expected parameter for option '--input' but"
            + " found '--tokns'",
        "--keep-columns id,id | Column id is kept twice; list it once in --keep-columns",
        "--colour red | Unknown options: '--colour', 'red'",
        "--limit many | Invalid value for option '--limit': 'many' is not an int"
      })
  void wrong_usage_is_reported_in_one_line_with_exit_code_2(String args, String message) {
    Cli run = score(good, (Object[]) args.split(" "));
    assertThat(run.err().lines())
        .containsExactly("error: " + message, "Try 'mamba-spark score --help'.");
    assertThat(run.code()).isEqualTo(2);
    assertThat(Files.exists(output)).isFalse();
  }

  @Test
  void a_missing_command_or_option_is_wrong_usage() {
    assertThat(Cli.run("score").error())
        .isEqualTo("error: Missing required option: '--model=FOLDER'");
    assertThat(Cli.run("score", "--model", model, "--output", output).error())
        .isEqualTo("error: Give --input or --input-table");
    Cli noOutput = Cli.run("score", "--model", model, "--input", good);
    assertThat(noOutput.error()).isEqualTo("error: Give --output: the output folder");
    assertThat(noOutput.code()).isEqualTo(2);
    assertThat(Cli.run("scroe").code()).isEqualTo(2);
    assertThat(Cli.run().code()).isEqualTo(2);
  }

  @Test
  void a_kept_column_with_the_name_of_a_score_column_is_wrong_usage() {
    Path clash = own.resolve("clash");
    rows(new int[] {1}).selectExpr("tokens", "id as NLL").write().parquet(clash.toString());
    Cli run = score(clash);
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.error())
        .isEqualTo(
            "error: Kept column nll has the name of a score column; leave it out with"
                + " --keep-columns or rename it");
    assertThat(score(clash, "--emit", "last-logits").code()).isZero();
  }

  @Test
  void bad_files_and_columns_are_reported_in_one_line_with_exit_code_1() throws IOException {
    assertRefused(
        score(own.resolve("nowhere")),
        "error: Cannot read input " + own.resolve("nowhere") + ": no such file or folder");
    assertRefused(
        score(good, "--tokens-column", "ids"),
        "error: Column ids (--tokens-column) is not in the input; its columns are id, tokens");
    assertRefused(
        score(good, "--keep-columns", "id,url"),
        "error: Column url (--keep-columns) is not in the input; its columns are id, tokens");
    assertRefused(
        score(good, "--tokens-column", "id"),
        "error: Column id is string; expected array<int>, array<bigint> or array<smallint>");
    Path text = Files.writeString(own.resolve("text.parquet"), "this is no Parquet file");
    Cli unreadable = score(text);
    assertThat(unreadable.code()).isEqualTo(1);
    assertThat(unreadable.err()).startsWith("error: ").contains("text.parquet").hasLineCount(1);
    Cli unknownSource = score(good, "--input-format", "spreadsheet");
    assertThat(unknownSource.code()).isEqualTo(1);
    assertThat(unknownSource.err()).startsWith("error: ").contains("spreadsheet").hasLineCount(1);
    Cli noTable =
        Cli.run("score", "--model", model, "--input-table", "no_table", "--output", output);
    assertThat(noTable.code()).isEqualTo(1);
    assertThat(noTable.err()).contains("no_table").hasLineCount(1);
  }

  @Test
  void bad_models_are_reported_in_one_line_with_exit_code_1() throws IOException {
    Path nowhere = own.resolve("nowhere");
    assertRefused(withModel(nowhere), "error: Cannot open model " + nowhere + ": no such folder");
    Path file = model.resolve("config.json");
    assertRefused(
        withModel(file),
        "error: Cannot open model folder "
            + file
            + ": it is a file, expected the folder that holds config.json and the weights");
    Path empty = Files.createDirectory(own.resolve("empty"));
    assertOneLine(withModel(empty));
    Path truncated = TestModels.write(own.resolve("truncated"));
    byte[] weights = Files.readAllBytes(truncated.resolve("model.safetensors"));
    Files.write(truncated.resolve("model.safetensors"), Arrays.copyOf(weights, weights.length - 9));
    assertOneLine(withModel(truncated));
    Path other = TestModels.write(own.resolve("other"));
    Files.writeString(other.resolve("config.json"), "{\"model_type\": \"llama\"}");
    assertThat(assertOneLine(withModel(other))).contains("llama");
    Path nan = TestModels.write(own.resolve("nan"), Float.NaN);
    assertThat(assertOneLine(withModel(nan))).contains("norm_f");
    assertThat(Files.exists(output)).isFalse();
    assertRefused(
        Cli.run("score", "--model", "nofs://a/b", "--input", good, "--output", output),
        "error: Cannot use path nofs://a/b: No FileSystem for scheme \"nofs\"");
  }

  private Cli withModel(Path folder) {
    return Cli.run("score", "--model", folder, "--input", good, "--output", output);
  }

  private static String assertOneLine(Cli run) {
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).startsWith("error: ").hasLineCount(1);
    return run.err();
  }

  private static void assertRefused(Cli run, String message) {
    assertThat(run.err()).isEqualToIgnoringNewLines(message);
    assertThat(run.code()).isEqualTo(1);
  }

  @Test
  void a_model_on_another_file_system_is_copied_and_the_copy_is_deleted() throws IOException {
    // The raw local file system under another scheme acts as a remote file system.
    Configuration configuration = TestSpark.session().sparkContext().hadoopConfiguration();
    configuration.set("fs.far.impl", FarFileSystem.class.getName());
    try {
      List<String> before = temporaryModels();
      Cli run = Cli.run("inspect", "--model", "far://" + model);
      assertThat(run.err()).isEmpty();
      assertThat(run.out()).contains("backbone.norm_f.weight");
      assertThat(temporaryModels()).isEqualTo(before);
      assertRefused(
          Cli.run("inspect", "--model", "far:///no/where"),
          "error: Cannot open model far:///no/where: no such folder");
      // Other content at the URI is reported as for a local folder.
      Path file = Files.writeString(own.resolve("m.bin"), "GGUF");
      assertRefused(
          Cli.run("inspect", "--model", "far://" + file),
          "error: Cannot open model folder far://"
              + file
              + ": it is a GGUF file, which is not supported: give the folder of the Hugging Face or"
              + " state-spaces checkpoint that it was converted from");
      Path trainer = Files.createDirectories(own.resolve("trainer/checkpoint-20")).getParent();
      Files.createDirectory(trainer.resolve("checkpoint-3"));
      assertRefused(
          Cli.run("inspect", "--model", "far://" + trainer),
          "error: Cannot open model folder far://"
              + trainer
              + ": it holds no config.json; it is the output folder of a Trainer: give its newest"
              + " checkpoint, far://"
              + trainer
              + "/checkpoint-20");
      assertThat(temporaryModels()).isEqualTo(before);
    } finally {
      configuration.unset("fs.far.impl");
    }
  }

  /** Returns the files that are copied if the model's URI is that of a folder. */
  private static List<String> copied(Path folder) throws IOException {
    org.apache.hadoop.conf.Configuration files = new org.apache.hadoop.conf.Configuration();
    files.set("fs.far.impl", FarFileSystem.class.getName());
    try (ModelSource source = ModelSource.open("far://" + folder, files);
        Stream<Path> copies = Files.list(source.folder())) {
      return copies.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void only_the_files_that_are_read_are_copied_from_a_remote_model() throws IOException {
    Path folder = TestModels.write(own.resolve("layouts"));
    for (String stray : List.of("consolidated.safetensors", "pytorch_model.bin", "README.md")) {
      Files.writeString(folder.resolve(stray), "x");
    }
    assertThat(copied(folder)).containsExactly("config.json", "model.safetensors");
    // An index with one shard. Names that point outside the folder are not followed.
    Path shard = folder.resolve("model-00001-of-00001.safetensors");
    Files.move(folder.resolve("model.safetensors"), shard);
    StringBuilder weights = new StringBuilder();
    try (ModelSource source = ModelSource.open(model.toString(), HadoopFiles.configuration())) {
      for (StoredTensor tensor : source.checkpoint().tensors().values()) {
        weights.append(weights.isEmpty() ? "" : ",");
        weights.append("\"" + tensor.name() + "\": \"" + shard.getFileName() + "\"");
      }
    }
    Path index = folder.resolve("model.safetensors.index.json");
    Files.writeString(index, "{\"weight_map\": {" + weights + "}}");
    assertThat(copied(folder))
        .containsExactly(
            "config.json", "model-00001-of-00001.safetensors", "model.safetensors.index.json");
    Files.writeString(index, "{\"weight_map\": {\"a\": \"../secret\"}}");
    assertThatThrownBy(() -> copied(folder)).hasMessageContaining("../secret");
    // PyTorch weights, next to a stray safetensors file.
    Files.delete(index);
    assertThatThrownBy(() -> copied(folder)).hasMessageContaining("pytorch_model.bin");
    Files.move(
        folder.resolve("pytorch_model.bin"), folder.resolve("pytorch_model-00001-of-00001.bin"));
    Files.writeString(
        folder.resolve("pytorch_model.bin.index.json"),
        "{\"weight_map\": {\"a\": \"pytorch_model-00001-of-00001.bin\"}}");
    assertThatThrownBy(() -> copied(folder))
        .hasMessageContaining("pytorch_model-00001-of-00001.bin");
    Files.delete(folder.resolve("config.json"));
    assertThatThrownBy(() -> copied(folder)).hasMessageContaining("far://" + folder);
  }

  private static List<String> temporaryModels() throws IOException {
    String prefix = "mamba-spark-model-%d-".formatted(ProcessHandle.current().pid());
    try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
      return files
          .map(f -> f.getFileName().toString())
          .filter(f -> f.startsWith(prefix))
          .sorted()
          .toList();
    }
  }

  /** The local file system under another scheme. */
  public static final class FarFileSystem extends QuickPermissions.Raw {
    @Override
    public java.net.URI getUri() {
      return java.net.URI.create("far:///");
    }

    @Override
    public String getScheme() {
      return "far";
    }
  }

  @Test
  void the_help_has_examples() {
    Cli help = Cli.run("score", "--help");
    assertThat(help.code()).isZero();
    assertThat(help.out())
        .contains("score --model demo --input demo")
        .contains("--prefix-token")
        .contains("Exit codes:");
    assertThat(Cli.run("--version").out()).matches("mamba-spark \\d+\\.\\d+\\.\\d+\\S*\\s+");
    assertThat(Cli.run("--help").out()).contains("inspect").contains("score");
  }
}
