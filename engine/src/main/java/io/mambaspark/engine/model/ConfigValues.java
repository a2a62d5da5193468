package io.mambaspark.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.engine.checkpoint.CheckpointException;

/**
 * Reads and validates single values of a config.json. Each method refuses a value of the wrong type
 * or out of range with a {@link CheckpointException} that names the key.
 */
final class ConfigValues {
  /**
   * Far above the sizes of all published models: a larger number means a damaged or hostile file.
   */
  static final int MAX_SIZE = 1 << 24;

  /** The maximum length of the arrays that contain a layer's states and its convolution. */
  static final int MAX_ARRAY = 1 << 30;

  /** The default epsilon of norms. */
  static final float NORM_EPS = 1e-5f;

  private static final int MAX_LAYERS = 4096;

  private ConfigValues() {}

  /** Whether a config.json has the layout of Hugging Face, not that of state-spaces. */
  static boolean isHuggingFace(JsonNode config) {
    return config.hasNonNull("model_type");
  }

  static CheckpointException unsupported(String key, JsonNode found, String expected) {
    return new CheckpointException(
        "config.json: %s is %s; this engine requires %s".formatted(key, shown(found), expected));
  }

  static String shown(JsonNode found) {
    return CheckpointException.shown(found.toString());
  }

  static boolean isAbsent(JsonNode node) {
    return node.isMissingNode() || node.isNull();
  }

  /** Refuses a Hugging Face config with another activation than SiLU. */
  static void checkActivation(JsonNode config) {
    // The two names denote the same function.
    if (config.hasNonNull("hidden_act")
        && !config.get("hidden_act").asText().matches("silu|swish")) {
      throw unsupported("hidden_act", config.get("hidden_act"), "silu");
    }
  }

  /** Returns a number of layers; {@code absent} is null if the config must have the key. */
  static int layers(JsonNode config, String key, Integer absent) {
    return integer(config, key, absent, MAX_LAYERS);
  }

  /** Returns a size; {@code absent} is null if the config must have the key. */
  static int size(JsonNode config, String key, Integer absent) {
    return integer(config, key, absent, MAX_SIZE);
  }

  /** Returns an integer from 1 to {@code max}; {@code absent} is null if the key is required. */
  static int integer(JsonNode config, String key, Integer absent, int max) {
    JsonNode node = config.path(key);
    if (absent != null && isAbsent(node)) {
      return absent;
    }
    if (!node.isIntegralNumber()
        || !node.canConvertToInt()
        || node.intValue() < 1
        || node.intValue() > max) {
      throw new CheckpointException(
          "config.json: %s is %s; expected an integer from 1 to %d"
              .formatted(key, node.isMissingNode() ? "missing" : shown(node), max));
    }
    return node.intValue();
  }

  /** Returns dInner, the product of a factor, 2 by default, and the model's width. */
  static int inner(JsonNode config, String key, int dModel) {
    long inner = (long) size(config, key, 2) * dModel;
    if (inner > MAX_SIZE) {
      throw new CheckpointException(
          "config.json: %s times the model's width is %d; expected at most %d"
              .formatted(key, inner, MAX_SIZE));
    }
    return (int) inner;
  }

  static boolean flag(JsonNode config, String key, boolean absent) {
    JsonNode node = config.path(key);
    if (isAbsent(node)) {
      return absent;
    }
    if (!node.isBoolean()) {
      throw new CheckpointException(
          "config.json: %s is %s; expected true or false".formatted(key, shown(node)));
    }
    return node.booleanValue();
  }

  static float epsilon(JsonNode config, String key, float absent) {
    JsonNode node = config.path(key);
    if (isAbsent(node)) {
      return absent;
    }
    if (!node.isNumber() || !(node.floatValue() >= 0 && node.floatValue() < 1)) {
      throw new CheckpointException(
          "config.json: %s is %s; expected a number from 0 to 1".formatted(key, shown(node)));
    }
    return node.floatValue();
  }

  /** Returns a token id; null if the config has none. Does not validate it. */
  static Integer token(JsonNode config, String key) {
    JsonNode node = config.path(key);
    // A list contains all tokens that end generation; its first one is the tokenizer's token.
    node = node.isArray() ? node.path(0) : node;
    return node.isIntegralNumber() && node.canConvertToInt() ? node.intValue() : null;
  }

  static int roundUp(int n, int multiple) {
    return Math.toIntExact(((long) n + multiple - 1) / multiple * multiple);
  }
}
