package io.mambaspark.engine.bench;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.engine.score.Wanted;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The whole forward pass with the log-probability and the arg max of every token, as {@link Scorer}
 * runs it over random documents on some threads: each has documents and a scorer of its own, all
 * share the model.
 */
final class ForwardRun {
  /**
   * What remains of a run without its model.
   *
   * @param tokens that one thread scores in a sample
   * @param packedBytes of the model
   * @param samples tokens/s
   */
  record Result(String name, int threads, long tokens, long packedBytes, Samples samples) {}

  /** So many chunks at most make a sample. */
  private static final int MOST_CHUNKS = 16;

  private static final Wanted ALL_LOGPROBS = new Wanted(true, true, false, 0, false);

  private final MambaModel model;
  private final String name;
  private final int threads;

  /** Tokens/s. */
  private final Samples samples = new Samples();

  private final List<Scorer> scorers = new ArrayList<>();
  private final int documentTokens;

  /** Of one thread in one sample. */
  private int tokens;

  /**
   * Samples of one chunk, before {@link #prepare}.
   *
   * @param documentTokens the length of a document, its first token included, which is not scored;
   *     0 for one document a thread, as long as the sample
   */
  ForwardRun(String name, MambaModel model, int threads, int documentTokens) {
    this(name, model, threads, documentTokens, Scorer.CHUNK);
  }

  /** Samples of about {@code tokens} tokens a thread. */
  ForwardRun(String name, MambaModel model, int threads, int documentTokens, int tokens) {
    this.tokens = tokens;
    this.name = name;
    this.model = model;
    this.threads = threads;
    this.documentTokens = documentTokens;
    for (int i = 0; i < threads; i++) {
      scorers.add(new Scorer(model));
    }
  }

  /** Runs for a while, and makes samples as long as they can be without passing {@code seconds}. */
  void prepare(Cores cores, double warmUp, double seconds) {
    long end = System.nanoTime() + (long) (warmUp * 1e9);
    double rate;
    do {
      rate = once(cores);
    } while (System.nanoTime() < end);
    double chunk = (double) threads * Scorer.CHUNK / rate;
    tokens = Scorer.CHUNK * (int) Math.max(1, Math.min(MOST_CHUNKS, seconds / chunk));
  }

  /** Takes a sample. */
  void measure(Cores cores) {
    samples.add(once(cores));
  }

  /** What has been measured so far. */
  Result result() {
    long scored = documents(0).stream().mapToLong(document -> document.tokens().length - 1).sum();
    return new Result(name, threads, scored, model.packedBytes(), samples);
  }

  /** Tokens/s of one sample. Tokens that are scored count. */
  private double once(Cores cores) {
    List<List<Sequence<Integer>>> documents = new ArrayList<>();
    for (int thread = 0; thread < threads; thread++) {
      documents.add(documents(thread));
    }
    AtomicLong scored = new AtomicLong();
    double seconds =
        cores.run(
            threads, thread -> scored.addAndGet(score(scorers.get(thread), documents.get(thread))));
    return scored.get() / seconds;
  }

  private static long score(Scorer scorer, List<Sequence<Integer>> documents) {
    long tokens = 0;
    Iterator<Scores<Integer>> scores = scorer.score(documents.iterator(), ALL_LOGPROBS);
    while (scores.hasNext()) {
      Scores<Integer> document = scores.next();
      if (document.firstNonFinite() != null) {
        throw new IllegalStateException("document %d has no score".formatted(document.key()));
      }
      tokens += document.tokenCount();
    }
    return tokens;
  }

  /** As many documents as fill the chunks of a sample, best. */
  private List<Sequence<Integer>> documents(int thread) {
    int scored = documentTokens == 0 ? tokens : documentTokens - 1;
    SplittableRandom random = new SplittableRandom(thread);
    List<Sequence<Integer>> documents = new ArrayList<>();
    for (int i = 0; i < Math.max(1, tokens / scored); i++) {
      int[] ids = random.ints(scored + 1, 0, model.config().vocabSize()).toArray();
      documents.add(new Sequence<>(i, ids));
    }
    return documents;
  }
}
