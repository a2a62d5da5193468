package io.mambaspark.jobs.sql;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import scala.collection.immutable.ArraySeq;

class DocumentArgumentTest {
  private static void check(String... types) {
    Expression[] arguments =
        Arrays.stream(types)
            .map(DataType::fromDDL)
            .map(type -> new Literal(null, type))
            .toArray(Expression[]::new);
    DocumentArgument.check(ArraySeq.unsafeWrapArray(arguments));
  }

  @ParameterizedTest
  @ValueSource(strings = {"string", "array<int>", "array<bigint>", "array<smallint>", "void"})
  void a_text_and_token_ids_are_documents(String type) {
    assertThatCode(() -> check(type)).doesNotThrowAnyException();
  }

  @Test
  void an_empty_array_is_a_document() {
    DataType none = DataTypes.createArrayType(DataTypes.NullType);
    assertThatCode(
            () ->
                DocumentArgument.check(
                    ArraySeq.unsafeWrapArray(new Expression[] {new Literal(null, none)})))
        .doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "int | int",
        "binary | binary",
        "map<int,int> | map<int,int>",
        "array<double> | array<double>",
        "array<string> | array<string>"
      })
  void other_types_are_refused_with_their_name(String type, String named) {
    assertThatThrownBy(() -> check(type))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "mamba_score, mamba_perplexity and mamba_nll take one document: a text or an array of"
                + " token ids; found "
                + named);
  }

  @Test
  void a_wrong_number_of_arguments_is_refused_with_that_number() {
    assertThatThrownBy(() -> check("string", "int")).hasMessageEndingWith("; found 2 arguments");
    assertThatThrownBy(() -> check()).hasMessageEndingWith("; found 0 arguments");
  }
}
