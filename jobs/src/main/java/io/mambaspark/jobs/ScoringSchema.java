package io.mambaspark.jobs;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;

import io.mambaspark.engine.score.Windows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.AtomicType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The columns that go into a partition and those that come out of it.
 *
 * @param document the columns that a document is read from
 * @param text whether they hold text, not tokens
 * @param kept the input columns that are carried over
 * @param scores the columns that are added, as {@link ScoreColumn}s
 */
record ScoringSchema(
    DocumentColumns document, boolean text, List<StructField> kept, List<ScoreColumn> scores) {

  /** A column that scoring adds: its property in {@link ScoredRow}, and its unit. */
  enum ScoreColumn {
    NLL("nll", "nll", "Sum of -ln p over the scored tokens, in nats"),
    TOKEN_COUNT("token_count", "tokenCount", "Number of scored tokens"),
    PERPLEXITY("perplexity", "perplexity", "exp(nll / token_count); null if nothing was scored"),
    NLL_SQUARES("nll_squares", "nllSquares", "Sum of (ln p)^2 over the scored tokens"),
    IS_GREEDY(
        "is_greedy",
        "isGreedy",
        "True if every scored token was the arg max; null if nothing was scored"),
    BYTE_COUNT("byte_count", "byteCount", "UTF-8 bytes of the document"),
    WORD_COUNT("word_count", "wordCount", "Words of the document, parted by white space"),
    BITS_PER_BYTE(
        "bits_per_byte",
        "bitsPerByte",
        "nll / byte_count / ln 2; null where a part of the document was not scored"),
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
    POSITION_NLL(
        "position_nll",
        "positionNll",
        "nll and number of the scored tokens at positions 2^b to 2^(b+1) - 1, for b from 0"),
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

  /** Two arrays become one of pairs, likewise. */
  private static final String POSITION_PAIRS =
      "zip_with(_2.positionTokens, _2.positionNll, (tokens, nll) -> named_struct('tokens', tokens,"
          + " 'nll', nll))";

  /** Throws {@link Refusal} where the input lacks a column or a name would stand twice. */
  static ScoringSchema of(StructType input, ScoreOptions options) {
    DocumentColumns document = options.columns();
    boolean text = isText(input, document);
    List<StructField> kept = new ArrayList<>();
    if (options.keepColumns() == null) {
      // A text is worth keeping beside its score, the tokens made of one are not.
      List<String> left =
          text
              ? document.all().subList(document.content().size(), document.all().size())
              : document.all();
      for (StructField field : input.fields()) {
        if (!left.contains(field.name())) {
          kept.add(field);
        }
      }
    } else {
      for (String name : options.keepColumns()) {
        kept.add(field(input, name, "--keep-columns"));
      }
    }
    List<ScoreColumn> scores = scoreColumns(options, text);
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
    return new ScoringSchema(document, text, List.copyOf(kept), scores);
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

  /** Whether the columns hold text; refuses what is neither text nor tokens. */
  private static boolean isText(StructType input, DocumentColumns document) {
    for (String column : document.all()) {
      StructField field = field(input, column, document.option(column));
      if (!document.content().contains(column)) {
        check(field, isCount(field.dataType()), "bigint, int or smallint");
      } else if (document.text() != null) {
        check(field, isText(field.dataType()), "string or binary");
      } else if (document.tokens() != null) {
        check(field, isTokens(field.dataType()), TOKEN_TYPES);
      } else {
        boolean either = isText(field.dataType()) || isTokens(field.dataType());
        check(field, either, "string, binary, " + TOKEN_TYPES);
      }
    }
    if (!document.isPair()) {
      return document.text() != null;
    }
    StructField context = field(input, document.context(), "--context-column");
    StructField continuation = field(input, document.continuation(), "--continuation-column");
    boolean text = isText(context.dataType());
    if (text != isText(continuation.dataType())) {
      throw Refusal.because(
          "Column %s is %s and column %s is %s; expected two texts or two lists of tokens",
          context.name(),
          context.dataType().catalogString(),
          continuation.name(),
          continuation.dataType().catalogString());
    }
    return text;
  }

  private static final String TOKEN_TYPES = "array<int>, array<bigint> or array<smallint>";

  private static void check(StructField field, boolean good, String expected) {
    if (!good) {
      throw Refusal.because(
          "Column %s is %s; expected %s", field.name(), field.dataType().catalogString(), expected);
    }
  }

  private static boolean isText(DataType type) {
    return type.equals(DataTypes.StringType) || type.equals(DataTypes.BinaryType);
  }

  private static boolean isTokens(DataType type) {
    return type instanceof ArrayType array && isCount(array.elementType());
  }

  private static boolean isCount(DataType type) {
    return type.equals(DataTypes.IntegerType)
        || type.equals(DataTypes.LongType)
        || type.equals(DataTypes.ShortType);
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

  /** The columns that a partition reads: those of the document first, then the kept ones. */
  Column[] input() {
    List<Column> columns = new ArrayList<>();
    for (String column : document.all()) {
      boolean content = document.content().contains(column);
      // Bytes, because a string comes with what is not UTF-8 replaced.
      Column read =
          !content
              ? quoted(column).cast("bigint")
              : text ? quoted(column).cast("binary") : quoted(column);
      columns.add(read.as("d" + columns.size()));
    }
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

  /** The kept columns from the pair (kept columns, a row of results) that a partition makes. */
  List<Column> keptOutput() {
    List<Column> columns = new ArrayList<>();
    for (int i = 0; i < kept.size(); i++) {
      StructField field = kept.get(i);
      Column column = Opaque.unpack(col("_1").getField(keptName(i)), field.dataType());
      columns.add(column.as(field.name(), field.metadata()));
    }
    return columns;
  }

  /** The output from the pair (kept columns, {@link ScoredRow}) that a partition makes. */
  Column[] output() {
    List<Column> columns = keptOutput();
    for (ScoreColumn score : scores) {
      Metadata comment = new MetadataBuilder().putString("comment", score.comment).build();
      Column value =
          switch (score) {
            case TOP_K -> expr(TOP_K_PAIRS);
            case POSITION_NLL -> expr(POSITION_PAIRS);
            default -> col("_2").getField(score.property);
          };
      columns.add(value.as(score.column, comment));
    }
    return columns.toArray(Column[]::new);
  }

  /** The kept columns by their own names, as they come in. */
  StructType keptAsRead() {
    return new StructType(kept.toArray(StructField[]::new));
  }

  /** Refuses columns that are not kept. */
  void checkKept(List<String> columns, String option) {
    for (String column : columns) {
      if (!keptNames().contains(column)) {
        throw Refusal.because(
            "Column %s (%s) is not among the kept ones: %s",
            column, option, kept.isEmpty() ? "none" : String.join(", ", keptNames()));
      }
    }
  }

  /** Refuses a kept column that has the name of one that is added. */
  void checkFree(String added) {
    if (keptNames().stream().anyMatch(added::equalsIgnoreCase)) {
      throw Refusal.wrongUsage(
          "Kept column %s has the name of a score column; leave it out with --keep-columns or"
              + " rename it",
          added);
    }
  }

  /** The kept columns that can be shown in a line: ids, names, the text. */
  List<String> showable() {
    return kept.stream()
        .filter(field -> field.dataType() instanceof AtomicType)
        .filter(field -> !field.dataType().equals(DataTypes.BinaryType))
        .map(StructField::name)
        .toList();
  }

  List<String> keptNames() {
    return kept.stream().map(StructField::name).toList();
  }

  private static String keptName(int i) {
    return "c" + i;
  }

  /** A column by its name, whatever is in the name. */
  static Column quoted(String name) {
    return col("`" + name.replace("`", "``") + "`");
  }
}
