package io.mambaspark.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** Tests how the names that users write are split and resolved. */
class ColumnNamesTest {
  private static final StructType COLUMNS =
      StructType.fromDDL(
          "id int, Meta struct<Text: string, deep: struct<`a.b`: int>>, `meta.text` string,"
              + " `it``s` string, Twice int, TWICE int");

  private static List<String> find(String name) {
    return ColumnNames.find(COLUMNS, name, "--text-column", false);
  }

  @Test
  void a_list_is_split_at_commas_outside_backticks() {
    assertThat(ColumnNames.split("id, `a,b`,`c``,d` ,,e`f,g`"))
        .containsExactly("id", "`a,b`", "`c``,d`", "e`f", "g`");
    assertThat(ColumnNames.split("m.`a,b`,c")).containsExactly("m.`a,b`", "c");
    assertThat(ColumnNames.split("`open,id")).containsExactly("`open", "id");
    assertThat(ColumnNames.split(" ")).isEmpty();
  }

  @Test
  void a_name_is_found_whatever_its_case_and_with_or_without_backticks() {
    assertThat(find("ID")).containsExactly("id");
    assertThat(find("`Id`")).containsExactly("id");
    assertThat(find("it`s")).containsExactly("it`s");
    assertThat(find("`it``s`")).containsExactly("it`s");
    assertThat(ColumnNames.find(COLUMNS, "ID", "--text-column", true)).isEmpty();
  }

  @Test
  void a_column_of_the_complete_name_is_preferred_to_a_field() {
    assertThat(find("META.TEXT")).containsExactly("meta.text");
    assertThat(find("`meta.text`")).containsExactly("meta.text");
    assertThat(find("meta.`text`")).containsExactly("Meta", "Text");
    assertThat(find("`meta`.text")).containsExactly("Meta", "Text");
  }

  @Test
  void fields_are_found_at_every_depth() {
    assertThat(find("meta.deep.`a.b`")).containsExactly("Meta", "deep", "a.b");
    assertThat(find("meta.deep.a.b")).isEmpty();
    assertThat(find("id.text")).isEmpty();
    assertThat(find("meta..text")).isEmpty();
    assertThat(find("")).isEmpty();
    assertThat(ColumnNames.type(COLUMNS, find("meta.deep")).catalogString())
        .isEqualTo("struct<a.b:int>");
  }

  @Test
  void a_name_of_two_columns_is_refused_with_both() {
    assertThatThrownBy(() -> find("twice"))
        .hasMessage(
            "Column twice (--text-column) is ambiguous: the input has Twice and TWICE; rename all"
                + " but one of them, or set spark.sql.caseSensitive=true");
    assertThat(ColumnNames.find(COLUMNS, "TWICE", "--text-column", true)).containsExactly("TWICE");
  }
}
