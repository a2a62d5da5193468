package io.mambaspark.engine.score;

/**
 * The scores to compute for each sequence.
 *
 * @param perplexity whether to compute the sum of the negative log-probabilities and the number of
 *     scored tokens
 * @param tokenLogprobs whether to compute the log-probability of each scored token, and whether the
 *     token is the arg max
 * @param tokenRanks whether to compute the rank of each scored token among all ids by probability
 * @param topK how many of the most probable tokens to list for each scored position; 0 for none
 * @param lastLogits whether to return the logits after the last token
 * @param moments whether to compute the sums of the {@link Moments}
 * @param tokenMoments whether to compute all of the {@link Moments}
 */
public record Outputs(
    boolean perplexity,
    boolean tokenLogprobs,
    boolean tokenRanks,
    int topK,
    boolean lastLogits,
    boolean moments,
    boolean tokenMoments) {

  /** The outputs without {@link Moments}. */
  public Outputs(
      boolean perplexity, boolean tokenLogprobs, boolean tokenRanks, int topK, boolean lastLogits) {
    this(perplexity, tokenLogprobs, tokenRanks, topK, lastLogits, false, false);
  }

  boolean anyMoments() {
    return moments || tokenMoments;
  }

  /** Whether the distribution at every scored position is required. */
  boolean everyPosition() {
    return perplexity || tokenLogprobs || tokenRanks || topK > 0 || anyMoments();
  }
}
