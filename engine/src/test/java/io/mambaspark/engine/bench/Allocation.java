package io.mambaspark.engine.bench;

import com.sun.management.ThreadMXBean;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import java.lang.management.ManagementFactory;
import java.util.Iterator;
import java.util.List;

/** Measures the bytes that scoring allocates for each additional token. */
final class Allocation {
  private static final int SHORT = 1;
  private static final int LONG = 3;

  private Allocation() {}

  /**
   * Returns the bytes per token for a perplexity, computed from the difference between a document
   * of three chunks and a document of one chunk.
   */
  static double bytesPerToken(MambaModel model) {
    Scorer scorer = new Scorer(model);
    long more = bytes(scorer, LONG) - bytes(scorer, SHORT);
    return (double) more / ((LONG - SHORT) * Scorer.CHUNK);
  }

  private static long bytes(Scorer scorer, int chunks) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Sequence<Integer> document = new Sequence<>(0, new int[chunks * Scorer.CHUNK + 1]);
    Outputs perplexity = new Outputs(true, false, false, 0, false);
    long before = threads.getCurrentThreadAllocatedBytes();
    Iterator<Scores<Integer>> scores = scorer.score(List.of(document).iterator(), perplexity);
    scores.next();
    return threads.getCurrentThreadAllocatedBytes() - before;
  }
}
