package io.mambaspark.jobs.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.mambaspark.engine.score.Windows;
import io.mambaspark.engine.score.Windows.Policy;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.model.ModelConventions;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The default lengths of windows, and their limits. */
class WindowOptionsTest {

  /** Parses the values of the options; null for an option that is not given. */
  private static WindowOptions options(String name, Integer tokens, Integer stride) {
    return WindowOptions.parse(name, tokens, stride);
  }

  @ParameterizedTest
  @CsvSource({
    "full,,, FULL, 0, 0",
    "rolling,,, ROLLING, 0, 0",
    "strided,,, STRIDED, 1024, 512",
    "chunked,,, CHUNKED, 512, 0",
    "rolling, 5,, ROLLING, 5, 0",
    "chunked, 7,, CHUNKED, 7, 0",
    "strided,, 3, STRIDED, 1024, 3",
    "strided, 8, 3, STRIDED, 8, 3",
  })
  void default_lengths_are_those_of_the_program_that_defines_the_policy(
      String name, Integer tokens, Integer stride, Policy policy, int length, int step) {
    assertThat(options(name, tokens, stride)).isEqualTo(new WindowOptions(policy, length, step));
  }

  @ParameterizedTest
  @CsvSource({"2, 1", "3, 2", "4, 2", "5, 3", "2147483646, 1073741823"})
  void the_default_stride_is_half_a_window_rounded_up(int tokens, int stride) {
    assertThat(options("strided", tokens, null).stride()).isEqualTo(stride);
  }

