package io.mambaspark.engine.score;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.Workspace;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.IntConsumer;

/**
 * Scores sequences of token ids in packed ragged chunks: short sequences share a chunk, and long
 * ones span several chunks and carry their state. Results are equal bit for bit however the
 * sequences are split into chunks. Memory does not depend on the length of sequences, except for
 * the per-token lists if they are requested.
 *
 * <p>A scorer must be used by one thread only. Many scorers may share a model.
 */
public final class Scorer {
  /**
   * The default number of tokens in a chunk: enough to amortize reading the weights, few enough to
   * stay in the cache.
   */
  public static final int CHUNK = 480;

  /** The number of rows of logits computed at a time if complete rows are required. */
  private static final int LOGIT_ROWS = 24;

  /**
   * The maximum number of sequences in a chunk if their last logits are required: each sequence
   * holds vocabSize floats until it is returned.
   */
  private static final int LAST_ROWS = 32;

  private final MambaModel model;
  private final Workspace workspace;
  private final IntConsumer chunkDone;

  /** Creates a scorer with chunks of {@link #CHUNK} tokens. */
  public Scorer(MambaModel model) {
    this(model, CHUNK);
  }

  /** Creates a scorer with chunks of {@code chunkTokens} tokens, at least 1. */
  Scorer(MambaModel model, int chunkTokens) {
    this(model, chunkTokens, tokens -> {});
  }

  /**
   * Creates a scorer that reports its progress.
   *
   * @param chunkTokens the number of tokens in a chunk, at least 1
   * @param chunkDone called after each chunk with the number of tokens that ran through the model;
   *     the iterator throws the exceptions of this callback
   */
  public Scorer(MambaModel model, int chunkTokens, IntConsumer chunkDone) {
    this.model = model;
    this.workspace = new Workspace(model.config(), chunkTokens);
    this.chunkDone = chunkDone;
  }

  /**
   * Scores sequences lazily and in their order, and reads ahead by at most one chunk of tokens. Use
   * only one iterator of a scorer at a time.
   *
   * @throws IllegalArgumentException if K of top-k is outside [0, vocabSize]; from the iterator, if
   *     an id is outside [0, vocabSize)
   */
  public <T> Iterator<Scores<T>> score(Iterator<Sequence<T>> sequences, Outputs outputs) {
    return score(sequences, outputs, Windows.FULL);
  }

  /**
   * Scores each sequence in windows; otherwise like {@link #score(Iterator, Outputs)}.
   *
   * @throws IllegalArgumentException also if the last logits are requested but the windows are not
   *     full, or if the id that replaces their first token is at least vocabSize; from the
   *     iterator, if a sequence has a context but the windows are not full
   */
  public <T> Iterator<Scores<T>> score(
      Iterator<Sequence<T>> sequences, Outputs outputs, Windows windows) {
    int vocabSize = model.config().vocabSize();
    if (outputs.topK() < 0 || outputs.topK() > vocabSize) {
      throw new IllegalArgumentException(
          "K of top-k is %d; expected 0 to %d".formatted(outputs.topK(), vocabSize));
    }
    if (outputs.lastLogits() && windows.policy() != Windows.Policy.FULL) {
      throw new IllegalArgumentException("Only full windows have logits after the last token");
    }
    if (windows.firstToken() >= vocabSize) {
      throw new IllegalArgumentException(
          "The first token of the windows is %d; expected an id in [0, %d)"
              .formatted(windows.firstToken(), vocabSize));
    }
    return new ScoreIterator<>(sequences, outputs, windows);
  }

  /**
   * Returns the logits after every token, in order; an empty sequence has none. Use only one
   * iterator of a scorer at a time.
   *
   * @throws IllegalArgumentException from the iterator, if an id is outside [0, vocabSize)
   */
  public <T> Iterator<PositionLogits<T>> logits(Iterator<Sequence<T>> sequences) {
    return new PositionIterator<>(sequences, true) {
      @Override
      PositionLogits<T> at(Sequence<T> sequence, int position, int row, float[] logits) {
        return new PositionLogits<>(sequence.key(), position, sequence.tokens()[position], logits);
      }
    };
  }

  /** The scores of one sequence while they are being computed. */
  private static final class Pending<T> {
    final Sequence<T> sequence;
    final int scored;
    final float[] tokenLogprobs;
    final boolean[] greedyMatch;
    final int[] tokenRanks;
    final int[][] topKIds;
    final float[][] topKLogprobs;
    final double[] positionNll;
    final long[] positionTokens;
    final boolean moments;
    final float[] tokenMeans;
    final float[] tokenVariances;
    float[] lastLogits;
    double nll;
    double nllSquares;
    long greedy;
    int greedyRun;
    int longestGreedyRun;
    double mean;
    double variance;
    int added;
    boolean done;

