package io.mambaspark.jobs.score;

import java.io.Serializable;

/**
 * The bounds of the perplexities of the rows that are written.
 *
 * @param min rows with a lower perplexity are dropped; null for no bound
 * @param max rows with a higher perplexity are dropped; null for no bound
 */
record PerplexityBounds(Double min, Double max) implements Serializable {
  /**
   * Whether a row is dropped.
   *
   * @param perplexity NaN if no token was scored; such a row is not dropped
   */
  boolean exclude(double perplexity) {
    return (min != null && perplexity < min) || (max != null && perplexity > max);
  }
}
