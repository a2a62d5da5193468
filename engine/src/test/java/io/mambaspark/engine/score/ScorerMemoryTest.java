package io.mambaspark.engine.score;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What scoring takes of the heap. */
@Tag("vector")
class ScorerMemoryTest {

  /** The ids of a million tokens alone take four of the sixteen megabytes. */
  @ParameterizedTest
  @ValueSource(ints = {1_000, 1_000_000})
  void aDocumentOfAnyLengthIsScoredInASmallHeap(int tokens) throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx16m",
                "--add-modules=jdk.incubator.vector",
                "-cp",
                System.getProperty("java.class.path"),
                LongDocument.class.getName(),
                Integer.toString(tokens))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String printed = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).isZero();
    assertThat(printed.strip()).isEqualTo((tokens - 1) + " true");
  }

  @Test
  void nothingIsAllocatedForATokenThatIsScored() {
    MambaModel model = MambaModel.random(MambaConfig.of(32, 2, 300), 3);
    Scorer scorer = new Scorer(model);
    long few = allocated(scorer, 40 * Scorer.CHUNK);
    long many = allocated(scorer, 80 * Scorer.CHUNK);
    // A chunk has a few lists of its parts; less than one float a token.
    assertThat((many - few) / (40.0 * Scorer.CHUNK)).isLessThan(4);
  }

  private static long allocated(Scorer scorer, int tokens) {
    List<Sequence<Integer>> sequences = new ArrayList<>();
    Random random = new Random(4);
    for (int i = 0; i < 4; i++) {
      sequences.add(new Sequence<>(i, random.ints(tokens / 4, 0, 300).toArray()));
    }
    Wanted wanted = new Wanted(true, false, 0, false);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long least = Long.MAX_VALUE;
    // Until the kernels are compiled their vectors are objects.
    for (int i = 0; i < 40; i++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      Iterator<Scores<Integer>> scores = scorer.score(sequences.iterator(), wanted);
      while (scores.hasNext()) {
        scores.next();
      }
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
    }
    return least;
  }
}
