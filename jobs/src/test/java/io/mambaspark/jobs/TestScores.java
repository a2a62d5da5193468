package io.mambaspark.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Inputs and outputs of {@code score}, and its numbers computed independently. */
public final class TestScores {
  public static final DataType TOKENS = DataTypes.createArrayType(DataTypes.IntegerType);

  private TestScores() {}

  /** Runs the command with its three paths. */
  public static Cli score(Object model, Path input, Path output, Object... more) {
    List<Object> args = new ArrayList<>(List.of("score", "--model", model, "--input", input));
    args.addAll(List.of("--output", output));
    args.addAll(Arrays.asList(more));
    return Cli.run(args.toArray());
  }

  /** Runs {@link #score}, which must succeed without output on standard error. */
  public static Cli scored(Object model, Path input, Path output, Object... more) {
    Cli run = score(model, input, output, more);
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    return run;
  }

  /** Writes one Parquet file with {@code rowGroup} rows per row group. */
  public static Path write(Path folder, int rowGroup, StructType schema, List<Row> rows) {
    TestSpark.session()
        .createDataFrame(rows, schema)
        .coalesce(1)
        .write()
        .option("parquet.block.row.count.limit", rowGroup)
        .parquet(folder.toString());
    return folder;
  }

  /** Writes the rows (row-0, value), (row-1, value), … */
  public static Path write(Path folder, String column, DataType type, Object... values) {
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < values.length; i++) {
      rows.add(RowFactory.create("row-" + i, values[i]));
    }
    StructType schema = new StructType().add("id", DataTypes.StringType).add(column, type);
    return write(folder, 1000, schema, rows);
  }

  /** Returns the rows by their ids, which must be unique, in the ids' order. */
  public static Map<String, Row> byId(Path output) {
    Map<String, Row> rows = new LinkedHashMap<>();
    for (Row row :
        TestSpark.session().read().parquet(output.toString()).sort("id").collectAsList()) {
      assertThat(rows.put(row.getAs("id"), row)).isNull();
    }
    return rows;
  }

  /** Returns some columns of the rows by their ids. */
  public static Map<String, List<Object>> columns(Path output, String... columns) {
    Map<String, List<Object>> values = new LinkedHashMap<>();
    byId(output)
        .forEach(
            (id, row) ->
                values.put(
                    id, Arrays.stream(columns).<Object>map(column -> row.getAs(column)).toList()));
    return values;
  }

  /** Returns the sum, rounded once. */
  public static double sum(Collection<Double> numbers) {
    return numbers.stream()
        .map(BigDecimal::new)
        .reduce(BigDecimal.ZERO, BigDecimal::add)
        .doubleValue();
  }

  /** Returns the engine's scores of one sequence without others in its batch. */
  public static Scores<String> alone(MambaModel model, int... tokens) {
    Outputs all = new Outputs(true, true, false, 0, false);
    return new Scorer(model).score(List.of(new Sequence<>("", tokens)).iterator(), all).next();
  }

  /** Returns the names of a folder's files and folders, without Hadoop's local checksum files. */
  public static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> !name.endsWith(".crc"))
          .sorted()
          .toList();
    }
  }

  /** Returns the content of every file below a folder. */
  public static Map<String, String> contents(Path folder) throws IOException {
    Map<String, String> contents = new LinkedHashMap<>();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        contents.put(folder.relativize(file).toString(), Arrays.toString(Files.readAllBytes(file)));
      }
    }
    return contents;
  }
}
