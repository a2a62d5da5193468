package io.mambaspark.jobs.units;

import static io.mambaspark.jobs.TestOutput.lasting;
import static io.mambaspark.jobs.TestOutput.rows;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.QuickPermissions;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.DocumentOptions;
import io.mambaspark.jobs.io.InputFiles;
import io.mambaspark.jobs.io.LedgerFolder;
import io.mambaspark.jobs.io.ParquetInput;
import io.mambaspark.jobs.io.RowGroups;
import io.mambaspark.jobs.io.RunRecord;
import io.mambaspark.jobs.io.RunRecords;
import io.mambaspark.jobs.io.SparkOptions;
import io.mambaspark.jobs.job.FaultsTest;
import io.mambaspark.jobs.model.ModelConventions;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.model.PackedModels;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.score.Scoring;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.stats.Totals;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.sql.Date;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests jobs by units in one JVM. {@link FaultsTest} tests processes that are killed. */
public class UnitsTest {
  private static final int FILES = 3;
  private static final int ROWS = 40;

  @TempDir static Path shared;
  @TempDir Path own;

  private static Path model;
  private static Path corpus;
  private Path output;

  /** Writes files of several row groups each, in partition folders. */
  @BeforeAll
  static void writeCorpus() {
    model = TestModels.write(shared.resolve("model"));
    corpus = shared.resolve("corpus");
    for (int file = 0; file < FILES; file++) {
      writeFile(corpus.resolve("lang=" + "abc".charAt(file)), file);
    }
  }