    Pending(Sequence<T> sequence, Outputs outputs, Windows windows) {
      int length = sequence.tokens().length;
      this.sequence = sequence;
      this.scored =
          !outputs.everyPosition()
              ? 0
              : windows.policy() == Windows.Policy.FULL
                  ? Math.max(0, length - sequence.context())
                  : windows.scored(length);
      this.tokenLogprobs = outputs.tokenLogprobs() ? new float[scored] : null;
      this.greedyMatch = outputs.tokenLogprobs() ? new boolean[scored] : null;
      this.tokenRanks = outputs.tokenRanks() ? new int[scored] : null;
      this.topKIds = outputs.topK() > 0 ? new int[scored][outputs.topK()] : null;
      this.topKLogprobs = outputs.topK() > 0 ? new float[scored][outputs.topK()] : null;
      this.moments = outputs.anyMoments();
      this.tokenMeans = outputs.tokenMoments() ? new float[scored] : null;
      this.tokenVariances = outputs.tokenMoments() ? new float[scored] : null;
      int buckets = scored == 0 ? 0 : Scores.bucket(length - 1) + 1;
      this.positionNll = new double[buckets];
      this.positionTokens = new long[buckets];
    }

    void add(int index, Head head, int row) {
      float logprob = head.logprob(row);
      boolean match = head.argMax(row) == sequence.tokens()[index];
      nll -= logprob;
      nllSquares += (double) logprob * logprob;
      greedy += match ? 1 : 0;
      greedyRun = match ? greedyRun + 1 : 0;
      longestGreedyRun = Math.max(longestGreedyRun, greedyRun);
      positionNll[Scores.bucket(index)] -= logprob;
      positionTokens[Scores.bucket(index)]++;
      if (tokenLogprobs != null) {
        tokenLogprobs[added] = logprob;
        greedyMatch[added] = match;
      }
      if (tokenRanks != null) {
        tokenRanks[added] = head.rank(row);
      }
      if (topKIds != null) {
        head.topK(row, topKIds[added], topKLogprobs[added]);
      }
      if (moments) {
        mean += head.mean(row);
        variance += head.variance(row);
      }
      if (tokenMeans != null) {
        tokenMeans[added] = head.mean(row);
        tokenVariances[added] = head.variance(row);
      }
      added++;
    }

    Scores<T> scores() {
      return new Scores<>(
          sequence.key(),
          nll,
          scored,
          nllSquares,
          greedy,
          longestGreedyRun,
          positionNll,
          positionTokens,
          tokenLogprobs,
          greedyMatch,
          tokenRanks,
          topKIds,
          topKLogprobs,
          lastLogits,
          moments ? new Moments(mean, variance, tokenMeans, tokenVariances) : null);
    }
  }

  private final class ScoreIterator<T> implements Iterator<Scores<T>> {
    private final Outputs outputs;
    private final Windows windows;
    private final Chunks<T> chunks;
    private final ArrayDeque<Pending<T>> pending = new ArrayDeque<>();
    private final Head head;
    private final int[] targets = new int[workspace.tokens()];
    private final float[][] logits = new float[workspace.tokens()][];

    /** The scores of the latest part's sequence. */
    private Pending<T> open;

    ScoreIterator(Iterator<Sequence<T>> sequences, Outputs outputs, Windows windows) {
      this.outputs = outputs;
      this.windows = windows;
      this.head = new Head(model, workspace.tokens(), outputs.anyMoments());
      // Also limits the number of parts: otherwise a chunk could read any number of empty
      // sequences.
      int maxParts = outputs.lastLogits() ? LAST_ROWS : workspace.tokens() + 1;
      Runs<T> runs =
          new Runs<>(
              model.config(), sequences, windows, outputs.everyPosition(), outputs.lastLogits());
      this.chunks = new Chunks<>(model, workspace, runs, maxParts, chunkDone);
    }

    @Override
    public boolean hasNext() {
      while (pending.isEmpty() || !pending.peek().done) {
        List<Chunks.Part<T>> parts = chunks.next();
        if (parts.isEmpty()) {
          return false;
        }
        collect(parts);
      }
      return true;
    }

    @Override
    public Scores<T> next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      return pending.remove().scores();
    }

