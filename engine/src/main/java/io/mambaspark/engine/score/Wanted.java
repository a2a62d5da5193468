package io.mambaspark.engine.score;

/**
 * What to compute of each sequence.
 *
 * @param perplexity the sum of the negative log-probabilities and the number of scored tokens
 * @param tokenLogprobs the log-probability of each scored token and whether it was the arg max
 * @param tokenRanks the place of each scored token among all ids by their probability
 * @param topK how many of the most probable tokens to list for each scored position; 0 for none
 * @param lastLogits the row of logits after the last token
 */
public record Wanted(
    boolean perplexity, boolean tokenLogprobs, boolean tokenRanks, int topK, boolean lastLogits) {

  /** Whether the distribution at every scored position is needed. */
  boolean everyPosition() {
    return perplexity || tokenLogprobs || tokenRanks || topK > 0;
  }
}
