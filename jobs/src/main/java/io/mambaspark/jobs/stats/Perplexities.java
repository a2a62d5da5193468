package io.mambaspark.jobs.stats;

import io.mambaspark.jobs.stats.Totals.Count;
import io.mambaspark.jobs.stats.Totals.Sum;

/** Perplexities and their errors, by the sums over scored rows. */
public record Perplexities(Totals totals) {

  /** {@code exp(Σ nll / Σ tokens)}; null where nothing was scored. */
  public Double corpus() {
    return perplexity(Sum.NLL, totals.tokens());
  }

  /** {@code exp(Σ nll / Σ words)}; null where no words are known. */
  public Double perWord() {
    return perplexity(Sum.WORD_NLL, totals.count(Count.WORDS));
  }

  /** {@code exp(Σ nll / Σ bytes)}; null where no bytes are known. */
  public Double perByte() {
    return perplexity(Sum.BYTE_NLL, totals.count(Count.BYTES));
  }

  /** {@code Σ nll / Σ bytes / ln 2}; null where no bytes are known. */
  public Double bitsPerByte() {
    return totals.count(Count.BYTES) == 0
        ? null
        : totals.sum(Sum.BYTE_NLL) / totals.count(Count.BYTES) / StrictMath.log(2);
  }

  private Double perplexity(Sum sum, long units) {
    return units == 0 ? null : StrictMath.exp(totals.sum(sum) / units);
  }

  /**
   * The mean of the documents' own perplexities: infinite where one of them is; null where nothing
   * was scored.
   */
  public Double meanOfDocuments() {
    if (totals.count(Count.INFINITE_ROWS) > 0) {
      return Double.POSITIVE_INFINITY;
    }
    return totals.scoredRows() == 0 ? null : totals.mean(Sum.PERPLEXITY, totals.scoredRows());
  }

  /**
   * The standard error of the corpus perplexity, documents being drawn at random: that of a ratio
   * of sums, {@code Σ nll / Σ n}, times the perplexity. Null for less than two scored documents, or
   * where the perplexity is infinite.
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
   * llama.cpp's error bar, tokens being drawn at random: {@code sqrt((E[nll²] - E[nll]²) / (count -
   * 1)) × perplexity}. Null for less than two scored tokens, or where the perplexity is infinite.
   */
  public Double errorOverTokens() {
    if (totals.tokens() < 2) {
      return null;
    }
    double mean = totals.sum(Sum.NLL) / totals.tokens();
    double variance = Math.max(0, totals.sum(Sum.NLL_SQUARES) / totals.tokens() - mean * mean);
    return ofPerplexity(Math.sqrt(variance / (totals.tokens() - 1)));
  }

  /** The error of the perplexity, from that of its logarithm. */
  private Double ofPerplexity(double error) {
    return corpus().isInfinite() ? null : error * corpus();
  }
}
