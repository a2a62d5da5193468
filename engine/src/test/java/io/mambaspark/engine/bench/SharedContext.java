package io.mambaspark.engine.bench;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.RandomModel;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * Compares continuations in an order in which consecutive ones share a context with the same
 * continuations in an order in which they do not. Uses the smallest shape and one thread.
 */
public final class SharedContext {
  private static final int CONTEXT = 512;
  private static final int CONTINUATION = 16;
  private static final int CONTINUATIONS = 16;
  private static final Outputs PERPLEXITY = new Outputs(true, false, false, 0, false);

  private SharedContext() {}

  /** Prints the best and the median of interleaved samples. */
  public static void main(String[] args) {
    int repeats = BenchOptions.parse(args).repeats();
    MambaModel model = RandomModel.of(Shape.SMALLEST.config(), 1);
    List<Sequence<Integer>> shared = new ArrayList<>();
    List<Sequence<Integer>> alternating = new ArrayList<>();
    int vocabSize = model.config().vocabSize();
    SplittableRandom random = new SplittableRandom(2);
    int[][] contexts = {
      random.ints(CONTEXT, 0, vocabSize).toArray(), random.ints(CONTEXT, 0, vocabSize).toArray()
    };
    for (int i = 0; i < CONTINUATIONS; i++) {
      int[] continuation = random.ints(CONTINUATION, 0, vocabSize).toArray();
      shared.add(sequence(i, contexts[0], continuation));
      // The two contexts alternate, so each differs from the previous one.
      alternating.add(sequence(i, contexts[i % 2], continuation));
    }
    Scorer scorer = new Scorer(model);
    Samples fast = new Samples();
    Samples slow = new Samples();
    for (int repeat = 0; repeat <= repeats; repeat++) {
      double sharedRate = rate(scorer, shared);
      double alternatingRate = rate(scorer, alternating);
      if (repeat > 0) {
        fast.add(sharedRate);
        slow.add(alternatingRate);
      }
    }
    System.out.printf(
        Locale.ROOT,
        "%s, %d-token context, %d continuations of %d tokens, continuations/s:%n"
            + "  shared context       best %.2f, median %.2f%n"
            + "  alternating context  best %.2f, median %.2f%n"
            + "  ratio                best %.1f, median %.1f%n",
        Shape.SMALLEST.name(),
        CONTEXT,
        CONTINUATIONS,
        CONTINUATION,
        fast.best(),
        fast.median(),
        slow.best(),
        slow.median(),
        fast.best() / slow.best(),
        fast.median() / slow.median());
  }

  private static Sequence<Integer> sequence(int key, int[] context, int[] continuation) {
    int[] tokens = Arrays.copyOf(context, CONTEXT + CONTINUATION);
    System.arraycopy(continuation, 0, tokens, CONTEXT, CONTINUATION);
    return new Sequence<>(key, tokens, CONTEXT);
  }

  /** Returns the continuations per second. */
  private static double rate(Scorer scorer, List<Sequence<Integer>> sequences) {
    long start = System.nanoTime();
    Iterator<Scores<Integer>> scores = scorer.score(sequences.iterator(), PERPLEXITY);
    while (scores.hasNext()) {
      if (scores.next().firstNonFinite() != null) {
        throw new IllegalStateException("a continuation has no score");
      }
    }
    return sequences.size() / ((System.nanoTime() - start) / 1e9);
  }
}
