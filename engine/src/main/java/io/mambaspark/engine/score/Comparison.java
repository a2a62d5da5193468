package io.mambaspark.engine.score;

/**
 * The results of two models for one text.
 *
 * @param key the key of the pair
 * @param nllA Σ -ln p of the scored tokens by the first model, in nats, as {@link Scores#nll}
 * @param nllB the same by the second model
 * @param tokensA the number of scored tokens of the first model
 * @param tokensB the number of scored tokens of the second model
 * @param better the number of tokens that are more probable under the second model than under the
 *     first; -1 if the models read different tokens
 * @param kl Σ over the scored tokens of KL(A‖B) in nats, summed in double in the order of the ids;
 *     NaN if distributions are not compared
 * @param crossEntropy Σ over the scored tokens of the cross-entropy -Σ p_A ln p_B in nats, summed
 *     alike; NaN if distributions are not compared
 * @param agreements the number of scored tokens at which both models have the same arg max; -1 if
 *     distributions are not compared
 */
public record Comparison<T>(
    T key,
    double nllA,
    double nllB,
    long tokensA,
    long tokensB,
    long better,
    double kl,
    double crossEntropy,
    long agreements) {

  /**
   * Returns Binoculars' score (arXiv:2401.12070), without a unit: the second model's nll per token,
   * divided by the mean cross-entropy of both. The first model is the observer, the second the
   * performer. NaN if distributions are not compared, or both numbers are 0.
   */
  public double binoculars() {
    return nllB / crossEntropy;
  }

  /**
   * The first number that is not finite, in the order nll_a, nll_b, kl, cross_entropy; null if all
   * are finite.
   */
  public NonFinite firstNonFinite() {
    NonFinite found = NonFinite.in("nll_a", nllA);
    if (found == null) {
      found = NonFinite.in("nll_b", nllB);
    }
    // If distributions are not compared, these two are NaN by definition.
    if (found == null && agreements >= 0) {
      found = NonFinite.in("kl", kl);
    }
    return found != null || agreements < 0 ? found : NonFinite.in("cross_entropy", crossEntropy);
  }
}
