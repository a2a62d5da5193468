package io.mambaspark.engine.score;

import io.mambaspark.engine.kernel.LogSoftmax;
import io.mambaspark.engine.model.MambaModel;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.function.Function;
import java.util.function.IntConsumer;

/**
 * Runs two models over the same texts and compares the results. If both models read the same tokens
 * and have vocabularies of the same size, it compares their distributions at every token, a few
 * rows at a time. As with {@link Scorer}, results do not depend on the chunks, and memory does not
 * depend on the length of texts. There is one exception: models that read the same tokens but have
 * vocabularies of different sizes need a list of log-probabilities per text.
 *
 * <p>A comparer must be used by one thread only.
 */
public final class Comparer {
  private final MambaModel a;
  private final MambaModel b;
  private final boolean sameTokens;
  private final Scorer scorerA;
  private final Scorer scorerB;

  /**
   * Creates a comparer.
   *
   * @param sameTokens whether both models read the same tokens, so that the two arrays of each pair
   *     are equal
   * @param chunkTokens the number of tokens in a chunk, at least 1
   * @param chunkDone called after each chunk of either model with its number of tokens
   */
  public Comparer(
      MambaModel a, MambaModel b, boolean sameTokens, int chunkTokens, IntConsumer chunkDone) {
    this.a = a;
    this.b = b;
    this.sameTokens = sameTokens;
    this.scorerA = new Scorer(a, chunkTokens, chunkDone);
    this.scorerB = new Scorer(b, chunkTokens, chunkDone);
  }

  /** Whether distributions are compared, and not only the probabilities of the texts' tokens. */
  boolean comparesDistributions() {
    return sameTokens && a.config().vocabSize() == b.config().vocabSize();
  }

  /**
   * Compares texts lazily and in their order. Use only one iterator of a comparer at a time.
   *
   * @throws IllegalArgumentException from the iterator, if an id is outside a model's vocabulary
   */
  public <T> Iterator<Comparison<T>> compare(Iterator<Pair<T>> pairs) {
    Shared<Pair<T>> shared = new Shared<>(pairs);
    Iterator<Sequence<Pair<T>>> forA = shared.view(pair -> new Sequence<>(pair, pair.a()));
    Iterator<Sequence<Pair<T>>> forB = shared.view(pair -> new Sequence<>(pair, pair.b()));
    if (!comparesDistributions()) {
      Outputs outputs = new Outputs(true, sameTokens, false, 0, false);
      Iterator<Scores<Pair<T>>> scoresA = scorerA.score(forA, outputs);
      Iterator<Scores<Pair<T>>> scoresB = scorerB.score(forB, outputs);
      return shared.view(pair -> of(scoresA.next(), scoresB.next()));
    }
    Iterator<Scorer.Distribution<Pair<T>>> distributionsA = scorerA.distributions(forA);
    Iterator<Scorer.Distribution<Pair<T>>> distributionsB = scorerB.distributions(forB);
    return shared.view(pair -> of(pair, distributionsA, distributionsB));
  }

  private <T> Comparison<T> of(Scores<Pair<T>> byA, Scores<Pair<T>> byB) {
    long better = sameTokens ? 0 : -1;
    for (int i = 0; sameTokens && i < byA.tokenLogprobs().length; i++) {
      better += byB.tokenLogprobs()[i] > byA.tokenLogprobs()[i] ? 1 : 0;
    }
    return new Comparison<>(
        byA.key().key(),
        byA.nll(),
        byB.nll(),
        byA.tokenCount(),
        byB.tokenCount(),
        better,
        Double.NaN,
        Double.NaN,
        -1);
  }

  private static <T> Comparison<T> of(
      Pair<T> pair,
      Iterator<Scorer.Distribution<Pair<T>>> byA,
      Iterator<Scorer.Distribution<Pair<T>>> byB) {
    int[] tokens = pair.a();
    double nllA = 0;
    double nllB = 0;
    double kl = 0;
    double crossEntropy = 0;
    long better = 0;
    long agreements = 0;
    for (int i = 1; i < tokens.length; i++) {
      Scorer.Distribution<Pair<T>> inA = byA.next();
      Scorer.Distribution<Pair<T>> inB = byB.next();
      float logprobA = inA.logprobs()[tokens[i]];
      float logprobB = inB.logprobs()[tokens[i]];
      nllA -= logprobA;
      nllB -= logprobB;
      better += logprobB > logprobA ? 1 : 0;
      agreements += inA.argMax() == inB.argMax() ? 1 : 0;
      LogSoftmax.Divergence divergence = LogSoftmax.divergence(inA.logprobs(), inB.logprobs());
      kl += divergence.kl();
      crossEntropy += divergence.crossEntropy();
    }
    long scored = Math.max(0, tokens.length - 1);
    return new Comparison<>(
        pair.key(), nllA, nllB, scored, scored, better, kl, crossEntropy, agreements);
  }

  /**
   * A source that several views read, each at its own pace. A queue per view holds the elements
   * that this view has not read yet.
   */
  private static final class Shared<E> {
    private final Iterator<E> source;
    private final Queue<Queue<E>> waiting = new ArrayDeque<>();

    Shared(Iterator<E> source) {
      this.source = source;
    }

    <F> Iterator<F> view(Function<E, F> function) {
      Queue<E> queue = new ArrayDeque<>();
      waiting.add(queue);
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return !queue.isEmpty() || source.hasNext();
        }

        @Override
        public F next() {
          if (!hasNext()) {
            throw new NoSuchElementException();
          }
          if (queue.isEmpty()) {
            E element = source.next();
            waiting.forEach(each -> each.add(element));
          }
          return function.apply(queue.remove());
        }
      };
    }
  }
}
