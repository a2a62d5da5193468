package io.mambaspark.jobs.io;

import static io.mambaspark.jobs.TestScores.scored;
import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.spark.ColumnNames;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.TimeZone;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checks that every command keeps columns of every type bit for bit. */
class KeptColumnsTest {
  @TempDir static Path shared;
  @TempDir Path own;

  private static final TimeZone ZONE = TimeZone.getDefault();
  private static Path model;
  private static Path corpus;

  /** Contains two bytes that are not UTF-8. */
  private static final String TEXT = "cast(unhex('61FFFE62') as string)";

  /** A day that the calendar reform skipped. */
  private static final String DATE = "date'1582-10-10'";

  /** The start of summer time, when clocks in Berlin skip an hour. */
  private static final String TIME = "timestamp_micros(1679792400000001)";

  private static final List<String> LEAVES =
      List.of(
          TEXT,
          DATE,
          TIME,
          "date'0001-01-01'",
          "date'9999-12-31'",
          "timestamp_micros(-62135596800000000)",
          "timestamp_micros(-12219552000000001)",
          "timestamp_micros(253402300799999999)",
          "timestamp_ntz'1582-10-10 01:02:03.000004'",
          "cast('-12345678901234567890.123456789012345678' as decimal(38, 18))",
          "interval '3 04:05:06.000007' day to second",
          "interval '1-2' year to month",
          "cast(unhex('61FFFE62') as string) collate UTF8_LCASE",
          "unhex('FFFE00')",
          "double('NaN')",
          "float('-0.0')");

  @BeforeAll
  static void writeInput() {
    // A zone with summer time. In Java's calendar it skips days of 1582.
    TimeZone.setDefault(TimeZone.getTimeZone("Europe/Berlin"));
    model = TestModels.write(shared.resolve("model"));
    List<String> columns = new ArrayList<>(List.of("array(5, 6, 7) as tokens", "'times' as text"));
    StringBuilder struct = new StringBuilder();
    for (int i = 0; i < LEAVES.size(); i++) {
      columns.add("%s as leaf%d".formatted(LEAVES.get(i), i));
      struct.append(i == 0 ? "" : ", ").append("'a.`%d` x', %s".formatted(i, LEAVES.get(i)));
    }
    String all = "named_struct(%s)".formatted(struct);
    columns.addAll(
        List.of(
            "if(id = 1, null, %s) as `the struct.`".formatted(all),
            "array(%s, null) as list".formatted(all),
            "map('b', %s, 'a', null) as map".formatted(all),
            "named_struct('no', if(id = 1, null, 'x'), 's', named_struct('d', %s)) as half"
                .formatted(DATE),
            "map(%s, 1) as texts".formatted(TEXT),
            "map(%s, %s) as dates".formatted(DATE, TIME),
            // Three levels deep, with null or empty values at each level.
            "array(map('k', array(%s, null), 'l', null), null, map()) as deep".formatted(TEXT),
            "map(%s, array(map(%s, named_struct('t', %s)), map(), null)) as maps"
                .formatted(TEXT, DATE, TIME),
            "array(array(array(%s), array(), null), null) as arrays".formatted(DATE),
            "map_from_arrays(transform(sequence(20, 1), i -> string(i)), sequence(1, 20)) ordered",
            "cast(map('-0.0', 1, 'NaN', 2) as map<double, int>) as zeros",
            "cast(null as map<string, date>) as none",
            "cast(array() as array<string>) as empty",
            "named_struct('x', 1, 'y', 2D) as plain"));
    corpus = shared.resolve("corpus");
    Dataset<Row> rows =
        TestSpark.session()
            .range(0, 2, 1, 1)
            .selectExpr(Stream.concat(Stream.of("id"), columns.stream()).toArray(String[]::new));
    // Spark's expressions create no map with duplicate keys, but a cast of a map does.
    rows = rows.withColumn("twice", twice());
    rows.write().parquet(corpus.toString());
  }

  @AfterAll
  static void restoreZone() {
    TimeZone.setDefault(ZONE);
  }

  private static Column twice() {
    return functions.expr("cast(map(1.25D, 'x', 1.5D, 'y', 2.5D, 'z') as map<int, string>)");
  }

