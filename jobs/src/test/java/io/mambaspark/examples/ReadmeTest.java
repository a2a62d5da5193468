package io.mambaspark.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Checks that the tests run all code in README. */
class ReadmeTest {
  private static final Path ROOT = Path.of("").toAbsolutePath().getParent();
  private static final String SECTION = "## In a pipeline of your own";
  private static final List<String> RUN =
      List.of(
          "jobs/src/test/java/io/mambaspark/examples/ExamplesTest.java",
          "scripts/python/filter.py",
          "scripts/python/filter.sql");

  /** Removes the indentation, which differs in README. */
  private static String bare(String text) {
    return text.lines()
        .map(String::strip)
        .filter(s -> !s.isEmpty())
        .collect(Collectors.joining("\n"));
  }

  private static List<String> blocks() throws IOException {
    String readme = Files.readString(ROOT.resolve("README.md"));
    String section = readme.substring(readme.indexOf(SECTION) + SECTION.length());
    List<String> blocks = new ArrayList<>();
    StringBuilder block = new StringBuilder();
    for (String line : section.substring(0, section.indexOf("\n## ")).split("\n")) {
      if (line.startsWith("    ") || (line.isBlank() && !block.isEmpty())) {
        block.append(line).append('\n');
      } else if (!block.isEmpty()) {
        blocks.add(bare(block.toString()));
        block.setLength(0);
      }
    }
    if (!block.isEmpty()) {
      blocks.add(bare(block.toString()));
    }
    return blocks;
  }

  @Test
  void every_example_is_run() throws IOException {
    StringBuilder run = new StringBuilder();
    for (String file : RUN) {
      run.append(bare(Files.readString(ROOT.resolve(file)))).append('\n');
    }
    List<String> examples =
        blocks().stream()
            .filter(block -> !block.matches("(?s)(scripts/|mkdir|mvn|pyspark).*"))
            .toList();
    assertThat(examples).hasSizeGreaterThan(5);
    for (String example : examples) {
      assertThat(run.toString()).contains(example);
    }
  }
}
