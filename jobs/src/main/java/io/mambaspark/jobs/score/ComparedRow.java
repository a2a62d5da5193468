package io.mambaspark.jobs.score;

import io.mambaspark.jobs.io.RowError;

/**
 * The results of two models on one row, as a bean for Spark like {@link ScoredRow}. Unknown values
 * are null.
 */
public final class ComparedRow {
  private Double nllA;
  private Double nllB;
  private Double deltaNll;
  private Long tokenCount;
  private Long tokenCountB;
  private Double perplexityA;
  private Double perplexityB;
  private Double betterTokens;
  private Double kl;
  private Double crossEntropy;
  private Double binoculars;
  private Double top1Agreement;
  private Long byteCount;
  private Boolean truncated;
  private RowError error;

  /** Creates an empty row; Spark requires this constructor. */
  public ComparedRow() {}

  /** -Σ ln p by the first model, in nats. */
  public Double getNllA() {
    return nllA;
  }

  /** -Σ ln p by the first model, in nats. */
  public void setNllA(Double nllA) {
    this.nllA = nllA;
  }

  /** -Σ ln p by the second model, in nats. */
  public Double getNllB() {
    return nllB;
  }

  /** -Σ ln p by the second model, in nats. */
  public void setNllB(Double nllB) {
    this.nllB = nllB;
  }

  /** nllB - nllA. */
  public Double getDeltaNll() {
    return deltaNll;
  }

  /** nllB - nllA. */
  public void setDeltaNll(Double deltaNll) {
    this.deltaNll = deltaNll;
  }

  /** The number of tokens that the first model scored. */
  public Long getTokenCount() {
    return tokenCount;
  }

  /** The number of tokens that the first model scored. */
  public void setTokenCount(Long tokenCount) {
    this.tokenCount = tokenCount;
  }

  /** The number of tokens that the second model scored. */
  public Long getTokenCountB() {
    return tokenCountB;
  }

  /** The number of tokens that the second model scored. */
  public void setTokenCountB(Long tokenCountB) {
    this.tokenCountB = tokenCountB;
  }

  /** exp(nllA / tokenCount); null if no token was scored or if it overflows a double. */
  public Double getPerplexityA() {
    return perplexityA;
  }

  /** exp(nllA / tokenCount); null if no token was scored or if it overflows a double. */
  public void setPerplexityA(Double perplexityA) {
    this.perplexityA = perplexityA;
  }

  /** exp(nllB / tokenCountB); null if no token was scored or if it overflows a double. */
  public Double getPerplexityB() {
    return perplexityB;
  }

  /** exp(nllB / tokenCountB); null if no token was scored or if it overflows a double. */
  public void setPerplexityB(Double perplexityB) {
    this.perplexityB = perplexityB;
  }

  /** The share of the scored tokens that are more likely under the second model. */
  public Double getBetterTokens() {
    return betterTokens;
  }

  /** The share of the scored tokens that are more likely under the second model. */
  public void setBetterTokens(Double betterTokens) {
    this.betterTokens = betterTokens;
  }

  /** The mean KL(A‖B) per scored token, in nats. */
  public Double getKl() {
    return kl;
  }

  /** The mean KL(A‖B) per scored token, in nats. */
  public void setKl(Double kl) {
    this.kl = kl;
  }

  /** The mean cross-entropy -Σ p_A ln p_B per scored token, in nats. */
  public Double getCrossEntropy() {
    return crossEntropy;
  }

  /** The mean cross-entropy -Σ p_A ln p_B per scored token, in nats. */
  public void setCrossEntropy(Double crossEntropy) {
    this.crossEntropy = crossEntropy;
  }

  /** Binoculars' score; null if it is not finite, or the models cannot be compared. */
  public Double getBinoculars() {
    return binoculars;
  }

  /** Binoculars' score; null if it is not finite, or the models cannot be compared. */
  public void setBinoculars(Double binoculars) {
    this.binoculars = binoculars;
  }

  /** The share of the scored tokens at which both models have the same arg max. */
  public Double getTop1Agreement() {
    return top1Agreement;
  }

  /** The share of the scored tokens at which both models have the same arg max. */
  public void setTop1Agreement(Double top1Agreement) {
    this.top1Agreement = top1Agreement;
  }

  /** The number of UTF-8 bytes of the document. */
  public Long getByteCount() {
    return byteCount;
  }

  /** The number of UTF-8 bytes of the document. */
  public void setByteCount(Long byteCount) {
    this.byteCount = byteCount;
  }

  /** Whether tokens beyond the limit were dropped; null for a null document. */
  public Boolean getTruncated() {
    return truncated;
  }

  /** Whether tokens beyond the limit were dropped; null for a null document. */
  public void setTruncated(Boolean truncated) {
    this.truncated = truncated;
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
}
