package io.mambaspark.jobs.stats;

import java.util.LinkedHashMap;
import java.util.Map;

/** The results of a comparison. A perplexity, a difference or a share is null if it is unknown. */
public record ComparedNumbers(
    Documents documents,
    Tokens tokens,
    Perplexities perplexities,
    Difference difference,
    Agreement agreement) {

  /** The number of documents of each outcome. */
  public record Documents(long all, long scored, long nulls, long errors) {}

  /** The number of scored tokens of each model. */
  public record Tokens(long a, long b) {}

  /** The corpus perplexity of each model. */
  public record Perplexities(Double a, Double b) {}

  /**
   * The nll of the second model minus the nll of the first.
   *
   * @param perToken whether {@code ratio} is the difference per token; otherwise it is per byte
   * @param error one standard error of {@code ratio}
   */
  public record Difference(double nll, boolean perToken, Double ratio, Double error) {}

  /**
   * How often the second model is better, and how similar both models are.
   *
   * @param betterDocuments share of the scored documents on which the second model is better
   * @param betterTokens share of the scored tokens on which the second model is better
   * @param kl mean KL(a||b) per scored token, in nats
   * @param top1 share of the scored tokens at which both models have the same arg max
   */
  public record Agreement(Double betterDocuments, Double betterTokens, Double kl, Double top1) {}

  /**
   * Returns the integers by their names in a summary. {@code tokens_b} is null if it equals {@code
   * tokens}.
   */
  public Map<String, Long> counts() {
    Map<String, Long> counts = new LinkedHashMap<>();
    counts.put("documents", documents.all());
    counts.put("scored_documents", documents.scored());
    counts.put("null_documents", documents.nulls());
    counts.put("error_documents", documents.errors());
    counts.put("tokens", tokens.a());
    counts.put("tokens_b", tokens.b() == tokens.a() ? null : Long.valueOf(tokens.b()));
    return counts;
  }

  /** Returns the other numbers by their names in a summary; unknown numbers are null. */
  public Map<String, Double> measures() {
    Map<String, Double> measures = new LinkedHashMap<>();
    measures.put("corpus_perplexity_a", perplexities.a());
    measures.put("corpus_perplexity_b", perplexities.b());
    measures.put("delta_nll", difference.nll());
    measures.put(
        difference.perToken() ? "delta_nll_per_token" : "delta_nll_per_byte", difference.ratio());
    measures.put("paired_error", difference.error());
    measures.put("better_documents", agreement.betterDocuments());
    measures.put("better_tokens", agreement.betterTokens());
    measures.put("kl", agreement.kl());
    measures.put("top1_agreement", agreement.top1());
    return measures;
  }
}
