package io.mambaspark.jobs.score;

import io.mambaspark.jobs.io.RowError;

/**
 * The scores of one row, or the logits of one position, as a bean for Spark. Results that were not
 * requested are null.
 *
 * <p>Spark copies a primitive array of a bean in one step, but boxes each element of an array in a
 * {@code Row}: 50,280 objects for one row of logits. The accessors have the names that Spark
 * expects.
 */
public final class ScoredRow {
  private Double nll;
  private Long tokenCount;
  private Double perplexity;
  private Boolean truncated;
  private Boolean contextTruncated;
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
  private int[] segmentStarts;
  private int[] segmentEnds;
  private int[] segmentTokens;
  private double[] segmentNll;
  private float[] tokenEntropy;
  private Double entropy;
  private Double minK;
  private Double minKPlusPlus;
  private Double curvature;
  private Integer longestGreedyRun;
  private Boolean dropped;
  private RowError error;

  /** Creates an empty row; Spark requires this constructor. */
  public ScoredRow() {}

  /** -Σ ln p, in nats. */
  public Double getNll() {
    return nll;
  }

  /** -Σ ln p, in nats. */
  public void setNll(Double nll) {
    this.nll = nll;
  }

  /** The number of scored tokens. */
  public Long getTokenCount() {
    return tokenCount;
  }

  /** The number of scored tokens. */
  public void setTokenCount(Long tokenCount) {
    this.tokenCount = tokenCount;
  }

  /** exp(nll / tokenCount); null if no token was scored or if it overflows a double. */
  public Double getPerplexity() {
    return perplexity;
  }

  /** exp(nll / tokenCount); null if no token was scored or if it overflows a double. */
  public void setPerplexity(Double perplexity) {
    this.perplexity = perplexity;
  }

  /** Whether the beginning of the context was dropped. */
  public Boolean getContextTruncated() {
    return contextTruncated;
  }

  /** Whether the beginning of the context was dropped. */
  public void setContextTruncated(Boolean contextTruncated) {
    this.contextTruncated = contextTruncated;
  }

  /** Whether tokens beyond the limit were dropped; null for a null document. */
  public Boolean getTruncated() {
    return truncated;
  }

  /** Whether tokens beyond the limit were dropped; null for a null document. */
  public void setTruncated(Boolean truncated) {
    this.truncated = truncated;
  }

  /** ln p of each scored token, in nats, (tokenCount). */
  public float[] getTokenLogprobs() {
    return tokenLogprobs;
  }

  /** ln p of each scored token, in nats, (tokenCount). */
  public void setTokenLogprobs(float[] tokenLogprobs) {
    this.tokenLogprobs = tokenLogprobs;
  }

  /** Whether each scored token was the arg max, (tokenCount). */
  public boolean[] getGreedyMatch() {
    return greedyMatch;
  }

  /** Whether each scored token was the arg max, (tokenCount). */
  public void setGreedyMatch(boolean[] greedyMatch) {
    this.greedyMatch = greedyMatch;
  }

  /** The rank of each scored token among all ids, from 1, (tokenCount). */
  public int[] getTokenRanks() {
    return tokenRanks;
  }

  /** The rank of each scored token among all ids, from 1, (tokenCount). */
  public void setTokenRanks(int[] tokenRanks) {
    this.tokenRanks = tokenRanks;
  }

  /** The K most likely ids at each scored token, best first, (tokenCount, K). */
  public int[][] getTopKIds() {
    return topKIds;
  }

  /** The K most likely ids at each scored token, best first, (tokenCount, K). */
  public void setTopKIds(int[][] topKIds) {
    this.topKIds = topKIds;
  }

  /** ln p of the K most likely ids, in nats, (tokenCount, K). */
  public float[][] getTopKLogprobs() {
    return topKLogprobs;
  }

  /** ln p of the K most likely ids, in nats, (tokenCount, K). */
  public void setTopKLogprobs(float[][] topKLogprobs) {
    this.topKLogprobs = topKLogprobs;
  }

  /** The logits after the last token, (vocabSize). */
  public float[] getLastLogits() {
    return lastLogits;
  }

  /** The logits after the last token, (vocabSize). */
  public void setLastLogits(float[] lastLogits) {
    this.lastLogits = lastLogits;
  }

  /** The position in the row, from 0, prefix included. */
  public Integer getPosition() {
    return position;
  }

  /** The position in the row, from 0, prefix included. */
  public void setPosition(Integer position) {
    this.position = position;
  }

  /** The token id at the position. */
  public Integer getToken() {
    return token;
  }

  /** The token id at the position. */
  public void setToken(Integer token) {
    this.token = token;
  }

  /** The logits after the token, (vocabSize). */
  public float[] getLogits() {
    return logits;
  }

  /** The logits after the token, (vocabSize). */
  public void setLogits(float[] logits) {
    this.logits = logits;
  }

  /** The message of the error, which is written; null if there is no error. */
  public String getError() {
    return error == null ? null : error.message();
  }

  /** The error with its kind, which is not a property of the bean; null if there is no error. */
  public RowError error() {
    return error;
  }

  /** Sets the error of a row that has no scores; null if there is no error. */
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

  /** Whether every scored token was the arg max; null if no token was scored. */
  public Boolean getIsGreedy() {
    return isGreedy;
  }

