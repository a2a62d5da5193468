package io.mambaspark.engine.score;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Limits the heap that scoring uses. */
@Tag("vector")
class ScorerMemoryTest {

  /** The ids of a million tokens occupy four of the sixteen megabytes. */
  @ParameterizedTest
  @CsvSource({"1000, false", "1000000, false", "200000, true"})
  void aDocumentOfAnyLengthIsScoredInASmallHeap(int tokens, boolean mamba2) throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx16m",
                "--add-modules=jdk.incubator.vector",
                "-cp",
                System.getProperty("java.class.path"),
                LongDocument.class.getName(),
                Integer.toString(tokens),
                Boolean.toString(mamba2))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String printed = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).isZero();
    assertThat(printed.strip()).isEqualTo((tokens - 1) + " true");
  }
}
