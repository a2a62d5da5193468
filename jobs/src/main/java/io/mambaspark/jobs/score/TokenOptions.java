package io.mambaspark.jobs.score;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.model.ModelConventions;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;

/**
 * The prefix token and the limit of tokens of each document.
 *
 * @param prefixToken the token before every document: {@code none}, {@code bos}, {@code eos} or an
 *     id; null for the default: bos, or else eos, for rolling windows, none for the others
 * @param maxTokens the limit of a document's tokens without the prefix: tokens beyond it are
 *     dropped; 0 for no limit
 * @param maxLength the number of tokens from which a continuation's last token is predicted at
 *     most: the tokens before them are dropped from the context; 0 for no limit
 * @param addSpecialTokens whether texts get the special tokens of the tokenizer's template
 */
public record TokenOptions(
    String prefixToken, int maxTokens, int maxLength, boolean addSpecialTokens) {
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
    return new TokenOptions(
        values.get(Options.PREFIX_TOKEN),
        values.count(Options.MAX_TOKENS),
        values.count(Options.MAX_LENGTH),
        values.get(Options.ADD_SPECIAL_TOKENS));
  }

  /**
   * Returns the id of {@code --prefix-token}, or {@link #NO_PREFIX}. Throws {@link Refusal} if the
   * model has no such id.
   *
   * @param rolling whether windows are rolling, which need a prefix
   */
  public int prefixId(ModelConventions model, boolean rolling) {
    if (prefixToken == null) {
      return rolling ? prefixOfRolling(model) : NO_PREFIX;
    }
    return switch (prefixToken) {
      case "none" -> NO_PREFIX;
      case "bos" -> named(model.bos(), model);
      case "eos" -> named(model.eos(), model);
      default -> inVocabulary(Integer.parseInt(prefixToken), model);
    };
  }

  /** Returns the id that replaces an empty context; {@link #NO_PREFIX} if the model has none. */
  public int emptyContextId(ModelConventions model) {
    int prefix = prefixId(model, false);
    return prefix == NO_PREFIX ? ofModel(model) : prefix;
  }

  private static int ofModel(ModelConventions model) {
    Integer id = model.prefix().value();
    return id == null || id < 0 || id >= model.vocabSize() ? NO_PREFIX : id;
  }

  private static int prefixOfRolling(ModelConventions model) {
    int id = ofModel(model);
    if (id == NO_PREFIX) {
      throw Refusal.wrongUsage(
          "--window rolling needs a prefix token, but the model's files name no bos or eos token in"
              + " its vocabulary; give --prefix-token ID");
    }
    return id;
  }

  private int named(ModelConventions.Found token, ModelConventions model) {
    if (token.value() == null) {
      throw Refusal.wrongUsage(
          "--prefix-token %s: the model's files name no %s token; give the id itself",
          prefixToken, prefixToken);
    }
    return inVocabulary(token.value(), model);
  }

  private int inVocabulary(int id, ModelConventions model) {
    if (id < 0 || id >= model.vocabSize()) {
      throw Refusal.wrongUsage(
          "--prefix-token %s: id %d is outside the vocabulary [0, %d)",
          prefixToken, id, model.vocabSize());
    }
    return id;
  }
}
