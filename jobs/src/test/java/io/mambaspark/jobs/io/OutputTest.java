package io.mambaspark.jobs.io;

import static io.mambaspark.jobs.TestSpark.rows;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.mambaspark.jobs.QuickPermissions;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.TestSpark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.assertj.core.api.ThrowableAssert;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputTest {
  /** A local file system whose renames and deletions throw exceptions, as in HDFS and S3A. */
  public static final class Failing extends QuickPermissions.Raw {
    static Predicate<String> rename = name -> false;
    static Predicate<String> delete = name -> false;

    @Override
    public java.net.URI getUri() {
      return java.net.URI.create("broken:///");
    }

    @Override
    public String getScheme() {
      return "broken";
    }

    @Override
    public boolean rename(org.apache.hadoop.fs.Path from, org.apache.hadoop.fs.Path to)
        throws IOException {
      if (rename.test(from.getName())) {
        throw new IOException("disk on fire");
      }
      return super.rename(from, to);
    }

    @Override
    public boolean delete(org.apache.hadoop.fs.Path path, boolean recursive) throws IOException {
      if (delete.test(path.getName())) {
        throw new IOException("disk on fire");
      }
      return super.delete(path, recursive);
    }
  }

  /** A local file system with the scheme of an object store. */
  public static final class Store extends QuickPermissions.Raw {
    @Override
    public java.net.URI getUri() {
      return java.net.URI.create("s3a://bucket");
    }

    @Override
    public String getScheme() {
      return "s3a";
    }
  }

  @TempDir Path folder;
  private final Configuration files = TestSpark.session().sparkContext().hadoopConfiguration();
  private final Dataset<Row> three = rows(new int[] {1}, new int[] {2}, new int[] {3});

  @BeforeEach
  void writeOld() {
    files.set("fs.broken.impl", Failing.class.getName());
    rows(new int[] {1}).write().json(folder.resolve("scores").toString());
  }

  @AfterEach
  void stopFailures() {
    Failing.rename = name -> false;
    Failing.delete = name -> false;
    files.unset("fs.broken.impl");
  }

  private Output output() {
    return output("broken://" + folder.resolve("scores"), true, false);
  }

  private Output output(String path, boolean overwrite, boolean resume) {
    return Output.at(
        new OutputOptions(path, resume ? "parquet" : "json", SparkOptions.NONE, overwrite, resume),
        false,
        true,
        files);
  }

  private void write(Output output) {
    output.write(three, target -> output.runId(), run -> "{\"run\": \"" + run + "\"}");
  }

  private void write() {
    write(output());
  }

  private String refusal(ThrowableAssert.ThrowingCallable work) {
    Throwable refusal = catchThrowable(work);
    assertThat(refusal).isInstanceOf(Refusal.class);
    return named(refusal.getMessage()).replace(folder.toString(), "F");
  }

  private List<String> names() throws IOException {
    try (Stream<Path> found = Files.list(folder)) {
      return found.map(f -> named(f.getFileName().toString())).sorted().toList();
    }
  }

  /** Replaces the ids of runs, which contain the time and a random number, with RUN. */
  private static String named(String text) {
    return text.replaceAll("\\d{8}-\\d{6}-[0-9a-f]{8}", "RUN");
  }

  /** Returns the only folder in the test's folder whose name begins with {@code start}. */
  private Path runFolder(String start) throws IOException {
    try (Stream<Path> found = Files.list(folder)) {
      return found.filter(f -> f.getFileName().toString().startsWith(start)).findFirst().get();
    }
  }

  private long count(Path path) {
    return TestSpark.session().read().json(path.toString()).count();
  }

  private long count() {
    return count(folder.resolve("scores"));
  }

  @Test
  void complete_scores_are_kept_if_the_summary_fails() throws IOException {
    assertThat(
            refusal(
                () ->
                    output()
                        .write(
                            three,
                            target -> {
                              throw new IllegalStateException("out of luck");
                            },
                            json -> "{}")))
        .isEqualTo(
            "Cannot write the summary: out of luck; all scores are in broken:F/scores_new-RUN,"
                + " the old output is still in broken:F/scores");
    assertThat(names()).containsExactly("scores", "scores_new-RUN");
    assertThat(count(runFolder("scores_new"))).isEqualTo(3);
  }

  @Test
  void complete_scores_are_kept_if_the_second_pass_fails() throws IOException {
    String path = "broken://" + folder.resolve("scores");
    Output output =
        Output.at(
            new OutputOptions(path, "json", SparkOptions.NONE, true, false), true, true, files);
    output.writeScores(three);
    output.records().add(new RunRecord(output.runId(), Map.of(), List.of()));
    Failing.rename = name -> name.startsWith("part-");
    assertThat(refusal(() -> write(output)))
        .endsWith(
            "; all scores are in broken:F/scores_scores-RUN, continue with --resume --overwrite");
    assertThat(names()).containsExactly("scores", "scores_scores-RUN");
  }

  @Test
  void an_old_output_that_cannot_be_moved_is_kept() throws IOException {
    Failing.rename = "scores"::equals;
    assertThat(refusal(this::write))
        .isEqualTo(
            "Cannot move the old output broken:F/scores to broken:F/scores_old-RUN: disk on fire;"
                + " the new output is in broken:F/scores_new-RUN");
    assertThat(count()).isEqualTo(1);
    assertThat(count(runFolder("scores_new"))).isEqualTo(3);
  }

  @Test
  void the_old_output_is_moved_back_if_the_new_one_cannot_be_moved() throws IOException {
    Failing.rename = name -> name.startsWith("scores_new");
    assertThat(refusal(this::write))
        .isEqualTo(
            "Cannot move the new output to broken:F/scores: disk on fire; it is in"
                + " broken:F/scores_new-RUN, the old output is in broken:F/scores");
    assertThat(names()).containsExactly("scores", "scores_new-RUN");
    assertThat(count()).isEqualTo(1);
  }

  /** Creates the state after a crash between the two renames. */
  private void interruptBetweenRenames() {
    Failing.rename = name -> name.startsWith("scores_");
    assertThat(refusal(this::write))
        .endsWith("it is in broken:F/scores_new-RUN, the old output is in broken:F/scores_old-RUN");
    Failing.rename = name -> false;
  }

  @Test
  void the_next_start_finishes_a_replacement_interrupted_between_its_renames() throws IOException {
    interruptBetweenRenames();
    assertThat(names()).containsExactly("scores_new-RUN", "scores_old-RUN");
    assertThat(refusal(() -> output("broken://" + folder + "/scores", false, false)))
        .isEqualTo(
            "Output broken://F/scores exists; choose another, or replace it with --overwrite");
    assertThat(names()).containsExactly("scores");
    assertThat(count()).isEqualTo(3);
  }

  @Test
  void a_replacement_without_complete_data_is_rolled_back() throws IOException {
    interruptBetweenRenames();
    Files.delete(runFolder("scores_new").resolve("_mamba_summary.json"));
    output();
    assertThat(names()).containsExactly("scores", "scores_new-RUN");
    assertThat(count()).isEqualTo(1);
  }

  @Test
  void the_next_start_removes_an_old_output_that_could_not_be_removed() throws IOException {
    Failing.delete = name -> name.startsWith("scores_old");
    write();
    assertThat(names()).containsExactly("scores", "scores_old-RUN");
    assertThat(count()).isEqualTo(3);
    Failing.delete = name -> false;
    output();
    assertThat(names()).containsExactly("scores");
    assertThat(count()).isEqualTo(3);
  }

  @Test
  void the_old_output_of_another_run_is_kept() throws IOException {
    write();
    Path other = folder.resolve("scores_old-20200101-000000-0123abcd");
    Files.createDirectory(other);
    output();
    assertThat(other).exists();
    assertThat(count()).isEqualTo(3);
  }

  @Test
  void an_object_store_cannot_replace_an_output() throws IOException {
    files.set("fs.s3a.impl", Store.class.getName());
    try {
      String path = "s3a://bucket" + folder.resolve("scores");
      assertThat(refusal(() -> output(path, true, false)))
          .isEqualTo(
              "Output s3a://bucketF/scores exists, and an object store cannot replace a folder"
                  + " atomically; choose a new output path");
      assertThat(output("s3a://bucket" + folder.resolve("fresh"), true, false).path().getName())
          .isEqualTo("fresh");
    } finally {
      files.unset("fs.s3a.impl");
    }
  }

  @Test
  void an_output_without_a_ledger_cannot_be_resumed() {
    assertThat(refusal(() -> output("broken://" + folder + "/scores", false, true)))
        .isEqualTo(
            "Cannot resume output broken://F/scores: it has no ledger (_mamba), so it was not"
                + " written unit by unit; choose another output");
  }
}
