package io.mambaspark.jobs.score;

import static org.apache.spark.sql.functions.col;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.types.MetadataBuilder;

/** A column that {@code compare} adds: its property in {@link ComparedRow}, and its unit. */
public enum CompareColumn {
  NLL_A("nll_a", "nllA", "Sum of -ln p by the first model, in nats"),
  NLL_B("nll_b", "nllB", "Sum of -ln p by the second model, in nats"),
  DELTA_NLL("delta_nll", "deltaNll", "nll_b - nll_a: negative if the second model is better"),
  TOKEN_COUNT("token_count", "tokenCount", "Number of tokens that the first model scored"),
  TOKEN_COUNT_B("token_count_b", "tokenCountB", "Number of tokens that the second model scored"),
  PERPLEXITY_A(
      "perplexity_a",
      "perplexityA",
      "exp(nll_a / token_count); null if nothing was scored or if it is too large for a double"),
  PERPLEXITY_B(
      "perplexity_b",
      "perplexityB",
      "exp(nll_b / token_count_b); null if nothing was scored or if it is too large for a double"),
  BETTER_TOKENS(
      "better_tokens",
      "betterTokens",
      "Share of the scored tokens that are more likely under the second model"),
  KL("kl", "kl", "Mean KL(a||b) per scored token, in nats"),
  CROSS_ENTROPY(
      "cross_entropy",
      "crossEntropy",
      "Mean of -sum p ln q per scored token, in nats, with p of the first model and q of the second"),
  BINOCULARS("binoculars", "binoculars", "nll_b / token_count / cross_entropy"),
  TOP1_AGREEMENT(
      "top1_agreement",
      "top1Agreement",
      "Share of the scored tokens at which both models have the same arg max"),
  BYTE_COUNT("byte_count", "byteCount", "UTF-8 bytes of the document"),
  TRUNCATED(
      "truncated",
      "truncated",
      "True if tokens beyond --max-tokens were dropped; null for a null document"),
  ERROR("error", "error", "Why the row could not be scored; null if there is no error");

  private final String column;
  private final String property;
  private final String comment;

  CompareColumn(String column, String property, String comment) {
    this.column = column;
    this.property = property;
    this.comment = comment;
  }

  public String column() {
    return column;
  }

  /** Selects the column from a partition's pairs (kept columns, {@link ComparedRow}). */
  public Column output() {
    return col("_2")
        .getField(property)
        .as(column, new MetadataBuilder().putString("comment", comment).build());
  }
}
