package io.mambaspark.engine.score;

/**
 * Token ids to score, with the caller's key, which comes back with the result.
 *
 * @param tokens ids in [0, vocabSize); a prefix token, if there is to be one, stands in front. The
 *     array must not change until the result is there.
 * @param context how many tokens at the beginning are given and not scored, at least 1; all of them
 *     if the sequence is shorter. Of consecutive sequences with the same context the model runs it
 *     once
 */
public record Sequence<T>(T key, int[] tokens, int context) {
  /** Checks the context. */
  public Sequence {
    if (context < 1) {
      throw new IllegalArgumentException(
          "A context of %d tokens; expected at least 1".formatted(context));
    }
  }

  /** A sequence that is scored from its second token on. */
  public Sequence(T key, int[] tokens) {
    this(key, tokens, 1);
  }
}
