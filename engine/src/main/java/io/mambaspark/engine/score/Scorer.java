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
 * Scores sequences of token ids in packed ragged chunks: short sequences share a chunk, long ones
 * span many and carry their state. Results do not depend on how sequences fall into chunks, bit for
 * bit, and the memory that scoring takes does not depend on their length; only the lists for each
 * token grow with it, where they are wanted.
 *
 * <p>A scorer is one thread's; a model may have many.
 */
public final class Scorer {
  /** Tokens in a chunk: enough rows for each read of the weights, few enough to stay in cache. */
  public static final int CHUNK = 480;

  /** Rows of logits that are computed together when all of them are wanted. */
  private static final int LOGIT_ROWS = 24;

  /**
   * Sequences in a chunk whose last logits are wanted: each holds a row of the vocabulary until it
   * is handed out.
   */
  private static final int LAST_ROWS = 32;

  private final MambaModel model;
  private final Workspace workspace;
  private final IntConsumer chunkDone;

  /** A scorer with chunks of {@link #CHUNK} tokens. */
  public Scorer(MambaModel model) {
    this(model, CHUNK);
  }

  /** A scorer with chunks of another size, from 1. */
  Scorer(MambaModel model, int chunkTokens) {
    this(model, chunkTokens, tokens -> {});
  }

  /**
   * A scorer that tells of its progress.
   *
   * @param chunkDone called after each chunk with the number of tokens that went through the model;
   *     what it throws comes out of the iterator
   */
  public Scorer(MambaModel model, int chunkTokens, IntConsumer chunkDone) {
    this.model = model;
    this.workspace = new Workspace(model.config(), chunkTokens);
    this.chunkDone = chunkDone;
  }

  /**
   * Scores sequences in their order, lazily: it reads ahead by one chunk of tokens at most. One
   * iterator of a scorer is used at a time.
   *
   * @throws IllegalArgumentException if top-k is wanted with a K above the vocabulary; from the
   *     iterator, if an id is outside [0, vocabSize)
   */
  public <T> Iterator<Scores<T>> score(Iterator<Sequence<T>> sequences, Wanted wanted) {
    return score(sequences, wanted, Windows.FULL);
  }

  /**
   * As {@link #score(Iterator, Wanted)}, each sequence in windows.
   *
   * @throws IllegalArgumentException also if the last logits are wanted of other windows than full
   *     ones, or the id that replaces their first token is outside [0, vocabSize); from the
   *     iterator, if a sequence has a context, which only full windows know
   */
  public <T> Iterator<Scores<T>> score(
      Iterator<Sequence<T>> sequences, Wanted wanted, Windows windows) {
    int vocabSize = model.config().vocabSize();
    if (wanted.topK() < 0 || wanted.topK() > vocabSize) {
      throw new IllegalArgumentException(
          "K of top-k is %d; expected 0 to %d".formatted(wanted.topK(), vocabSize));
    }
    if (wanted.lastLogits() && windows.policy() != Windows.Policy.FULL) {
      throw new IllegalArgumentException("Only full windows have logits after the last token");
    }
    if (windows.firstToken() >= vocabSize) {
      throw new IllegalArgumentException(
          "The first token of the windows is %d; expected an id in [0, %d)"
              .formatted(windows.firstToken(), vocabSize));
    }
    return new ScoreIterator<>(sequences, wanted, windows);
  }

  /**
   * The logits after every token, in order; an empty sequence gives none. One iterator of a scorer
   * is used at a time.
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

  /** The scores of one sequence while they come together. */
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
    float[] lastLogits;
    double nll;
    double nllSquares;
    long greedy;
    int added;
    boolean done;

    Pending(Sequence<T> sequence, Wanted wanted, Windows windows) {
      int length = sequence.tokens().length;
      this.sequence = sequence;
      this.scored =
          !wanted.everyPosition()
              ? 0
              : windows.policy() == Windows.Policy.FULL
                  ? Math.max(0, length - sequence.context())
                  : windows.scored(length);
      this.tokenLogprobs = wanted.tokenLogprobs() ? new float[scored] : null;
      this.greedyMatch = wanted.tokenLogprobs() ? new boolean[scored] : null;
      this.tokenRanks = wanted.tokenRanks() ? new int[scored] : null;
      this.topKIds = wanted.topK() > 0 ? new int[scored][wanted.topK()] : null;
      this.topKLogprobs = wanted.topK() > 0 ? new float[scored][wanted.topK()] : null;
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
      added++;
    }

