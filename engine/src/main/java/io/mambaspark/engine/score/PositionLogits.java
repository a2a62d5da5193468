package io.mambaspark.engine.score;

/**
 * The logits after one token.
 *
 * @param key the sequence's
 * @param position of the token in the sequence, from 0
 * @param token its id
 * @param logits (vocabSize); the receiver's
 */
public record PositionLogits<T>(T key, int position, int token, float[] logits) {
  /** The first logit that is not a finite number; null if all are. */
  public NonFinite firstNonFinite() {
    return NonFinite.in("logits of position " + position + ", ", logits);
  }
}
