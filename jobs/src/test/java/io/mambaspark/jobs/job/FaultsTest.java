package io.mambaspark.jobs.job;

import static io.mambaspark.jobs.TestOutput.lasting;
import static io.mambaspark.jobs.TestOutput.rows;
import static io.mambaspark.jobs.TestOutput.summary;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.slice;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestCluster;
import io.mambaspark.jobs.TestCluster.Job;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.DemoCorpus;
import io.mambaspark.jobs.model.DemoModel;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;

/**
 * Faults during a job on a real cluster: after a fault, the output has every row of the input once,
 * with the same scores as an undisturbed run. Requires Linux and the right to mount a small file
 * system; {@code scripts/faults.sh} runs it.
 *
 * <p>System properties: {@code mambaspark.faults.seed} is the seed for the random times at which
 * drivers are killed; {@code mambaspark.faults.kills} is the number of kills.
 */
@Tag("faults")
public class FaultsTest {
  private static final int FILES = 6;
  private static final int UNITS = 4 * FILES;

  /** The number of rows in a row group. */
  private static final int GROUP = 6;

  /**
   * The number of tokens of a document. Few suffice: starting executors takes longer than scoring.
   */
  private static final int TOKENS = 200;

  private static final long SEED = Long.getLong("mambaspark.faults.seed", 20261125);
  private static final int KILLS = Integer.getInteger("mambaspark.faults.kills", 2);

  @TempDir static Path shared;

  private static TestCluster cluster;
  private static Path corpus;
  private static Map<String, String> expectedRows;
  private static Map<String, String> expectedSummary;
  private static double undisturbedSeconds;

  @TempDir Path own;
  private Path output;
  private long start;

  @BeforeAll
  static void scoreUndisturbed() throws IOException {
    corpus = shared.resolve("corpus");
    Dataset<Row> demo =
        TestSpark.session()
            .createDataFrame(DemoCorpus.rows().subList(0, 4 * GROUP), DemoCorpus.SCHEMA)
            .select(col("id"), slice(col("tokens"), 1, TOKENS).as("tokens"));
    for (int file = 0; file < FILES; file++) {
      demo.withColumn("id", concat(lit(file + "-"), col("id")))
          .coalesce(1)
          .write()
          // Four row groups a file.
          .option("parquet.block.row.count.limit", GROUP)
          .parquet(corpus.resolve("part=" + file).toString());
    }
    cluster = new TestCluster(shared);
    Path output = shared.resolve("undisturbed");
    long start = System.nanoTime();
    Job job = cluster.submit(List.of(), arguments(corpus, output));
    assertThat(job.join()).as(job::output).isZero();
    undisturbedSeconds = (System.nanoTime() - start) / 1e9;
    expectedRows = rows(output);
    expectedSummary = lasting(summary(output));
    assertThat(expectedRows).hasSize(UNITS * GROUP);
    assertThat(summary(output).get("units").asInt()).isEqualTo(UNITS);
    assertThat(modelLoads()).hasSize(2).containsOnly(1L);
    System.out.printf("seed %d; undisturbed %.1f s%n", SEED, undisturbedSeconds);
  }

  @AfterAll
  static void stopCluster() {
    if (cluster != null) {
      cluster.close();
    }
  }

  @BeforeEach
  void startClock() {
    output = own.resolve("scores");
    start = System.nanoTime();
  }

  @AfterEach
  void endExecutors(TestInfo test) {
    // Otherwise they may write into the temporary folder while JUnit deletes it.
    cluster.awaitEndOfExecutors();
    System.out.printf(
        "%.1f s: %s%n",
        (System.nanoTime() - start) / 1e9, test.getTestMethod().orElseThrow().getName());
  }

  private static Object[] arguments(Path input, Path output, Object... more) {
    List<Object> arguments =
        new ArrayList<>(List.of("score", "--model", "demo", "--input", input, "--output", output));
    arguments.addAll(List.of("--target-unit-tokens", 1, "--emit", "token-logprobs"));
    arguments.addAll(Arrays.asList(more));
    return arguments.toArray();
  }

  private Job submit(Object... more) {
    return cluster.submit(List.of(), arguments(corpus, output, more));
  }

  private void assertComplete() throws IOException {
    assertThat(rows(output)).isEqualTo(expectedRows);
    assertThat(lasting(summary(output))).isEqualTo(expectedSummary);
    assertThat(output.resolve("_SUCCESS")).exists();
    assertThat(output.resolve("_mamba/tmp")).doesNotExist();
    assertThat(names(output).filter(name -> name.endsWith(".parquet"))).hasSize(UNITS);
  }

