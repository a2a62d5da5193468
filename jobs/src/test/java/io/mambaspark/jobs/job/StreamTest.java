package io.mambaspark.jobs.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.DemoCorpus;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.Versions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code score --stream} scores every file of a folder once. {@link FaultsTest} kills streams. */
class StreamTest {
  @TempDir static Path shared;

  /** Files of five rows each. */
  private static List<Path> files;

  /** The rows that {@code score} without {@code --stream} writes for all files. */
  private static Map<String, String> expected;

  @TempDir Path own;
  private Path input;
  private Path output;

  @BeforeAll
  static void writeFiles() throws IOException {
    Path corpus = shared.resolve("corpus");
    for (int i = 0; i < 4; i++) {
      TestSpark.session()
          .createDataFrame(DemoCorpus.rows().subList(95 + 5 * i, 100 + 5 * i), DemoCorpus.SCHEMA)
          .selectExpr("id", "kind", "slice(tokens, 1, 60) as tokens")
          .coalesce(1)
          .write()
          .mode("append")
          .parquet(corpus.toString());
    }
    try (var found = Files.list(corpus)) {
      files = found.filter(file -> file.toString().endsWith(".parquet")).toList();
    }
    Path scores = shared.resolve("scores");
    Cli run = Cli.run("score", "--model", "demo", "--input", corpus, "--output", scores);
    assertThat(run.err()).isEmpty();
    expected = TestOutput.rows(scores);
    assertThat(expected).hasSize(20);
  }

  @BeforeEach
  void makeFolder() throws IOException {
    input = Files.createDirectory(own.resolve("incoming"));
    output = own.resolve("scores");
  }

  /** Adds a complete file to the folder, by a rename. */
  private void addFile(int file) throws IOException {
    Path hidden = Files.copy(files.get(file), input.resolve("_arriving"));
    Files.move(hidden, input.resolve(files.get(file).getFileName()));
  }

  private Object[] arguments(Object... more) {
    List<Object> arguments =
        new ArrayList<>(List.of("score", "--model", "demo", "--input", input, "--output", output));
    arguments.addAll(Arrays.asList(more));
    return arguments.toArray();
  }

  private Cli stream(Object... more) {
    Object[] all = Arrays.copyOf(new Object[] {"--stream"}, 1 + more.length);
    System.arraycopy(more, 0, all, 1, more.length);
    return Cli.run(arguments(all));
  }

  private static void assertSucceeded(Cli run, int batches, int rows) {
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    assertThat(run.out())
        .containsPattern("batches +%d\n".formatted(batches))
        .containsPattern("rows +%d\n".formatted(rows));
  }

