package io.mambaspark.jobs.score;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;

import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructType;

/**
 * The columns that go into a partition of {@code score} and those that come out of it.
 *
 * @param rows what is read of the input
 * @param scores the columns that are added, as {@link ScoreColumn}s
 */
public record ScoringSchema(RowSchema rows, List<ScoreColumn> scores) {

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
    WORD_COUNT("word_count", "wordCount", "bigint", "Words of the document, parted by white space"),
    BITS_PER_BYTE(
        "bits_per_byte",
        "bitsPerByte",
        "double",
        "nll / byte_count / ln 2; null where a part of the document was not scored"),
    TRUNCATED(
        "truncated",
        "truncated",
        "boolean",
        "True if tokens beyond --max-tokens were dropped; null without a document"),
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
        "Place of each scored token among all ids by their probability, 1 for the arg max"),
    TOP_K(
        "top_k",
        "topKIds",
        "array<array<struct<id:int,logprob:float>>>",
        "Per scored token the K likeliest ids, best first, with their ln p in nats"),
    POSITION_NLL(
        "position_nll",
        "positionNll",
        "array<struct<tokens:bigint,nll:double>>",
        "nll and number of the scored tokens at positions 2^b to 2^(b+1) - 1, for b from 0"),
    LAST_LOGITS(
        "last_logits",
        "lastLogits",
        "array<float>",
        "Logits after the last token, one per vocabulary id"),
    POSITION("position", "position", "int", "Position in the row, from 0, prefix included"),
    TOKEN("token", "token", "int", "Token id at the position"),
    LOGITS("logits", "logits", "array<float>", "Logits after the token, one per vocabulary id"),
    ERROR("error", "error", "string", "Why the row could not be scored; null when all is well");

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

    private Metadata metadata() {
      return new MetadataBuilder().putString("comment", comment).build();
    }

    public String column() {
      return column;
    }
  }

  /** Ids and log-probabilities come as arrays of numbers and become pairs inside Spark. */
  private static final String TOP_K_PAIRS =
      "zip_with(_2.topKIds, _2.topKLogprobs, (ids, logprobs) -> zip_with(ids, logprobs,"
          + " (id, logprob) -> named_struct('id', id, 'logprob', logprob)))";

  /** Two arrays become one of pairs, likewise. */
  private static final String POSITION_PAIRS =
      "zip_with(_2.positionTokens, _2.positionNll, (tokens, nll) -> named_struct('tokens', tokens,"
          + " 'nll', nll))";

  /** Throws {@link Refusal} where the input lacks a column or a name would stand twice. */
  public static ScoringSchema of(StructType input, ScoreOptions options) {
    RowSchema rows = RowSchema.of(input, options.documents());
    List<ScoreColumn> scores = scoreColumns(options, rows.text());
    scores.forEach(score -> rows.checkFree(score.column));
    return new ScoringSchema(rows, scores);
  }

  private static List<ScoreColumn> scoreColumns(ScoreOptions options, boolean text) {
    Emit emit = options.emit();
    DocumentColumns document = options.columns();
    List<ScoreColumn> columns = new ArrayList<>();
    if (emit.logits()) {
      columns.addAll(List.of(ScoreColumn.POSITION, ScoreColumn.TOKEN, ScoreColumn.LOGITS));
    } else {
      if (emit.nll()) {
        columns.addAll(List.of(ScoreColumn.NLL, ScoreColumn.TOKEN_COUNT, ScoreColumn.PERPLEXITY));
        if (options.windows().policy() == Windows.Policy.CHUNKED) {
          // Wanted for llama.cpp's error bar.
          columns.add(ScoreColumn.NLL_SQUARES);
        }
        if (document.isPair()) {
          columns.add(ScoreColumn.IS_GREEDY);
        }
        if (text || document.byteCount() != null) {
          columns.addAll(List.of(ScoreColumn.BYTE_COUNT, ScoreColumn.BITS_PER_BYTE));
        }
        if (text || document.wordCount() != null) {
          columns.add(ScoreColumn.WORD_COUNT);
        }
      }
      if (!document.isPair()) {
        columns.add(ScoreColumn.TRUNCATED);
      }
      if (emit.tokenLogprobs()) {
        columns.addAll(List.of(ScoreColumn.TOKEN_LOGPROBS, ScoreColumn.GREEDY_MATCH));
      }
      if (emit.tokenRanks()) {
        columns.add(ScoreColumn.TOKEN_RANKS);
      }
      if (emit.topK() > 0) {
        columns.add(ScoreColumn.TOP_K);
      }
      if (emit.positionNll()) {
        columns.add(ScoreColumn.POSITION_NLL);
      }
      if (emit.lastLogits()) {
        columns.add(ScoreColumn.LAST_LOGITS);
      }
    }
    columns.add(ScoreColumn.ERROR);
    return columns;
  }

  /**
   * Whether a row of the output is that of a null document: every column that is added is null
   * there, and in no other row. The first of these columns that is there decides, as any other row
   * has a value in it or an error. Rows of logits have no such document.
   *
   * @param scores the columns that were added
   */
  public static Column isNullDocument(List<ScoreColumn> scores) {
    return Stream.of(
            ScoreColumn.TRUNCATED, ScoreColumn.NLL, ScoreColumn.TOP_K, ScoreColumn.LAST_LOGITS)
        .filter(scores::contains)
        .findFirst()
        .map(score -> col(score.column).isNull().and(col(ScoreColumn.ERROR.column).isNull()))
        .orElse(lit(false));
  }

  /** The columns of the output, as Spark will find them. */
  public StructType outputSchema() {
    StructType schema = rows.keptAsRead();
    for (ScoreColumn score : scores) {
      schema = schema.add(score.column, DataType.fromDDL(score.type), true, score.metadata());
    }
    return schema;
  }

  /** The output from the pair (kept columns, {@link ScoredRow}) that a partition makes. */
  Column[] output() {
    List<Column> columns = rows.keptOutput();
    for (ScoreColumn score : scores) {
      Column value =
          switch (score) {
            case TOP_K -> expr(TOP_K_PAIRS);
            case POSITION_NLL -> expr(POSITION_PAIRS);
            default -> col("_2").getField(score.property);
          };
      columns.add(value.as(score.column, score.metadata()));
    }
    return columns.toArray(Column[]::new);
  }
}
