package io.mambaspark.engine.bench;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The complete forward pass with the log-probability and the arg max of every token, as {@link
 * Scorer} runs it over random documents on several threads. Each thread has its own documents and
 * scorer; all threads share the model.
 */
final class ForwardRun {
  /**
   * The result of a run, without a reference to the model.
   *
   * @param tokens the number of tokens that one thread scores in a sample
   * @param packedBytes the size of the packed model
   * @param samples the speeds in tokens/s
   */
  record Result(String name, int threads, long tokens, long packedBytes, Samples samples) {}

  /** The maximum number of chunks of a sample. */
  private static final int MAX_CHUNKS = 16;

  private static final Outputs ALL_LOGPROBS = new Outputs(true, true, false, 0, false);

  private static final Outputs WITH_MOMENTS = new Outputs(true, true, false, 0, false, true, false);

  private final MambaModel model;
  private final String name;
  private final int threads;

  /** The speeds in tokens/s. */
  private final Samples samples = new Samples();

  private final List<Scorer> scorers = new ArrayList<>();
  private final int documentTokens;
  private final Outputs outputs;

  /** The number of tokens of one thread in one sample. */
  private int tokens;

  /**
   * Creates a run whose samples have one chunk until {@link #prepare} changes that.
   *
   * @param documentTokens the length of a document, including its first token, which is not scored;
   *     0 for one document per thread, as long as the sample
   */
  ForwardRun(String name, MambaModel model, int threads, int documentTokens) {
    this(name, model, threads, documentTokens, Scorer.CHUNK, ALL_LOGPROBS);
  }

  /** Creates a run whose samples have about {@code tokens} tokens per thread. */
  ForwardRun(String name, MambaModel model, int threads, int documentTokens, int tokens) {
    this(name, model, threads, documentTokens, tokens, ALL_LOGPROBS);
  }

  private ForwardRun(
      String name, MambaModel model, int threads, int documentTokens, int tokens, Outputs outputs) {
    this.outputs = outputs;
    this.tokens = tokens;
    this.name = name;
    this.model = model;
    this.threads = threads;
    this.documentTokens = documentTokens;
    for (int i = 0; i < threads; i++) {
      scorers.add(new Scorer(model));
    }
  }

  /** Returns a run of long documents with the same model on more threads. */
  ForwardRun onThreads(String otherName, int otherThreads) {
    return new ForwardRun(otherName, model, otherThreads, 0);
  }

  /** Returns a run of long documents with the same model, and the moments of ln p. */
  ForwardRun withMoments(String otherName) {
    return new ForwardRun(otherName, model, threads, 0, Scorer.CHUNK, WITH_MOMENTS);
  }

  /** Warms up, and chooses the longest samples that take at most {@code seconds}. */
  void prepare(Cores cores, double warmUp, double seconds) {
    long end = System.nanoTime() + (long) (warmUp * 1e9);
    double rate;
    do {
      rate = sample(cores);
    } while (System.nanoTime() < end);
    double chunk = (double) threads * Scorer.CHUNK / rate;
    tokens = Scorer.CHUNK * (int) Math.max(1, Math.min(MAX_CHUNKS, seconds / chunk));
  }

  /** Takes one sample. */
  void measure(Cores cores) {
    samples.add(sample(cores));
  }

  MambaModel model() {
    return model;
  }

  /** Returns the result of the samples taken so far. */
  Result result() {
    long scored = documents(0).stream().mapToLong(document -> document.tokens().length - 1).sum();
    return new Result(name, threads, scored, model.packedBytes(), samples);
  }

  /** Takes one sample and returns its speed in scored tokens/s. */
  private double sample(Cores cores) {
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

  private long score(Scorer scorer, List<Sequence<Integer>> documents) {
    long tokens = 0;
    Iterator<Scores<Integer>> scores = scorer.score(documents.iterator(), outputs);
    while (scores.hasNext()) {
      Scores<Integer> document = scores.next();
      if (document.firstNonFinite() != null) {
        throw new IllegalStateException("document %d has no score".formatted(document.key()));
      }
      tokens += document.tokenCount();
    }
    return tokens;
  }

  /** Returns the documents that fill the chunks of one sample. */
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
