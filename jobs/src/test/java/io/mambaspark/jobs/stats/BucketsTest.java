package io.mambaspark.jobs.stats;

import static io.mambaspark.jobs.TestScores.byId;
import static io.mambaspark.jobs.TestScores.contents;
import static io.mambaspark.jobs.TestScores.names;
import static io.mambaspark.jobs.TestScores.score;
import static io.mambaspark.jobs.TestScores.scored;
import static io.mambaspark.jobs.TestScores.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestScores;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.units.UnitsTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests buckets by perplexity, in two passes or with the thresholds of another run. */
class BucketsTest {
  private static final Object[] BUCKETS = {"--bucket", "head:30,middle:60"};

  @TempDir static Path shared;
  @TempDir Path own;

  private static Path model;
  private static Path corpus;
  private static Map<String, Row> plain;
  private static Map<String, String> expected;
  private static double head;
  private static double middle;
  private Path output;

  @BeforeAll
  static void writeCorpus() {
    model = TestModels.write(shared.resolve("model"));
    Random random = new Random(9);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      int[] tokens = random.ints(i, 0, TestModels.VOCABULARY).toArray();
      rows.add(RowFactory.create("row-%02d".formatted(i), i == 1 ? new int[] {99} : tokens));
    }
    StructType schema =
        new StructType().add("id", DataTypes.StringType).add("tokens", TestScores.TOKENS);
    corpus = write(shared.resolve("corpus"), 5, schema, rows);
    Path all = shared.resolve("all");
    scored(model, corpus, all);
    plain = byId(all);
    List<Double> sorted =
        plain.values().stream()
            .map(row -> row.<Double>getAs("perplexity"))
            .filter(p -> p != null)
            .sorted()
            .toList();
    assertThat(sorted).hasSize(38);
    // Percentiles 30 and 60 of 38 values, at steps 11.1 and 22.2 of 37.
    head = sorted.get(11) + 0.1 * (sorted.get(12) - sorted.get(11));
    middle = sorted.get(22) + 0.2 * (sorted.get(23) - sorted.get(22));
    expected = new LinkedHashMap<>();
    plain.forEach(
        (id, row) -> {
          Double p = row.getAs("perplexity");
          expected.put(id, p == null ? null : p < head ? "head" : p < middle ? "middle" : "tail");
        });
  }

  @BeforeEach
  void nameOutput() {
    output = own.resolve("scores");
  }

  private static Object[] with(Object[] args, Object... more) {
    return Stream.of(args, more).flatMap(Stream::of).toArray();
  }

  private JsonNode summary() throws IOException {
    return TestOutput.summary(output);
  }

  private static Map<String, String> buckets(Path output) {
    Map<String, String> buckets = new LinkedHashMap<>();
    byId(output).forEach((id, row) -> buckets.put(id, row.getAs("bucket")));
    return buckets;
  }

  @Test
  void a_document_is_in_the_first_bucket_whose_threshold_is_above_its_perplexity()
      throws IOException {
    Cli run = scored(model, corpus, output, with(BUCKETS, "--target-unit-tokens", 1));
    assertThat(buckets(output)).isEqualTo(expected);
    assertThat(TestSpark.session().read().parquet(output.toString()).columns())
        .containsExactly("id", "nll", "token_count", "perplexity", "truncated", "error", "bucket");
    byId(output)
        .forEach(
            (id, row) ->
                assertThat(row.<Double>getAs("nll")).isEqualTo(plain.get(id).getAs("nll")));
    checkComments();
    JsonNode json = summary();
    assertThat(json.get("bucket_thresholds").get("head").asDouble()).isCloseTo(head, within(1e-9));
    assertThat(json.get("bucket_thresholds").get("middle").asDouble())
        .isCloseTo(middle, within(1e-9));
    assertThat(json.get("bucket_thresholds")).hasSize(2);
    assertThat(json.get("units").asInt()).isEqualTo(8);
    assertThat(run.out()).contains("bucket head below").contains("bucket middle below");
    assertThat(names(own)).containsExactly("scores");
    Map<String, String> lasting = TestOutput.lasting(json);
    assertThat(lasting).isEqualTo(TestOutput.lasting(TestOutput.summary(shared.resolve("all"))));

    // A finished output stays unchanged.
    Map<String, String> before = contents(output);
    Cli again = scored(model, corpus, output, with(BUCKETS, "--resume"));
    assertThat(again.out()).contains("bucket head below").contains("done by earlier starts");
    assertThat(contents(output)).isEqualTo(before);
    assertThat(score(model, corpus, output, BUCKETS).err().strip())
        .isEqualTo(
            "error: Output %s exists; choose another, or replace it with --overwrite", output);
    assertThat(score(model, corpus, output, "--bucket", "head:31", "--resume").error())
        .endsWith(
            ": the buckets was head:30,middle:60 and is head:31; restore the earlier settings,"
                + " or choose another output");
    assertThat(score(model, corpus, output, "--resume").error())
        .contains("the buckets was head:30,middle:60 and is ");
    assertThat(contents(output)).isEqualTo(before);

    // Another run with the same thresholds, in one pass.
    for (Path file : List.of(output, output.resolve("_mamba_summary.json"))) {
      Path second = own.resolve("by-" + file.getFileName());
      scored(model, corpus, second, "--bucket-thresholds", file);
      assertThat(buckets(second)).isEqualTo(expected);
      assertThat(TestOutput.summary(second).get("bucket_thresholds"))
          .isEqualTo(json.get("bucket_thresholds"));
    }
    scored(model, corpus, output, "--bucket", "low:50", "--overwrite");
    assertThat(buckets(output).values()).contains("low", "tail", null).doesNotContain("head");
    assertThat(names(own)).hasSize(3);
  }

  /** Checks that a second pass keeps the column comments of the first pass. */
  private void checkComments() {
    for (StructField field :
        TestSpark.session().read().parquet(output.toString()).schema().fields()) {
      assertThat(field.getComment().isDefined())
          .as(field.name())
          .isEqualTo(!field.name().equals("id"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"json", "orc", "parquet"})
  void a_job_without_units_has_the_same_buckets(String format) throws IOException {
    scored(model, corpus, output, with(BUCKETS, "--output-format", format, "--partitions", 3));
    Map<String, String> buckets = new LinkedHashMap<>();
    for (Row row :
        TestSpark.session()
            .read()
            .format(format)
            .load(output.toString())
            .sort("id")
            .collectAsList()) {
      buckets.put(row.getAs("id"), row.getAs("bucket"));
    }
    assertThat(buckets).isEqualTo(expected);
    if (format.equals("parquet")) {
      checkComments();
    }
    assertThat(summary().get("bucket_thresholds").get("head").asDouble())
        .isCloseTo(head, within(1e-9));
    assertThat(summary().get("units").isNull()).isTrue();
    assertThat(names(own)).containsExactly("scores");
  }

  @Test
  void a_job_that_is_killed_between_or_in_its_passes_can_be_resumed() throws IOException {
    Path undisturbed = own.resolve("undisturbed");
    Object[] job = with(BUCKETS, "--target-unit-tokens", 1_000_000);
    scored(model, corpus, undisturbed, job);
    Map<String, String> sums = TestOutput.lasting(TestOutput.summary(undisturbed));
    System.setProperty("spark.hadoop.fs.failing.impl", UnitsTest.FailingFileSystem.class.getName());
    TestSpark.session()
        .sparkContext()
        .hadoopConfiguration()
        .set("fs.failing.impl", UnitsTest.FailingFileSystem.class.getName());
    try {
      boolean failed = true;
      boolean resumed = false;
      for (int writes = 6; failed; writes += 7) {
        output = own.resolve("scores-" + writes);
        List<Object> args = new ArrayList<>(List.of("score", "--model", model, "--input", corpus));
        args.addAll(List.of("--output", "failing://" + output, "--resume"));
        args.addAll(List.of(job));
        UnitsTest.FailingFileSystem.failAfter(writes);
        Cli first = Cli.run(args.toArray());
        UnitsTest.FailingFileSystem.failAfter(Integer.MAX_VALUE);
        failed = first.code() != 0;
        Cli run = Cli.run(args.toArray());
        assertThat(run.code()).as("after %d writes: %s", writes, run.err()).isZero();
        resumed |= failed && summary().get("resumed_units").asInt() == 1;
        assertThat(buckets(output)).as("after %d writes", writes).isEqualTo(expected);
        assertThat(TestOutput.lasting(summary())).isEqualTo(sums);
        assertThat(names(own).stream().filter(name -> name.startsWith(output.getFileName() + "_")))
            .as("after %d writes", writes)
            .isEmpty();
      }
      assertThat(resumed).isTrue();
    } finally {
      System.clearProperty("spark.hadoop.fs.failing.impl");
    }
  }

  @Test
  void a_failed_job_keeps_the_old_output_and_resumes_next_to_it() throws IOException {
    scored(model, corpus, output);
    Map<String, String> before = contents(output);
    // The largest units run first, and the bad row is in the smallest.
    Object[] failing = with(BUCKETS, "--on-error", "fail", "--target-unit-tokens", 1);
    Cli run = score(model, corpus, output, with(failing, "--overwrite"));
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.error()).startsWith("error: Token id 99 at position 0 is outside [0, 24)");
    assertThat(contents(output)).isEqualTo(before);
    // The remedy in the message works.
    assertThat(run.error())
        .matches(".*; [67] of 8 units are complete in .*; continue with --resume --overwrite");
    scored(model, corpus, output, with(BUCKETS, "--overwrite", "--resume"));
    assertThat(summary().get("resumed_units").asInt()).isBetween(6, 7);
    assertThat(buckets(output)).isEqualTo(expected);
    assertThat(names(own)).containsExactly("scores");
    Cli once =
        score(
            model,
            corpus,
            output,
            with(BUCKETS, "--overwrite", "--on-error", "fail", "--partitions", 1));
    assertThat(once.code()).isEqualTo(1);
    assertThat(buckets(output)).isEqualTo(expected);
    assertThat(names(own)).containsExactly("scores");
  }

  @Test
  void an_output_without_buckets_is_not_resumed_with_buckets() throws IOException {
    scored(model, corpus, output);
    assertThat(score(model, corpus, output, with(BUCKETS, "--resume")).error())
        .contains("the buckets was ")
        .endsWith(
            " and is head:30,middle:60; restore the earlier settings, or choose another output");
    // An unfinished output is not resumed, either.
    Files.delete(output.resolve("_mamba_summary.json"));
    assertThat(score(model, corpus, output, with(BUCKETS, "--resume")).error())
        .isEqualTo(
            "error: Cannot resume output %s: it was started without --bucket; resume it without"
                + " --bucket, or choose another output",
            output);
  }

  @Test
  void a_run_without_perplexities_can_be_resumed_without_change() throws IOException {
    Path input = write(own.resolve("short"), "tokens", TestScores.TOKENS, new int[] {1}, null);
    scored(model, input, output, BUCKETS);
    assertThat(buckets(output).values()).containsExactly(null, null);
    scored(model, input, output, with(BUCKETS, "--resume"));
    assertThat(score(model, input, own.resolve("by"), "--bucket-thresholds", output).error())
        .isEqualTo(
            "error: Cannot use the thresholds of %s: no document of that run had a perplexity",
            output);
  }

  @Test
  void an_output_with_buckets_accepts_no_new_input() throws IOException {
    Path input = own.resolve("growing");
    write(input.resolve("day=1"), "tokens", TestScores.TOKENS, new int[] {1, 2, 3});
    scored(model, input, output, BUCKETS);
    write(input.resolve("day=2"), "tokens", TestScores.TOKENS, new int[] {4, 5});
    assertThat(score(model, input, output, with(BUCKETS, "--resume", "--allow-new-input")).error())
        .isEqualTo(
            "error: Cannot add new input to output file:%s: the thresholds of its buckets are"
                + " computed from all its documents; choose another output, and reuse the"
                + " thresholds with --bucket-thresholds",
            output);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "head | --bucket head: expected NAME:PERCENT,... such as head:30,middle:60",
        "head:30, | --bucket head:30,: expected NAME:PERCENT,... such as head:30,middle:60",
        "head:x | --bucket head:x: expected NAME:PERCENT,... such as head:30,middle:60",
        ":30 | --bucket :30: expected NAME:PERCENT,... such as head:30,middle:60",
        "a:60,b:60 | --bucket a:60,b:60: percentiles are cumulative; expected one above 60 and below"
            + " 100 for b",
        "a:0 | --bucket a:0: percentiles are cumulative; expected one above 0 and below 100 for a",
        "a:100 | --bucket a:100: percentiles are cumulative; expected one above 0 and below 100 for"
            + " a",
        "a:NaN | --bucket a:NaN: expected NAME:PERCENT,... such as head:30,middle:60",
        "a:30d | --bucket a:30d: expected NAME:PERCENT,... such as head:30,middle:60",
        "a:1,a:2 | --bucket a:1,a:2 names a twice",
        "tail:10 | --bucket tail:10: tail is reserved for the remaining documents; choose another"
            + " name",
      })
  void a_bad_list_is_wrong_usage(String list, String message) {
    Cli run = score(model, corpus, output, "--bucket", list);
    assertThat(run.err().lines())
        .containsExactly("error: " + message, "Try 'mamba-spark score --help'.");
    assertThat(run.code()).isEqualTo(2);
  }

  @Test
  void unusable_thresholds_are_reported() throws IOException {
    Path file = own.resolve("summary.json");
    Map<String, String> messages = new LinkedHashMap<>();
    messages.put(
        "not",
        "Cannot read --bucket-thresholds %s: it is not JSON; expected the summary"
            + " of a run with --bucket");
    messages.put("{}", "%s has no bucket_thresholds; expected the summary of a run with --bucket");
    messages.put("[]", "%s has no bucket_thresholds; expected the summary of a run with --bucket");
    messages.put("", "%s has no bucket_thresholds; expected the summary of a run with --bucket");
    messages.put(
        "{\"bucket_thresholds\": {\"a\": 9, \"b\": 3}}",
        "Cannot use the thresholds of %s: b is 3; expected ascending numbers");
    messages.put(
        "{\"bucket_thresholds\": {\"a\": \"9\"}}",
        "Cannot use the thresholds of %s: a is \"9\"; expected ascending numbers");
    messages.put(
        "{\"bucket_thresholds\": {\"tail\": 9}}",
        "Cannot use the thresholds of %s: the name tail is reserved for the remaining documents");
    for (Map.Entry<String, String> message : messages.entrySet()) {
      Files.writeString(file, message.getKey());
      Cli run = score(model, corpus, output, "--bucket-thresholds", file);
      assertThat(run.err().strip()).isEqualTo("error: " + message.getValue(), file);
      assertThat(run.code()).isEqualTo(1);
    }
    Path nowhere = own.resolve("nowhere");
    assertThat(score(model, corpus, output, "--bucket-thresholds", nowhere).err().strip())
        .isEqualTo(
            "error: Cannot read --bucket-thresholds %s: no such file, or a folder without"
                + " _mamba_summary.json",
            nowhere);
    assertThat(names(own)).containsExactly("summary.json");
  }

  @Test
  void a_kept_column_named_bucket_is_refused() {
    Path clash = own.resolve("clash");
    TestSpark.rows(new int[] {1})
        .selectExpr("tokens", "id Bucket")
        .write()
        .parquet(clash.toString());
    Cli run = score(model, clash, output, BUCKETS);
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.error())
        .isEqualTo(
            "error: Kept column bucket has the name of a score column; leave it out with"
                + " --keep-columns or rename it");
    scored(model, clash, output);
  }
}
