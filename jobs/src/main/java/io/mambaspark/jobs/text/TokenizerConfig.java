package io.mambaspark.jobs.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.Refusal;
import java.util.List;
import java.util.Map;

/**
 * The settings beside a tokenizer.json that lm-evaluation-harness uses, through transformers: the
 * special tokens and the model's maximum length.
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

  /** The file of the settings. */
  public static final String FILE = "tokenizer_config.json";

  /** An older file with special tokens only. */
  public static final String SPECIAL_TOKENS = "special_tokens_map.json";

  /** The names of the files, which may all be absent. */
  public static final List<String> FILES = List.of(FILE, SPECIAL_TOKENS);

  /** Transformers saves 10^30, as rounded to a double, for a tokenizer without a limit. */
  private static final double NO_LIMIT = 1e30;

  private static final ObjectMapper MAPPER = new ObjectMapper();

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
    JsonNode map = read(folder, SPECIAL_TOKENS, files);
    JsonNode length = config.path("model_max_length");
    return new TokenizerConfig(
        token("bos_token", config, map),
        token("eos_token", config, map),
        length.isNumber() && length.doubleValue() < NO_LIMIT ? (Long) length.longValue() : null,
        flag(config.path("add_bos_token")),
        flag(config.path("add_eos_token")));
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

  /** Returns a token of tokenizer_config.json, or else of special_tokens_map.json, or null. */
  private static Named token(String key, JsonNode config, JsonNode map) {
    String text = text(config.path(key));
    if (text != null) {
      return new Named(text, FILE);
    }
    text = text(map.path(key));
    return text == null ? null : new Named(text, SPECIAL_TOKENS);
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
