package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.io.RowError.Kind;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.RowFactory;
import org.junit.jupiter.api.Test;

class RowErrorTest {
  /** Errors of all kinds. Some contain data that begins like the message of another kind. */
  private static final List<RowError> ERRORS =
      List.of(
          RowError.malformedInput("100 %s", "%d"),
          RowError.unreadableInput("file:/a", 3, "Text is not UTF-8: "),
          RowError.notText("a list", 9, "Text is not UTF-8: "),
          RowError.nullElement(3),
          RowError.outside(-1, 3, 9),
          RowError.outside(Long.MIN_VALUE, 3, 9),
          RowError.outside(9, 3, 9),
          RowError.invalidUtf8((byte) 0xE9, 2, "text"),
          RowError.notTokenized("Token id 3"),
          RowError.emptyContext(),
          RowError.mergedContinuation("a", "b"),
          RowError.onlyPrefix("b"),
          RowError.longContinuation(5, 4),
          RowError.negativeCount("bytes", -1),
          RowError.tooLarge(5, 7),
          RowError.nonFinite("nll", 0));

  @Test
  void messages_say_what_was_found_where_and_what_was_expected() {
    assertThat(RowError.nullElement(3).message()).isEqualTo("Token at position 3 is null");
    assertThat(RowError.outside(-7, 3, 4096).message())
        .isEqualTo("Token id -7 at position 3 is negative; expected an id in [0, 4096)");
    assertThat(RowError.outside(Long.MIN_VALUE, 0, 8).message())
        .isEqualTo(
            "Token id -9223372036854775808 at position 0 is negative; expected an id in [0, 8)");
    assertThat(RowError.outside(50301, 42, 50280).message())
        .isEqualTo("Token id 50301 at position 42 is outside [0, 50280)");
    assertThat(RowError.nonFinite("nll", Double.POSITIVE_INFINITY).message())
        .isEqualTo("Score is not finite: nll is Infinity");
    assertThat(RowError.mergedContinuation("answer", "question").message())
        .isEqualTo(
            "Continuation has no token of its own: column answer merges into the last token of"
                + " column question; move the end of the context to the continuation");
    assertThat(RowError.onlyPrefix("answer").message())
        .isEqualTo(
            "Continuation has no token of its own: under an empty context, the only token of column"
                + " answer is the prefix token");
    assertThat(RowError.longContinuation(5, 4).message())
        .isEqualTo("Continuation is too long: found 5 tokens, expected at most --max-length 4");
    assertThat(RowError.malformedInput("'}' at character 25", "a value").message())
        .isEqualTo("Input line is malformed: found '}' at character 25; expected a value");
    assertThat(RowError.notText("a list", 9, "text").message())
        .isEqualTo("Text is not a string: found a list at character 9 in column text");
  }

  @Test
  void the_written_message_of_each_kind_is_recognised_as_that_kind_and_no_other() {
    Map<Kind, RowError> kinds = new EnumMap<>(Kind.class);
    for (RowError error : ERRORS) {
      assertThat(RowError.fromWritten(error.message())).isEqualTo(error);
      assertThat(RowError.fromWritten(error.in("file:/a").message()).kind())
          .isEqualTo(error.kind());
      kinds.put(error.kind(), error);
    }
    assertThat(kinds).as("each kind has an example").containsOnlyKeys(Kind.values());
  }

  @Test
  void a_kind_is_found_by_its_label() {
    assertThat(Kind.ID_OUTSIDE_VOCABULARY.label()).isEqualTo("id_outside_vocabulary");
    for (Kind kind : Kind.values()) {
      assertThat(Kind.labelled(kind.label())).isEqualTo(kind);
    }
  }

  @Test
  void a_message_of_another_origin_is_refused() {
    assertThatThrownBy(() -> RowError.fromWritten("No such file"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "Cannot find the kind of an error that this version does not write: No such file");
    assertThat(RowError.fromWritten(null)).isNull();
  }

  @Test
  void an_error_keeps_its_kind_in_a_row() {
    for (RowError error : ERRORS) {
      assertThat(InputErrors.read(RowFactory.create(InputErrors.value(error)), 0)).isEqualTo(error);
    }
    assertThat(InputErrors.value(null)).isNull();
  }
}