    Scores<T> scores() {
      return new Scores<>(
          sequence.key(),
          nll,
          scored,
          nllSquares,
          greedy,
          positionNll,
          positionTokens,
          tokenLogprobs,
          greedyMatch,
          tokenRanks,
          topKIds,
          topKLogprobs,
          lastLogits);
    }
  }

  private final class ScoreIterator<T> implements Iterator<Scores<T>> {
    private final Wanted wanted;
    private final Windows windows;
    private final Chunks<T> chunks;
    private final ArrayDeque<Pending<T>> pending = new ArrayDeque<>();
    private final Head head = new Head(model, workspace.tokens());
    private final int[] targets = new int[workspace.tokens()];
    private final float[][] logits = new float[workspace.tokens()][];

    /** The sequence of the last part. */
    private Pending<T> open;

    ScoreIterator(Iterator<Sequence<T>> sequences, Wanted wanted, Windows windows) {
      this.wanted = wanted;
      this.windows = windows;
      // Bounded by number too: a run of empty sequences must not be read to its end.
      int most = wanted.lastLogits() ? LAST_ROWS : workspace.tokens() + 1;
      Runs<T> runs =
          new Runs<>(
              model.config(), sequences, windows, wanted.everyPosition(), wanted.lastLogits());
      this.chunks = new Chunks<>(model, workspace, runs, most, chunkDone);
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
          open = new Pending<>(sequence, wanted, windows);
          pending.add(open);
        }
        owners.add(open);
        for (int i = 0; i < part.length(); i++) {
          int position = part.start() + i;
          boolean scored = part.run().scored().contains(position + 1);
          boolean last = isLast(part.run(), position);
          if (scored || last) {
            head.take(workspace.hidden(), workspace.stride(), part.row() + i, rows);
            targets[rows] = scored ? sequence.tokens()[position + 1] : -1;
            logits[rows] = last ? new float[model.config().vocabSize()] : null;
            rows++;
          }
        }
      }
      int[] wantedTargets = wanted.everyPosition() ? targets : null;
      head.run(rows, wantedTargets, wanted.tokenRanks(), wanted.topK(), logits);
      hand(parts, owners);
    }

    /** Only when the last logits are wanted does the last token of a sequence come this far. */
    private boolean isLast(Runs.Run<T> run, int position) {
      return position == run.sequence().tokens().length - 1;
    }

    /** Hands the head's rows to their sequences, in the order in which they were taken. */
    private void hand(List<Chunks.Part<T>> parts, List<Pending<T>> owners) {
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
   * @param argMax the likeliest id
   */
  record Distribution<T>(Sequence<T> sequence, int position, float[] logprobs, int argMax) {}

  /** The distributions of all tokens but the first, in order; one of a scorer is used at a time. */
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
    final Head head = new Head(model, LOGIT_ROWS);
    private final boolean lastToken;
    private final Chunks<T> chunks;
    private final int[] targets = new int[LOGIT_ROWS];
    private final ArrayDeque<Chunks.Part<T>> parts = new ArrayDeque<>();
    private final ArrayDeque<R> ready = new ArrayDeque<>();

    /** How far the first of the parts is handed out. */
    private int done;

    /**
     * Runs sequences as they come.
     *
     * @param lastToken whether the position of the last token is one of them; if not, the
     *     log-softmax is computed of the others
     */
    PositionIterator(Iterator<Sequence<T>> sequences, boolean lastToken) {
      this.lastToken = lastToken;
      Runs<T> runs = new Runs<>(model.config(), sequences, Windows.FULL, !lastToken, lastToken);
      this.chunks = new Chunks<>(model, workspace, runs, workspace.tokens() + 1, chunkDone);
    }

    /** What is handed out for a position, which has that row of the head. */
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
        head.take(workspace.hidden(), workspace.stride(), part.row() + done + row, row);
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