  /** Converts a column to a form that shows every bit: maps as lists, strings as hex digits. */
  private static Column exact(Column column, DataType type) {
    if (type instanceof ArrayType array) {
      return functions.transform(column, e -> exact(e, array.elementType()));
    }
    if (type instanceof MapType map) {
      return functions.transform(
          functions.map_entries(column),
          e ->
              functions.struct(
                  exact(e.getField("key"), map.keyType()).as("k"),
                  exact(e.getField("value"), map.valueType()).as("v")));
    }
    if (type instanceof StructType struct) {
      return functions.when(
          column.isNotNull(),
          functions.struct(
              Arrays.stream(struct.fields())
                  .map(f -> exact(column.getField(f.name()), f.dataType()))
                  .toArray(Column[]::new)));
    }
    if (type instanceof StringType || type.equals(DataTypes.BinaryType)) {
      return functions.hex(column.cast("binary"));
    }
    if (type.equals(DataTypes.DateType)) {
      return functions.unix_date(column);
    }
    return type.equals(DataTypes.TimestampType)
        ? functions.unix_micros(column)
        : column.cast("string");
  }

  private static List<String> exact(Path folder, StructType kept) {
    Column[] columns =
        Arrays.stream(kept.fields())
            .map(field -> exact(ColumnNames.quoted(field.name()), field.dataType()))
            .toArray(Column[]::new);
    return TestSpark.session()
        .read()
        .parquet(folder.toString())
        .sort("id")
        .select(columns)
        .collectAsList()
        .stream()
        .map(Row::toString)
        .toList();
  }

  private static void check(Path output) {
    StructType input = TestSpark.session().read().parquet(corpus.toString()).schema();
    StructType kept =
        new StructType(
            Arrays.stream(input.fields())
                .filter(field -> !List.of("tokens", "text").contains(field.name()))
                .toArray(org.apache.spark.sql.types.StructField[]::new));
    StructType written = TestSpark.session().read().parquet(output.toString()).schema();
    List<String> names = List.of(written.fieldNames());
    kept.foreach(
        field -> {
          assertThat(names).contains(field.name());
          assertThat(written.apply(field.name()).dataType()).isEqualTo(field.dataType());
          return null;
        });
    List<String> expected = exact(corpus, kept);
    List<String> found = exact(output, kept);
    assertThat(found).isEqualTo(expected);
    assertThat(found.get(0))
        .contains(
            "61FFFE62", "-719162", "-141432", "-12219552000000001", "1679792400000001", "-0.0")
        .contains("[1,78], [1,79], [2,7A]");
  }

  @Test
  void scoring_with_and_without_units_keeps_every_value() {
    Path output = own.resolve("scores");
    scored(model, corpus, output);
    check(output);
    Path once = own.resolve("once");
    scored(model, corpus, once, "--partitions", 2);
    check(once);
  }

  @Test
  void comparing_and_tokenizing_keep_every_value() {
    Path output = own.resolve("compared");
    Cli compared =
        Cli.run(
            "compare", "--model", model, "--model", model, "--input", corpus, "--output", output);
    assertThat(compared.err()).isEmpty();
    check(output);
    Path tokens = own.resolve("tokens");
    String kept =
        Stream.of(TestSpark.session().read().parquet(corpus.toString()).columns())
            .filter(column -> !List.of("tokens", "text").contains(column))
            .sorted(Comparator.naturalOrder())
            .reduce((a, b) -> a + "," + b)
            .orElseThrow();
    Cli tokenized =
        Cli.run(
            "tokenize",
            "--tokenizer",
            "demo",
            "--input",
            corpus,
            "--keep-columns",
            kept,
            "--output",
            tokens);
    assertThat(tokenized.err()).isEmpty();
    check(tokens);
  }

  @Test
  void a_packed_value_is_formatted_for_people() {
    Row row =
        TestSpark.session()
            .read()
            .parquet(corpus.toString())
            .sort("id")
            .select(
                PackedColumn.pack(functions.col("deep"), type("deep")),
                PackedColumn.pack(functions.col("twice"), type("twice")),
                PackedColumn.pack(functions.col("leaf1"), type("leaf1")))
            .first();
    assertThat(PackedColumn.shown(row.get(0), type("deep")))
        .isEqualTo("[{k=[a��b, null], l=null}, null, {}]");
    assertThat(PackedColumn.shown(row.get(1), type("twice"))).isEqualTo("{1=x, 1=y, 2=z}");
    assertThat(PackedColumn.shown(row.get(2), type("leaf1"))).isEqualTo("1582-10-10");
    assertThat(PackedColumn.shown(null, type("deep"))).isEqualTo("null");
  }

  private static DataType type(String column) {
    return TestSpark.session().read().parquet(corpus.toString()).schema().apply(column).dataType();
  }
}