  @Test
  void each_start_scores_the_files_that_arrived_since_the_last_one() throws IOException {
    addFile(0);
    addFile(1);
    assertSucceeded(stream("--max-files-per-batch", 1), 2, 10);
    assertSucceeded(stream(), 0, 0);
    addFile(2);
    // An old file, as after a copy that keeps times. By default, Spark would skip it.
    Path old = input.resolve(files.get(3).getFileName());
    Files.copy(files.get(3), old);
    Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofDays(400))));
    assertSucceeded(stream(), 1, 10);

    assertThat(TestOutput.rows(output)).isEqualTo(expected);
  }

  @Test
  void a_stream_with_an_interval_runs_until_it_is_stopped() throws Exception {
    addFile(0);
    ExecutorService thread = Executors.newSingleThreadExecutor();
    try {
      Future<Cli> running = thread.submit(() -> Cli.run(arguments("--stream", "100ms")));
      awaitRows(5, running);
      addFile(1);
      awaitRows(10, running);
      for (StreamingQuery query : TestSpark.session().streams().active()) {
        query.stop();
      }
      assertSucceeded(running.get(60, TimeUnit.SECONDS), 2, 10);
    } finally {
      thread.shutdownNow();
    }
  }

  /** Waits until Spark has reported so many rows, which it does after a batch is complete. */
  private void awaitRows(int rows, Future<Cli> running)
      throws InterruptedException, ExecutionException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
    while (reportedRows() < rows) {
      assertThat(System.nanoTime()).as("time limit for %d rows", rows).isLessThan(end);
      try {
        throw new AssertionError("The stream ended: " + running.get(50, TimeUnit.MILLISECONDS));
      } catch (TimeoutException e) {
        // The stream is still running, as expected.
      }
    }
    assertThat(TestOutput.rows(output)).hasSize(rows);
  }

  private static long reportedRows() {
    return Arrays.stream(TestSpark.session().streams().active())
        .flatMap(query -> Arrays.stream(query.recentProgress()))
        .flatMap(progress -> progress.observedMetrics().values().stream())
        .mapToLong(sums -> sums.getLong(0))
        .sum();
  }

  @Test
  void texts_of_json_lines_get_the_buckets_of_an_earlier_runs_thresholds() throws IOException {
    Path thresholds = own.resolve("thresholds");
    String[] columns = {"--text-column", "text", "--keep-columns", "id", "--input-format", "json"};
    Path lines = input.resolve("a.jsonl");
    TestSpark.session()
        .createDataFrame(DemoCorpus.rows().subList(100, 110), DemoCorpus.SCHEMA)
        .selectExpr("id", "substring(text, 1, 300) as text")
        .coalesce(1)
        .write()
        .json(own.resolve("json").toString());
    try (var found = Files.list(own.resolve("json"))) {
      Files.copy(found.filter(f -> f.toString().endsWith(".json")).findFirst().get(), lines);
    }
    List<Object> args = new ArrayList<>(List.of("score", "--model", "demo", "--input", input));
    args.addAll(Arrays.asList(columns));
    args.addAll(List.of("--output", thresholds, "--bucket", "head:30,middle:60"));
    assertThat(Cli.run(args.toArray()).err()).isEmpty();

    List<Object> more = new ArrayList<>(Arrays.asList(columns));
    more.addAll(List.of("--bucket-thresholds", thresholds, "--output-format", "json"));
    assertSucceeded(stream(more.toArray()), 1, 10);

    Path again = own.resolve("again");
    args.set(args.indexOf(thresholds), again);
    args.subList(args.indexOf("--bucket"), args.size()).clear();
    args.addAll(List.of("--bucket-thresholds", thresholds, "--output-format", "json"));
    assertThat(Cli.run(args.toArray()).err()).isEmpty();
    // The lines are identical, nulls included.
    List<String> streamed = lines(output);
    assertThat(streamed).isEqualTo(lines(again)).hasSize(10);
    assertThat(streamed).anyMatch(line -> line.endsWith("\"error\":null,\"bucket\":\"head\"}"));
  }

  private static List<String> lines(Path json) {
    return TestSpark.session().read().textFile(json.toString()).sort("value").collectAsList();
  }

  @Test
  void rows_with_errors_are_counted_and_strict_exits_with_3() throws IOException {
    TestSpark.session()
        .sql("SELECT array(1, 2, 4096) AS tokens UNION ALL SELECT array(1, 2, 3)")
        .coalesce(1)
        .write()
        .parquet(input.resolve("day=1").toString());
    Cli run = stream("--strict");
    assertThat(run.code()).isEqualTo(Options.STRICT_CODE);
    assertThat(run.out()).containsPattern("rows +2\n +with errors +1\n");
    // A later start does not count the errors of an earlier one.
    assertSucceeded(stream("--strict"), 0, 0);
  }

  @Test
  void a_failure_keeps_complete_batches_and_the_next_start_continues() throws IOException {
    addFile(0);
    assertSucceeded(stream(), 1, 5);
    Path bad = input.resolve("bad.parquet");
    Files.writeString(bad, "PAR1 not a Parquet file PAR1");
    Cli failed = stream();
    assertThat(failed.code()).isOne();
    assertThat(failed.error())
        .startsWith("error: Cannot read file://" + bad + ": ")
        .endsWith(
            "; complete batches stay in %s; fix the cause, then run the same command again to"
                    .formatted(output)
                + " continue");
    Files.delete(bad);
    Files.copy(files.get(1), bad);
    assertSucceeded(stream(), 1, 5);
    assertThat(TestOutput.rows(output)).hasSize(10);
    assertThat(expected).containsAllEntriesOf(TestOutput.rows(output));
  }

  @Test
  void inputs_outputs_and_checkpoints_of_other_jobs_are_refused() throws IOException {
    assertThat(stream().error())
        .isEqualTo(
            "error: Input %s is empty: the first start of a stream reads its columns from existing"
                    .formatted(input)
                + " files; start the stream when the first file has arrived");
    addFile(0);
    assertSucceeded(stream(), 1, 5);
    assertThat(stream("--prefix-token", "bos").error())
        .isEqualTo(
            "error: Cannot resume output file:%s: the prefix token was -1 and is 0; restore the"
                    .formatted(output)
                + " earlier settings, or choose another output");
    assertThat(Cli.run(arguments()).error())
        .isEqualTo(
            "error: Output %s was written by a stream; continue with --stream, choose another, or"
                    .formatted(output)
                + " replace it with --overwrite, without --resume");
    assertThat(Cli.run(arguments("--resume", "--overwrite")).error())
        .contains(" was written by a stream; ");
    assertThat(Cli.run(arguments("--resume")).error()).contains(" was written by a stream; ");
    Path other = own.resolve("other");
    assertThat(
            Cli.run(
                    "score",
                    "--model",
                    "demo",
                    "--input",
                    input,
                    "--stream",
                    "--output",
                    other,
                    "--checkpoint-location",
                    output.resolve("_mamba/checkpoint"))
                .error())
        .isEqualTo(
            "error: Checkpoint file:%s/_mamba/checkpoint belongs to a stream that did not write to"
                    .formatted(output)
                + " %s; choose another with --checkpoint-location".formatted(other));
    assertThat(other).doesNotExist();
    assertThat(stream("--checkpoint-location", own.resolve("elsewhere")).error())
        .contains(": --checkpoint-location was file:" + output + "/_mamba/checkpoint and is file:");
    Files.move(output.resolve("_mamba/checkpoint"), own.resolve("away"));
    assertThat(stream().error())
        .isEqualTo(
            "error: Cannot continue output %1$s: its checkpoint file:%1$s/_mamba/checkpoint does"
                    .formatted(output)
                + " not exist; choose another output");
    assertThat(
            Cli.run(
                    "score",
                    "--model",
                    "demo",
                    "--input",
                    input,
                    "--stream",
                    "--output",
                    shared.resolve("scores"))
                .error())
        .isEqualTo(
            "error: Output %s was started without --stream; choose another"
                .formatted(shared.resolve("scores")));
    Path foreign = Files.createDirectory(own.resolve("foreign"));
    Files.writeString(foreign.resolve("notes.txt"), "mine");
    assertThat(
            Cli.run("score", "--model", "demo", "--input", input, "--stream", "--output", foreign)
                .error())
        .isEqualTo(
            "error: Output %s exists and was not written by a stream; choose another"
                .formatted(foreign));
  }

  @Test
  void a_start_that_reached_no_batch_does_not_restrict_later_starts() throws IOException {
    // The state after a kill while the first record was being written.
    Files.createDirectories(output.resolve("_mamba/tmp"));
    Files.writeString(output.resolve("_mamba/tmp/run-00000.json-1.part"), "{");
    addFile(0);
    Path bad = input.resolve("bad.parquet");
    Files.writeString(bad, "PAR1 not a Parquet file PAR1");
    assertThat(stream("--tokens-column", "none").code()).isOne();
    Files.delete(bad);
    assertSucceeded(stream(), 1, 5);
  }

  @Test
  void a_later_partition_folder_does_not_change_the_columns_of_a_stream() throws IOException {
    addFile(0);
    assertSucceeded(stream(), 1, 5);
    Path day = Files.createDirectory(input.resolve("day=2"));
    Files.copy(files.get(1), day.resolve("a.parquet"));
    assertSucceeded(stream(), 1, 5);
    assertThat(TestOutput.rows(output)).hasSize(10);
    assertThat(expected).containsAllEntriesOf(TestOutput.rows(output));
  }

  @Test
  void a_stream_of_an_earlier_version_is_refused() throws IOException {
    addFile(0);
    assertSucceeded(stream(), 1, 5);
    Path record = output.resolve("_mamba/run-00000.json");
    ObjectNode run = (ObjectNode) new ObjectMapper().readTree(record.toFile());
    // The format of version 0.1.0.
    run.set("input", run.remove("arrivals"));
    ObjectNode settings = (ObjectNode) run.get("settings");
    settings.put("the version of mamba-spark", "0.1.0").remove("the columns of partition folders");
    Files.writeString(record, run.toString());
    Files.deleteIfExists(record.resolveSibling("." + record.getFileName() + ".crc"));
    assertThat(stream().error())
        .isEqualTo(
            "error: Cannot resume output file:%s: the version of mamba-spark was 0.1.0 and is %s;"
                    .formatted(output, Versions.mambaSpark())
                + " restore the earlier settings, or choose another output");
  }

  @Test
  void a_link_to_a_parent_folder_is_refused() throws IOException {
    addFile(0);
    Files.createDirectories(input.resolve("sub"));
    Path loop = Files.createSymbolicLink(input.resolve("sub/loop"), Path.of(".."));
    assertThat(stream().error())
        .isEqualTo(
            "error: Input %s contains a link to a folder above it, file:%s: Spark's streams would"
                    .formatted(input, loop)
                + " follow it and read files repeatedly; remove the link");
    Files.delete(loop);
    assertSucceeded(stream(), 1, 5);
  }

  @Test
  void partition_values_are_written_as_columns() throws IOException {
    for (int day = 1; day <= 2; day++) {
      Path folder = Files.createDirectory(input.resolve("day=" + day));
      Files.copy(files.get(day), folder.resolve("a.parquet"));
    }
    assertSucceeded(glob(input.getParent() + "/inc*"), 1, 10);
    assertThat(
            TestSpark.session()
                .read()
                .parquet(output.toString())
                .groupBy("day")
                .count()
                .sort("day")
                .collectAsList())
        .extracting(Row::toString)
        .containsExactly("[1,5]", "[2,5]");
  }

  private Cli glob(Object pattern) {
    return Cli.run("score", "--model", "demo", "--input", pattern, "--output", output, "--stream");
  }

  @Test
  void paths_that_a_stream_cannot_use_are_refused_before_anything_is_written() throws IOException {
    addFile(0);
    assertThat(glob(files.get(0)).error())
        .isEqualTo(
            "error: Input %s is a file; --stream needs a folder or a glob".formatted(files.get(0)));
    assertThat(stream("--checkpoint-location", input.resolve("c")).error())
        .isEqualTo(
            "error: Checkpoint file:%1$s/c and input file:%1$s overlap; choose separate paths"
                .formatted(input));
    assertThat(stream("--checkpoint-location", output).error())
        .isEqualTo(
            "error: Checkpoint file:%1$s contains output %1$s; choose another with"
                    .formatted(output)
                + " --checkpoint-location");
    assertThat(output).doesNotExist();
    assertSucceeded(glob(input + "/*.parquet"), 1, 5);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          --stream=soon | --stream soon: expected available-now, or an interval such as 30s, 5m or 1h
          --stream --resume | --resume cannot be combined with --stream: a restarted stream continues without it
          --stream --target-unit-tokens 5 | --target-unit-tokens cannot be combined with --stream: a stream's input has no end, and its output is never rewritten
          --stream --limit 5 | --limit cannot be combined with --stream: a stream's input has no end, and its output is never rewritten
          --stream --partitions 5 | --partitions cannot be combined with --stream: a stream's input has no end, and its output is never rewritten
          --stream --overwrite | --overwrite cannot be combined with --stream: a stream's input has no end, and its output is never rewritten
          --stream --dry-run | --dry-run cannot be combined with --stream: a stream's input has no end, and its output is never rewritten
          --stream --group-by kind | --group-by cannot be combined with --stream: a stream's input has no end, and its output is never rewritten
          --stream --bucket head:30 | --bucket cannot be combined with --stream: a stream's input has no end, and its output is never rewritten
          --stream --report r.html | --report cannot be combined with --stream: a stream's input has no end, and its output is never rewritten
          --stream --max-files-per-batch 0 | --max-files-per-batch 0: expected at least 1
          --stream --input-format csv | --stream does not support --input-format csv; expected one of parquet, json, orc
          --checkpoint-location c | --checkpoint-location needs --stream
          --partition-by c | --partition-by needs --output-table
          --table-property a=b | --table-property needs --output-table
          --output-table t --stream | Give either --output or --output-table, not both
          --where true | --where needs --input-table; files are always read completely
          --max-files-per-batch 3 | --max-files-per-batch needs --stream
          """)
  void contradictory_options_are_refused(String options, String message) {
    Cli run = Cli.runWithoutSession(arguments((Object[]) options.split(" ")));
    assertThat(run.error()).isEqualTo("error: " + message);
    assertThat(run.code()).isEqualTo(2);
    assertThat(output).doesNotExist();
  }

  @Test
  void a_stream_reads_exactly_one_path() {
    Cli two =
        Cli.runWithoutSession(
            "score", "--model", "demo", "--input", "a", "b", "--output", output, "--stream");
    assertThat(two.error())
        .isEqualTo(
            "error: --stream watches one folder or one table; expected one --input, a folder or a"
                + " glob, or --input-table, found a b");
  }
}
