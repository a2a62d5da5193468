package io.mambaspark.jobs.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.TestSpark;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.Test;

class ProgressTest {
  @Test
  void a_log_line_shows_tokens_speed_share_and_time_left() {
    assertThat(Progress.line(30_000, 20, 0.25))
        .isEqualTo("30,000 tokens done, 1,500 tokens/s, 25%, time left 0:01:00");
    assertThat(Progress.line(0, 10, 0))
        .isEqualTo("0 tokens done, 0 tokens/s, 0%, time left unknown");
  }

  @Test
  void a_terminal_behind_the_pipe_of_the_scripts_gets_the_display() {
    assertThat(Progress.terminal(Map.of("MAMBASPARK_TERMINAL", "stderr"))).isSameAs(System.err);
    // Under Surefire, standard error is a pipe and not a terminal.
    assertThat(Progress.terminal(Map.of())).isNull();
  }

  @Test
  void a_terminal_gets_one_line_that_is_updated_and_cleared_at_the_end() throws Exception {
    JavaSparkContext context =
        JavaSparkContext.fromSparkContext(TestSpark.session().sparkContext());
    LongAccumulator tokens = context.sc().longAccumulator("test");
    ByteArrayOutputStream terminal = new ByteArrayOutputStream();
    Progress progress =
        new Progress(
            context,
            tokens,
            () -> OptionalLong.of(2000),
            context.sc().longAccumulator("bytes"),
            0,
            new PrintStream(terminal, true, StandardCharsets.UTF_8));
    tokens.add(500);
    Thread.sleep(1800);
    progress.stop();
    progress.stop();
    String drawn = terminal.toString(StandardCharsets.UTF_8);
    assertThat(drawn).contains("scoring").contains("25%").contains("500/2000 tokens");
    assertThat(drawn).doesNotContain("\n").endsWith(" \r");
  }

  @Test
  void the_share_is_that_of_the_input_bytes_if_the_number_of_tokens_is_unknown() throws Exception {
    JavaSparkContext context =
        JavaSparkContext.fromSparkContext(TestSpark.session().sparkContext());
    LongAccumulator bytes = context.sc().longAccumulator("bytes");
    ByteArrayOutputStream terminal = new ByteArrayOutputStream();
    Progress progress =
        new Progress(
            context,
            context.sc().longAccumulator("test"),
            OptionalLong::empty,
            bytes,
            4000,
            new PrintStream(terminal, true, StandardCharsets.UTF_8));
    bytes.add(3000);
    Thread.sleep(1800);
    progress.stop();
    assertThat(terminal.toString(StandardCharsets.UTF_8))
        .containsPattern("75% of the input, 0:00:0[01] left");
  }
}
