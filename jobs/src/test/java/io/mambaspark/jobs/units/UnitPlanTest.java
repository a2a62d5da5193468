package io.mambaspark.jobs.units;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.DocumentOptions;
import io.mambaspark.jobs.io.InputFiles;
import io.mambaspark.jobs.io.InputVersion;
import io.mambaspark.jobs.io.ParquetInput;
import io.mambaspark.jobs.io.RowGroups;
import io.mambaspark.jobs.io.SparkOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroup;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests the units and pieces of a job's files. No Spark job runs here. */
class UnitPlanTest {
  private static final MessageType SCHEMA =
      MessageTypeParser.parseMessageType(
          "message m { required group tokens (LIST) { repeated group list { required int32 element;"
              + " } } }");

  private final SparkSession spark = TestSpark.session();

  @TempDir Path folder;

  /** Writes a file with one row in each row group; {@code tokens} are the lengths of the rows. */
  private void write(String name, int... tokens) throws IOException {
    try (ParquetWriter<Group> writer =
        ExampleParquetWriter.builder(new org.apache.hadoop.fs.Path("file:" + path(name)))
            .withConf(new Configuration(false))
            .withType(SCHEMA)
            .withRowGroupRowCountLimit(1)
            .build()) {
      for (int count : tokens) {
        Group row = new SimpleGroup(SCHEMA);
        Group list = row.addGroup("tokens");
        for (int i = 0; i < count; i++) {
          list.addGroup("list").append("element", i);
        }
        writer.write(row);
      }
    }
  }

  private Path path(String name) {
    return folder.resolve(name);
  }

  private ParquetInput input() {
    return ParquetInput.plan(
        spark,
        InputFiles.list(List.of(folder.toString()), spark.sparkContext().hadoopConfiguration()),
        new DocumentOptions(DocumentColumns.tokens("tokens"), null),
        SparkOptions.NONE);
  }

  private UnitPlan plan() {
    return new UnitPlan(input(), 1);
  }

  private JavaSparkContext context() {
    return JavaSparkContext.fromSparkContext(spark.sparkContext());
  }

  /** Renders units as files and row groups: {@code a0-1} or {@code a0-0+b0-0}. */
  private static List<String> shown(List<Unit> units) {
    return units.stream()
        .map(
            unit ->
                unit.parts().stream()
                    .map(
                        part ->
                            part.input().path().replaceFirst(".*/(.*)\\.parquet", "$1")
                                + part.firstRowGroup()
                                + "-"
                                + part.lastRowGroup())
                    .collect(Collectors.joining("+")))
        .toList();
  }

  private static List<InputVersion> named(UnitPlan plan, String... files) {
    return plan.inputs().stream()
        .filter(input -> Arrays.stream(files).anyMatch(file -> input.path().endsWith("/" + file)))
        .toList();
  }

  @Test
  void inputs_are_the_current_versions_of_the_files_sorted_by_path() throws IOException {
    write("b.parquet", 1);
    write("a.parquet", 1, 1);
    assertThat(plan().inputs())
        .containsExactly(
            new InputVersion(
                "file:" + path("a.parquet"),
                path("a.parquet").toFile().length(),
                path("a.parquet").toFile().lastModified()),
            new InputVersion(
                "file:" + path("b.parquet"),
                path("b.parquet").toFile().length(),
                path("b.parquet").toFile().lastModified()));
  }

  @Test
  void the_longest_units_are_first_and_equal_ones_are_sorted_by_name() throws IOException {
    write("a.parquet", 3, 9, 5);
    write("b.parquet", 9, 4);
    UnitPlan plan = plan();
    List<Unit> units = plan.units(1, List.of(plan.inputs()));
    assertThat(units.stream().map(Unit::tokens)).containsExactly(9L, 9L, 5L, 4L, 3L);
    assertThat(units.get(0).name()).isLessThan(units.get(1).name());
    assertThat(shown(units)).containsExactlyInAnyOrder("a0-0", "a1-1", "a2-2", "b0-0", "b1-1");
  }

  @Test
  void files_of_two_starts_share_no_unit() throws IOException {
    write("a.parquet", 3);
    write("b.parquet", 4);
    write("c.parquet", 5);
    UnitPlan plan = plan();
    assertThat(shown(plan.units(100, List.of(plan.inputs())))).containsExactly("a0-0+b0-0+c0-0");
    List<Unit> units =
        plan.units(100, List.of(named(plan, "a.parquet", "c.parquet"), named(plan, "b.parquet")));
    assertThat(shown(units)).containsExactly("a0-0+c0-0", "b0-0");
    // The first start's unit is unchanged.
    assertThat(units.get(0))
        .isEqualTo(plan.units(100, List.of(named(plan, "a.parquet", "c.parquet"))).get(0));
  }

  @Test
  void a_file_that_is_no_longer_read_is_in_no_unit() throws IOException {
    write("a.parquet", 3);
    UnitPlan plan = plan();
    List<InputVersion> arrival = new ArrayList<>(plan.inputs());
    arrival.add(new InputVersion("file:/gone.parquet", 1, 1));
    assertThat(shown(plan.units(100, List.of(arrival)))).containsExactly("a0-0");
  }

  @Test
  void files_without_rows_give_one_empty_unit_of_the_first_file() throws IOException {
    write("a.parquet");
    write("b.parquet");
    UnitPlan plan = plan();
    List<Unit> units = plan.units(100, List.of(plan.inputs()));
    assertThat(units).isEqualTo(List.of(Unit.empty(plan.input().footers().get(0))));
    write("c.parquet", 3);
    UnitPlan more = plan();
    assertThat(shown(more.units(100, List.of(more.inputs())))).containsExactly("c0-0");
  }

  private long targetTokens(double work) {
    return new UnitPlan(input(), work).targetTokens(context());
  }

  @Test
  void each_core_has_four_units_unless_they_exceed_five_minutes() throws IOException {
    int cores = spark.sparkContext().defaultParallelism();
    write("a.parquet", IntStream.generate(() -> 5).limit(21L * cores).toArray());
    // 105 tokens for each core.
    assertThat(targetTokens(1)).isEqualTo(26);
    // 300 s · 35e9 / work.
    assertThat(targetTokens(1.72e12)).isEqualTo(6);
  }

  @Test
  void a_target_is_at_least_one_token() throws IOException {
    write("a.parquet", 1);
    assertThat(targetTokens(1)).isEqualTo(1);
  }

  @Test
  void pieces_are_in_file_order_and_at_least_four_for_each_core() throws IOException {
    int cores = spark.sparkContext().defaultParallelism();
    write("a.parquet", IntStream.generate(() -> 1).limit(8L * cores).toArray());
    write("b.parquet", 1, 50);
    ParquetInput input = input();
    long share = (8L * cores + 51) / (4L * cores);
    assertThat(input.pieces(Long.MAX_VALUE, context()))
        .isEqualTo(RowGroups.cut(input.footers(), share));
  }

  @Test
  void a_limit_in_bytes_limits_the_tokens_of_a_piece_in_proportion() throws IOException {
    write("a.parquet", IntStream.generate(() -> 10).limit(40).toArray());
    ParquetInput input = input();
    long bytes = input.files().bytes();
    assertThat(input.pieces(bytes * 15 / 400, context())).hasSize(40);
    assertThat(input.pieces(bytes * 25 / 400, context())).hasSize(20);
    assertThat(input.pieces(0, context())).isEqualTo(RowGroups.cut(input.footers(), 1));
  }
}
