package io.mambaspark.jobs.score;

import io.mambaspark.jobs.io.RowError;

/**
 * The scores of one row, or the logits of one position, on their way into Spark. What was not asked
 * for is null.
 *
 * <p>A bean, because Spark copies the primitive arrays of a bean as they are, whereas it boxes the
 * elements of an array in a {@code Row} one by one: 50,280 objects for one row of logits. The
 * accessors have the names that Spark looks for.
 */
public final class ScoredRow {
  private Double nll;
  private Long tokenCount;
  private Double perplexity;
  private Boolean truncated;
  private float[] tokenLogprobs;
  private boolean[] greedyMatch;
  private int[] tokenRanks;
  private int[][] topKIds;
  private float[][] topKLogprobs;
  private float[] lastLogits;
  private Integer position;
  private Integer token;
  private float[] logits;
  private Double nllSquares;
  private Boolean isGreedy;
  private Long byteCount;
  private Long wordCount;
  private Double bitsPerByte;
  private double[] positionNll;
  private long[] positionTokens;
  private Boolean dropped;
  private RowError error;

  /** For Spark. */
  public ScoredRow() {}

  /** -Σ ln p, nats. */
  public Double getNll() {
    return nll;
  }

  /** -Σ ln p, nats. */
  public void setNll(Double nll) {
    this.nll = nll;
  }

  /** Scored tokens. */
  public Long getTokenCount() {
    return tokenCount;
  }

  /** Scored tokens. */
  public void setTokenCount(Long tokenCount) {
    this.tokenCount = tokenCount;
  }

  /** exp(nll / tokenCount); null where nothing was scored or it is too large for a double. */
  public Double getPerplexity() {
    return perplexity;
  }

  /** exp(nll / tokenCount); null where nothing was scored or it is too large for a double. */
  public void setPerplexity(Double perplexity) {
    this.perplexity = perplexity;
  }

  /** Whether tokens beyond the limit were dropped; null if there was no document. */
  public Boolean getTruncated() {
    return truncated;
  }

  /** Whether tokens beyond the limit were dropped; null if there was no document. */
  public void setTruncated(Boolean truncated) {
    this.truncated = truncated;
  }

  /** (tokenCount) ln p of each scored token. */
  public float[] getTokenLogprobs() {
    return tokenLogprobs;
  }

  /** (tokenCount) ln p of each scored token. */
  public void setTokenLogprobs(float[] tokenLogprobs) {
    this.tokenLogprobs = tokenLogprobs;
  }

  /** (tokenCount) whether the token was the arg max. */
  public boolean[] getGreedyMatch() {
    return greedyMatch;
  }

  /** (tokenCount) whether the token was the arg max. */
  public void setGreedyMatch(boolean[] greedyMatch) {
    this.greedyMatch = greedyMatch;
  }

  /** (tokenCount) the token's place among all ids, from 1 on. */
  public int[] getTokenRanks() {
    return tokenRanks;
  }

  /** (tokenCount) the token's place among all ids, from 1 on. */
  public void setTokenRanks(int[] tokenRanks) {
    this.tokenRanks = tokenRanks;
  }

  /** (tokenCount, K) best first. */
  public int[][] getTopKIds() {
    return topKIds;
  }

  /** (tokenCount, K) best first. */
  public void setTopKIds(int[][] topKIds) {
    this.topKIds = topKIds;
  }

  /** (tokenCount, K) ln p of the ids, nats. */
  public float[][] getTopKLogprobs() {
    return topKLogprobs;
  }

  /** (tokenCount, K) ln p of the ids, nats. */
  public void setTopKLogprobs(float[][] topKLogprobs) {
    this.topKLogprobs = topKLogprobs;
  }

  /** (vocabSize) after the last token. */
  public float[] getLastLogits() {
    return lastLogits;
  }

  /** (vocabSize) after the last token. */
  public void setLastLogits(float[] lastLogits) {
    this.lastLogits = lastLogits;
  }

  /** From 0, prefix included. */
  public Integer getPosition() {
    return position;
  }

  /** From 0, prefix included. */
  public void setPosition(Integer position) {
    this.position = position;
  }

  /** Token id at the position. */
  public Integer getToken() {
    return token;
  }

  /** Token id at the position. */
  public void setToken(Integer token) {
    this.token = token;
  }

  /** (vocabSize) after the token. */
  public float[] getLogits() {
    return logits;
  }

  /** (vocabSize) after the token. */
  public void setLogits(float[] logits) {
    this.logits = logits;
  }

  /** The message of the error, which is written; null when all is well. */
  public String getError() {
    return error == null ? null : error.message();
  }

  /** The error with its kind, which Spark does not see; null when all is well. */
  public RowError error() {
    return error;
  }

  /** Sets why the row has no scores; null when all is well. */
  public void fail(RowError why) {
    error = why;
  }

  /** Σ (ln p)² of the scored tokens. */
  public Double getNllSquares() {
    return nllSquares;
  }

  /** Σ (ln p)² of the scored tokens. */
  public void setNllSquares(Double nllSquares) {
    this.nllSquares = nllSquares;
  }

  /** Whether every scored token was the arg max; null where nothing was scored. */
  public Boolean getIsGreedy() {
    return isGreedy;
  }

  /** Whether every scored token was the arg max; null where nothing was scored. */
  public void setIsGreedy(Boolean isGreedy) {
    this.isGreedy = isGreedy;
  }

  /** UTF-8 bytes of the document. */
  public Long getByteCount() {
    return byteCount;
  }

  /** UTF-8 bytes of the document. */
  public void setByteCount(Long byteCount) {
    this.byteCount = byteCount;
  }

  /** Words of the document. */
  public Long getWordCount() {
    return wordCount;
  }

  /** Words of the document. */
  public void setWordCount(Long wordCount) {
    this.wordCount = wordCount;
  }

  /** nll / byteCount / ln 2. */
  public Double getBitsPerByte() {
    return bitsPerByte;
  }

  /** nll / byteCount / ln 2. */
  public void setBitsPerByte(Double bitsPerByte) {
    this.bitsPerByte = bitsPerByte;
  }

  /** The nll by position, as {@code Scores.positionNll}. */
  public double[] getPositionNll() {
    return positionNll;
  }

  /** The nll by position, as {@code Scores.positionNll}. */
  public void setPositionNll(double[] positionNll) {
    this.positionNll = positionNll;
  }

  /** The scored tokens by position, as {@code Scores.positionTokens}. */
  public long[] getPositionTokens() {
    return positionTokens;
  }

  /** The scored tokens by position, as {@code Scores.positionTokens}. */
  public void setPositionTokens(long[] positionTokens) {
    this.positionTokens = positionTokens;
  }

  /** Whether the row is left out of what is written. */
  public Boolean getDropped() {
    return dropped;
  }

  /** Whether the row is left out of what is written. */
  public void setDropped(Boolean dropped) {
    this.dropped = dropped;
  }
}
