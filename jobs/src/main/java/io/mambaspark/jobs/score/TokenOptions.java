package io.mambaspark.jobs.score;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;

/**
 * The prefix token and the limit of tokens of each document.
 *
 * @param prefixToken the token before every document: {@code none}, {@code bos}, {@code eos} or an
 *     id; null for the default: bos, or else eos, for rolling windows, none for the others
 * @param maxTokens the limit of a document's tokens without the prefix: tokens beyond it are
 *     dropped; 0 for no limit
 */
public record TokenOptions(String prefixToken, int maxTokens) {
  /** The id that means no prefix. */
  public static final int NO_PREFIX = -1;

  /** Validates the options that do not depend on the model. */
  public TokenOptions {
    if (prefixToken != null && !prefixToken.matches("none|bos|eos|\\d{1,9}")) {
      throw Refusal.wrongUsage("--prefix-token %s: expected an id, bos, eos or none", prefixToken);
    }
  }

  /** Reads these options from the values of a command. */
  public static TokenOptions of(OptionValues values) {
    return new TokenOptions(values.get(Options.PREFIX_TOKEN), values.count(Options.MAX_TOKENS));
  }

  /**
   * Returns the id of {@code --prefix-token}, or {@link #NO_PREFIX}. Throws {@link Refusal} if the
   * model has no such id.
   *
   * @param rolling whether windows are rolling, which need a prefix
   */
  public int prefixId(MambaConfig config, boolean rolling) {
    if (prefixToken == null) {
      return rolling ? prefixOfRolling(config) : NO_PREFIX;
    }
    return switch (prefixToken) {
      case "none" -> NO_PREFIX;
      case "bos" -> configured(config.bosTokenId(), config);
      case "eos" -> configured(config.eosTokenId(), config);
      default -> inVocabulary(Integer.parseInt(prefixToken), config);
    };
  }

  /** Returns the id that replaces an empty context; {@link #NO_PREFIX} if the model has none. */
  public int emptyContextId(MambaConfig config) {
    int prefix = prefixId(config, false);
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
          "--window rolling needs a prefix token, but the model's config.json has no bos_token_id"
              + " or eos_token_id in the vocabulary; give --prefix-token ID");
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
}
