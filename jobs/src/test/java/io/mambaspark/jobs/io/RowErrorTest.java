package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class RowErrorTest {
  @Test
  void messages_say_what_was_found_where_and_what_was_expected() {
    assertThat(RowError.nullElement(3)).isEqualTo("Token at position 3 is null");
    assertThat(RowError.outside(-7, 3, 4096))
        .isEqualTo("Token id -7 at position 3 is negative; expected an id in [0, 4096)");
    assertThat(RowError.outside(Long.MIN_VALUE, 0, 8))
        .isEqualTo(
            "Token id -9223372036854775808 at position 0 is negative; expected an id in [0, 8)");
    assertThat(RowError.outside(50301, 42, 50280))
        .isEqualTo("Token id 50301 at position 42 is outside [0, 50280)");
    assertThat(RowError.nonFinite("nll", Double.POSITIVE_INFINITY))
        .isEqualTo("Score is not finite: nll is Infinity");
    assertThat(RowError.mergedContinuation("answer", "question"))
        .isEqualTo(
            "Continuation has no token of its own: column answer merges into the last token of"
                + " column question; move the end of the context to the continuation");
    assertThat(RowError.malformedInput("'}' at character 25", "a value"))
        .isEqualTo("Input line is malformed: found '}' at character 25; expected a value");
    assertThat(RowError.notText("a list", 9, "text"))
        .isEqualTo("Text is not a string: found a list at character 9 in column text");
  }

  @Test
  void the_kind_is_read_back_from_the_message() {
    assertThat(RowError.of(RowError.nullElement(3))).isEqualTo(RowError.NULL_ELEMENT);
    assertThat(RowError.of(RowError.outside(-1, 3, 9))).isEqualTo(RowError.NEGATIVE_ID);
    assertThat(RowError.of(RowError.outside(9, 3, 9))).isEqualTo(RowError.ID_OUTSIDE_VOCABULARY);
    assertThat(RowError.of(RowError.mergedContinuation("a", "b")))
        .isEqualTo(RowError.MERGED_CONTINUATION);
    assertThat(RowError.of(RowError.nonFinite("nll", 0))).isEqualTo(RowError.NON_FINITE_SCORE);
    assertThat(RowError.of(RowError.malformedInput("100 %s", "%d")).kind())
        .isEqualTo("malformed_input");
    assertThat(RowError.of(RowError.notText("a list", 9, "Text is not UTF-8: ")).kind())
        .isEqualTo("not_text");
    assertThat(RowError.ID_OUTSIDE_VOCABULARY.kind()).isEqualTo("id_outside_vocabulary");
  }

  @Test
  void a_message_of_another_origin_is_not_guessed_at() {
    assertThatThrownBy(() -> RowError.of("No such file")).isInstanceOf(IllegalStateException.class);
  }
}
