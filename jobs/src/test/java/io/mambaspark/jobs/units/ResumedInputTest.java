package io.mambaspark.jobs.units;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputVersion;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;

/** Tests how the input of a resumed run may differ from the input of its earlier starts. */
class ResumedInputTest {
  private static final InputVersion A = new InputVersion("file:/a", 1, 0);
  private static final InputVersion B = new InputVersion("file:/b", 2, 0);
  private static final InputVersion C = new InputVersion("file:/c", 3, 0);

  private static ResumedInput input(List<InputVersion> known, List<InputVersion> now) {
    return input(known, now, Map.of());
  }

  private static ResumedInput input(
      List<InputVersion> known, List<InputVersion> now, Map<String, String> unread) {
    return new ResumedInput(new Path("file:/out"), known, now, unread);
  }

  private static void assertRefused(ResumedInput input, boolean allowNew, String message) {
    assertThatThrownBy(() -> input.added(allowNew))
        .isInstanceOf(Refusal.class)
        .hasMessage("Cannot resume output file:/out: input " + message);
  }

  @Test
  void the_same_files_add_nothing() {
    assertThat(input(List.of(A, B), List.of(A, B)).added(false)).isEmpty();
    assertThat(input(List.of(A, B), List.of(B, A)).added(true)).isEmpty();
  }

  @Test
  void new_files_are_added_if_that_is_allowed() {
    assertThat(input(List.of(B), List.of(A, B, C)).added(true)).containsExactly(A, C);
    assertRefused(
        input(List.of(B), List.of(A, B, C)),
        false,
        "file:/a (and 1 more) is new; include new files with --allow-new-input, or choose another"
            + " output");
  }

  @Test
  void a_file_that_has_changed_is_refused() {
    InputVersion later = new InputVersion("file:/b", 5, 86_400_000);
    assertRefused(
        input(List.of(A, B), List.of(A, later)),
        true,
        "file:/b has changed (recorded: 2 bytes, modified 1970-01-01T00:00:00Z; found: 5 bytes,"
            + " modified 1970-01-02T00:00:00Z); choose another output");
  }

  @Test
  void a_missing_file_is_refused() {
    assertRefused(
        input(List.of(A, B), List.of(B)), true, "file:/a is missing; choose another output");
    assertRefused(
        input(List.of(A, B, C), List.of(B)),
        true,
        "file:/a (and 1 more) is missing; choose another output");
  }

  @Test
  void a_file_that_is_no_longer_readable_is_refused_with_the_reason() {
    assertRefused(
        input(List.of(A, B, C), List.of(B), Map.of("file:/c", "no footer")),
        true,
        "file:/c was read before and can no longer be read: no footer; choose another output");
    // A file that no earlier start has read may be unreadable.
    assertThat(input(List.of(B), List.of(B), Map.of("file:/c", "no footer")).added(false))
        .isEmpty();
  }
}
