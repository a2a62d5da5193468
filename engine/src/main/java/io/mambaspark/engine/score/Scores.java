package io.mambaspark.engine.score;

/**
 * The scores of one sequence x_0 … x_{T-1}: of the tokens behind its context, T - 1 unless it says
 * otherwise, or of those that its {@link Windows} score. What was not wanted is null. The arrays
 * are the receiver's.
 *
 * @param key the sequence's
 * @param nll Σ -ln p(x_i | x_0 … x_{i-1}) in nats, the float log-probabilities summed in double and
 *     in order
 * @param tokenCount scored tokens
 * @param nllSquares Σ (ln p)², in double and in order
 * @param greedyTokens how many of the scored tokens were the arg max
 * @param positionNll the nll by position: element b is that of the scored tokens x_i with {@code
 *     2^b ≤ i < 2^(b+1)}, each summed in double and in order
 * @param positionTokens how many these are
 * @param tokenLogprobs ln p of each scored token, (tokenCount)
 * @param greedyMatch whether it was the arg max; of equal logits the lowest id wins, (tokenCount)
 * @param tokenRanks its place among all ids: 1 for the arg max, and so on, of equal logits the
 *     lowest id first; undefined unless {@link #firstNonFinite} is null, (tokenCount)
 * @param topKIds the most probable tokens at each scored position, best first, of equal ones the
 *     lowest id first, (tokenCount, K)
 * @param topKLogprobs their log-probabilities, (tokenCount, K)
 * @param lastLogits the logits after the last token, (vocabSize); null for an empty sequence
 */
public record Scores<T>(
    T key,
    double nll,
    long tokenCount,
    double nllSquares,
    long greedyTokens,
    double[] positionNll,
    long[] positionTokens,
    float[] tokenLogprobs,
    boolean[] greedyMatch,
    int[] tokenRanks,
    int[][] topKIds,
    float[][] topKLogprobs,
    float[] lastLogits) {

  /** The element of {@link #positionNll} that a token x_index belongs to; {@code index} from 1. */
  static int bucket(int index) {
    return Integer.SIZE - 1 - Integer.numberOfLeadingZeros(index);
  }

  /**
   * exp(nll / tokenCount), by StrictMath; NaN where nothing was scored, and infinite where it is
   * too large for a double: from a mean nll of 709.8 nats on.
   */
  public double perplexity() {
    return StrictMath.exp(nll / tokenCount);
  }

  /**
   * The first score that is not a finite number, in the order nll, token_logprobs, top_k,
   * last_logits; null if all are. The {@link #perplexity} may be infinite where they are finite.
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
