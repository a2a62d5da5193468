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
    long agreements) {

  /** The first number that is not finite, in the order nll_a, nll_b, kl; null if all are finite. */
  public NonFinite firstNonFinite() {
    NonFinite found = NonFinite.in("nll_a", nllA);
    if (found == null) {
      found = NonFinite.in("nll_b", nllB);
    }
    // If distributions are not compared, kl is NaN by definition.
    return found != null || agreements < 0 ? found : NonFinite.in("kl", kl);
  }
}