  /** Writes one file of {@value #ROWS} rows in row groups of ten. */
  private static void writeFile(Path folder, int seed) {
    Random random = new Random(seed);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      int[] tokens = random.ints(random.nextInt(60), 0, TestModels.VOCABULARY).toArray();
      rows.add(
          RowFactory.create(
              "doc-%d-%02d".formatted(seed, i),
              Timestamp.valueOf("1969-07-20 20:17:40.123456"),
              Date.valueOf("1582-10-20"),
              tokens));
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.StringType)
            .add("at", DataTypes.TimestampType)
            .add("day", DataTypes.DateType)
            .add("tokens", DataTypes.createArrayType(DataTypes.IntegerType));
    spark()
        .createDataFrame(rows, schema)
        .coalesce(1)
        .write()
        .option("parquet.block.row.count.limit", 10)
        .parquet(folder.toString());
  }

  @BeforeEach
  void nameOutput() {
    output = own.resolve("scores");
  }

  private static SparkSession spark() {
    return TestSpark.session();
  }

  private Cli score(Object... more) {
    return score(corpus, more);
  }

  private Cli score(Path input, Object... more) {
    List<Object> args = new ArrayList<>(List.of("score", "--model", model, "--input", input));
    args.addAll(List.of("--output", output));
    args.addAll(Arrays.asList(more));
    return Cli.run(args.toArray());
  }

  private static JsonNode json(Path file) throws IOException {
    return new ObjectMapper().readTree(file.toFile());
  }

  private JsonNode summary() throws IOException {
    return TestOutput.summary(output);
  }

  private List<Path> unitFiles() throws IOException {
    try (Stream<Path> files = Files.list(output)) {
      return files
          .filter(file -> file.getFileName().toString().endsWith(".parquet"))
          .sorted()
          .toList();
    }
  }

  private Path entry(Path unitFile) {
    return output.resolve("_mamba/units/" + unitFile.getFileName() + ".json");
  }

  private static void delete(Path file) throws IOException {
    Files.delete(file);
    Files.deleteIfExists(file.resolveSibling("." + file.getFileName() + ".crc"));
  }

  @Test
  void a_job_by_units_writes_the_same_rows_as_a_job_without_units() throws IOException {
    assertThat(score("--target-unit-tokens", 500).code()).isZero();
    Path byUnits = output;
    output = own.resolve("at-once");
    assertThat(score("--partitions", 2).code()).isZero();
    assertThat(rows(byUnits)).hasSize(FILES * ROWS).isEqualTo(rows(output));
    assertThat(spark().read().parquet(byUnits.toString()).schema())
        .isEqualTo(spark().read().parquet(output.toString()).schema());
    assertThat(lasting(json(byUnits.resolve("_mamba_summary.json")))).isEqualTo(lasting(summary()));
    assertThat(json(byUnits.resolve("_mamba_summary.json")).get("units").asInt())
        .isGreaterThan(FILES);
    assertThat(summary().get("units").isNull()).isTrue();
  }

  @Test
  void every_kind_of_score_has_the_same_sums_with_and_without_units() throws IOException {
    for (String emit :
        List.of("top-k=2", "logits", "last-logits", "token-ranks", "entropy,curvature")) {
      output = own.resolve("units-" + emit);
      assertThat(score("--emit", emit, "--max-tokens", 30, "--target-unit-tokens", 1).code())
          .isZero();
      JsonNode byUnits = summary();
      output = own.resolve("once-" + emit);
      assertThat(score("--emit", emit, "--max-tokens", 30, "--partitions", 2).code()).isZero();
      assertThat(lasting(byUnits)).isEqualTo(lasting(summary()));
    }
  }

  @Test
  void a_unit_consists_of_row_groups_of_one_file_that_its_entry_lists() throws IOException {
    assertThat(score("--target-unit-tokens", 500).code()).isZero();
    List<Path> files = unitFiles();
    Map<String, Integer> nextGroup = new TreeMap<>();
    long tokens = 0;
    for (Path file : files) {
      JsonNode entry = json(entry(file));
      assertThat(entry.get("parts")).hasSize(1);
      JsonNode part = entry.get("parts").get(0);
      String input = part.get("input").get("path").asText();
      assertThat(part.get("first_row_group").asInt()).isEqualTo(nextGroup.getOrDefault(input, 0));
      nextGroup.put(input, part.get("last_row_group").asInt() + 1);
      assertThat(spark().read().parquet(file.toString()).count())
          .isEqualTo(entry.get("totals").get("counts").get("rows").asLong());
      assertThat(entry.get("file").get("size").asLong()).isEqualTo(Files.size(file));
      tokens += entry.get("totals").get("counts").get("tokens").asLong();
    }
    assertThat(nextGroup)
        .hasSize(FILES)
        .allSatisfy((file, groups) -> assertThat(groups).isEqualTo(4));
    assertThat(tokens).isEqualTo(summary().get("tokens").asLong());
    assertThat(output.resolve("_mamba/tmp")).doesNotExist();
    assertThat(output.resolve("_SUCCESS")).exists();
  }

  @Test
  void only_missing_or_damaged_units_are_scored_again() throws IOException {
    assertThat(score("--target-unit-tokens", 1).code()).isZero();
    Map<String, String> before = rows(output);
    JsonNode summary = summary();
    List<Path> files = unitFiles();
    assertThat(files).hasSize(4 * FILES);
    // An entry without a file, a file without an entry, a damaged file and a damaged entry.
    delete(files.get(0));
    delete(entry(files.get(1)));
    Files.delete(files.get(2).resolveSibling("." + files.get(2).getFileName() + ".crc"));
    try (RandomAccessFile file = new RandomAccessFile(files.get(2).toFile(), "rw")) {
      file.seek(20);
      int was = file.read();
      file.seek(20);
      file.write(was ^ 1);
    }
    delete(entry(files.get(3)));
    Files.writeString(entry(files.get(3)), "{\"unit\": ");
    Map<Path, FileTime> untouched = new HashMap<>();
    for (Path file : files.subList(4, files.size())) {
      untouched.put(file, Files.getLastModifiedTime(file));
    }
    delete(output.resolve("_SUCCESS"));

    Cli run = score("--resume");
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).contains("8 of 12 units");
    assertThat(rows(output)).isEqualTo(before);
    assertThat(lasting(summary())).isEqualTo(lasting(summary));
    assertThat(summary().get("run")).isEqualTo(summary.get("run"));
    assertThat(summary().get("resumed_units").asInt()).isEqualTo(8);
    assertThat(unitFiles()).isEqualTo(files);
    for (Path file : untouched.keySet()) {
      assertThat(Files.getLastModifiedTime(file)).isEqualTo(untouched.get(file));
    }
  }

  @Test
  void resume_begins_a_new_run_and_does_nothing_for_a_finished_one() throws IOException {
    assertThat(score("--resume").code()).isZero();
    JsonNode first = summary();
    Cli again = score("--resume");
    assertThat(again.code()).isZero();
    assertThat(again.out()).contains("corpus perplexity").contains("done by earlier starts");
    assertThat(summary()).isEqualTo(first);
  }

  @Test
  void another_model_or_another_option_is_refused_and_the_difference_is_named() {
    assertThat(score("--target-unit-tokens", 500).code()).isZero();
    Map<String, String> before = rows(output);
    Object[][] others = {
      {"--max-tokens was 0 and is 9", "--max-tokens", 9},
      {"--emit was perplexity and is token-ranks", "--emit", "token-ranks"},
      {"the prefix token was -1 and is 3", "--prefix-token", "bos"},
      {"--weights was f32 and is bf16", "--weights", "bf16"},
      {"--weights was f32 and is int8", "--weights", "int8"},
      {"--weights was f32 and is int8-out16", "--weights", "int8-out16"},
      {"--weights was f32 and is int16", "--weights", "int16"},
      {"--on-error was quarantine and is fail", "--on-error", "fail"},
      {"--target-unit-tokens was 500 and is 501", "--target-unit-tokens", 501},
      {
        "the kept columns was id string, at timestamp, day date, lang string and is id string",
        "--keep-columns",
        "id"
      },
    };
    for (Object[] other : others) {
      Cli run = score("--resume", other[1], other[2]);
      assertThat(run.code()).isEqualTo(1);
      assertThat(run.error())
          .isEqualTo(
              "error: Cannot resume output file:%s: %s; restore the earlier settings, or choose"
                  + " another output",
              output, other[0]);
    }
    Path trained = TestModels.write(own.resolve("trained"), 2);
    Cli run =
        Cli.run("score", "--model", trained, "--input", corpus, "--output", output, "--resume");
    assertThat(run.error())
        .startsWith(
            "error: Cannot resume output file:" + output + ": the model's fingerprint was ");
    assertThat(rows(output)).isEqualTo(before);
  }

  @Test
  void a_run_is_not_resumed_in_another_format_of_integers() {
    assertThat(score("--weights", "int8").code()).isZero();
    assertThat(score("--weights", "int8-out16", "--resume").error())
        .contains("--weights was int8 and is int8-out16");
  }

  @Test
  void a_run_that_failed_at_a_bad_row_resumes_with_the_row_in_quarantine() throws IOException {
    Path bad = own.resolve("bad");
    writeFile(bad.resolve("a"), 1);
    TestSpark.rows(new int[] {1, 2}, new int[] {99})
        .selectExpr("id", "timestamp'2020-01-01' at", "date'2020-01-01' day", "tokens")
        .write()
        .parquet(bad.resolve("b").toString());
    Path files = bad.resolve("*");
    Cli run = score(files, "--on-error", "fail", "--target-unit-tokens", 1);
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.error())
        .startsWith("error: Token id 99 at position 0 is outside [0, 24), in row 1 of file:")
        // A concurrent unit may complete, too.
        .matches(".*; [34] of 5 units are complete in file:\\S+/scores; continue with --resume");
    assertThat(score(files).error())
        .isEqualTo(
            "error: Output %s exists and is not finished; continue with --resume, or choose another,"
                + " or replace it with --overwrite",
            output);
    assertThat(score(files, "--on-error", "quarantine", "--resume").code()).isZero();
    assertThat(rows(output)).hasSize(ROWS + 2);
    assertThat(summary().get("error_documents").asInt()).isEqualTo(1);
    assertThat(score(files, "--on-error", "fail", "--resume").error())
        .contains("--on-error was quarantine and is fail");
  }

  @Test
  void a_job_that_is_killed_at_any_write_is_complete_after_resuming() throws IOException {
    Path input = own.resolve("two-units");
    writeFile(input.resolve("a"), 1);
    writeFile(input.resolve("b"), 2);
    Path undisturbed = own.resolve("undisturbed");
    output = undisturbed;
    Path files = input.resolve("*");
    // A unit holds one of the two files, but not both.
    Object[] wholeFiles = {"--target-unit-tokens", 1_800};
    assertThat(score(files, wholeFiles).code()).isZero();
    Map<String, String> expected = rows(output);
    Map<String, String> sums = lasting(summary());
    System.setProperty("spark.hadoop.fs.failing.impl", FailingFileSystem.class.getName());
    spark()
        .sparkContext()
        .hadoopConfiguration()
        .set("fs.failing.impl", FailingFileSystem.class.getName());
    int failures = 0;
    for (String how : List.of("--resume", "--overwrite")) {
      boolean failed = true;
      for (int writes = 0; failed; writes++) {
        output = own.resolve(how + writes);
        List<Object> arguments =
            new ArrayList<>(List.of("score", "--model", model, "--input", files));
        arguments.addAll(List.of("--output", "failing://" + output, "--resume"));
        arguments.addAll(List.of(wholeFiles));
        if (how.equals("--overwrite")) {
          FileUtils.copyDirectory(undisturbed.toFile(), output.toFile());
          arguments.add("--overwrite");
        }
        FailingFileSystem.failAfter(writes);
        Cli first = Cli.run(arguments.toArray());
        FailingFileSystem.failAfter(Integer.MAX_VALUE);
        failed = first.code() != 0;
        failures += failed ? 1 : 0;
        // Run again even if the run before succeeded: resuming a complete output must work, too.
        Cli run = Cli.run(arguments.toArray());
        assertThat(run.code()).as("%s after %d writes: %s", how, writes, run.err()).isZero();
        assertThat(rows(output)).as("%s after %d writes", how, writes).isEqualTo(expected);
        assertThat(lasting(summary())).isEqualTo(sums);
        assertThat(unitFiles()).hasSize(2);
        assertThat(output.resolve("_SUCCESS")).exists();
      }
    }
    System.clearProperty("spark.hadoop.fs.failing.impl");
    assertThat(failures).isGreaterThan(30);
  }

  /** A file system that refuses every change after a given number of changes. */
  public static final class FailingFileSystem extends QuickPermissions.Raw {
    private static final AtomicInteger REMAINING = new AtomicInteger(Integer.MAX_VALUE);

    public static void failAfter(int changes) {
      REMAINING.set(changes);
    }

    private static void write() throws IOException {
      if (REMAINING.getAndUpdate(left -> Math.max(0, left - 1)) <= 0) {
        throw new IOException("no more changes");
      }
    }

    @Override
    public java.net.URI getUri() {
      return java.net.URI.create("failing:///");
    }

    @Override
    public String getScheme() {
      return "failing";
    }

    @Override
    public org.apache.hadoop.fs.FSDataOutputStream create(
        org.apache.hadoop.fs.Path path,
        boolean overwrite,
        int bufferSize,
        short replication,
        long blockSize,
        org.apache.hadoop.util.Progressable progress)
        throws IOException {
      write();
      return super.create(path, overwrite, bufferSize, replication, blockSize, progress);
    }

    @Override
    public boolean rename(org.apache.hadoop.fs.Path from, org.apache.hadoop.fs.Path to)
        throws IOException {
      write();
      return super.rename(from, to);
    }

    @Override
    public boolean delete(org.apache.hadoop.fs.Path path, boolean recursive) throws IOException {
      if (exists(path)) {
        write();
      }
      return super.delete(path, recursive);
    }

    @Override
    public boolean mkdirs(org.apache.hadoop.fs.Path path) throws IOException {
      if (!exists(path)) {
        write();
      }
      return super.mkdirs(path);
    }
  }

  @Test
  void leftovers_of_a_run_killed_before_its_first_unit_are_not_an_output() throws IOException {
    for (Object[] how : new Object[][] {{"--strict"}, {"--resume"}, {"--partitions", 2}}) {
      output = own.resolve("scores" + how[0]);
      Files.createDirectories(output.resolve("_mamba/tmp"));
      Files.writeString(output.resolve("_mamba/tmp/part-x.part"), "x");
      assertThat(score(how).err()).isEmpty();
      assertThat(rows(output)).hasSize(FILES * ROWS);
    }
    output = Files.createDirectory(own.resolve("made-by-somebody"));
    assertThat(score().error()).endsWith(" exists; choose another, or replace it with --overwrite");
  }

  @Test
  void a_run_does_not_write_to_an_output_that_another_run_owns() throws IOException {
    assertThat(score("--target-unit-tokens", 1).code()).isZero();
    Configuration hadoop = spark().sparkContext().hadoopConfiguration();
    org.apache.hadoop.fs.Path folder = new org.apache.hadoop.fs.Path(output.toUri());
    Ledger ledger = new Ledger(folder, hadoop);
    RunRecords records = new RunRecords(folder, hadoop);
    String run = records.latest().orElseThrow().id();
    UnitEntry late = ledger.entries(run, true).values().iterator().next();
    delete(entry(output.resolve(late.unit())));
    records.add(new RunRecord("20300101-000000-00000000", Map.of(), List.of()));
    assertThat(catchThrowable(() -> ledger.commit(late, null)))
        .hasMessage(
            "the output belongs to another run, 20300101-000000-00000000; this one is " + run);
    assertThat(entry(output.resolve(late.unit()))).doesNotExist();
  }

  @Test
  void a_complete_attempt_replaces_a_skipped_unit_and_the_first_file_stays() throws IOException {
    assertThat(score("--target-unit-tokens", 1).code()).isZero();
    Configuration hadoop = spark().sparkContext().hadoopConfiguration();
    org.apache.hadoop.fs.Path folder = new org.apache.hadoop.fs.Path(output.toUri());
    Ledger ledger = new Ledger(folder, hadoop);
    RunRecords records = new RunRecords(folder, hadoop);
    String run = records.latest().orElseThrow().id();
    UnitEntry complete = ledger.entries(run, true).values().iterator().next();
    UnitEntry skipped =
        new UnitEntry(
            run,
            complete.unit(),
            complete.parts(),
            0,
            new Totals().exact(),
            null,
            Map.of(complete.parts().get(0).input().path(), "damaged"));
    Path file = output.resolve(complete.unit());
    byte[] bytes = Files.readAllBytes(file);
    org.apache.hadoop.fs.Path attempt = new LedgerFolder(folder, hadoop).temporary("attempt");

    // The file exists, so a late attempt changes nothing.
    ledger.commit(skipped, null);
    assertThat(ledger.entries(run, true).get(complete.unit())).isEqualTo(complete);
    // No attempt has committed; then one skips the unit, one completes it, and one skips it.
    ledger.remove(List.of(complete.unit()));
    ledger.commit(skipped, null);
    assertThat(ledger.entries(run, true).get(complete.unit())).isEqualTo(skipped);
    Files.createDirectories(Path.of(attempt.toUri()).getParent());
    Files.write(Path.of(attempt.toUri()), bytes);
    ledger.commit(complete, attempt);
    ledger.commit(skipped, null);
    assertThat(ledger.entries(run, true).get(complete.unit())).isEqualTo(complete);
    assertThat(Files.readAllBytes(file)).isEqualTo(bytes);
    assertThat(Path.of(attempt.toUri())).doesNotExist();
  }

  @Test
  void a_file_that_the_run_did_not_write_is_reported() throws IOException {
    assertThat(score("--target-unit-tokens", 1).code()).isZero();
    Files.copy(unitFiles().get(0), output.resolve("mine.parquet"));
    assertThat(score("--resume").error())
        .isEqualTo(
            "error: Output file:%s contains mine.parquet, which this run did not write; remove"
                + " it and continue with --resume",
            output);
  }

  @Test
  void new_input_is_included_if_allowed_and_changed_input_is_refused() throws IOException {
    Path growing = own.resolve("growing");
    writeFile(growing.resolve("day=1"), 1);
    assertThat(score(growing, "--target-unit-tokens", 1).code()).isZero();
    writeFile(growing.resolve("day=2"), 2);
    Cli refused = score(growing, "--resume");
    assertThat(refused.error())
        .startsWith("error: Cannot resume output file:" + output + ": input file:")
        .endsWith("is new; include new files with --allow-new-input, or choose another output");
    assertThat(score(growing, "--resume", "--allow-new-input").code()).isZero();
    assertThat(rows(output)).hasSize(2 * ROWS);
    assertThat(summary().get("documents").asInt()).isEqualTo(2 * ROWS);
    assertThat(summary().get("resumed_units").asInt()).isEqualTo(4);

    Path second;
    try (Stream<Path> files = Files.list(growing.resolve("day=2"))) {
      second = files.filter(f -> f.toString().endsWith(".parquet")).findFirst().get();
    }
    Files.setLastModifiedTime(second, FileTime.fromMillis(1_600_000_000_000L));
    assertThat(score(growing, "--resume").error())
        .contains("day=2")
        .contains(" has changed (recorded: ")
        .endsWith(" bytes, modified 2020-09-13T12:26:40Z); choose another output");
    delete(second);
    assertThat(score(growing, "--resume", "--allow-new-input").error())
        .endsWith(" is missing; choose another output");
  }

  @Test
  void unreadable_files_are_listed_and_the_rest_is_scored() throws IOException {
    Path mixed = own.resolve("mixed");
    for (int i = 1; i <= 4; i++) {
      writeFile(mixed.resolve("part=" + i), i);
    }
    Path cut = onlyFile(mixed.resolve("part=1"));
    Files.write(cut, Arrays.copyOf(Files.readAllBytes(cut), 1000));
    damagePage(onlyFile(mixed.resolve("part=2")));
    spark().range(3).coalesce(1).write().parquet(own.resolve("other").toString());
    Path other = mixed.resolve("part=3/other.parquet");
    Files.copy(onlyFile(own.resolve("other")), other);

    // A file without the column is not damaged: the job refuses it.
    assertThat(score(mixed).error())
        .isEqualTo(
            "error: Column tokens (--tokens-column) is not in file:%s; its columns are id", other);
    Files.delete(other);

    Cli failing = score(mixed, "--on-error", "fail");
    assertThat(failing.code()).isEqualTo(1);
    assertThat(failing.error())
        .startsWith("error: Cannot read file:")
        .contains("part=1")
        .endsWith("; exclude it, or score the rest with --on-error quarantine");

    Cli run = score(mixed, "--target-unit-tokens", 1);
    assertThat(run.code()).isZero();
    assertThat(run.out()).contains("not read");
    JsonNode unreadable = summary().get("unreadable_files");
    List<String> named = new ArrayList<>();
    unreadable.fieldNames().forEachRemaining(named::add);
    assertThat(named).hasSize(2);
    assertThat(named.get(0)).contains("part=1");
    assertThat(named.get(1)).contains("part=2");
    assertThat(unreadable.get(named.get(1)).asText()).startsWith("cannot read row group 0: ");
    Map<String, String> rows = rows(output);
    assertThat(rows.keySet().stream().filter(id -> id.startsWith("doc-4"))).hasSize(ROWS);
    assertThat(rows.keySet().stream().filter(id -> id.startsWith("doc-3"))).hasSize(ROWS);
    // The first row group is skipped.
    assertThat(rows.keySet().stream().filter(id -> id.startsWith("doc-2"))).hasSize(ROWS - 10);
    assertThat(summary().get("documents").asInt()).isEqualTo(3 * ROWS - 10);
    // A repaired file may have the same size and time, so skipped files are retried.
    assertThat(score(mixed, "--resume", "--strict").code()).isEqualTo(3);
    assertThat(summary().get("resumed_units").asInt()).isEqualTo(11);
  }

  private static Path onlyFile(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(f -> f.toString().endsWith(".parquet")).findFirst().get();
    }
  }

  /** Damages a page of the first row group; the footer stays intact. */
  private static void damagePage(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    Arrays.fill(bytes, 4, 60, (byte) -1);
    delete(file);
    Files.write(file, bytes);
  }

  @Test
  void an_interrupted_replacement_by_units_resumes_next_to_the_old_output() throws IOException {
    assertThat(score("--target-unit-tokens", 1).code()).isZero();
    Map<String, String> before = rows(output);
    JsonNode summary = summary();
    assertThat(score("--overwrite", "--target-unit-tokens", 1).code()).isZero();
    assertThat(summary().get("run")).isNotEqualTo(summary.get("run"));
    // Imitate an interruption of the second run with one unit missing.
    String run = summary().get("run").asText();
    Path begun = own.resolve("scores_new-" + run);
    Files.move(output, begun);
    delete(begun.resolve("_mamba_summary.json"));
    delete(begun.resolve("_SUCCESS"));
    assertThat(score("--target-unit-tokens", 1).code()).isZero();
    output = begun;
    delete(unitFiles().get(0));
    output = own.resolve("scores");

    assertThat(score("--overwrite", "--resume").code()).isZero();
    assertThat(summary().get("run").asText()).isEqualTo(run);
    assertThat(summary().get("resumed_units").asInt()).isEqualTo(11);
    assertThat(rows(output)).isEqualTo(before);
    assertThat(begun).doesNotExist();
  }

  @Test
  void a_second_job_in_the_same_jvm_reuses_the_packed_model() throws IOException {
    assertThat(score().code()).isZero();
    long loads = PackedModels.loads();
    for (String delivery : List.of("auto", "broadcast", "file")) {
      assertThat(score("--overwrite", "--model-delivery", delivery).code()).isZero();
    }
    assertThat(PackedModels.loads()).isEqualTo(loads);
    assertThat(score("--overwrite", "--model-delivery", "carrier-pigeon").error())
        .isEqualTo("error: --model-delivery carrier-pigeon: expected auto, broadcast or file");
  }

  @Test
  void a_password_in_a_path_is_written_nowhere() throws IOException {
    spark().sparkContext().hadoopConfiguration().set("fs.guarded.impl", Guarded.class.getName());
    System.setProperty("spark.hadoop.fs.guarded.impl", Guarded.class.getName());
    Path base = Files.createDirectory(own.resolve("guarded"));
    Path input = Path.of("/in");
    assertThat(Guarded.place(base)).isNotNull();
    writeFile(base.resolve("in"), 1);
    String login = "guarded://me:hunter2@localhost";
    Cli run =
        Cli.run(
            "score", "--model", model, "--input", login + input, "--output", output, "--verbose");
    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows(output)).hasSize(ROWS);
    assertThat(score(base.resolve("in"), "--resume").error())
        .contains("input guarded://***@localhost/in/")
        .endsWith(" is missing; choose another output");
    try (Stream<Path> files = Files.walk(output)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".json")).toList()) {
        assertThat(Files.readString(file)).doesNotContain("hunter2").doesNotContain("me:");
      }
    }
    assertThat(Files.readString(output.resolve("_mamba/run-00000.json")))
        .contains("guarded://***@localhost/in/");
    Path streamed = own.resolve("streamed");
    assertThat(
            Cli.run(
                    "score",
                    "--model",
                    model,
                    "--input",
                    login + input,
                    "--output",
                    streamed,
                    "--stream",
                    "--checkpoint-location",
                    login + "/checkpoint")
                .code())
        .isZero();
    assertThat(Files.readString(streamed.resolve("_mamba/run-00000.json")))
        .contains("guarded://***@localhost/in", "guarded://***@localhost/checkpoint")
        .doesNotContain("hunter2");
    assertThat(
            Cli.run(
                    "score",
                    "--model",
                    model,
                    "--input",
                    login + "/none",
                    "--output",
                    output,
                    "--resume")
                .error())
        .isEqualTo("error: Cannot read input guarded://***@localhost/none: no such file or folder");
    Cli unknown =
        Cli.run(
            "score",
            "--model",
            "x://me:hunter2@h/m",
            "--input",
            corpus,
            "--output",
            output,
            "--resume",
            "--verbose");
    assertThat(unknown.err()).contains("\tat ").contains("x://***@h/m").doesNotContain("hunter2");
    System.clearProperty("spark.hadoop.fs.guarded.impl");
  }

  /** A file system of one local folder whose URIs have a user and a password. */
  public static final class Guarded extends QuickPermissions.Raw {
    private static Path base;

    static Path place(Path folder) {
      base = folder;
      return base;
    }

    @Override
    public java.net.URI getUri() {
      return java.net.URI.create("guarded://me:hunter2@localhost");
    }

    @Override
    public String getScheme() {
      return "guarded";
    }

    @Override
    public java.io.File pathToFile(org.apache.hadoop.fs.Path path) {
      return new java.io.File(base + path.toUri().getPath());
    }

    @Override
    public org.apache.hadoop.fs.FileStatus getFileStatus(org.apache.hadoop.fs.Path path)
        throws IOException {
      return named(super.getFileStatus(path), path);
    }

    @Override
    public org.apache.hadoop.fs.FileStatus[] listStatus(org.apache.hadoop.fs.Path path)
        throws IOException {
      org.apache.hadoop.fs.FileStatus[] found = super.listStatus(path);
      for (int i = 0; i < found.length; i++) {
        String name = found[i].getPath().getName();
        found[i] =
            named(
                found[i],
                pathToFile(path).isFile() ? path : new org.apache.hadoop.fs.Path(path, name));
      }
      return found;
    }

    private org.apache.hadoop.fs.FileStatus named(
        org.apache.hadoop.fs.FileStatus status, org.apache.hadoop.fs.Path path) {
      return new org.apache.hadoop.fs.FileStatus(
          status.getLen(),
          status.isDirectory(),
          1,
          1 << 20,
          status.getModificationTime(),
          makeQualified(path));
    }
  }

  @Test
  void an_input_without_rows_gives_an_output_without_rows() {
    Path empty = own.resolve("empty");
    spark().read().parquet(corpus.toString()).limit(0).write().parquet(empty.toString());
    assertThat(score(empty, "--resume").code()).isZero();
    assertThat(spark().read().parquet(output.toString()).count()).isZero();
    assertThat(score(empty, "--resume").code()).isZero();
  }

  @Test
  void only_parquet_to_parquet_can_be_resumed() {
    for (Object[] other :
        new Object[][] {
          {"--limit", 3},
          {"--partitions", 2},
          {"--input-format", "json"},
          {"--output-format", "orc"}
        }) {
      Cli run = score("--resume", other[0], other[1]);
      assertThat(run.code()).isEqualTo(2);
      assertThat(run.error())
          .isEqualTo(
              "error: --resume needs a job that can be cut into units: Parquet files as input,"
                  + " Parquet as output, and neither --limit nor --partitions");
    }
    assertThat(score("--allow-new-input").error())
        .isEqualTo("error: --allow-new-input needs --resume");
  }

  @Test
  void a_run_of_an_earlier_version_is_refused() throws IOException {
    assertThat(score("--target-unit-tokens", 1).code()).isZero();
    Path record = output.resolve("_mamba/run-00000.json");
    ObjectNode run = (ObjectNode) json(record);
    // Imitate a record of version 0.1.0.
    run.set("input", run.remove("arrivals").get(0));
    ((ObjectNode) run.get("settings")).put("the version of mamba-spark", "0.1.0");
    Files.writeString(record, run.toString());
    Files.delete(record.resolveSibling("." + record.getFileName() + ".crc"));
    Files.delete(output.resolve("_mamba_summary.json"));
    assertThat(score("--resume").error())
        .isEqualTo(
            "error: Cannot resume output file:%s: the version of mamba-spark was 0.1.0 and is %s;"
                    .formatted(output, Versions.mambaSpark())
                + " restore the earlier settings, or choose another output");
  }

  @Test
  void a_row_count_that_differs_from_the_footer_fails_the_job() throws Exception {
    Path file = own.resolve("one");
    writeFile(file, 5);
    Configuration hadoop = spark().sparkContext().hadoopConfiguration();
    ParquetInput input =
        ParquetInput.plan(
            spark(),
            InputFiles.list(List.of(file.toString()), hadoop),
            new DocumentOptions(DocumentColumns.tokens("tokens"), null),
            SparkOptions.NONE);
    Unit complete = Unit.cut(input.footers(), Long.MAX_VALUE).get(0);
    Unit cut = Unit.cut(input.footers(), 1).get(0);
    assertThat(complete.rows()).isEqualTo(ROWS);
    RowGroups part = cut.parts().get(0);
    Unit wrong =
        new Unit(
            cut.name(),
            List.of(
                new RowGroups(
                    part.input(), 0, 0, part.start(), part.end(), 0, ROWS, part.tokens())));
    try (OpenModel open = new OpenModel(model.toString());
        ModelDelivery delivery =
            ModelDelivery.send(
                ModelDelivery.Mode.FILE,
                open.source(),
                WeightFormat.F32,
                JavaSparkContext.fromSparkContext(spark().sparkContext()))) {
      ScoreOptions failing = ScoreOptions.of(OptionValues.NONE.with(Options.ON_ERROR, "fail"));
      ScoringSchema schema = ScoringSchema.of(input.schema(), failing);
      ModelConventions conventions = open.conventions(null);
      Dataset<Row> scored =
          UnitScoring.score(
              "r",
              input,
              List.of(wrong),
              schema,
              failing,
              Scoring.partitions(schema, failing, conventions, delivery, null, null),
              spark());
      assertThat(Failures.oneLine(catchThrowable(scored::collectAsList)))
          .matches("Cannot read row group 0 of file:\\S+: read 10 rows, its footer says 40");
    }
  }
}
