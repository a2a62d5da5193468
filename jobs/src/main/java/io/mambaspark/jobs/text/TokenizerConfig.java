package io.mambaspark.jobs.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.mambaspark.jobs.Refusal;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The settings beside a tokenizer.json that lm-evaluation-harness uses, through transformers
 * ({@code PreTrainedTokenizerBase._from_pretrained} of 5.24): the special tokens and the model's
 * maximum length.
 *
 * @param bos the text of the token that begins a document, and its file; null if no file has one
 * @param eos the text of the token that ends a document, and its file; null if no file has one
 * @param maxLength {@code model_max_length}; null if it is absent or transformers' sentinel for no
 *     limit
 * @param addBos {@code add_bos_token}; null if absent
 * @param addEos {@code add_eos_token}; null if absent
 */
public record TokenizerConfig(
    Named bos, Named eos, Long maxLength, Boolean addBos, Boolean addEos) {
  /** The settings of a tokenizer without these files. */
  public static final TokenizerConfig NONE = new TokenizerConfig(null, null, null, null, null);

  private static final Logger LOG = LoggerFactory.getLogger(TokenizerConfig.class);

  /** The file of the settings. */
  public static final String FILE = "tokenizer_config.json";

  /** An older file with special tokens only. */
  public static final String SPECIAL_TOKENS = "special_tokens_map.json";

  /** The names of the files, which may all be absent. */
  public static final List<String> FILES = List.of(FILE, SPECIAL_TOKENS);

  /** Transformers saves 10^30, as rounded to a double, for a tokenizer without a limit. */
  private static final double NO_LIMIT = 1e30;

  private static final ObjectMapper MAPPER =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  /** The text of a special token and the name of its file. */
  public record Named(String text, String file) {}

  /**
   * Reads the settings.
   *
   * @param folder the name of the files' folder in messages
   * @param files the contents by name, of those of {@link #FILES} that exist
   * @throws Refusal if a file is not a JSON object
   */
  public static TokenizerConfig parse(String folder, Map<String, byte[]> files) {
    JsonNode config = read(folder, FILE, files);
    // Newer files have all special tokens in this key, and transformers then ignores the older
    // file.
    JsonNode map =
        config.has("added_tokens_decoder")
            ? MAPPER.createObjectNode()
            : read(folder, SPECIAL_TOKENS, files);
    JsonNode length = config.path(config.has("model_max_length") ? "model_max_length" : "max_len");
    return new TokenizerConfig(
        token("bos_token", config, map),
        token("eos_token", config, map),
        length.isNumber() && length.doubleValue() < NO_LIMIT ? (Long) length.longValue() : null,
        flag(config.path("add_bos_token")),
        flag(config.path("add_eos_token")));
  }

  /**
   * Logs a warning if transformers 4 would add other special tokens than the template of
   * tokenizer.json. Transformers 5 ignores these flags.
   */
  public void warnOfFlags() {
    if (addBos != null || addEos != null) {
      LOG.warn(
          "{} sets {}{}{}: only the template of tokenizer.json adds special tokens, as in"
              + " transformers 5; transformers 4 uses these flags for Llama and GPT-NeoX tokenizers",
          FILE,
          addBos == null ? "" : "add_bos_token to " + addBos,
          addBos == null || addEos == null ? "" : " and ",
          addEos == null ? "" : "add_eos_token to " + addEos);
    }
  }

  private static JsonNode read(String folder, String name, Map<String, byte[]> files) {
    if (!files.containsKey(name)) {
      return MAPPER.createObjectNode();
    }
    String found;
    try {
      JsonNode json = MAPPER.readTree(Utf8.decode(files.get(name)));
      if (json.isObject()) {
        return json;
      }
      found = "its JSON is not an object";
    } catch (Utf8.Malformed e) {
      found = "byte " + e.offset() + " is not UTF-8";
    } catch (JsonProcessingException e) {
      found = "not JSON: " + e.getOriginalMessage().lines().findFirst().orElse("");
    }
    throw Refusal.because(
        "Cannot read %s/%s: %s; expected the file that transformers' save_pretrained writes",
        folder, name, found);
  }

  /** Returns a token of special_tokens_map.json, or else of tokenizer_config.json, or null. */
  private static Named token(String key, JsonNode config, JsonNode map) {
    String text = text((map.has(key) ? map : config).path(key));
    return text == null ? null : new Named(text, map.has(key) ? SPECIAL_TOKENS : FILE);
  }

  /** Returns the text of a token, which is a string or an object with its content. */
  private static String text(JsonNode token) {
    JsonNode text = token.isObject() ? token.path("content") : token;
    return text.isTextual() && !text.asText().isEmpty() ? text.asText() : null;
  }

  private static Boolean flag(JsonNode value) {
    return value.isBoolean() ? (Boolean) value.booleanValue() : null;
  }
}
