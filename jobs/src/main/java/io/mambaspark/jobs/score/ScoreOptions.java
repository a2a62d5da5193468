package io.mambaspark.jobs.score;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import java.util.List;

/**
 * How rows are scored, whatever they come from and wherever they go.
 *
 * @param columns what a document is read from
 * @param keepColumns the input columns to carry over; null for all but those of tokens and counts
 * @param emit what to compute
 * @param prefixToken {@code none}, {@code bos}, {@code eos} or an id, put in front of every row;
 *     null for what the windows want: bos or else eos for rolling ones, none for the others
 * @param maxTokens a row's own tokens beyond these are dropped; 0 for no limit
 * @param windows how documents are cut
 * @param minPerplexity rows below are not written; null for no bound
 * @param maxPerplexity rows above are not written; null for no bound
 * @param failOnError whether a row that cannot be scored stops the job; otherwise it is written
 *     with its error
 */
public record ScoreOptions(
    DocumentColumns columns,
    List<String> keepColumns,
    Emit emit,
    String prefixToken,
    int maxTokens,
    WindowOptions windows,
    Double minPerplexity,
    Double maxPerplexity,
    boolean failOnError) {

  /** The prefix that is no prefix. */
  public static final int NO_PREFIX = -1;

  /** Checks what can be checked without a model. */
  public ScoreOptions {
    keepColumns = keepColumns == null ? null : List.copyOf(keepColumns);
    if (maxTokens < 0) {
      throw Refusal.wrongUsage("--max-tokens %d: expected at least 1", maxTokens);
    }
    if (prefixToken != null && !prefixToken.matches("none|bos|eos|\\d{1,9}")) {
      throw Refusal.wrongUsage("--prefix-token %s: expected an id, bos, eos or none", prefixToken);
    }
    boolean full = windows.policy() == Windows.Policy.FULL;
    if (!full && (emit.logits() || emit.lastLogits())) {
      throw Refusal.wrongUsage(
          "--emit %s needs --window full: in windows a token is run several times or not at all",
          emit.logits() ? "logits" : "last-logits");
    }
    if (windows.policy() == Windows.Policy.ROLLING && "none".equals(prefixToken)) {
      throw Refusal.wrongUsage(
          "--window rolling scores the first token too, given a prefix; --prefix-token none"
              + " contradicts it");
    }
    if (columns.isPair()) {
      checkPair(full, emit, maxTokens);
    }
    boolean bounded = minPerplexity != null || maxPerplexity != null;
    if (bounded && !emit.nll()) {
      throw Refusal.wrongUsage(
          "%s needs perplexities; --emit %s has none",
          minPerplexity != null ? "--min-perplexity" : "--max-perplexity", emit);
    }
    checkBound("--min-perplexity", minPerplexity);
    checkBound("--max-perplexity", maxPerplexity);
    if (minPerplexity != null && maxPerplexity != null && minPerplexity > maxPerplexity) {
      throw Refusal.wrongUsage(
          "--min-perplexity %s is above --max-perplexity %s: nothing would be written",
          minPerplexity, maxPerplexity);
    }
  }

  private static void checkPair(boolean full, Emit emit, int maxTokens) {
    if (!full) {
      throw Refusal.wrongUsage(
          "--context-column needs --window full: a continuation is scored given all of its context");
    }
    if (emit.logits()) {
      throw Refusal.wrongUsage("--emit logits does not go with --context-column");
    }
    if (maxTokens > 0) {
      throw Refusal.wrongUsage(
          "--max-tokens does not go with --context-column: nothing of a pair is cut off");
    }
  }

  private static void checkBound(String option, Double bound) {
    if (bound != null && !(bound >= 1 && bound < Double.POSITIVE_INFINITY)) {
      throw Refusal.wrongUsage(
          "%s %s: expected a number of at least 1, the lowest perplexity", option, bound);
    }
  }

  /** The defaults: perplexity of the column {@code tokens}, every other column kept. */
  public static ScoreOptions defaults() {
    return new ScoreOptions(
        DocumentColumns.tokens(DocumentColumns.TOKENS),
        null,
        Emit.PERPLEXITY,
        null,
        0,
        WindowOptions.FULL,
        null,
        null,
        false);
  }

  /** The same, read from other columns. */
  public ScoreOptions withColumns(DocumentColumns other) {
    return new ScoreOptions(
        other,
        keepColumns,
        emit,
        prefixToken,
        maxTokens,
        windows,
        minPerplexity,
        maxPerplexity,
        failOnError);
  }

  /** The same with other columns carried over; null for all but those of tokens and counts. */
  public ScoreOptions withKeepColumns(List<String> other) {
    return new ScoreOptions(
        columns,
        other,
        emit,
        prefixToken,
        maxTokens,
        windows,
        minPerplexity,
        maxPerplexity,
        failOnError);
  }

  /** The same with something else computed. */
  public ScoreOptions withEmit(Emit other) {
    return new ScoreOptions(
        columns,
        keepColumns,
        other,
        prefixToken,
        maxTokens,
        windows,
        minPerplexity,
        maxPerplexity,
        failOnError);
  }

  /** The same with another prefix. */
  public ScoreOptions withPrefixToken(String other) {
    return new ScoreOptions(
        columns,
        keepColumns,
        emit,
        other,
        maxTokens,
        windows,
        minPerplexity,
        maxPerplexity,
        failOnError);
  }

  /** The same with documents cut off after some tokens; 0 for whole ones. */
  public ScoreOptions withMaxTokens(int other) {
    return new ScoreOptions(
        columns,
        keepColumns,
        emit,
        prefixToken,
        other,
        windows,
        minPerplexity,
        maxPerplexity,
        failOnError);
  }

  /** The same in other windows. */
  public ScoreOptions withWindows(WindowOptions other) {
    return new ScoreOptions(
        columns,
        keepColumns,
        emit,
        prefixToken,
        maxTokens,
        other,
        minPerplexity,
        maxPerplexity,
        failOnError);
  }

  /** The same, writing rows of some perplexities only; null for no bound. */
  public ScoreOptions withPerplexities(Double least, Double most) {
    return new ScoreOptions(
        columns, keepColumns, emit, prefixToken, maxTokens, windows, least, most, failOnError);
  }

  /** The same, stopping at a row that cannot be scored or not. */
  public ScoreOptions withFailOnError(boolean other) {
    return new ScoreOptions(
        columns,
        keepColumns,
        emit,
        prefixToken,
        maxTokens,
        windows,
        minPerplexity,
        maxPerplexity,
        other);
  }

  /** Whether rows may be left out of what is written. */
  public boolean filters() {
    return minPerplexity != null || maxPerplexity != null;
  }

  /**
   * The id of {@code --prefix-token}, {@link #NO_PREFIX} for none. Throws {@link Refusal} where the
   * model has no such id.
   */
  public int prefixId(MambaConfig config) {
    if (prefixToken == null) {
      return windows.policy() == Windows.Policy.ROLLING ? prefixOfRolling(config) : NO_PREFIX;
    }
    return switch (prefixToken) {
      case "none" -> NO_PREFIX;
      case "bos" -> configured(config.bosTokenId(), config);
      case "eos" -> configured(config.eosTokenId(), config);
      default -> inVocabulary(Integer.parseInt(prefixToken), config);
    };
  }

  /** The id that stands for an empty context; {@link #NO_PREFIX} if the model has none for it. */
  public int emptyContextId(MambaConfig config) {
    int prefix = prefixId(config);
    return prefix == NO_PREFIX ? bosOrEos(config) : prefix;
  }

  private static int bosOrEos(MambaConfig config) {
    Integer id = config.bosTokenId() != null ? config.bosTokenId() : config.eosTokenId();
    return id == null || id < 0 || id >= config.vocabSize() ? NO_PREFIX : id;
  }

  private static int prefixOfRolling(MambaConfig config) {
    int id = bosOrEos(config);
    if (id == NO_PREFIX) {
      throw Refusal.wrongUsage(
          "--window rolling wants a prefix token, but the model's config.json has no bos_token_id or"
              + " eos_token_id in the vocabulary; give --prefix-token ID");
    }
    return id;
  }

  private int configured(Integer id, MambaConfig config) {
    if (id == null) {
      throw Refusal.wrongUsage(
          "--prefix-token %s: the model's config.json has no %s_token_id; give the id itself",
          prefixToken, prefixToken);
    }
    return inVocabulary(id, config);
  }

  private int inVocabulary(int id, MambaConfig config) {
    if (id < 0 || id >= config.vocabSize()) {
      throw Refusal.wrongUsage(
          "--prefix-token %s: id %d is outside the vocabulary [0, %d)",
          prefixToken, id, config.vocabSize());
    }
    return id;
  }

  /** Checks what depends on the model. */
  public void check(MambaConfig config) {
    prefixId(config);
    if (emit.topK() > config.vocabSize()) {
      throw Refusal.wrongUsage(
          "--emit top-k=%d: the vocabulary has only %d ids", emit.topK(), config.vocabSize());
    }
  }

  /** What {@code --on-error} says of rows that cannot be scored. */
  public static boolean failsOnError(String what) {
    return switch (what) {
      case "fail" -> true;
      case "quarantine" -> false;
      default -> throw Refusal.wrongUsage("--on-error %s: expected quarantine or fail", what);
    };
  }

  /** A number that was given, or 0. */
  public static int positive(String option, Integer number) {
    if (number != null && number < 1) {
      throw Refusal.wrongUsage("%s %d: expected at least 1", option, number);
    }
    return number == null ? 0 : number;
  }
}
