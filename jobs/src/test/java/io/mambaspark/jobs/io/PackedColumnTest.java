package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.TestSpark;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import scala.collection.immutable.ArraySeq;

/** The packed types of kept columns, and the format of packed values for people. */
class PackedColumnTest {

  private static DataType type(String ddl) {
    return DataType.fromDDL(ddl);
  }

  private static String packed(String ddl) {
    return PackedColumn.packed(type(ddl)).catalogString();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "boolean",
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "float",
        "double",
        "binary",
        "decimal(38,18)",
        "timestamp_ntz",
        "interval day to second",
        "interval year to month",
        "void",
        "array<int>",
        "array<array<timestamp_ntz>>",
        "struct<x:int,y:double>",
        "array<struct<x:binary>>",
      })
  void a_type_whose_values_java_objects_keep_is_not_packed(String ddl) {
    DataType type = type(ddl);
    assertThat(PackedColumn.packed(type)).isSameAs(type);
    Column column = functions.col("c");
    assertThat(PackedColumn.pack(column, type)).isSameAs(column);
    assertThat(PackedColumn.unpack(column, type, true)).isSameAs(column);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "string | binary",
        "date | int",
        "timestamp | bigint",
        "array<string> | array<binary>",
        "array<array<date>> | array<array<int>>",
        // If one field is packed, all fields are numbered.
        "struct<x:int,name:string> | struct<f0:int,f1:binary>",
        "struct<`a.b c`:date> | struct<f0:int>",
        "struct<x:struct<y:int>,z:struct<w:timestamp>> | struct<f0:struct<y:int>,f1:struct<f0:bigint>>",
        "map<string,date> | array<struct<f0:binary,f1:int>>",
        "array<map<string,array<timestamp>>> | array<array<struct<f0:binary,f1:array<bigint>>>>",
        "map<map<int,string>,int> | array<struct<f0:array<struct<f0:int,f1:binary>>,f1:int>>",
      })
  void other_types_are_packed_as_bytes_numbers_and_lists(String ddl, String expected) {
    assertThat(packed(ddl)).isEqualTo(expected);
  }

  @Test
  void a_map_of_any_types_is_packed_as_a_list() {
    // The fields keep their names from map_entries, because neither of them is packed.
    assertThat(packed("map<int,double>")).isEqualTo("array<struct<key:int,value:double>>");
    assertThat(packed("struct<m:map<int,int>>"))
        .isEqualTo("struct<f0:array<struct<key:int,value:int>>>");
  }

  @Test
  void packed_types_are_nullable() {
    StructType input =
        new StructType(
            new StructField[] {
              new StructField("d", type("date"), false, null),
            });
    assertThat(((StructType) PackedColumn.packed(input)).fields()[0].nullable()).isTrue();
    DataType list = DataTypes.createArrayType(type("string"), false);
    assertThat(PackedColumn.packed(list)).isEqualTo(type("array<binary>"));
  }

  private static byte[] text(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** A list in the form in which a row of Spark contains it. */
  private static Object list(Object... values) {
    return ArraySeq.unsafeWrapArray(values);
  }

  private static Object row(Object... values) {
    return RowFactory.create(values);
  }

  private static String shown(Object packed, String ddl) {
    return PackedColumn.shown(packed, type(ddl));
  }

  @Test
  void texts_and_numbers_are_shown_as_they_are() {
    assertThat(shown(text("Grüße"), "string")).isEqualTo("Grüße");
    assertThat(shown(text(""), "string")).isEmpty();
    assertThat(shown(HexFormat.of().parseHex("61FFFE62"), "string")).isEqualTo("a\uFFFD\uFFFDb");
    assertThat(shown(7, "int")).isEqualTo("7");
    assertThat(shown(-0.0, "double")).isEqualTo("-0.0");
    assertThat(shown(Double.NaN, "double")).isEqualTo("NaN");
    assertThat(shown(null, "string")).isEqualTo("null");
    assertThat(shown(null, "int")).isEqualTo("null");
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1970-01-01",
    "-1, 1969-12-31",
    // A day that the calendar reform skipped, and both ends of Spark's range.
    "-141432, 1582-10-10",
    "-719162, 0001-01-01",
    "2932896, 9999-12-31",
  })
  void dates_are_those_of_the_proleptic_calendar(int days, String shown) {
    assertThat(shown(days, "date")).isEqualTo(shown);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1970-01-01T00:00:00Z",
    "-1, 1969-12-31T23:59:59.999999Z",
    // The start of summer time, when clocks in Berlin skip an hour.
    "1679792400000001, 2023-03-26T01:00:00.000001Z",
    "-62135596800000000, 0001-01-01T00:00:00Z",
    "253402300799999999, 9999-12-31T23:59:59.999999Z",
  })
  void timestamps_are_shown_in_universal_time(long micros, String shown) {
    assertThat(shown(micros, "timestamp")).isEqualTo(shown);
  }

  @Test
  void lists_and_structs_are_shown_in_brackets_with_their_nulls() {
    assertThat(shown(list(text("a"), null, text("")), "array<string>")).isEqualTo("[a, null, ]");
    assertThat(shown(list(), "array<string>")).isEqualTo("[]");
    assertThat(shown(list(list(0), null, list()), "array<array<date>>"))
        .isEqualTo("[[1970-01-01], null, []]");
    assertThat(shown(row(1, text("x"), null), "struct<n:int,s:string,d:date>"))
        .isEqualTo("[1,x,null]");
  }

  @Test
  void maps_keep_their_order_duplicate_keys_and_the_sign_of_zero() {
    Object ordered = list(row(text("b"), 1), row(text("a"), 2), row(text("b"), null));
    assertThat(shown(ordered, "map<string,int>")).isEqualTo("{b=1, a=2, b=null}");
    assertThat(shown(list(row(-0.0, 1), row(0.0, 2)), "map<double,int>"))
        .isEqualTo("{-0.0=1, 0.0=2}");
    assertThat(shown(list(), "map<int,int>")).isEqualTo("{}");
    assertThat(
            shown(
                list(row(text("k"), list(list(row(1, -1)), null))),
                "map<string,array<map<int,date>>>"))
        .isEqualTo("{k=[{1=1969-12-31}, null]}");
  }

  /** Spark resolves these types without running a job. */
  @Test
  void an_unpacked_column_has_its_original_type_and_nullability() {
    for (String ddl :
        List.of(
            "string",
            "date",
            "timestamp",
            "struct<`a.b`:string,n:int>",
            "array<date>",
            "map<string,date>")) {
      DataType type = type(ddl);
      for (boolean nullable : new boolean[] {true, false}) {
        StructType kept = new StructType().add("c", PackedColumn.packed(type), nullable);
        StructField out =
            TestSpark.session()
                .createDataFrame(List.of(), kept)
                .select(PackedColumn.unpack(functions.col("c"), type, nullable).as("c"))
                .schema()
                .apply("c");
        assertThat(out.dataType().catalogString()).as(ddl).isEqualTo(type.catalogString());
        assertThat(out.nullable()).as(ddl).isEqualTo(nullable);
        Column packed = PackedColumn.pack(functions.col("c"), type);
        assertThat(
                TestSpark.session()
                    .createDataFrame(List.of(), new StructType().add("c", type, nullable))
                    .select(packed.as("c"))
                    .schema()
                    .apply("c")
                    .dataType()
                    .catalogString())
            .isEqualTo(packed(ddl));
      }
    }
  }
}
