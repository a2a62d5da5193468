package io.mambaspark.engine.score;

/**
 * What two models make of one text.
 *
 * @param key the pair's
 * @param nllA Σ -ln p of the scored tokens by the first model, in nats, as {@link Scores#nll}
 * @param nllB the same by the second model
 * @param tokensA scored tokens of the first model
 * @param tokensB scored tokens of the second model
 * @param better how many tokens are likelier by the second model than by the first; -1 where the
 *     models read other tokens
 * @param kl Σ over the scored tokens of KL(A‖B) in nats, summed in double over the ids in their
 *     order; NaN where the vocabularies are not equal
 * @param agreements at how many of them the arg max is the same; -1 where the vocabularies are not
 *     equal
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

  /** The first number that is not finite, in the order nll_a, nll_b, kl; null if all are. */
  public NonFinite firstNonFinite() {
    NonFinite found = NonFinite.in("nll_a", nllA);
    if (found == null) {
      found = NonFinite.in("nll_b", nllB);
    }
    // Where no distributions are compared, kl is NaN by definition.
    return found != null || agreements < 0 ? found : NonFinite.in("kl", kl);
  }
}
