package io.mambaspark.jobs.score;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;

/** A column that scoring adds: its property in {@link ScoredRow}, its type and its unit. */
public enum ScoreColumn {
  NLL("nll", "nll", "double", "Sum of -ln p over the scored tokens, in nats"),
  TOKEN_COUNT("token_count", "tokenCount", "bigint", "Number of scored tokens"),
  PERPLEXITY(
      "perplexity",
      "perplexity",
      "double",
      "exp(nll / token_count); null if nothing was scored or if it is too large for a double"),
  NLL_SQUARES("nll_squares", "nllSquares", "double", "Sum of (ln p)^2 over the scored tokens"),
  IS_GREEDY(
      "is_greedy",
      "isGreedy",
      "boolean",
      "True if every scored token was the arg max; null if nothing was scored"),
  BYTE_COUNT("byte_count", "byteCount", "bigint", "UTF-8 bytes of the document"),
  WORD_COUNT(
      "word_count", "wordCount", "bigint", "Words of the document, separated by white space"),
  BITS_PER_BYTE(
      "bits_per_byte",
      "bitsPerByte",
      "double",
      "nll / byte_count / ln 2; null if a part of the document was not scored"),
  TRUNCATED(
      "truncated",
      "truncated",
      "boolean",
      "True if tokens beyond --max-tokens were dropped; null for a null document"),
  CONTEXT_TRUNCATED(
      "context_truncated",
      "contextTruncated",
      "boolean",
      "True if tokens at the beginning of the context were dropped because of --max-length; null"
          + " for a null document"),
  TOKEN_LOGPROBS(
      "token_logprobs", "tokenLogprobs", "array<float>", "ln p of each scored token, in nats"),
  GREEDY_MATCH(
      "greedy_match",
      "greedyMatch",
      "array<boolean>",
      "True where the scored token was the arg max"),
  TOKEN_RANKS(
      "token_ranks",
      "tokenRanks",
      "array<int>",
      "Rank of each scored token among all ids by probability; 1 for the arg max"),
  TOP_K(
      "top_k",
      "topKIds",
      "array<array<struct<id:int,logprob:float>>>",
      "The K most likely ids at each scored token, best first, with their ln p in nats"),
  POSITION_NLL(
      "position_nll",
      "positionNll",
      "array<struct<tokens:bigint,nll:double>>",
      "Number and nll of the scored tokens at positions 2^b to 2^(b+1) - 1, for b from 0"),
  SEGMENTS(
      "segments",
      "segmentStarts",
      "array<struct<start:int,end:int,tokens:int,nll:double>>",
      "Number and nll of the scored tokens of each segment [start, end), in UTF-8 bytes of the"
          + " text, or in tokens if the document has no text"),
  TOKEN_ENTROPY(
      "token_entropy",
      "tokenEntropy",
      "array<float>",
      "Entropy of the model's distribution at each scored token, in nats"),
  ENTROPY("entropy", "entropy", "double", "Mean of token_entropy, in nats"),
  MIN_K("min_k", "minK", "double", "Mean ln p of the least probable P percent of tokens, in nats"),
  MIN_K_PLUS_PLUS(
      "min_k_plus_plus",
      "minKPlusPlus",
      "double",
      "Mean of the lowest P percent of (ln p - mean) / standard deviation, under the model's"
          + " distribution at each token"),
  CURVATURE(
      "curvature",
      "curvature",
      "double",
      "Sum of ln p minus its expectation, divided by its standard deviation, under the model's"
          + " distributions"),
  LONGEST_GREEDY_RUN(
      "longest_greedy_run",
      "longestGreedyRun",
      "int",
      "Largest number of consecutive scored tokens that were the arg max"),
  LAST_LOGITS(
      "last_logits",
      "lastLogits",
      "array<float>",
      "Logits after the last token, one per vocabulary id"),
  POSITION("position", "position", "int", "Position in the row, from 0, prefix included"),
  TOKEN("token", "token", "int", "Token id at the position"),
  LOGITS("logits", "logits", "array<float>", "Logits after the token, one per vocabulary id"),
  ERROR("error", "error", "string", "Why the row could not be scored; null if there is no error");

  /** Combines the arrays of ids and of log-probabilities to arrays of pairs. */
  private static final String TOP_K_PAIRS =
      "zip_with(_2.topKIds, _2.topKLogprobs, (ids, logprobs) -> zip_with(ids, logprobs,"
          + " (id, logprob) -> named_struct('id', id, 'logprob', logprob)))";

  /** Combines the arrays of token counts and of nlls to one array of pairs. */
  private static final String POSITION_PAIRS =
      "zip_with(_2.positionTokens, _2.positionNll, (tokens, nll) -> named_struct('tokens', tokens,"
          + " 'nll', nll))";

  /** Combines the arrays of the segments' properties to one array. */
  private static final String SEGMENTS_OF_ARRAYS =
      "transform(_2.segmentStarts, (start, i) -> named_struct('start', start,"
          + " 'end', _2.segmentEnds[i], 'tokens', _2.segmentTokens[i],"
          + " 'nll', _2.segmentNll[i]))";

  private final String column;
  private final String property;
  private final String type;
  private final String comment;

  ScoreColumn(String column, String property, String type, String comment) {
    this.column = column;
    this.property = property;
    this.type = type;
    this.comment = comment;
  }

  /** Returns the column's Spark type. */
  public DataType type() {
    return DataType.fromDDL(type);
  }

  /** Selects the column from a partition's pairs (kept columns, {@link ScoredRow}). */
  Column output() {
    Column value =
        switch (this) {
          case TOP_K -> expr(TOP_K_PAIRS);
          case POSITION_NLL -> expr(POSITION_PAIRS);
          case SEGMENTS -> expr(SEGMENTS_OF_ARRAYS);
          default -> col("_2").getField(property);
        };
    return value.as(column, metadata());
  }

  /** Returns the comment, which names the unit. */
  Metadata metadata() {
    return new MetadataBuilder().putString("comment", comment).build();
  }

  public String column() {
    return column;
  }
}
