package io.mambaspark.engine.score;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaState;
import java.util.Arrays;
import java.util.Iterator;

/**
 * What has to go through the model: for each sequence its windows, or its context and the rest of
 * it. A context that the sequence before has had too is not run again: its state is kept, and the
 * next sequence goes on from there.
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

  /** The state after {@link #context}; shared by the sequences that begin so. */
  private MambaState fork;

  /** All but the last token of the latest context that was run apart. */
  private int[] context = {};

  /** Indices of a sequence from {@code start} to below {@code end}. */
  record Range(int start, int end) {
    static final Range NONE = new Range(0, 0);

    boolean contains(int index) {
      return index >= start && index < end;
    }
  }

  /**
   * Neighbouring tokens of one sequence that are run one after the other.
   *
   * @param start the first token
   * @param end after the last one; equal to {@code start} if there is nothing to run
   * @param scored the tokens of the sequence that are scored
   * @param firstToken id that is run in place of the first token; {@link Windows#AS_IT_IS} for none
   * @param from the state before; null at the beginning of a sequence or window
   * @param to takes the state after; null if nobody needs it
   * @param first whether it is the sequence's first
   * @param last whether it is the sequence's last
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
   * Plans sequences as they come.
   *
   * @param everyPosition whether the distribution at every scored position is needed
   * @param lastToken whether what follows the last token is needed; only with full windows
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
            "A context of %d tokens; only full windows have one".formatted(sequence.context()));
      }
      index = 0;
      next = windows.policy() == Windows.Policy.FULL ? whole() : window(0);
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
        // Nobody asks what follows its last token.
        window.end() - 1,
        new Range(window.scored(), window.end()),
        windows.firstToken(),
        null,
        null,
        i == 0,
        windows.window(i + 1, length) == null);
  }

  /** A whole sequence, or the context that it shares with those to come. */
  private Run<T> whole() {
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

  /** From the last token of the context on, which tells the probability of the next one. */
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

  /** Nobody asks what follows the last token, unless its logits are wanted. */
  private int end() {
    int tokens = sequence.tokens().length;
    boolean scores = everyPosition && tokens > sequence.context();
    return lastToken ? tokens : scores ? tokens - 1 : 0;
  }

  /** The last id too, which is scored but need not go through the model. */
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
