package io.mambaspark.jobs.score;

import java.io.Serializable;

/**
 * Which rows are written, by their perplexities.
 *
 * @param min rows below are dropped; null for no bound
 * @param max rows above are dropped; null for no bound
 */
record PerplexityBounds(Double min, Double max) implements Serializable {
  /**
   * Whether a row is dropped.
   *
   * @param perplexity NaN where nothing was scored, which is on neither side of a bound
   */
  boolean exclude(double perplexity) {
    return (min != null && perplexity < min) || (max != null && perplexity > max);
  }
}