  @ParameterizedTest
  @CsvSource({
    "rolling, 1,",
    "strided, 2, 1",
    "strided, 2, 2",
    "strided,, 1",
    "strided,, 1024",
    "chunked, 3,",
    "rolling, 2147483647,",
    "chunked, 2147483647,",
  })
  void the_smallest_and_largest_values_are_accepted(String name, Integer tokens, Integer stride) {
    WindowOptions options = options(name, tokens, stride);
    assertThat(options.name()).isEqualTo(name);
    assertThat(tokens == null || options.tokens() == tokens).isTrue();
    assertThat(stride == null || options.stride() == stride).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "sliding | | | --window sliding: expected one of full, rolling, strided, chunked",
        "FULL | | | --window FULL: expected one of full, rolling, strided, chunked",
        "'' | | | '--window : expected one of full, rolling, strided, chunked'",
        // Of two mistakes, the message names the first.
        "sliding | 0 | 0 | --window sliding: expected one of full, rolling, strided, chunked",
        "full | 9 | | --window-tokens needs --window rolling, strided or chunked",
        "full | 0 | | --window-tokens needs --window rolling, strided or chunked",
        "full | 9 | 9 | --window-tokens needs --window rolling, strided or chunked",
        "full | | 9 | --stride needs --window strided",
        "rolling | | 9 | --stride needs --window strided",
        "rolling | 0 | 9 | --stride needs --window strided",
        "chunked | 8 | 4 | --stride needs --window strided",
        "rolling | 0 | | --window-tokens 0: expected at least 1 for --window rolling, so that"
            + " something is scored",
        "rolling | -1 | | --window-tokens -1: expected at least 1 for --window rolling, so that"
            + " something is scored",
        "strided | 1 | | --window-tokens 1: expected at least 2 for --window strided, so that"
            + " something is scored",
        "strided | 1 | 0 | --window-tokens 1: expected at least 2 for --window strided, so that"
            + " something is scored",
        "strided | -2147483648 | | --window-tokens -2147483648: expected at least 2 for --window"
            + " strided, so that something is scored",
        "chunked | 2 | | --window-tokens 2: expected at least 3 for --window chunked, so that"
            + " something is scored",
        "strided | | 0 | --stride 0: expected 1 to 1024, the number of tokens in a window",
        "strided | | -1 | --stride -1: expected 1 to 1024, the number of tokens in a window",
        "strided | | 1025 | --stride 1025: expected 1 to 1024, the number of tokens in a window",
        "strided | 9 | 10 | --stride 10: expected 1 to 9, the number of tokens in a window",
      })
  void values_out_of_range_are_wrong_usage(
      String name, Integer tokens, Integer stride, String message) {
    Refusal refusal = catchThrowableOfType(Refusal.class, () -> options(name, tokens, stride));
    assertThat(refusal).hasMessage(message);
    assertThat(refusal.isWrongUsage()).isTrue();
  }

  /**
   * The default stride of the largest window overflows an int. The message then names a stride that
   * the user did not give.
   */
  @Test
  void rolling_windows_without_a_length_have_that_of_the_model() {
    ModelConventions.Found none = new ModelConventions.Found(null, "none");
    ModelConventions.Found length = new ModelConventions.Found(77, "n_ctx of config.json");
    ModelConventions model = new ModelConventions(9, none, none, none, length, List.of());
    assertThat(options("rolling", null, null).resolved(model))
        .isEqualTo(new WindowOptions(Policy.ROLLING, 77, 0));
    assertThat(options("rolling", 5, null).resolved(model).tokens()).isEqualTo(5);
    for (String other : List.of("full", "strided", "chunked")) {
      WindowOptions options = options(other, null, null);
      assertThat(options.resolved(model)).isEqualTo(options);
    }
  }

  @Test
  void the_largest_window_requires_an_explicit_stride() {
    Refusal refusal =
        catchThrowableOfType(Refusal.class, () -> options("strided", Integer.MAX_VALUE, null));
    assertThat(refusal)
        .hasMessage(
            "--stride -1073741824: expected 1 to 2147483647, the number of tokens in a window");
    assertThat(options("strided", Integer.MAX_VALUE, 1).stride()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "full | | | full",
        "rolling | 2048 | | rolling, 2048 tokens",
        "strided | | | strided, 1024 tokens, stride 512",
        "chunked | 6 | | chunked, 6 tokens",
      })
  void the_text_has_the_lengths_in_use(String name, Integer tokens, Integer stride, String shown) {
    assertThat(options(name, tokens, stride)).hasToString(shown);
  }

  @Test
  void a_summary_has_null_for_lengths_that_the_policy_does_not_use() {
    assertThat(WindowOptions.FULL).isEqualTo(options("full", null, null));
    assertThat(WindowOptions.FULL.described()).isEqualTo(described("full", null, null));
    assertThat(options("rolling", 5, null).described()).isEqualTo(described("rolling", 5, null));
    assertThat(options("strided", 6, 4).described()).isEqualTo(described("strided", 6, 4));
  }

  private static Map<String, Object> described(String policy, Integer tokens, Integer stride) {
    Map<String, Object> described = new LinkedHashMap<>();
    described.put("policy", policy);
    described.put("tokens", tokens);
    described.put("stride", stride);
    return described;
  }

  @Test
  void only_strided_windows_process_a_token_more_than_once() {
    assertThat(options("strided", 1024, 256).runs()).isEqualTo(4);
    assertThat(options("strided", 5, 2).runs()).isEqualTo(2.5);
    assertThat(options("strided", 8, 8).runs()).isEqualTo(1);
    assertThat(options("full", null, null).runs()).isEqualTo(1);
    assertThat(options("rolling", 9, null).runs()).isEqualTo(1);
    assertThat(options("chunked", 9, null).runs()).isEqualTo(1);
  }

  @Test
  void a_prefix_replaces_a_token_only_in_chunked_windows() {
    int none = TokenOptions.NO_PREFIX;
    assertThat(options("chunked", 6, null).windows(3))
        .isEqualTo(new Windows(Policy.CHUNKED, 6, 0, 3));
    assertThat(options("chunked", 6, null).windows(0))
        .isEqualTo(new Windows(Policy.CHUNKED, 6, 0, 0));
    assertThat(options("chunked", 6, null).windows(none))
        .isEqualTo(new Windows(Policy.CHUNKED, 6, 0, Windows.AS_IT_IS));
    assertThat(options("rolling", 6, null).windows(3))
        .isEqualTo(new Windows(Policy.ROLLING, 6, 0, Windows.AS_IT_IS));
    assertThat(options("strided", 6, 4).windows(3))
        .isEqualTo(new Windows(Policy.STRIDED, 6, 4, Windows.AS_IT_IS));
    assertThat(WindowOptions.FULL.windows(3))
        .isEqualTo(new Windows(Policy.FULL, 0, 0, Windows.AS_IT_IS));
  }
}