    private void collect(List<Chunks.Part<T>> parts) {
      List<Pending<T>> owners = new ArrayList<>();
      int rows = 0;
      for (Chunks.Part<T> part : parts) {
        Sequence<T> sequence = part.run().sequence();
        if (part.begins() && part.run().first()) {
          open = new Pending<>(sequence, outputs, windows);
          pending.add(open);
        }
        owners.add(open);
        for (int i = 0; i < part.length(); i++) {
          int position = part.start() + i;
          boolean scored = part.run().scored().contains(position + 1);
          boolean last = isLast(part.run(), position);
          if (scored || last) {
            head.copyRow(workspace.hidden(), workspace.stride(), part.row() + i, rows);
            targets[rows] = scored ? sequence.tokens()[position + 1] : -1;
            logits[rows] = last ? new float[model.config().vocabSize()] : null;
            rows++;
          }
        }
      }
      int[] scoredTargets = outputs.everyPosition() ? targets : null;
      head.run(rows, scoredTargets, outputs.tokenRanks(), outputs.topK(), logits);
      distribute(parts, owners);
    }

    /**
     * Whether this is the last token of a sequence. It runs only if the last logits are requested.
     */
    private boolean isLast(Runs.Run<T> run, int position) {
      return position == run.sequence().tokens().length - 1;
    }

    /**
     * Adds the head's rows to their sequences, in the order in which {@link #collect} took them.
     */
    private void distribute(List<Chunks.Part<T>> parts, List<Pending<T>> owners) {
      int row = 0;
      for (int i = 0; i < parts.size(); i++) {
        Chunks.Part<T> part = parts.get(i);
        Pending<T> owner = owners.get(i);
        int end = part.start() + part.length();
        for (int position = part.start(); position < end; position++) {
          if (isLast(part.run(), position)) {
            owner.lastLogits = logits[row++];
          } else if (part.run().scored().contains(position + 1)) {
            owner.add(position + 1, head, row++);
          }
        }
        owner.done = part.ends() && part.run().last();
      }
    }
  }

  /**
   * The distribution after one token.
   *
   * @param logprobs ln p of every id, (vocabSize)
   * @param argMax the most probable id
   */
  record Distribution<T>(Sequence<T> sequence, int position, float[] logprobs, int argMax) {}

  /**
   * Returns the distributions of all tokens but the first, in order. Use only one iterator of a
   * scorer at a time.
   */
  <T> Iterator<Distribution<T>> distributions(Iterator<Sequence<T>> sequences) {
    return new PositionIterator<>(sequences, false) {
      @Override
      Distribution<T> at(Sequence<T> sequence, int position, int row, float[] logits) {
        head.toLogprobs(row, logits);
        return new Distribution<>(sequence, position, logits, head.argMax(row));
      }
    };
  }

  /** Runs the head over the rows of every position, a few at a time. */
  private abstract class PositionIterator<T, R> implements Iterator<R> {
    final Head head = new Head(model, LOGIT_ROWS, false);
    private final boolean lastToken;
    private final Chunks<T> chunks;
    private final int[] targets = new int[LOGIT_ROWS];
    private final ArrayDeque<Chunks.Part<T>> parts = new ArrayDeque<>();
    private final ArrayDeque<R> ready = new ArrayDeque<>();

    /** The number of positions of the first part that have been computed. */
    private int done;

    /**
     * Runs sequences lazily.
     *
     * @param lastToken whether to include the position of the last token; if not, the log-softmax
     *     of the other positions is computed
     */
    PositionIterator(Iterator<Sequence<T>> sequences, boolean lastToken) {
      this.lastToken = lastToken;
      Runs<T> runs = new Runs<>(model.config(), sequences, Windows.FULL, !lastToken, lastToken);
      this.chunks = new Chunks<>(model, workspace, runs, workspace.tokens() + 1, chunkDone);
    }

    /** Returns the result for a position, whose output is in row {@code row} of the head. */
    abstract R at(Sequence<T> sequence, int position, int row, float[] logits);

    @Override
    public boolean hasNext() {
      while (ready.isEmpty()) {
        if (parts.isEmpty()) {
          parts.addAll(chunks.next());
          if (parts.isEmpty()) {
            return false;
          }
        }
        runHead();
      }
      return true;
    }

    @Override
    public R next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      return ready.remove();
    }

    private void runHead() {
      Chunks.Part<T> part = parts.peek();
      Sequence<T> sequence = part.run().sequence();
      int rows = Math.min(LOGIT_ROWS, part.length() - done);
      int first = part.start() + done;
      float[][] logits = new float[rows][model.config().vocabSize()];
      for (int row = 0; row < rows; row++) {
        head.copyRow(workspace.hidden(), workspace.stride(), part.row() + done + row, row);
        targets[row] = lastToken ? -1 : sequence.tokens()[first + row + 1];
      }
      head.run(rows, lastToken ? null : targets, false, 0, logits);
      for (int row = 0; row < rows; row++) {
        ready.add(at(sequence, first + row, row, logits[row]));
      }
      done += rows;
      if (done == part.length()) {
        parts.remove();
        done = 0;
      }
    }
  }
}
