package io.mambaspark.jobs.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.ml.MambaPerplexity;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.protocol.HdfsConstants;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Jobs with model, input and output on a real HDFS. */
class HdfsTest {
  @TempDir static java.nio.file.Path folder;

  private static MiniDFSCluster cluster;
  private static DistributedFileSystem files;
  private static Path model;
  private static Path corpus;

  @BeforeAll
  static void startCluster() throws IOException {
    Configuration configuration = new Configuration();
    configuration.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, folder.resolve("hdfs").toString());
    cluster = new MiniDFSCluster.Builder(configuration).numDataNodes(1).build();
    files = cluster.getFileSystem();
    model = new Path(files.getUri() + "/models/small");
    files.mkdirs(model);
    java.nio.file.Path local = TestModels.write(folder.resolve("model"));
    for (String file : List.of("config.json", "model.safetensors")) {
      files.copyFromLocalFile(new Path(local.resolve(file).toUri()), model);
    }
    corpus = new Path(files.getUri() + "/corpus");
    Random random = new Random(3);
    Object[] lists = new Object[60];
    Arrays.setAll(lists, i -> random.ints(i, 0, TestModels.VOCABULARY).toArray());
    TestSpark.rows(lists)
        .repartition(3)
        .write()
        .option("parquet.block.row.count.limit", 5)
        .parquet(corpus.toString());
  }

  @AfterAll
  static void stopCluster() {
    if (cluster != null) {
      cluster.shutdown();
    }
  }

  private static Cli score(Path output, Object... more) {
    List<Object> arguments = new ArrayList<>(List.of("score", "--model", model, "--input", corpus));
    arguments.addAll(List.of("--output", output, "--target-unit-tokens", 1));
    arguments.addAll(Arrays.asList(more));
    return Cli.run(arguments.toArray());
  }

  private static List<String> rows(Path output) {
    return TestSpark.session()
        .read()
        .parquet(output.toString())
        .orderBy("id")
        .collectAsList()
        .stream()
        .map(Row::toString)
        .toList();
  }

  private static JsonNode summary(Path output) throws IOException {
    try (InputStream in = files.open(new Path(output, Output.SUMMARY))) {
      return new ObjectMapper().readTree(in);
    }
  }

  private static List<String> names(Path path) throws IOException {
    return Stream.of(files.listStatus(path))
        .map(FileStatus::getPath)
        .map(Path::getName)
        .sorted()
        .toList();
  }

  @Test
  void scores_are_written_resumed_and_replaced_on_hdfs() throws IOException {
    Path output = new Path(files.getUri() + "/scores/a");
    assertThat(score(output).err()).isEmpty();
    List<String> rows = rows(output);
    assertThat(rows).hasSize(60);
    String nll = summary(output).get("nll").toString();
    List<String> units = names(output).stream().filter(name -> name.endsWith(".parquet")).toList();
    assertThat(units).hasSizeGreaterThanOrEqualTo(12);

    files.delete(new Path(output, units.get(0)), false);
    files.delete(new Path(output, "_mamba/units/" + units.get(1) + ".json"), false);
    assertThat(score(output, "--resume").err()).isEmpty();
    assertThat(rows(output)).isEqualTo(rows);
    assertThat(summary(output).get("resumed_units").asInt()).isEqualTo(units.size() - 2);
    assertThat(summary(output).get("nll").toString()).isEqualTo(nll);

    assertThat(score(output, "--overwrite").err()).isEmpty();
    assertThat(rows(output)).isEqualTo(rows);
    assertThat(names(output.getParent())).containsExactly("a");
  }

  @Test
  void a_path_without_a_scheme_is_on_the_default_file_system() throws IOException {
    Configuration hadoop = TestSpark.session().sparkContext().hadoopConfiguration();
    String before = hadoop.get(FileSystem.FS_DEFAULT_NAME_KEY);
    hadoop.set(FileSystem.FS_DEFAULT_NAME_KEY, files.getUri().toString());
    System.setProperty("spark.hadoop.fs.defaultFS", files.getUri().toString());
    try {
      Cli run =
          Cli.run("score", "--model", "/models/small", "--input", "/corpus", "--output", "/plain");
      assertThat(run.err()).isEmpty();
      assertThat(rows(new Path(files.getUri() + "/plain"))).hasSize(60);
    } finally {
      System.clearProperty("spark.hadoop.fs.defaultFS");
      hadoop.set(FileSystem.FS_DEFAULT_NAME_KEY, before);
    }
  }

  @Test
  void a_stage_is_saved_on_hdfs_with_its_model() throws IOException {
    Dataset<Row> rows = TestSpark.session().read().parquet(corpus.toString());
    MambaPerplexity stage =
        new MambaPerplexity().setModel(model.toString()).setTokensColumn("tokens");
    List<Row> expected = stage.transform(rows).sort("id").collectAsList();
    Path saved = new Path(files.getUri() + "/stages/saved");
    stage.setSaveModel(true).save(saved.toString());
    Path moved = new Path(saved.getParent(), "moved");
    files.rename(saved, moved);
    MambaPerplexity.load(moved.toString()).write().overwrite().save(moved.toString());
    MambaPerplexity loaded = MambaPerplexity.load(moved.toString());
    assertThat(loaded.getOrDefault(loaded.model())).isEqualTo(moved + "/model");
    assertThat(names(new Path(moved, "model"))).containsExactly("config.json", "model.safetensors");
    assertThat(loaded.transform(rows).sort("id").collectAsList()).isEqualTo(expected).hasSize(60);
  }

  @Test
  void a_job_that_exceeds_a_quota_keeps_its_units_and_can_be_resumed_when_there_is_space()
      throws IOException {
    Path output = new Path(files.getUri() + "/tight/scores");
    files.mkdirs(output.getParent());
    files.setQuota(output.getParent(), 20, HdfsConstants.QUOTA_DONT_SET);
    Cli run = score(output);
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.error())
        .contains("The NameSpace quota (directories and files) of directory /tight is exceeded")
        .matches(".*; \\d+ of \\d+ units are complete in hdfs:\\S+; continue with --resume");
    files.setQuota(output.getParent(), HdfsConstants.QUOTA_RESET, HdfsConstants.QUOTA_RESET);
    assertThat(score(output, "--resume").err()).isEmpty();
    assertThat(rows(output)).hasSize(60);
    assertThat(summary(output).get("resumed_units").asInt()).isPositive();
  }
}
