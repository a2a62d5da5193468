package io.mambaspark.jobs.model;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.text.TokenizerConfig;
import io.mambaspark.jobs.text.TokenizerFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * The prefix token and the length of rolling windows that a model's own files name, in the order of
 * lm-evaluation-harness (0.4.13, {@code HFLM.prefix_token_id} and {@code resolve_max_length}): the
 * tokenizer's bos, else its eos; the positions of config.json, else the tokenizer's maximum length,
 * else 2048. Only if the tokenizer names neither token are those of config.json used.
 *
 * @param vocabSize the rows of the model's embedding
 * @param bos the token that begins a document
 * @param eos the token that ends a document
 * @param prefix the token before a document if a window or an empty context requires one
 * @param maxLength the number of tokens of a rolling window
 * @param notes sentences about values that differ between the files or cannot be used
 */
public record ModelConventions(
    int vocabSize, Found bos, Found eos, Found prefix, Found maxLength, List<String> notes) {
  private static final String CONFIG = "config.json";
  private static final int DEFAULT_LENGTH = 2048;

  /** A limit that no document exceeds, and that leaves room for sums of two lengths. */
  private static final int LONGEST = 1 << 30;

  /** Published Mamba-2 configs contain a bare Infinity. */
  private static final ObjectMapper MAPPER =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  /**
   * A value and its origin.
   *
   * @param value null if no file has one
   * @param source words such as {@code bos_token "<s>" of tokenizer_config.json}
   */
  public record Found(Integer value, String source) {
    private static final Found NONE = new Found(null, "no file names one");

    /** Returns a text such as {@code 0 (bos_token_id of config.json)}. */
    @Override
    public String toString() {
      return "%s (%s)".formatted(value == null ? "none" : value, source);
    }
  }

  /**
   * Reads the files of a model.
   *
   * @param tokens returns a token of tokenizer.json by its text; null if there is none
   */
  static ModelConventions of(
      ModelSource model, TokenizerConfig config, Function<String, TokenizerFile.Token> tokens) {
    MambaConfig mamba = model.checkpoint().config();
    List<String> notes = new ArrayList<>();
    Found bos = id("bos_token", config.bos(), tokens, notes);
    Found eos = id("eos_token", config.eos(), tokens, notes);
    Found bosOfConfig = ofConfig("bos_token_id", mamba.bosTokenId());
    Found eosOfConfig = ofConfig("eos_token_id", mamba.eosTokenId());
    List<String> differences = new ArrayList<>();
    addDifference(bos, bosOfConfig, differences);
    addDifference(eos, eosOfConfig, differences);
    if (!differences.isEmpty()) {
      notes.add(
          "the tokenizer and config.json disagree: %s; the tokenizer's tokens are used, as in"
                  .formatted(String.join(", and ", differences))
              + " lm-evaluation-harness");
    }
    return new ModelConventions(
        mamba.vocabSize(),
        first(bos, bosOfConfig),
        first(eos, eosOfConfig),
        first(bos, eos, bosOfConfig, eosOfConfig),
        maxLength(config(model), config, notes),
        notes);
  }

  private static Found first(Found... found) {
    for (Found one : found) {
      if (one.value != null) {
        return one;
      }
    }
    return Found.NONE;
  }

  private static Found ofConfig(String key, Integer id) {
    return id == null ? Found.NONE : new Found(id, key + " of " + CONFIG);
  }

  private static Found id(
      String key,
      TokenizerConfig.Named token,
      Function<String, TokenizerFile.Token> tokens,
      List<String> notes) {
    if (token == null) {
      return Found.NONE;
    }
    String source = "%s \"%s\" of %s".formatted(key, token.text(), token.file());
    TokenizerFile.Token found;
    try {
      found = tokens.apply(token.text());
    } catch (Refusal e) {
      // A job on tokens does not need the tokenizer.
      notes.add(source + " is not used: " + e.getMessage());
      return Found.NONE;
    }
    if (found == null) {
      notes.add(source + " is not used: no tokenizer.json in its folder has an id for it");
      return Found.NONE;
    }
    if (!found.added()) {
      notes.add(
          source
              + " is not an added token of tokenizer.json: transformers matches it in texts before"
              + " all other tokens, mamba-spark does not");
    }
    return new Found(found.id(), source);
  }

  private static void addDifference(Found token, Found ofConfig, List<String> differences) {
    boolean both = token.value != null && ofConfig.value != null;
    if (both && !token.value.equals(ofConfig.value)) {
      differences.add(
          "%s is id %d, but %s is %d"
              .formatted(token.source, token.value, ofConfig.source, ofConfig.value));
    }
  }

  private static JsonNode config(ModelSource model) {
    try {
      return MAPPER.readTree(model.read(CONFIG));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Found maxLength(JsonNode json, TokenizerConfig config, List<String> notes) {
    for (String key : List.of("n_positions", "max_position_embeddings", "n_ctx")) {
      JsonNode value = json.path(key);
      if (value.isNumber() && value.doubleValue() >= 1) {
        return length(value.longValue(), key + " of " + CONFIG);
      }
      if (!value.isNull() && !value.isMissingNode()) {
        notes.add(
            "%s %s of %s is not used: expected a number of at least 1"
                .formatted(key, value, CONFIG));
      }
    }
    Long length = config.maxLength();
    if (length != null && length >= 1) {
      return length(length, "model_max_length of " + TokenizerConfig.FILE);
    }
    if (length != null) {
      notes.add(
          "model_max_length %d of %s is not used: expected a number of at least 1"
              .formatted(length, TokenizerConfig.FILE));
    }
    return new Found(DEFAULT_LENGTH, "default; no file names another");
  }

  private static Found length(long tokens, String source) {
    return new Found((int) Math.min(tokens, LONGEST), source);
  }
}
