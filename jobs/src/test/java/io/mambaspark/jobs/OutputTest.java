package io.mambaspark.jobs;

import static io.mambaspark.jobs.TestSpark.rows;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.engine.kernel.WeightFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputTest {
  /** A local file system whose renames and deletions fail by exception, as HDFS's and S3A's do. */
  public static final class Failing extends org.apache.hadoop.fs.RawLocalFileSystem {
    static Predicate<String> rename = name -> false;
    static Predicate<String> delete = name -> false;

    @Override
    public java.net.URI getUri() {
      return java.net.URI.create("failing:///");
    }

    @Override
    public String getScheme() {
      return "failing";
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

  @TempDir Path folder;
  private final Configuration files = TestSpark.session().sparkContext().hadoopConfiguration();
  private final Dataset<Row> three = rows(new int[] {1}, new int[] {2}, new int[] {3});

  @BeforeEach
  void writeOld() {
    files.set("fs.failing.impl", Failing.class.getName());
    rows(new int[] {1}).write().json(folder.resolve("scores").toString());
  }

  @AfterEach
  void heal() {
    Failing.rename = name -> false;
    Failing.delete = name -> false;
    files.unset("fs.failing.impl");
  }

  private Output output() {
    ScoreOptions scoring = ScoreOptions.defaults();
    return Output.at(
        new JobOptions(
            "m",
            WeightFormat.F32,
            List.of("in"),
            "json",
            null,
            scoring,
            0,
            0,
            "failing://" + folder.resolve("scores"),
            "json",
            true,
            false,
            false),
        files);
  }

  private void write() {
    output().write(three, "r", target -> "{}", json -> json);
  }

  private List<String> names() throws IOException {
    try (Stream<Path> found = Files.list(folder)) {
      return found.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  private long count(String name) {
    return TestSpark.session().read().json(folder.resolve(name).toString()).count();
  }

  @Test
  void scores_that_are_whole_outlive_a_summary_that_fails() throws IOException {
    assertThatThrownBy(
            () ->
                output()
                    .write(
                        three,
                        "r",
                        target -> {
                          throw new IllegalStateException("out of luck");
                        },
                        json -> "{}"))
        .isInstanceOf(Refusal.class)
        .hasMessage(
            "Cannot write the summary: out of luck; all scores lie in failing:%s/scores_new-r,"
                + " the old output still in failing:%s/scores",
            folder, folder);
    assertThat(names()).containsExactly("scores", "scores_new-r");
    assertThat(count("scores_new-r")).isEqualTo(3);
  }

  @Test
  void an_old_output_that_cannot_be_moved_aside_stays() throws IOException {
    Failing.rename = "scores"::equals;
    assertThatThrownBy(this::write)
        .isInstanceOf(Refusal.class)
        .hasMessageContaining("disk on fire; the new one lies in failing:")
        .hasMessageEndingWith("scores_new-r");
    assertThat(count("scores")).isEqualTo(1);
    assertThat(count("scores_new-r")).isEqualTo(3);
  }

  @Test
  void the_old_output_returns_when_the_new_one_cannot_be_moved() throws IOException {
    Failing.rename = "scores_new-r"::equals;
    assertThatThrownBy(this::write)
        .isInstanceOf(Refusal.class)
        .hasMessageContaining("disk on fire; it lies in failing:" + folder + "/scores_new-r")
        .hasMessageEndingWith("the old one in failing:" + folder + "/scores");
    assertThat(names()).containsExactly("scores", "scores_new-r");
    assertThat(count("scores")).isEqualTo(1);
    Failing.rename = name -> name.startsWith("scores_");
    TestSpark.session().read().json(folder + "/scores_new-r").count();
    Output again = output();
    assertThatThrownBy(() -> again.write(three, "s", target -> "{}", json -> json))
        .hasMessageEndingWith("the old one in failing:" + folder + "/scores_old-s");
    assertThat(count("scores_old-s")).isEqualTo(1);
  }

  @Test
  void an_old_output_that_cannot_be_removed_does_no_harm() throws IOException {
    Failing.delete = "scores_old-r"::equals;
    write();
    assertThat(names()).containsExactly("scores", "scores_old-r");
    assertThat(count("scores")).isEqualTo(3);
  }
}
