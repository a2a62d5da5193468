package io.mambaspark.engine.score;

/**
 * The logits after one token.
 *
 * @param key the key of the sequence
 * @param position the position of the token in the sequence, from 0
 * @param token the id of the token
 * @param logits (vocabSize); owned by the receiver
 */
public record PositionLogits<T>(T key, int position, int token, float[] logits) {
  /** The first logit that is not finite; null if all are finite. */
  public NonFinite firstNonFinite() {
    return NonFinite.in("logits of position " + position + ", ", logits);
  }
}
