package io.mambaspark.engine.score;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaState;
import java.util.Arrays;
import java.util.Iterator;

/**
 * Plans the runs of tokens through the model: for each sequence its windows, or its context and its
 * remaining tokens. If a sequence has the same context as the previous one, the context is not run
 * again: the sequence continues from the stored state after it.
 */
final class Runs<T> implements Iterator<Runs.Run<T>> {
  private final Iterator<Sequence<T>> sequences;
  private final Windows windows;
  private final boolean everyPosition;
  private final boolean lastToken;
  private final MambaConfig config;

  private Sequence<T> sequence;
  private int index;
  private Run<T> next;

  /** The state after {@link #context}, shared by the sequences that begin with it. */
  private MambaState fork;

  /** The latest context that was run separately, without its last token. */
  private int[] context = {};

  /** The indices [start, end) of a sequence. */
  record Range(int start, int end) {
    static final Range NONE = new Range(0, 0);

    boolean contains(int index) {
      return index >= start && index < end;
    }
  }

  /**
   * Consecutive tokens of one sequence that run through the model in order.
   *
   * @param start the index of the first token
   * @param end the index after the last token; equal to {@code start} if the run is empty
   * @param scored the tokens of the sequence that are scored
   * @param firstToken the id that replaces the first token; {@link Windows#AS_IT_IS} to keep it
   * @param from the state before the run; null at the beginning of a sequence or window
   * @param to receives the state after the run; null if it is not needed
   * @param first whether this is the first run of the sequence
   * @param last whether this is the last run of the sequence
   */
  record Run<T>(
      Sequence<T> sequence,
      int start,
      int end,
      Range scored,
      int firstToken,
      MambaState from,
      MambaState to,
      boolean first,
      boolean last) {}

  /**
   * Plans the runs of sequences lazily.
   *
   * @param everyPosition whether the distribution at every scored position is required
   * @param lastToken whether the logits after the last token are required; only for full windows
   */
  Runs(
      MambaConfig config,
      Iterator<Sequence<T>> sequences,
      Windows windows,
      boolean everyPosition,
      boolean lastToken) {
    this.config = config;
    this.sequences = sequences;
    this.windows = windows;
    this.everyPosition = everyPosition;
    this.lastToken = lastToken;
  }

  @Override
  public boolean hasNext() {
    return next != null || sequences.hasNext();
  }

  @Override
  public Run<T> next() {
    if (next == null) {
      sequence = sequences.next();
      checkIds(sequence.tokens());
      if (sequence.context() > 1 && windows.policy() != Windows.Policy.FULL) {
        throw new IllegalArgumentException(
            "The context has %d tokens; only full windows support a context"
                .formatted(sequence.context()));
      }
      index = 0;
      next = windows.policy() == Windows.Policy.FULL ? contextOrAll() : window(0);
    }
    Run<T> run = next;
    next = run.last ? null : following();
    return run;
  }

  private Run<T> following() {
    index++;
    return windows.policy() == Windows.Policy.FULL ? rest(false) : window(index);
  }

  private Run<T> window(int i) {
    int length = sequence.tokens().length;
    Windows.Window window = everyPosition ? windows.window(i, length) : null;
    if (window == null) {
      return new Run<>(sequence, 0, 0, Range.NONE, Windows.AS_IT_IS, null, null, i == 0, true);
    }
    return new Run<>(
        sequence,
        window.start(),
        // The last token need not run: no token after it is scored.
        window.end() - 1,
        new Range(window.scored(), window.end()),
        windows.firstToken(),
        null,
        null,
        i == 0,
        windows.window(i + 1, length) == null);
  }

  /**
   * Returns the first run of a sequence. If the state after its context is stored, this is the run
   * of the remaining tokens. Otherwise it is the run of the context, or of all tokens if the
   * context need not run separately.
   */
  private Run<T> contextOrAll() {
    int shared = Math.min(sequence.context(), sequence.tokens().length) - 1;
    if (shared < 1 || end() <= shared) {
      return run(0, null, true, true);
    }
    if (shared == context.length
        && Arrays.equals(sequence.tokens(), 0, shared, context, 0, shared)) {
      return rest(true);
    }
    if (fork == null) {
      fork = new MambaState(config);
    }
    context = Arrays.copyOf(sequence.tokens(), shared);
    return new Run<>(sequence, 0, shared, Range.NONE, Windows.AS_IT_IS, null, fork, true, false);
  }

  /**
   * The run from the context's last token on, whose output is the distribution of the next token.
   */
  private Run<T> rest(boolean first) {
    return run(context.length, fork, first, true);
  }

  private Run<T> run(int start, MambaState from, boolean first, boolean last) {
    int scoredEnd = everyPosition ? sequence.tokens().length : 0;
    return new Run<>(
        sequence,
        start,
        end(),
        new Range(sequence.context(), scoredEnd),
        Windows.AS_IT_IS,
        from,
        null,
        first,
        last);
  }

  /** The index after the last token to run. The last token runs only if its logits are required. */
  private int end() {
    int tokens = sequence.tokens().length;
    boolean scores = everyPosition && tokens > sequence.context();
    return lastToken ? tokens : scores ? tokens - 1 : 0;
  }

  /** Checks all ids, including the last one, which is scored but may not run through the model. */
  private void checkIds(int[] ids) {
    int vocabSize = config.vocabSize();
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] >= vocabSize) {
        throw new IllegalArgumentException(
            "Token id %d at position %d is outside [0, %d)".formatted(ids[i], i, vocabSize));
      }
    }
  }
}
