package io.mambaspark.jobs.score;

import io.mambaspark.jobs.io.RowError;

/**
 * What two models make of one row, on its way into Spark; a bean as {@link ScoredRow} is. What is
 * not known is null.
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
  private Double top1Agreement;
  private Long byteCount;
  private Boolean truncated;
  private RowError error;

  /** For Spark. */
  public ComparedRow() {}

  /** -Σ ln p by the first model, nats. */
  public Double getNllA() {
    return nllA;
  }

  /** -Σ ln p by the first model, nats. */
  public void setNllA(Double nllA) {
    this.nllA = nllA;
  }

  /** The same by the second model. */
  public Double getNllB() {
    return nllB;
  }

  /** The same by the second model. */
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

  /** Scored tokens, of the first model. */
  public Long getTokenCount() {
    return tokenCount;
  }

  /** Scored tokens, of the first model. */
  public void setTokenCount(Long tokenCount) {
    this.tokenCount = tokenCount;
  }

  /** Scored tokens of the second model. */
  public Long getTokenCountB() {
    return tokenCountB;
  }

  /** Scored tokens of the second model. */
  public void setTokenCountB(Long tokenCountB) {
    this.tokenCountB = tokenCountB;
  }

  /** exp(nllA / tokenCount); null where nothing was scored or it is too large for a double. */
  public Double getPerplexityA() {
    return perplexityA;
  }

  /** exp(nllA / tokenCount); null where nothing was scored or it is too large for a double. */
  public void setPerplexityA(Double perplexityA) {
    this.perplexityA = perplexityA;
  }

  /** exp(nllB / tokenCountB); null where nothing was scored or it is too large for a double. */
  public Double getPerplexityB() {
    return perplexityB;
  }

  /** exp(nllB / tokenCountB); null where nothing was scored or it is too large for a double. */
  public void setPerplexityB(Double perplexityB) {
    this.perplexityB = perplexityB;
  }

  /** Share of the tokens that are likelier by the second model. */
  public Double getBetterTokens() {
    return betterTokens;
  }

  /** Share of the tokens that are likelier by the second model. */
  public void setBetterTokens(Double betterTokens) {
    this.betterTokens = betterTokens;
  }

  /** Mean KL(A‖B) per scored token, nats. */
  public Double getKl() {
    return kl;
  }

  /** Mean KL(A‖B) per scored token, nats. */
  public void setKl(Double kl) {
    this.kl = kl;
  }

  /** Share of the tokens at which the arg max is the same. */
  public Double getTop1Agreement() {
    return top1Agreement;
  }

  /** Share of the tokens at which the arg max is the same. */
  public void setTop1Agreement(Double top1Agreement) {
    this.top1Agreement = top1Agreement;
  }

  /** UTF-8 bytes of the document. */
  public Long getByteCount() {
    return byteCount;
  }

  /** UTF-8 bytes of the document. */
  public void setByteCount(Long byteCount) {
    this.byteCount = byteCount;
  }

  /** Whether tokens beyond the limit were dropped; null if there was no document. */
  public Boolean getTruncated() {
    return truncated;
  }

  /** Whether tokens beyond the limit were dropped; null if there was no document. */
  public void setTruncated(Boolean truncated) {
    this.truncated = truncated;
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
}
