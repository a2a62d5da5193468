package io.mambaspark.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.ScoringMetrics;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestSpark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.PathFilter;
import org.apache.hadoop.mapred.FileInputFormat;
import org.apache.hadoop.mapred.JobConf;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SessionSettingsTest {
  private static final String PARQUET = "spark.sql.parquet.columnarReaderBatchSize";
  private static final String ORC = "spark.sql.orc.columnarReaderBatchSize";

  /** Rejects every path, like a filter that a user has set for other jobs. */
  public static final class RejectAll implements PathFilter {
    @Override
    public boolean accept(org.apache.hadoop.fs.Path path) {
      return false;
    }
  }

  private final SparkSession spark = TestSpark.session();

  @Test
  void readers_use_small_batches_during_a_command_unless_the_user_has_set_a_size() {
    spark.conf().set(ORC, "1000");
    List<String> during =
        SessionSettings.forCommand(
            spark, () -> List.of(spark.conf().get(PARQUET), spark.conf().get(ORC)));
    assertThat(during).containsExactly("64", "1000");
    assertThat(spark.conf().contains(PARQUET)).isFalse();
    assertThat(spark.conf().get(ORC)).isEqualTo("1000");
    spark.conf().unset(ORC);
  }

  @Test
  void a_long_plan_causes_no_warning_of_spark() {
    String key = "spark.sql.debug.maxToStringFields";
    String before = spark.conf().get(key);
    assertThat(SessionSettings.forCommand(spark, () -> spark.conf().get(key)))
        .isEqualTo(Integer.toString(Integer.MAX_VALUE));
    assertThat(spark.conf().get(key)).isEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "spark.sql.files.ignoreCorruptFiles",
        "spark.sql.files.ignoreMissingFiles",
        "spark.sql.files.ignoreInvalidPartitionPaths",
        "spark.sql.parquet.fieldId.read.ignoreMissing",
        "spark.sql.streaming.fileStreamSink.ignoreMetadata",
        "mapreduce.input.fileinputformat.input.dir.nonrecursive.ignore.subdirs",
        "avro.mapred.ignore.inputs.without.extension",
        "orc.skip.corrupt.data",
        "hive.exec.orc.skip.corrupt.data"
      })
  void settings_that_skip_input_are_overridden_during_a_command(String key) {
    spark.conf().set(key, "true");
    try {
      assertThat(SessionSettings.forCommand(spark, () -> spark.conf().get(key))).isEqualTo("false");
      assertThat(spark.conf().get(key)).isEqualTo("true");
    } finally {
      spark.conf().unset(key);
    }
    assertThat(SessionSettings.forCommand(spark, () -> spark.conf().contains(key))).isFalse();
  }

  @Test
  void hadoop_settings_that_skip_input_are_overridden_during_a_command() {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    hadoop.set("mapreduce.input.linerecordreader.line.maxlength", "10");
    hadoop.set("mapreduce.input.pathFilter.class", RejectAll.class.getName());
    try {
      Configuration during =
          SessionSettings.forCommand(
              spark,
              () -> {
                // Spark likewise overrides Hadoop's settings with the session's.
                Configuration merged = new Configuration(hadoop);
                for (String key :
                    List.of(
                        "mapreduce.input.linerecordreader.line.maxlength",
                        "mapreduce.input.pathFilter.class")) {
                  merged.set(key, spark.conf().get(key));
                }
                return merged;
              });
      assertThat(during.getInt("mapreduce.input.linerecordreader.line.maxlength", 0))
          .isEqualTo(Integer.MAX_VALUE);
      PathFilter filter = FileInputFormat.getInputPathFilter(new JobConf(during));
      assertThat(filter.accept(new org.apache.hadoop.fs.Path("/a"))).isTrue();
      assertThat(hadoop.get("mapreduce.input.linerecordreader.line.maxlength")).isEqualTo("10");
    } finally {
      hadoop.unset("mapreduce.input.linerecordreader.line.maxlength");
      hadoop.unset("mapreduce.input.pathFilter.class");
    }
  }

  @Test
  void a_command_reads_all_lines_and_files_in_a_session_that_would_skip_some(@TempDir Path own)
      throws IOException {
    Path input = Files.createDirectory(own.resolve("in"));
    Files.writeString(input.resolve("a.json"), "{\"text\": \"one two three four five\"}\n");
    Files.writeString(input.resolve("b.json"), "{\"text\": \"six seven eight nine ten\"}\n");
    spark.conf().set("mapred.linerecordreader.maxlength", "20");
    spark.conf().set("mapred.input.pathFilter.class", RejectAll.class.getName());
    try {
      Cli run =
          Cli.run(
              "score",
              "--model",
              "demo",
              "--input",
              input,
              "--input-format",
              "json",
              "--text-column",
              "text",
              "--output",
              own.resolve("scores"));
      assertThat(run.err()).isEmpty();
      assertThat(TestOutput.summary(own.resolve("scores")).get("documents").asInt()).isEqualTo(2);
    } finally {
      spark.conf().unset("mapred.linerecordreader.maxlength");
      spark.conf().unset("mapred.input.pathFilter.class");
    }
  }

  @Test
  void a_running_application_that_skips_rows_of_tables_is_refused() {
    SparkConf conf = spark.sparkContext().conf();
    for (String key : SessionSettings.STATIC) {
      conf.set(key, "true");
      try {
        assertThatThrownBy(() -> Session.run("score", true, ScoringMetrics.class, session -> 1))
            .isInstanceOf(Refusal.class)
            .hasMessage(
                "Cannot read a table with %s=true: it skips unreadable input without an error, and it"
                        .formatted(key)
                    + " cannot be changed in a running application; start Spark without it");
        assertThat(Session.<Integer>run("score", false, ScoringMetrics.class, session -> 1))
            .isEqualTo(1);
      } finally {
        conf.remove(key);
      }
    }
  }
}
