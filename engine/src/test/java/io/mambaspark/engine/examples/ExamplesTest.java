package io.mambaspark.engine.examples;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.Golden;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/**
 * Runs the example of {@code engine/README.md} and compares its output with the page. DocsTest of
 * {@code jobs} compares the program with the page.
 */
class ExamplesTest {
  @Test
  void token_ids_are_scored() throws IOException {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream terminal = System.out;
    System.setOut(new PrintStream(printed, true, UTF_8));
    try {
      ScoreTokens.main(new String[] {Golden.folder("tiny-books").toString()});
    } finally {
      System.setOut(terminal);
    }
    String output = printed.toString(UTF_8).replace(System.lineSeparator(), "\n");
    assertThat(Files.readString(Path.of("README.md"))).contains("```text\n" + output + "```\n");
  }
}