  /** Whether every scored token was the arg max; null if no token was scored. */
  public void setIsGreedy(Boolean isGreedy) {
    this.isGreedy = isGreedy;
  }

  /** The number of UTF-8 bytes of the document. */
  public Long getByteCount() {
    return byteCount;
  }

  /** The number of UTF-8 bytes of the document. */
  public void setByteCount(Long byteCount) {
    this.byteCount = byteCount;
  }

  /** The number of words of the document. */
  public Long getWordCount() {
    return wordCount;
  }

  /** The number of words of the document. */
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

  /** The nll by position, in the layout of {@code Scores.positionNll}. */
  public double[] getPositionNll() {
    return positionNll;
  }

  /** The nll by position, in the layout of {@code Scores.positionNll}. */
  public void setPositionNll(double[] positionNll) {
    this.positionNll = positionNll;
  }

  /** The scored tokens by position, in the layout of {@code Scores.positionTokens}. */
  public long[] getPositionTokens() {
    return positionTokens;
  }

  /** The scored tokens by position, in the layout of {@code Scores.positionTokens}. */
  public void setPositionTokens(long[] positionTokens) {
    this.positionTokens = positionTokens;
  }

  /** Where each segment begins, in the unit of {@link Segments}. */
  public int[] getSegmentStarts() {
    return segmentStarts;
  }

  /** Where each segment begins, in the unit of {@link Segments}. */
  public void setSegmentStarts(int[] segmentStarts) {
    this.segmentStarts = segmentStarts;
  }

  /** Where each segment ends, in the unit of {@link Segments}. */
  public int[] getSegmentEnds() {
    return segmentEnds;
  }

  /** Where each segment ends, in the unit of {@link Segments}. */
  public void setSegmentEnds(int[] segmentEnds) {
    this.segmentEnds = segmentEnds;
  }

  /** The number of scored tokens of each segment. */
  public int[] getSegmentTokens() {
    return segmentTokens;
  }

  /** The number of scored tokens of each segment. */
  public void setSegmentTokens(int[] segmentTokens) {
    this.segmentTokens = segmentTokens;
  }

  /** The nll of each segment, in nats. */
  public double[] getSegmentNll() {
    return segmentNll;
  }

  /** The nll of each segment, in nats. */
  public void setSegmentNll(double[] segmentNll) {
    this.segmentNll = segmentNll;
  }

  /** The entropy at each scored token, in nats, (tokenCount). */
  public float[] getTokenEntropy() {
    return tokenEntropy;
  }

  /** The entropy at each scored token, in nats, (tokenCount). */
  public void setTokenEntropy(float[] tokenEntropy) {
    this.tokenEntropy = tokenEntropy;
  }

  /** The mean entropy, in nats; null if no token was scored. */
  public Double getEntropy() {
    return entropy;
  }

  /** The mean entropy, in nats; null if no token was scored. */
  public void setEntropy(Double entropy) {
    this.entropy = entropy;
  }

  /** The mean ln p of the least probable tokens, in nats. */
  public Double getMinK() {
    return minK;
  }

  /** The mean ln p of the least probable tokens, in nats. */
  public void setMinK(Double minK) {
    this.minK = minK;
  }

  /** The mean of the lowest standardized ln p. */
  public Double getMinKPlusPlus() {
    return minKPlusPlus;
  }

  /** The mean of the lowest standardized ln p. */
  public void setMinKPlusPlus(Double minKPlusPlus) {
    this.minKPlusPlus = minKPlusPlus;
  }

  /** Fast-DetectGPT's curvature. */
  public Double getCurvature() {
    return curvature;
  }

  /** Fast-DetectGPT's curvature. */
  public void setCurvature(Double curvature) {
    this.curvature = curvature;
  }

  /** The length of the longest run of tokens that are the arg max. */
  public Integer getLongestGreedyRun() {
    return longestGreedyRun;
  }

  /** The length of the longest run of tokens that are the arg max. */
  public void setLongestGreedyRun(Integer longestGreedyRun) {
    this.longestGreedyRun = longestGreedyRun;
  }

  /** Returns the value of a signal, of the type of its column, or null. */
  public Object value(ScoreColumn signal) {
    return switch (signal) {
      case TOKEN_ENTROPY -> tokenEntropy;
      case LONGEST_GREEDY_RUN -> longestGreedyRun;
      default -> number(signal);
    };
  }

  /**
   * Returns the value of a signal with one number per row; null if no token was scored or the
   * signal was not requested.
   */
  public Double number(ScoreColumn signal) {
    return switch (signal) {
      case ENTROPY -> entropy;
      case MIN_K -> minK;
      case MIN_K_PLUS_PLUS -> minKPlusPlus;
      case CURVATURE -> curvature;
      case LONGEST_GREEDY_RUN -> longestGreedyRun == null ? null : longestGreedyRun.doubleValue();
      default -> throw new IllegalArgumentException(signal + " is not a signal");
    };
  }

  /** Whether the row is excluded from the output. */
  public Boolean getDropped() {
    return dropped;
  }

  /** Whether the row is excluded from the output. */
  public void setDropped(Boolean dropped) {
    this.dropped = dropped;
  }
}