  /** Returns how often each executor of the last application packed the model. */
  private static List<Long> modelLoads() throws IOException {
    List<Long> loads = new ArrayList<>();
    for (Path log : cluster.executorLogs()) {
      try (Stream<String> lines = Files.lines(log)) {
        // Match complete lines: a worker may write the end of a killed executor's last line twice.
        loads.add(lines.filter(line -> line.matches(".* INFO Model(Files|Broadcast): .*")).count());
      }
    }
    return loads;
  }

  private static Stream<String> names(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).toList().stream();
    } catch (IOException e) {
      return Stream.empty();
    }
  }

  private long unitsDone() {
    return names(output.resolve("_mamba/units")).filter(name -> name.startsWith("part-")).count();
  }

  private boolean isWriting() {
    return names(output.resolve("_mamba/tmp"))
        .anyMatch(name -> name.startsWith("part-") && name.contains(".parquet-"));
  }

  @Test
  void a_job_survives_an_executor_killed_in_the_middle_of_a_task() throws IOException {
    Job job = submit();
    job.until("four units are done", () -> unitsDone() >= 4);
    TestCluster.signal("KILL", cluster.executors().get(0));
    assertThat(job.join()).as(job::output).isZero();
    assertThat(job.output()).contains("Lost executor");
    assertComplete();
  }

  @Test
  void a_job_with_dynamic_allocation_survives_executors_killed_while_they_write()
      throws IOException {
    Job job =
        cluster.submit(
            List.of(
                "--conf", "spark.dynamicAllocation.enabled=true",
                "--conf", "spark.dynamicAllocation.shuffleTracking.enabled=true",
                "--conf", "spark.dynamicAllocation.initialExecutors=1"),
            arguments(corpus, output, "--model-delivery", "file"));
    job.until("a file is written", this::isWriting);
    for (ProcessHandle executor : cluster.executors()) {
      TestCluster.signal("KILL", executor);
    }
    assertThat(job.join()).as(job::output).isZero();
    assertComplete();
    assertThat(job.output()).contains("Lost executor");
    // The logs include those of the killed executors and of their replacements.
    assertThat(modelLoads()).hasSizeGreaterThan(1).allMatch(loads -> loads <= 1);
  }

  @Test
  void a_job_survives_a_worker_killed_with_its_executor() throws IOException {
    Job job = submit();
    job.until("two units are done", () -> unitsDone() >= 2);
    TestCluster.signal("KILL", cluster.workers().get(0));
    assertThat(job.join()).as(job::output).isZero();
    assertThat(job.output()).contains("Lost executor");
    assertComplete();
    cluster.restart();
  }

  @Test
  void a_job_is_resumed_after_its_driver_was_killed_repeatedly() throws IOException {
    Random random = new Random(SEED);
    for (int i = 0; i < KILLS; i++) {
      long before = unitsDone();
      long more = random.nextInt((int) (UNITS - before) / 2 + 1);
      int millis = random.nextInt(1000);
      Job job = submit("--resume");
      job.until("enough units are done", () -> unitsDone() >= before + more && isWriting());
      sleep(millis);
      job.kill();
      System.out.printf(
          "killed %d ms after %d more units, %d are done%n", millis, more, unitsDone());
    }
    long done = unitsDone();
    assertThat(done).isGreaterThan(0);
    Job job = submit("--resume");
    assertThat(job.join()).as(job::output).isZero();
    assertComplete();
    assertThat(summary(output).get("resumed_units").asLong()).isPositive();
  }

  /** Sleeps for a random time, so that kills happen at random moments. No check depends on it. */
  private static void sleep(int millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void a_job_survives_a_stopped_task_that_a_speculative_attempt_overtakes() throws IOException {
    Job job =
        cluster.submit(
            List.of(
                "--conf", "spark.speculation=true",
                "--conf", "spark.speculation.interval=100ms",
                "--conf", "spark.speculation.quantile=0.3",
                "--conf", "spark.speculation.multiplier=2"),
            arguments(corpus, output));
    job.until("ten units are done", () -> unitsDone() >= 10 && isWriting());
    ProcessHandle slow = cluster.executors().get(0);
    TestCluster.signal("STOP", slow);
    try {
      assertThat(job.join()).as(job::output).isZero();
      assertComplete();
    } finally {
      cluster.awaitEndOfExecutors();
    }
  }

  /** Kills the driver while it scores files whose names Spark and Hadoop could parse as globs. */
  @Test
  void a_job_with_names_like_globs_or_uris_is_resumed_after_a_kill() throws IOException {
    Path odd = own.resolve("in [12]{a,b} %41 #é");
    Path source;
    try (Stream<Path> files = Files.list(corpus.resolve("part=0"))) {
      source = files.filter(file -> file.toString().endsWith(".parquet")).findFirst().get();
    }
    List<String> folders = List.of("lang=de%2FAT", "lang=[x]", "lang=*?", "lang=#;%zz");
    for (int i = 0; i < folders.size(); i++) {
      Path folder = Files.createDirectories(odd.resolve(folders.get(i)).resolve("sub {1}"));
      Files.copy(source, folder.resolve("a b[%d].parquet".formatted(i)));
    }
    Path undisturbed = own.resolve("undisturbed");
    assertThat(Cli.run(arguments(odd, undisturbed, "--max-tokens", 200)).code()).isZero();
    output = own.resolve("scores [v1]*");
    Job job = cluster.submit(List.of(), arguments(odd, output, "--max-tokens", 200, "--resume"));
    job.until("four units are done", () -> unitsDone() >= 4);
    job.kill();
    Job last = cluster.submit(List.of(), arguments(odd, output, "--max-tokens", 200, "--resume"));
    assertThat(last.join()).as(last::output).isZero();
    assertThat(summary(output).get("resumed_units").asInt()).isPositive();
    assertThat(lasting(summary(output))).isEqualTo(lasting(summary(undisturbed)));
    assertThat(written(output)).hasSize(4 * 4 * GROUP).isEqualTo(written(undisturbed));
    assertThat(
            written(output).stream()
                .map(line -> line.substring(line.lastIndexOf(',')))
                .distinct()
                .sorted())
        .containsExactly(",#;%zz]", ",*?]", ",[x]]", ",de/AT]");
  }

  private static List<String> written(Path output) {
    return TestSpark.session()
        .read()
        .option("__globPaths__", false)
        .parquet(output.toString())
        .select("id", "nll", "lang")
        .collectAsList()
        .stream()
        .map(Row::toString)
        .sorted()
        .toList();
  }

  @Test
  void a_file_that_is_damaged_in_the_middle_fails_the_job_or_is_quarantined() throws IOException {
    Path damaged = own.resolve("corpus");
    for (int file = 0; file < FILES; file++) {
      Path from = corpus.resolve("part=" + file);
      Path to = Files.createDirectories(damaged.resolve("part=" + file));
      String name = names(from).filter(n -> n.endsWith(".parquet")).findFirst().get();
      Files.copy(from.resolve(name), to.resolve(name));
      if (file == 2) {
        try (RandomAccessFile content = new RandomAccessFile(to.resolve(name).toFile(), "rw")) {
          content.seek(4);
          byte[] noise = new byte[64];
          new Random(1).nextBytes(noise);
          content.write(noise);
        }
      }
    }
    Job failing = cluster.submit(List.of(), arguments(damaged, output, "--on-error", "fail"));
    assertThat(failing.join()).isEqualTo(1);
    assertThat(failing.error())
        .startsWith("error: Cannot read row group 0 of file:")
        .contains("part=2")
        .endsWith("continue with --resume");

    Job job =
        cluster.submit(
            List.of(), arguments(damaged, output, "--resume", "--on-error", "quarantine"));
    assertThat(job.join()).as(job::output).isZero();
    Map<String, String> rows = rows(output);
    assertThat(rows).hasSize(expectedRows.size() - GROUP);
    rows.forEach((id, row) -> assertThat(row).isEqualTo(expectedRows.get(id)));
    JsonNode unreadable = summary(output).get("unreadable_files");
    assertThat(unreadable).hasSize(1);
    assertThat(unreadable.fieldNames().next()).contains("part=2");
    assertThat(summary(output).get("documents").asInt()).isEqualTo(rows.size());
  }

  @Test
  void a_job_is_resumed_after_a_full_disk_was_enlarged() throws IOException {
    Path disk = Files.createDirectory(own.resolve("disk"));
    TestCluster.run("mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk.toString());
    try {
      output = disk.resolve("scores");
      Job full = submit();
      assertThat(full.join()).isEqualTo(1);
      assertThat(full.error())
          .contains("No space left on device")
          .matches(".* \\d+ of 24 units are complete in file:\\S+; continue with --resume");
      TestCluster.run("mount", "-o", "remount,size=64m", disk.toString());
      Job job = submit("--resume");
      assertThat(job.join()).as(job::output).isZero();
      assertThat(summary(output).get("resumed_units").asLong()).isPositive();
      assertComplete();
    } finally {
      cluster.awaitEndOfExecutors();
      TestCluster.run("umount", disk.toString());
    }
  }

  @Test
  void a_model_changed_after_the_driver_opened_it_is_refused() throws IOException {
    Path model = Files.createDirectory(own.resolve("model"));
    DemoModel.unpack(model);
    Job job =
        cluster.submit(
            List.of(),
            "score",
            "--model",
            model,
            "--input",
            corpus,
            "--output",
            output,
            "--model-delivery",
            "file");
    // The driver has computed the fingerprint, and no executor has started yet.
    job.until("Spark has started", () -> job.output().contains("Model delivery: "));
    try (RandomAccessFile weights =
        new RandomAccessFile(model.resolve("model.safetensors").toFile(), "rw")) {
      weights.seek(weights.length() - 10);
      int before = weights.read();
      weights.seek(weights.length() - 10);
      weights.write(before ^ 1);
    }
    assertThat(job.join()).isEqualTo(1);
    assertThat(job.error())
        .matches(
            "error: Model \\S+/model changed after the driver opened it: expected fingerprint"
                + " [0-9a-f]{12}, found [0-9a-f]{12}; restart the job, and do not change a model"
                + " while a job runs");
    assertThat(output).doesNotExist();
  }

  @Test
  void spark_shows_metrics_and_job_descriptions() throws IOException {
    int port = TestCluster.freePort();
    Path csv = Files.createDirectory(own.resolve("metrics"));
    List<String> sinks =
        List.of(
            "--conf",
            "spark.metrics.conf.*.sink.prometheusServlet.class="
                + "org.apache.spark.metrics.sink.PrometheusServlet",
            "--conf",
            "spark.metrics.conf.*.sink.prometheusServlet.path=/metrics/prometheus",
            "--conf",
            "spark.metrics.conf.executor.sink.csv.class=org.apache.spark.metrics.sink.CsvSink",
            "--conf",
            "spark.metrics.conf.executor.sink.csv.directory=" + csv,
            "--conf",
            "spark.metrics.conf.executor.sink.csv.period=1",
            "--conf",
            "spark.ui.port=" + port);
    Job local = cluster.submit("local[1]", sinks, arguments(corpus, output));
    local.until("two units are done", () -> unitsDone() >= 2);
    String page = "http://127.0.0.1:" + port;
    Map<String, Double> metrics = new TreeMap<>();
    for (String line : get(page + "/metrics/prometheus/").lines().toList()) {
      int name = line.indexOf("ScoringMetrics_");
      if (name >= 0 && line.contains("_Value")) {
        String rest = line.substring(name + "ScoringMetrics_".length());
        metrics.put(rest.replaceAll("_Value.*", ""), Double.valueOf(rest.replaceAll(".*\\} ", "")));
      }
    }
    assertThat(metrics.keySet())
        .containsExactly(
            "documents", "errors", "modelLoadSeconds", "residentModelBytes", "tokensScored");
    assertThat(metrics.get("tokensScored")).isGreaterThan(1000);
    assertThat(metrics.get("documents")).isGreaterThan(GROUP);
    assertThat(metrics.get("errors")).isZero();
    assertThat(metrics.get("modelLoadSeconds")).isPositive();
    assertThat(metrics.get("residentModelBytes")).isGreaterThan(4e6);
    String stages = get(page + "/api/v1/applications/" + application(page) + "/stages");
    assertThat(stages)
        .containsPattern(
            "Scoring 24 units, at most [0-9,]+ tokens of \\S+/corpus with demo \\([0-9a-f]{12}\\)");
    local.kill();

    output = own.resolve("on-executors");
    Job job = cluster.submit(sinks, arguments(corpus, output));
    assertThat(job.join()).as(job::output).isZero();
    assertThat(
            names(csv)
                .filter(name -> name.matches(".*\\.[01]\\..*ScoringMetrics\\.tokensScored.csv")))
        .hasSize(2);
  }

  private static String application(String page) throws IOException {
    JsonNode applications = new ObjectMapper().readTree(get(page + "/api/v1/applications"));
    return applications.get(0).get("id").asText();
  }

  private static String get(String url) {
    try {
      return HttpClient.newHttpClient()
          .send(
              HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString())
          .body();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void a_stream_killed_at_random_moments_continues_without_loss() {
    Object[] stream = {
      "score",
      "--model",
      "demo",
      "--input",
      corpus,
      "--output",
      output,
      "--emit",
      "token-logprobs",
      "--stream",
      "--max-files-per-batch",
      1
    };
    Random random = new Random(SEED);
    for (int i = 0; i < KILLS; i++) {
      int batch = i * FILES / KILLS;
      int millis = random.nextInt(250);
      Job job = cluster.submit("local[2]", List.of(), stream);
      Path begun = output.resolve("_mamba/checkpoint/offsets/" + batch);
      job.until("batch %d has begun".formatted(batch), () -> Files.exists(begun));
      sleep(millis);
      job.kill();
      System.out.printf(
          "killed %d ms after batch %d had begun, %d are written%n",
          millis,
          batch,
          names(output.resolve("_spark_metadata")).filter(name -> !name.startsWith(".")).count());
    }
    Job last = cluster.submit("local[2]", List.of(), stream);
    assertThat(last.join()).as(last::output).isZero();
    assertThat(rows(output)).isEqualTo(expectedRows);
  }
}
