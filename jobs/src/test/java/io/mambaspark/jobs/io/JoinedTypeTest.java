package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.Optional;
import org.apache.spark.sql.types.DataType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Joins the types of a column in several files. */
class JoinedTypeTest {
  private static JoinedType type(String ddl, int... allNull) {
    BitSet leaves = new BitSet();
    for (int leaf : allNull) {
      leaves.set(leaf);
    }
    return new JoinedType(DataType.fromDDL(ddl), leaves);
  }

  private static String joined(JoinedType a, JoinedType b) {
    Optional<JoinedType> joined = a.join(b, false);
    assertThat(b.join(a, false).isPresent()).isEqualTo(joined.isPresent());
    return joined.map(t -> t.type().catalogString()).orElse("none");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "int | bigint | bigint",
        "tinyint | smallint | smallint",
        "array<int> | array<bigint> | array<bigint>",
        "map<string,int> | map<string,bigint> | map<string,bigint>",
        "float | double | double",
        "string | binary | string",
        "decimal(20,0) | bigint | decimal(20,0)",
        "decimal(10,2) | decimal(12,1) | decimal(13,2)",
        "decimal(38,0) | decimal(38,10) | none",
        "int | string | none",
        "bigint | double | none",
        "date | timestamp | none",
        "timestamp | timestamp_ntz | none",
        "array<int> | int | none",
        "boolean | int | none",
        "array<string> | array<int> | none",
        "struct<a:int,b:string> | struct<b:string,a:bigint> | struct<a:bigint,b:string>",
        "struct<a:int> | struct<b:string> | struct<a:int,b:string>",
        "struct<a:int> | struct<A:bigint> | struct<a:bigint>",
        "struct<a:struct<b:array<int>>> | struct<a:struct<b:array<bigint>,c:int>>"
            + " | struct<a:struct<b:array<bigint>,c:int>>",
        "struct<a:int> | struct<a:string> | none",
        "void | array<int> | array<int>",
      })
  void the_joined_type_represents_the_values_of_both(String a, String b, String expected) {
    assertThat(joined(type(a), type(b))).isEqualTo(expected);
  }

  @Test
  void a_part_without_values_takes_the_other_type_at_any_depth() {
    assertThat(joined(type("int", 0), type("array<struct<a:string>>")))
        .isEqualTo("array<struct<a:string>>");
    assertThat(joined(type("array<int>", 0), type("array<string>"))).isEqualTo("array<string>");
    assertThat(joined(type("array<int>", 0), type("array<struct<a:date>>")))
        .isEqualTo("array<struct<a:date>>");
    // An empty list is a value, although its leaves have no value.
    assertThat(joined(type("array<int>", 0), type("string"))).isEqualTo("none");
    assertThat(joined(type("struct<a:int>", 0), type("struct<b:int>")))
        .isEqualTo("struct<a:int,b:int>");
    assertThat(joined(type("struct<a:int,b:int>", 1), type("struct<a:int,b:string>")))
        .isEqualTo("struct<a:int,b:string>");
    assertThat(joined(type("map<string,int>", 1), type("map<string,date>")))
        .isEqualTo("map<string,date>");
    assertThat(joined(type("struct<a:int,b:int>", 0), type("struct<a:int,b:string>")))
        .isEqualTo("none");
  }

  @Test
  void a_leaf_has_values_if_any_file_has_values() {
    JoinedType twice =
        type("struct<a:int,b:int>", 0, 1).join(type("struct<a:int,b:int>", 1), true).get();
    assertThat(twice.allNull().get(0)).isFalse();
    assertThat(twice.allNull().get(1)).isTrue();
    assertThat(twice.isNull()).isFalse();
    // Fields that only the second type has keep their null marks.
    JoinedType more =
        type("struct<b:int,d:int>", 0).join(type("struct<a:int,b:string,c:int>", 2), true).get();
    assertThat(more.type().catalogString()).isEqualTo("struct<b:string,d:int,a:int,c:int>");
    assertThat(more.allNull().stream()).containsExactly(3);
  }

  @Test
  void case_matters_only_in_a_case_sensitive_session() {
    JoinedType a = type("struct<a:int>");
    JoinedType b = type("struct<A:bigint>");
    assertThat(a.join(b, true).get().type().catalogString()).isEqualTo("struct<a:int,A:bigint>");
    // Two spellings in one file cannot be distinguished.
    assertThat(a.join(type("struct<a:int,A:int>"), false)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "int | bigint | int",
        "struct<b:int> | struct<a:string,b:bigint> | struct<a:string,b:int>",
        "array<struct<B:int>> | array<struct<b:bigint,c:date>> | array<struct<B:int,c:date>>",
        "map<int,int> | map<bigint,string> | map<int,int>",
      })
  void a_file_is_read_in_the_joined_form_with_its_own_leaf_types(
      String own, String joined, String expected) {
    assertThat(
            JoinedType.readType(DataType.fromDDL(own), DataType.fromDDL(joined), false)
                .catalogString())
        .isEqualTo(expected);
  }
}
