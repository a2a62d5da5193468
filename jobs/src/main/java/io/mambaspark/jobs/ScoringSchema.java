package io.mambaspark.jobs;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The columns that go into a partition and those that come out of it.
 *
 * @param tokens the name of the column of token ids
 * @param kept the input columns that are carried over
 * @param scores the columns that are added, as {@link ScoreColumn}s
 */
record ScoringSchema(String tokens, List<StructField> kept, List<ScoreColumn> scores) {

  /** A column that scoring adds: its property in {@link ScoredRow}, and its unit. */
  enum ScoreColumn {
    NLL("nll", "nll", "Sum of -ln p over the scored tokens, in nats"),
    TOKEN_COUNT("token_count", "tokenCount", "Number of scored tokens"),
    PERPLEXITY("perplexity", "perplexity", "exp(nll / token_count); null if nothing was scored"),
    TRUNCATED("truncated", "truncated", "True if tokens beyond --max-tokens were dropped"),
    TOKEN_LOGPROBS("token_logprobs", "tokenLogprobs", "ln p of each scored token, in nats"),
    GREEDY_MATCH("greedy_match", "greedyMatch", "True where the scored token was the arg max"),
    TOKEN_RANKS(
        "token_ranks",
        "tokenRanks",
        "Place of each scored token among all ids by their probability, 1 for the arg max"),
    TOP_K(
        "top_k",
        "topKIds",
        "Per scored token the K likeliest ids, best first, with their ln p in nats"),
    LAST_LOGITS("last_logits", "lastLogits", "Logits after the last token, one per vocabulary id"),
    POSITION("position", "position", "Position in the row, from 0, prefix included"),
    TOKEN("token", "token", "Token id at the position"),
    LOGITS("logits", "logits", "Logits after the token, one per vocabulary id"),
    ERROR("error", "error", "Why the row could not be scored; null when all is well");

    private final String column;
    private final String property;
    private final String comment;

    ScoreColumn(String column, String property, String comment) {
      this.column = column;
      this.property = property;
      this.comment = comment;
    }

    String column() {
      return column;
    }
  }

  /** Ids and log-probabilities come as arrays of numbers and become pairs inside Spark. */
  private static final String TOP_K_PAIRS =
      "zip_with(_2.topKIds, _2.topKLogprobs, (ids, logprobs) -> zip_with(ids, logprobs,"
          + " (id, logprob) -> named_struct('id', id, 'logprob', logprob)))";

  /** Throws {@link Refusal} where the input lacks a column or a name would stand twice. */
  static ScoringSchema of(StructType input, ScoreOptions options) {
    checkTokens(field(input, options.tokensColumn(), "--tokens-column"));
    List<StructField> kept = new ArrayList<>();
    if (options.keepColumns() == null) {
      for (StructField field : input.fields()) {
        if (!field.name().equals(options.tokensColumn())) {
          kept.add(field);
        }
      }
    } else {
      for (String name : options.keepColumns()) {
        kept.add(field(input, name, "--keep-columns"));
      }
    }
    List<ScoreColumn> scores = scoreColumns(options.emit());
    Set<String> names = new HashSet<>();
    for (StructField field : kept) {
      if (!names.add(field.name().toLowerCase(Locale.ROOT))) {
        throw Refusal.wrongUsage("Column %s is kept twice; see --keep-columns", field.name());
      }
    }
    for (ScoreColumn score : scores) {
      if (names.contains(score.column)) {
        throw Refusal.wrongUsage(
            "Kept column %s has the name of a score column; leave it out with --keep-columns or"
                + " rename it",
            score.column);
      }
    }
    return new ScoringSchema(options.tokensColumn(), List.copyOf(kept), scores);
  }

  private static StructField field(StructType input, String name, String option) {
    return Arrays.stream(input.fields())
        .filter(f -> f.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                Refusal.because(
                    "Column %s (%s) is not in the input; its columns are %s",
                    name, option, String.join(", ", input.fieldNames())));
  }

  private static void checkTokens(StructField field) {
    if (field.dataType() instanceof ArrayType array) {
      DataType element = array.elementType();
      if (element.equals(DataTypes.IntegerType)
          || element.equals(DataTypes.LongType)
          || element.equals(DataTypes.ShortType)) {
        return;
      }
    }
    throw Refusal.because(
        "Column %s is %s; expected array<int>, array<bigint> or array<smallint>",
        field.name(), field.dataType().catalogString());
  }

  private static List<ScoreColumn> scoreColumns(Emit emit) {
    List<ScoreColumn> columns = new ArrayList<>();
    if (emit.logits()) {
      columns.addAll(List.of(ScoreColumn.POSITION, ScoreColumn.TOKEN, ScoreColumn.LOGITS));
    } else {
      if (emit.nll()) {
        columns.addAll(List.of(ScoreColumn.NLL, ScoreColumn.TOKEN_COUNT, ScoreColumn.PERPLEXITY));
      }
      columns.add(ScoreColumn.TRUNCATED);
      if (emit.tokenLogprobs()) {
        columns.addAll(List.of(ScoreColumn.TOKEN_LOGPROBS, ScoreColumn.GREEDY_MATCH));
      }
      if (emit.tokenRanks()) {
        columns.add(ScoreColumn.TOKEN_RANKS);
      }
      if (emit.topK() > 0) {
        columns.add(ScoreColumn.TOP_K);
      }
      if (emit.lastLogits()) {
        columns.add(ScoreColumn.LAST_LOGITS);
      }
    }
    columns.add(ScoreColumn.ERROR);
    return columns;
  }

  /** The columns that a partition reads: the tokens first, then the kept ones. */
  Column[] input() {
    List<Column> columns = new ArrayList<>();
    columns.add(quoted(tokens).as("tokens"));
    for (int i = 0; i < kept.size(); i++) {
      Column column = quoted(kept.get(i).name());
      columns.add(Opaque.pack(column, kept.get(i).dataType()).as(keptName(i)));
    }
    return columns.toArray(Column[]::new);
  }

  /** The kept columns as they travel: numbered, so that no name needs quoting. */
  StructType keptStruct() {
    StructType struct = new StructType();
    for (int i = 0; i < kept.size(); i++) {
      StructField field = kept.get(i);
      struct = struct.add(keptName(i), Opaque.packed(field.dataType()), field.nullable());
    }
    return struct;
  }

  /** The output from the pair (kept columns, {@link ScoredRow}) that a partition makes. */
  Column[] output() {
    List<Column> columns = new ArrayList<>();
    for (int i = 0; i < kept.size(); i++) {
      StructField field = kept.get(i);
      Column column = Opaque.unpack(col("_1").getField(keptName(i)), field.dataType());
      columns.add(column.as(field.name(), field.metadata()));
    }
    for (ScoreColumn score : scores) {
      Metadata comment = new MetadataBuilder().putString("comment", score.comment).build();
      Column value =
          score == ScoreColumn.TOP_K ? expr(TOP_K_PAIRS) : col("_2").getField(score.property);
      columns.add(value.as(score.column, comment));
    }
    return columns.toArray(Column[]::new);
  }

  /** The kept columns by their own names, as they come in. */
  StructType keptAsRead() {
    return new StructType(kept.toArray(StructField[]::new));
  }

  List<String> keptNames() {
    return kept.stream().map(StructField::name).toList();
  }

  private static String keptName(int i) {
    return "c" + i;
  }

  private static Column quoted(String name) {
    return col("`" + name.replace("`", "``") + "`");
  }
}
