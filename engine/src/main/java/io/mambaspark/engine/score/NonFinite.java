package io.mambaspark.engine.score;

/**
 * A number of a result that is infinite or NaN, because weights made logits overflow.
 *
 * @param name its place in the result, such as {@code nll}, {@code token_logprobs[3]} or {@code
 *     top_k[2][1]}
 * @param value infinite or NaN
 */
public record NonFinite(String name, double value) {
  /** Returns this number if it is not finite, otherwise null. */
  static NonFinite in(String name, double value) {
    return Double.isFinite(value) ? null : new NonFinite(name, value);
  }

  /**
   * Returns the first number that is not finite, with its index; null if all are finite or {@code
   * values} is null.
   */
  static NonFinite in(String name, float[] values) {
    for (int i = 0; values != null && i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        return new NonFinite(name + "[" + i + "]", values[i]);
      }
    }
    return null;
  }
}
