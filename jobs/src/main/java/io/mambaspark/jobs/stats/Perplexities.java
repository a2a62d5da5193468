package io.mambaspark.jobs.stats;

import io.mambaspark.jobs.stats.Totals.Count;
import io.mambaspark.jobs.stats.Totals.Sum;

/** Perplexities and their errors, computed from the sums over scored rows. */
public record Perplexities(Totals totals) {

  /** Returns {@code exp(Σ nll / Σ tokens)}; null if no token was scored. */
  public Double corpus() {
    return perplexity(Sum.NLL, totals.tokens());
  }

  /** Returns {@code exp(Σ nll / Σ words)}; null if no words are counted. */
  public Double perWord() {
    return perplexity(Sum.WORD_NLL, totals.count(Count.WORDS));
  }

  /** Returns {@code exp(Σ nll / Σ bytes)}; null if no bytes are counted. */
  public Double perByte() {
    return perplexity(Sum.BYTE_NLL, totals.count(Count.BYTES));
  }

  /** Returns {@code Σ nll / Σ bytes / ln 2}; null if no bytes are counted. */
  public Double bitsPerByte() {
    return totals.count(Count.BYTES) == 0
        ? null
        : totals.sum(Sum.BYTE_NLL) / totals.count(Count.BYTES) / StrictMath.log(2);
  }

  private Double perplexity(Sum sum, long units) {
    return units == 0 ? null : StrictMath.exp(totals.sum(sum) / units);
  }

  /**
   * Returns the mean of the documents' perplexities: infinite if one of them is infinite; null if
   * no token was scored.
   */
  public Double meanOfDocuments() {
    if (totals.count(Count.INFINITE_ROWS) > 0) {
      return Double.POSITIVE_INFINITY;
    }
    return totals.scoredRows() == 0 ? null : totals.mean(Sum.PERPLEXITY, totals.scoredRows());
  }

  /**
   * Returns the standard error of the corpus perplexity for documents drawn at random: the standard
   * error of the ratio {@code Σ nll / Σ n}, times the perplexity. Null for fewer than two scored
   * documents, or if the perplexity is infinite.
   */
  public Double errorOverDocuments() {
    long documents = totals.scoredRows();
    if (documents < 2) {
      return null;
    }
    double ratio = totals.sum(Sum.NLL) / totals.tokens();
    double squares =
        totals.sum(Sum.ROW_NLL_SQUARES)
            - 2 * ratio * totals.sum(Sum.ROW_NLL_TOKENS)
            + ratio * ratio * totals.sum(Sum.ROW_TOKENS_SQUARES);
    double variance = Math.max(0, squares) * documents / (documents - 1);
    return ofPerplexity(Math.sqrt(variance) / totals.tokens());
  }

  /**
   * Returns llama.cpp's error bar, for tokens drawn at random: {@code sqrt((E[nll²] - E[nll]²) /
   * (count - 1)) × perplexity}. Null for fewer than two scored tokens, or if the perplexity is
   * infinite.
   */
  public Double errorOverTokens() {
    if (totals.tokens() < 2) {
      return null;
    }
    double mean = totals.sum(Sum.NLL) / totals.tokens();
    double variance = Math.max(0, totals.sum(Sum.NLL_SQUARES) / totals.tokens() - mean * mean);
    return ofPerplexity(Math.sqrt(variance / (totals.tokens() - 1)));
  }

  /** Returns the error of the perplexity, given the error of its logarithm. */
  private Double ofPerplexity(double error) {
    return corpus().isInfinite() ? null : error * corpus();
  }
}
