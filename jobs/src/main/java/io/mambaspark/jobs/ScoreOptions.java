package io.mambaspark.jobs;

import io.mambaspark.engine.model.MambaConfig;
import java.util.List;

/**
 * How rows are scored, whatever they come from and wherever they go.
 *
 * @param tokensColumn the column of token ids
 * @param keepColumns the input columns to carry over; null for all but the tokens
 * @param emit what to compute
 * @param prefixToken {@code none}, {@code bos}, {@code eos} or an id, put in front of every row
 * @param maxTokens a row's own tokens beyond these are dropped; 0 for no limit
 * @param failOnError whether a row that cannot be scored stops the job; otherwise it is written
 *     with its error
 */
public record ScoreOptions(
    String tokensColumn,
    List<String> keepColumns,
    Emit emit,
    String prefixToken,
    int maxTokens,
    boolean failOnError) {

  /** The prefix that is no prefix. */
  static final int NO_PREFIX = -1;

  /** Checks what can be checked without a model. */
  public ScoreOptions {
    keepColumns = keepColumns == null ? null : List.copyOf(keepColumns);
    if (maxTokens < 0) {
      throw Refusal.wrongUsage("--max-tokens %d: expected at least 1", maxTokens);
    }
    if (!prefixToken.matches("none|bos|eos|\\d{1,9}")) {
      throw Refusal.wrongUsage("--prefix-token %s: expected an id, bos, eos or none", prefixToken);
    }
  }

  /** The defaults: perplexity of the column {@code tokens}, every other column kept. */
  public static ScoreOptions defaults() {
    return new ScoreOptions("tokens", null, Emit.PERPLEXITY, "none", 0, false);
  }

  /**
   * The id to put in front of every row, {@link #NO_PREFIX} for none. Throws {@link Refusal} where
   * the model has no such id.
   */
  int prefixId(MambaConfig config) {
    return switch (prefixToken) {
      case "none" -> NO_PREFIX;
      case "bos" -> configured(config.bosTokenId(), config);
      case "eos" -> configured(config.eosTokenId(), config);
      default -> inVocabulary(Integer.parseInt(prefixToken), config);
    };
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
  void check(MambaConfig config) {
    prefixId(config);
    if (emit.topK() > config.vocabSize()) {
      throw Refusal.wrongUsage(
          "--emit top-k=%d: the vocabulary has only %d ids", emit.topK(), config.vocabSize());
    }
  }
}
