package io.mambaspark.engine.score;

/**
 * A number of a result that is infinite or NaN, which it is when weights make logits overflow.
 *
 * @param name which one: {@code nll}, {@code token_logprobs[3]}, {@code top_k[2][1]}
 * @param value infinite or NaN
 */
public record NonFinite(String name, double value) {
  /** That number if it is not finite, else null. */
  static NonFinite in(String name, double value) {
    return Double.isFinite(value) ? null : new NonFinite(name, value);
  }

  /** The first of some numbers, named by its index; null if all are finite or there are none. */
  static NonFinite in(String name, float[] values) {
    for (int i = 0; values != null && i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        return new NonFinite(name + "[" + i + "]", values[i]);
      }
    }
    return null;
  }
}
