package io.mambaspark.jobs.score;

import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.DocumentOptions;
import io.mambaspark.jobs.model.ModelConventions;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;

/**
 * The options of scoring, independent of the source and the target of the rows.
 *
 * @param documents the columns that are used
 * @param tokens the prefix token and the limit of tokens
 * @param emit the results to compute
 * @param windows the windows into which documents are split
 * @param bounds the bounds of the rows that are written
 * @param failOnError whether a row that cannot be scored stops the job; otherwise it is written
 *     with its error
 */
public record ScoreOptions(
    DocumentOptions documents,
    TokenOptions tokens,
    Emit emit,
    WindowOptions windows,
    RowBounds bounds,
    boolean failOnError) {

  /** Validates the options that do not depend on the model. */
  public ScoreOptions {
    boolean full = windows.policy() == Windows.Policy.FULL;
    if (!full && (emit.logits() || emit.lastLogits())) {
      throw Refusal.wrongUsage(
          "--emit %s needs --window full: other windows run a token several times or not at all",
          emit.logits() ? "logits" : "last-logits");
    }
    if (windows.policy() == Windows.Policy.ROLLING && "none".equals(tokens.prefixToken())) {
      throw Refusal.wrongUsage(
          "--window rolling needs a prefix token, because it scores the first token too; remove"
              + " --prefix-token none");
    }
    if (documents.columns().isPair()) {
      checkPair(full, emit, tokens.maxTokens());
    }
  }

  private static void checkPair(boolean full, Emit emit, int maxTokens) {
    if (!full) {
      throw Refusal.wrongUsage(
          "--context-column needs --window full: a continuation is scored with its complete"
              + " context");
    }
    if (emit.logits()) {
      throw Refusal.wrongUsage("--emit logits cannot be combined with --context-column");
    }
    if (emit.segments() != null) {
      throw Refusal.wrongUsage(
          "--segment-by cannot be combined with --context-column: segments divide complete"
              + " documents");
    }
    if (maxTokens > 0) {
      throw Refusal.wrongUsage(
          "--max-tokens cannot be combined with --context-column; --max-length truncates contexts");
    }
  }

  /** Reads these options from the values of a command. */
  public static ScoreOptions of(OptionValues values) {
    Emit emit =
        Emit.parse(values.get(Options.EMIT))
            .withSegments(SegmentBy.parse(values.get(Options.SEGMENT_BY)));
    return new ScoreOptions(
        DocumentOptions.of(values),
        TokenOptions.of(values),
        emit,
        WindowOptions.parse(
            values.get(Options.WINDOW),
            values.get(Options.WINDOW_TOKENS),
            values.get(Options.STRIDE)),
        RowBounds.of(values, emit),
        failsOnError(values.get(Options.ON_ERROR)));
  }

  private static boolean failsOnError(String name) {
    return switch (name) {
      case "fail" -> true;
      case "quarantine" -> false;
      default -> throw Refusal.wrongUsage("--on-error %s: expected quarantine or fail", name);
    };
  }

  /** Returns the values with the defaults and columns in use, each in its canonical spelling. */
  public OptionValues normalize(OptionValues values) {
    return bounds
        .normalize(documents.normalize(values))
        .with(Options.EMIT, emit.toString())
        .with(Options.WINDOW_TOKENS, windows.tokens() == 0 ? null : (Integer) windows.tokens())
        .with(Options.STRIDE, windows.stride() == 0 ? null : (Integer) windows.stride());
  }

  /** Returns these options with the defaults that the model's files name. */
  ScoreOptions resolved(ModelConventions model) {
    return new ScoreOptions(documents, tokens, emit, windows.resolved(model), bounds, failOnError);
  }

  /** Returns these options with the nll by position. */
  public ScoreOptions withPositionNll() {
    return new ScoreOptions(
        documents, tokens, emit.withPositionNll(), windows, bounds, failOnError);
  }

  /** Returns the columns of the document. */
  public DocumentColumns columns() {
    return documents.columns();
  }

  /** Returns the limit of tokens per document, without the prefix; 0 for no limit. */
  public int maxTokens() {
    return tokens.maxTokens();
  }

  /** Whether the bounds may exclude rows from the output. */
  public boolean filters() {
    return bounds.any();
  }

  /** Returns the id of the prefix token, or {@link TokenOptions#NO_PREFIX}. */
  public int prefixId(ModelConventions model) {
    return tokens.prefixId(model, windows.policy() == Windows.Policy.ROLLING);
  }

  /** Validates the options that depend on the model. */
  public void check(ModelConventions model) {
    if (tokens.maxLength() > 0 && !documents.columns().isPair()) {
      throw Refusal.wrongUsage(
          "--max-length needs --context-column; --max-tokens truncates documents");
    }
    documents.checkSpecialTokens(tokens.addSpecialTokens());
    prefixId(model);
    if (emit.topK() > model.vocabSize()) {
      throw Refusal.wrongUsage(
          "--emit top-k=%d: the vocabulary has only %d ids", emit.topK(), model.vocabSize());
    }
  }
}
