package io.mambaspark.jobs.cli;

import static io.mambaspark.jobs.TestSpark.rows;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.engine.checkpoint.StoredTensor;
import io.mambaspark.jobs.Cli;
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

  private List<String> beside() throws IOException {
    try (Stream<Path> files = Files.list(own)) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void scores_are_written_with_a_summary_beside_them() throws IOException {
    Cli run = score(good);
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    assertThat(written().columns())
        .containsExactly("id", "nll", "token_count", "perplexity", "truncated", "error");
    assertThat(written().count()).isEqualTo(30);
    JsonNode json = summary();
    assertThat(json.get("documents").asInt()).isEqualTo(30);
    assertThat(json.get("scored_documents").asInt()).isEqualTo(29);
    // 0 + 2 + 5 + … + 86, the first token of each being context only.
    assertThat(json.get("tokens").asInt()).isEqualTo(3 * 435 - 29);
    assertThat(json.get("error_documents").asInt()).isZero();
    assertThat(json.get("errors").size()).isEqualTo(RowError.Kind.values().length);
    double nll = json.get("nll").asDouble();
    assertThat(json.get("corpus_perplexity").asDouble())
        .isEqualTo(StrictMath.exp(nll / (3 * 435 - 29)));
    assertThat(json.get("mean_document_perplexity").asDouble()).isPositive();
    assertThat(json.get("model").get("fingerprint").asText()).matches("[0-9a-f]{64}");
    assertThat(json.get("options").get("emit").asText()).isEqualTo("perplexity");
    assertThat(json.get("options").size()).isEqualTo(36);
    assertThat(json.get("versions").get("mamba_spark").asText()).matches("\\d+\\.\\d+\\.\\d+.*");
    assertThat(json.get("versions").get("spark").asText()).isEqualTo(TestSpark.session().version());
    assertThat(run.out()).contains("corpus perplexity").contains("written to");
  }

  @ParameterizedTest
  @CsvSource({"f32, false", "bf16, true"})
  void the_summary_tells_how_weights_were_kept(String weights, boolean rounded) throws IOException {
    assertThat(score(good, "--weights", weights).code()).isZero();
    JsonNode model = summary().get("model");
    assertThat(model.get("weights").asText()).isEqualTo(weights);
    assertThat(model.get("weights_rounded").asBoolean()).isEqualTo(rounded);
  }

  @Test
  void the_summary_is_the_same_at_any_partitioning() throws IOException {
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
  void other_formats_give_the_same_summary(String format) throws IOException {
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
  void bad_rows_are_counted_and_matter_to_the_exit_code_under_strict_only() throws IOException {
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
  void under_fail_the_message_is_one_line_with_the_rows_columns() throws IOException {
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
  void an_existing_output_is_refused_and_untouched() throws IOException {
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
  void overwriting_puts_the_new_in_the_place_of_the_old() throws IOException {
    assertThat(score(good).code()).isZero();
    assertThat(score(bad, "--overwrite").code()).isZero();
    assertThat(written().count()).isEqualTo(4);
    assertThat(summary().get("documents").asInt()).isEqualTo(4);
    assertThat(beside()).containsExactly("scores");
  }

  @Test
  void a_failing_job_leaves_the_old_output_as_it_was() throws IOException {
    assertThat(score(good).code()).isZero();
    List<String> before = listing();
    assertThat(score(bad, "--overwrite", "--on-error", "fail").code()).isEqualTo(1);
    assertThat(listing()).isEqualTo(before);
    assertThat(beside()).containsExactly("scores");
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
    assertThat(run.err()).contains(" overlap; they must lie apart").hasLineCount(1);
    assertThat(TestSpark.session().read().parquet(good.toString()).count()).isEqualTo(30);
  }

  @Test
  void an_overlap_is_seen_through_links_and_capitals() throws IOException {
    Path link = Files.createSymbolicLink(own.resolve("link"), shared);
    output = link.resolve("good").resolve("new");
    assertThat(score(good).err()).contains(" overlap; they must lie apart");
    output = good;
    assertThat(score(link.resolve("good"), "--overwrite").err()).contains(" overlap;");
    assertThat(score(good, "--overwrite", "--input-format", "Parquet").err()).contains(" overlap;");
    assertThat(TestSpark.session().read().parquet(good.toString()).count()).isEqualTo(30);
  }

  @Test
  void a_table_is_scored_and_its_files_are_safe_from_the_output() {
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
  void a_limit_scores_as_many_rows() throws IOException {
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
  void logits_count_documents_by_the_input() throws IOException {
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
  void without_nll_the_summary_tells_what_the_columns_tell(String emit, boolean unknown, int tokens)
      throws IOException {
    assertThat(score(bad, "--emit", emit).code()).isZero();
    JsonNode json = summary();
    assertThat(json.get("documents").asInt()).isEqualTo(4);
    assertThat(json.get("tokens").isNull()).isEqualTo(unknown);
    if (!unknown) {
      assertThat(json.get("tokens").asInt()).isEqualTo(tokens);
    }
  }

  @Test
  void a_dry_run_tells_the_plan_and_writes_nothing() throws IOException {
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
        .contains("nothing: this is a dry run");
    assertThat(beside()).isEmpty();
  }

  @Test
  void a_dry_run_counts_the_columns_that_are_kept_as_often_as_they_are_written() {
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
  void arguments_may_come_from_a_file() throws IOException {
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
  void the_argument_files_that_come_with_the_project_work(String file, String column) {
    Path conf = Path.of("..", "conf", file).toAbsolutePath();
    assertThat(score(good, "@" + conf).err()).isEmpty();
    assertThat(written().columns()).contains(column);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--emit entropy | --emit does not know 'entropy'; expected a list of perplexity,"
            + " token-logprobs, token-ranks, top-k=K, position-nll, last-logits, or logits alone",
        "--emit perplexity,perplexity | --emit names perplexity twice",
        "--emit logits,perplexity | --emit logits stands alone: it writes one row per position",
        "--emit top-k=25 | --emit top-k=25: the vocabulary has only 24 ids",
        "--prefix-token eos | --prefix-token eos: the model's config.json has no eos_token_id;"
            + " give the id itself",
        "--prefix-token 24 | --prefix-token 24: id 24 is outside the vocabulary [0, 24)",
        "--prefix-token -1 | --prefix-token -1: expected an id, bos, eos or none",
        "--prefix-token first | --prefix-token first: expected an id, bos, eos or none",
        "--max-tokens 0 | --max-tokens 0: expected at least 1",
        "--partitions -2 | --partitions -2: expected at least 1",
        "--limit 0 | --limit 0: expected at least 1",
        "--on-error ignore | --on-error ignore: expected quarantine or fail",
        "--weights f16 | --weights f16: expected f32 or bf16",
        "--output-format csv | --output-format csv: expected one of parquet, json, orc",
        "--input-table t | Give either --input or --input-table, not both",
        "--input demo | --input demo stands alone",
        "--input a --tokns b | Unknown option: '--tokns'; Expected parameter for option '--input' but"
            + " found '--tokns'",
        "--keep-columns id,id | Column id is kept twice; see --keep-columns",
        "--colour red | Unknown options: '--colour', 'red'",
        "--limit many | Invalid value for option '--limit': 'many' is not an int"
      })
  void wrong_usage_is_told_in_one_line_with_exit_code_2(String args, String message) {
    Cli run = score(good, (Object[]) args.split(" "));
    assertThat(run.err().lines())
        .containsExactly("error: " + message, "Try 'mamba-spark score --help'.");
    assertThat(run.code()).isEqualTo(2);
    assertThat(Files.exists(output)).isFalse();
  }

  @Test
  void what_is_missing_from_the_command_is_wrong_usage() {
    assertThat(Cli.run("score").error())
        .isEqualTo("error: Missing required option: '--model=FOLDER'");
    assertThat(Cli.run("score", "--model", model, "--output", output).error())
        .isEqualTo("error: Give --input or --input-table");
    Cli noOutput = Cli.run("score", "--model", model, "--input", good);
    assertThat(noOutput.error()).isEqualTo("error: Give --output: where to write");
    assertThat(noOutput.code()).isEqualTo(2);
    assertThat(Cli.run("scroe").code()).isEqualTo(2);
    assertThat(Cli.run().code()).isEqualTo(2);
  }

  @Test
  void a_kept_column_with_the_name_of_a_score_is_wrong_usage() {
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
  void files_and_columns_that_will_not_do_are_told_in_one_line_with_exit_code_1()
      throws IOException {
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
  void models_that_will_not_do_are_told_in_one_line_with_exit_code_1() throws IOException {
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
    Path cut = TestModels.write(own.resolve("cut"));
    byte[] weights = Files.readAllBytes(cut.resolve("model.safetensors"));
    Files.write(cut.resolve("model.safetensors"), Arrays.copyOf(weights, weights.length - 9));
    assertOneLine(withModel(cut));
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
  void a_model_on_another_file_system_is_copied_and_the_copy_removed() throws IOException {
    // The raw local file system under a scheme of its own stands for any remote one.
    System.setProperty("spark.hadoop.fs.far.impl", FarFileSystem.class.getName());
    try {
      List<String> before = temporaryModels();
      Cli run = Cli.run("inspect", "--model", "far://" + model);
      assertThat(run.err()).isEmpty();
      assertThat(run.out()).contains("backbone.norm_f.weight");
      assertThat(temporaryModels()).isEqualTo(before);
      assertRefused(
          Cli.run("inspect", "--model", "far:///no/where"),
          "error: Cannot open model far:///no/where: no such folder");
      // What is there instead is said as of a folder on this machine.
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
      System.clearProperty("spark.hadoop.fs.far.impl");
    }
  }

  /** Files of a folder that the inspected copy has when the model's URI is that folder's. */
  private static List<String> copied(Path folder) throws IOException {
    org.apache.hadoop.conf.Configuration files = new org.apache.hadoop.conf.Configuration();
    files.set("fs.far.impl", FarFileSystem.class.getName());
    try (ModelSource source = ModelSource.open("far://" + folder, files);
        Stream<Path> copies = Files.list(source.folder())) {
      return copies.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void of_a_model_elsewhere_only_what_is_read_is_copied() throws IOException {
    Path folder = TestModels.write(own.resolve("layouts"));
    for (String stray : List.of("consolidated.safetensors", "pytorch_model.bin", "README.md")) {
      Files.writeString(folder.resolve(stray), "x");
    }
    assertThat(copied(folder)).containsExactly("config.json", "model.safetensors");
    // The only shard under an index; names that lead elsewhere are not followed.
    Path shard = folder.resolve("model-00001-of-00001.safetensors");
    Files.move(folder.resolve("model.safetensors"), shard);
    StringBuilder weights = new StringBuilder();
    try (ModelSource whole = ModelSource.open(model.toString(), HadoopFiles.configuration())) {
      for (StoredTensor tensor : whole.checkpoint().tensors().values()) {
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
    // Weights of PyTorch, beside a stray safetensors file.
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
    try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
      return files
          .map(f -> f.getFileName().toString())
          .filter(f -> f.startsWith("mamba-spark-model"))
          .sorted()
          .toList();
    }
  }

  /** A file system that is not the local one to whoever looks at the scheme. */
  public static final class FarFileSystem extends org.apache.hadoop.fs.RawLocalFileSystem {
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
  void help_teaches_by_example() {
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
