package io.mambaspark.engine.score;

/**
 * Token ids to score.
 *
 * @param key the caller's key, which the result contains
 * @param tokens ids in [0, vocabSize), including a prefix token at the front if required; the array
 *     must not change until the result is returned
 * @param context the number of tokens at the beginning that are not scored, at least 1; may exceed
 *     the length of the sequence. If consecutive sequences have the same context, the model runs it
 *     once
 */
public record Sequence<T>(T key, int[] tokens, int context) {
  /** Checks that the context is at least 1. */
  public Sequence {
    if (context < 1) {
      throw new IllegalArgumentException(
          "The context has %d tokens; expected at least 1".formatted(context));
    }
  }

  /** Creates a sequence that is scored from its second token on. */
  public Sequence(T key, int[] tokens) {
    this(key, tokens, 1);
  }
}
