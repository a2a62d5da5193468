package io.mambaspark.jobs.score;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.DocumentOptions;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;

/**
 * How rows are scored, whatever they come from and wherever they go.
 *
 * @param documents which columns are used
 * @param tokens which tokens are run
 * @param emit what to compute
 * @param windows how documents are cut
 * @param minPerplexity rows below are not written; null for no bound
 * @param maxPerplexity rows above are not written; null for no bound
 * @param failOnError whether a row that cannot be scored stops the job; otherwise it is written
 *     with its error
 */
public record ScoreOptions(
    DocumentOptions documents,
    TokenOptions tokens,
    Emit emit,
    WindowOptions windows,
    Double minPerplexity,
    Double maxPerplexity,
    boolean failOnError) {

  /** Checks what can be checked without a model. */
  public ScoreOptions {
    boolean full = windows.policy() == Windows.Policy.FULL;
    if (!full && (emit.logits() || emit.lastLogits())) {
      throw Refusal.wrongUsage(
          "--emit %s needs --window full: in windows a token is run several times or not at all",
          emit.logits() ? "logits" : "last-logits");
    }
    if (windows.policy() == Windows.Policy.ROLLING && "none".equals(tokens.prefixToken())) {
      throw Refusal.wrongUsage(
          "--window rolling scores the first token too, given a prefix; --prefix-token none"
              + " contradicts it");
    }
    if (documents.columns().isPair()) {
      checkPair(full, emit, tokens.maxTokens());
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

  /** Reads these options from the values of a command. */
  public static ScoreOptions of(OptionValues values) {
    return new ScoreOptions(
        DocumentOptions.of(values),
        TokenOptions.of(values),
        Emit.parse(values.get(Options.EMIT)),
        WindowOptions.parse(
            values.get(Options.WINDOW),
            values.get(Options.WINDOW_TOKENS),
            values.get(Options.STRIDE)),
        values.get(Options.MIN_PERPLEXITY),
        values.get(Options.MAX_PERPLEXITY),
        failsOnError(values.get(Options.ON_ERROR)));
  }

  private static boolean failsOnError(String what) {
    return switch (what) {
      case "fail" -> true;
      case "quarantine" -> false;
      default -> throw Refusal.wrongUsage("--on-error %s: expected quarantine or fail", what);
    };
  }

  /** The values with what was decided where none was given, each in one spelling. */
  public OptionValues settle(OptionValues values) {
    return documents
        .settle(values)
        .with(Options.EMIT, emit.toString())
        .with(Options.WINDOW_TOKENS, windows.tokens() == 0 ? null : (Integer) windows.tokens())
        .with(Options.STRIDE, windows.stride() == 0 ? null : (Integer) windows.stride());
  }

  /** The same, and the nll by position. */
  public ScoreOptions withPositionNll() {
    return new ScoreOptions(
        documents,
        tokens,
        emit.withPositionNll(),
        windows,
        minPerplexity,
        maxPerplexity,
        failOnError);
  }

  /** The columns of the document. */
  public DocumentColumns columns() {
    return documents.columns();
  }

  /** Tokens of a row beyond these are dropped; 0 for no limit. */
  public int maxTokens() {
    return tokens.maxTokens();
  }

  /** Whether rows may be left out of what is written. */
  public boolean filters() {
    return minPerplexity != null || maxPerplexity != null;
  }

  /** The id of the prefix token, or {@link TokenOptions#NO_PREFIX}. */
  public int prefixId(MambaConfig config) {
    return tokens.prefixId(config, windows.policy() == Windows.Policy.ROLLING);
  }

  /** Checks what depends on the model. */
  public void check(MambaConfig config) {
    prefixId(config);
    if (emit.topK() > config.vocabSize()) {
      throw Refusal.wrongUsage(
          "--emit top-k=%d: the vocabulary has only %d ids", emit.topK(), config.vocabSize());
    }
  }
}
