package io.mambaspark.engine.examples;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.Golden;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import org.junit.jupiter.api.Test;

/** Runs the example of {@code engine/README.md}; DocsTest of {@code jobs} compares its text. */
class ExamplesTest {
  @Test
  void token_ids_are_scored() {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream terminal = System.out;
    System.setOut(new PrintStream(printed, true, UTF_8));
    try {
      ScoreTokens.main(new String[] {Golden.folder("tiny-books").toString()});
    } finally {
      System.setOut(terminal);
    }
    assertThat(printed.toString(UTF_8).lines())
        .containsExactly("first: 4 tokens, perplexity ?", "second: 2 tokens, perplexity ?");
  }
}
