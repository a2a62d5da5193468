package io.mambaspark.engine.score;

import java.util.Arrays;

/**
 * The scores of one sequence x_0 … x_{T-1}. The scored tokens are those after its context, which is
 * 1 token by default, or those that its {@link Windows} score. Values that were not requested are
 * null. The receiver owns the arrays.
 *
 * @param key the key of the sequence
 * @param nll Σ -ln p(x_i | x_0 … x_{i-1}) in nats over the scored tokens: float log-probabilities,
 *     summed in double in their order
 * @param tokenCount the number of scored tokens
 * @param nllSquares Σ (ln p)², summed in double in the same order
 * @param greedyTokens the number of scored tokens that are the arg max
 * @param longestGreedyRun the largest number of consecutive scored tokens that are the arg max
 * @param positionNll the nll by position: element b is that of the scored tokens x_i with {@code
 *     2^b ≤ i < 2^(b+1)}, summed in double in their order
 * @param positionTokens the number of scored tokens in each element of {@code positionNll}
 * @param tokenLogprobs ln p of each scored token, (tokenCount)
 * @param greedyMatch whether each scored token is the arg max, (tokenCount); on ties the lowest id
 *     is the arg max
 * @param tokenRanks the rank of each scored token among all ids, (tokenCount): 1 for the arg max;
 *     on ties the lowest id ranks first; undefined unless {@link #firstNonFinite} is null
 * @param topKIds the most probable tokens at each scored position, best first, on ties the lowest
 *     id first, (tokenCount, K)
 * @param topKLogprobs their log-probabilities, (tokenCount, K)
 * @param lastLogits the logits after the last token, (vocabSize); null for an empty sequence
 * @param moments the moments of the log-probability at the scored positions
 */
public record Scores<T>(
    T key,
    double nll,
    long tokenCount,
    double nllSquares,
    long greedyTokens,
    int longestGreedyRun,
    double[] positionNll,
    long[] positionTokens,
    float[] tokenLogprobs,
    boolean[] greedyMatch,
    int[] tokenRanks,
    int[][] topKIds,
    float[][] topKLogprobs,
    float[] lastLogits,
    Moments moments) {

  /** The element of {@link #positionNll} that includes the token x_index; {@code index} from 1. */
  static int bucket(int index) {
    return Integer.SIZE - 1 - Integer.numberOfLeadingZeros(index);
  }

  /**
   * Returns exp(nll / tokenCount), computed by StrictMath. It is NaN if no token was scored, and
   * infinite if it exceeds the range of double, from a mean nll of 709.8 nats.
   */
  public double perplexity() {
    return StrictMath.exp(nll / tokenCount);
  }

  /**
   * Returns Min-K% Prob, the mean of the lowest max(1, ⌊tokenCount·percent/100⌋) log-probabilities,
   * in nats (arXiv:2310.16789). It is NaN if no token was scored. Requires the log-probabilities of
   * the tokens.
   *
   * @param percent from 1 to 100
   */
  public double minK(int percent) {
    double[] values = new double[tokenLogprobs.length];
    Arrays.setAll(values, i -> tokenLogprobs[i]);
    return meanOfLowest(values, percent);
  }

  /**
   * Returns Min-K%++: like {@link #minK}, but the mean of (ln p - μ) / σ, without a unit
   * (arXiv:2404.02936). If σ is 0, the term of a token is 0 if its ln p is μ, otherwise negative
   * infinity. Requires the log-probabilities and the {@link Moments} of the tokens.
   */
  public double minKPlusPlus(int percent) {
    double[] values = new double[tokenLogprobs.length];
    Arrays.setAll(
        values,
        i ->
            standardized(
                (double) tokenLogprobs[i] - moments.tokenMeans()[i], moments.tokenVariances()[i]));
    return meanOfLowest(values, percent);
  }

  private static double meanOfLowest(double[] values, int percent) {
    Arrays.sort(values);
    int count = (int) Math.max(1, (long) values.length * percent / 100);
    double sum = values.length == 0 ? Double.NaN : 0;
    for (int i = 0; i < Math.min(count, values.length); i++) {
      sum += values[i];
    }
    return sum / count;
  }

  /**
   * Returns Fast-DetectGPT's conditional probability curvature in its analytic form, with this
   * model as the sampling and the scoring model: (Σ ln p - Σ μ) / √Σσ², without a unit
   * (arXiv:2310.05130). It is 0 if both differences are 0, and NaN if no token was scored. Requires
   * the {@link Moments}.
   */
  public double curvature() {
    return tokenCount == 0 ? Double.NaN : standardized(-nll - moments.mean(), moments.variance());
  }

  /** Returns the mean entropy of the scored positions in nats; NaN if no token was scored. */
  public double entropy() {
    return (0 - moments.mean()) / tokenCount;
  }

  private static double standardized(double difference, double variance) {
    return difference == 0 ? 0 : difference / Math.sqrt(variance);
  }

  /**
   * The first score that is not finite, in the order nll, token_logprobs, top_k, last_logits; null
   * if all are finite. The {@link #perplexity} may be infinite although all of these are finite.
   */
  public NonFinite firstNonFinite() {
    NonFinite found = NonFinite.in("nll", nll);
    if (found == null) {
      found = NonFinite.in("token_logprobs", tokenLogprobs);
    }
    for (int i = 0; found == null && topKLogprobs != null && i < topKLogprobs.length; i++) {
      found = NonFinite.in("top_k[" + i + "]", topKLogprobs[i]);
    }
    return found != null ? found : NonFinite.in("last_logits", lastLogits);
  }
}
