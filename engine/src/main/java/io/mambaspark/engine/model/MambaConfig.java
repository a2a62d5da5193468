package io.mambaspark.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.kernel.Panels;
import java.io.Serializable;

/**
 * The shape of a Mamba model. The names are those of the paper and of mamba-minimal.
 *
 * @param dModel width of the residual stream
 * @param nLayer number of layers
 * @param vocabSize number of rows of the embedding matrix, and of logits, including padding rows
 * @param mixer shape of the mixer in each layer
 * @param normEps epsilon of the layers' norms
 * @param tiedHead whether the head is the embedding matrix
 * @param bosTokenId token that begins a document, or the first such token if the config has a list;
 *     null if the config has none
 * @param eosTokenId token that ends a document, or the first such token if the config has a list;
 *     null if the config has none
 */
public record MambaConfig(
    int dModel,
    int nLayer,
    int vocabSize,
    MixerConfig mixer,
    float normEps,
    boolean tiedHead,
    Integer bosTokenId,
    Integer eosTokenId)
    implements Serializable {

  private static final float NORM_EPS = 1e-5f;
  private static final float MIXER_NORM_EPS = 1e-6f;

  /**
   * Far above the sizes of all published models: a larger number means a damaged or hostile file.
   */
  private static final int MAX_SIZE = 1 << 24;

  private static final int MAX_LAYERS = 4096;

  /** The maximum length of the arrays that contain a layer's states and its convolution. */
  private static final int MAX_ARRAY = 1 << 30;

  /**
   * Returns a config with the defaults of mamba-minimal's {@code ModelArgs}: dState 16, expand 2,
   * dConv 4, dtRank ceil(dModel / 16), the vocabulary padded up to a multiple of 8, conv bias on,
   * bias off, tied head.
   */
  public static MambaConfig of(int dModel, int nLayer, int vocabSize) {
    return new MambaConfig(
        dModel,
        nLayer,
        roundUp(vocabSize, 8),
        new MixerConfig(16, 4, 2 * dModel, roundUp(dModel, 16) / 16, true, false, null),
        NORM_EPS,
        true,
        null,
        null);
  }

  /**
   * Reads a config.json in the layout of Hugging Face ({@code model_type} mamba or falcon_mamba) or
   * of state-spaces ({@code d_model}).
   *
   * @throws CheckpointException if a number is missing or out of range, or if the config requires
   *     something that this engine does not support
   */
  static MambaConfig of(JsonNode config) {
    if (isHuggingFace(config)) {
      return checked(huggingFace(config));
    }
    if (config.hasNonNull("d_model")) {
      return checked(stateSpaces(config));
    }
    throw new CheckpointException(
        "config.json has neither model_type (Hugging Face) nor d_model (state-spaces), so it does"
            + " not describe a Mamba model");
  }

  /** Whether a config.json has the layout of Hugging Face, not that of state-spaces. */
  static boolean isHuggingFace(JsonNode config) {
    return config.hasNonNull("model_type");
  }

  /** Returns this config with other flags. */
  MambaConfig with(boolean otherConvBias, boolean otherBias, boolean otherTiedHead) {
    MixerConfig other =
        new MixerConfig(
            mixer.dState(),
            mixer.dConv(),
            mixer.dInner(),
            mixer.dtRank(),
            otherConvBias,
            otherBias,
            mixer.normEps());
    return new MambaConfig(
        dModel, nLayer, vocabSize, other, normEps, otherTiedHead, bosTokenId, eosTokenId);
  }

  private static MambaConfig checked(MambaConfig config) {
    MixerConfig mixer = config.mixer;
    int columns = Math.max(mixer.dState(), mixer.dConv());
    // Each array is padded to panels.
    if ((mixer.dInner() + Panels.WIDTH - 1L) * columns > MAX_ARRAY) {
      throw new CheckpointException(
          ("config.json: %d channels with %d states and a convolution of width %d require more than"
                  + " %d numbers per layer")
              .formatted(mixer.dInner(), mixer.dState(), mixer.dConv(), MAX_ARRAY));
    }
    return config;
  }

  private static MambaConfig huggingFace(JsonNode config) {
    String type = config.get("model_type").asText();
    boolean falcon = type.equals("falcon_mamba");
    if (!falcon && !type.equals("mamba")) {
      throw unsupported("model_type", config.get("model_type"), "mamba or falcon_mamba");
    }
    // The two names denote the same function.
    if (config.hasNonNull("hidden_act")
        && !config.get("hidden_act").asText().matches("silu|swish")) {
      throw unsupported("hidden_act", config.get("hidden_act"), "silu");
    }
    int dModel = size(config, "hidden_size", null);
    // intermediate_size overrides expand: falcon-mamba-7b has expand 16, hidden 4096 and
    // intermediate 8192.
    int dInner =
        config.hasNonNull("intermediate_size")
            ? size(config, "intermediate_size", null)
            : inner(config, "expand", dModel);
    return new MambaConfig(
        dModel,
        layers(config, "num_hidden_layers"),
        size(config, "vocab_size", null),
        new MixerConfig(
            size(config, "state_size", 16),
            size(config, "conv_kernel", 4),
            dInner,
            rank(config, "time_step_rank", dModel),
            flag(config, "use_conv_bias", true),
            flag(config, "use_bias", false),
            falcon ? epsilon(config, "mixer_rms_eps", MIXER_NORM_EPS) : null),
        epsilon(config, "layer_norm_epsilon", NORM_EPS),
        flag(config, "tie_word_embeddings", true),
        token(config, "bos_token_id"),
        token(config, "eos_token_id"));
  }

  private static MambaConfig stateSpaces(JsonNode config) {
    JsonNode ssm = config.path("ssm_cfg");
    if (ssm.hasNonNull("layer") && !ssm.get("layer").asText().equals("Mamba1")) {
      throw unsupported("ssm_cfg.layer", ssm.get("layer"), "Mamba1");
    }
    if (!flag(config, "rms_norm", true)) {
      throw unsupported("rms_norm", config.get("rms_norm"), "true");
    }
    if (!config.path("attn_layer_idx").isEmpty()) {
      throw unsupported("attn_layer_idx", config.get("attn_layer_idx"), "no attention layers");
    }
    if (config.path("d_intermediate").asInt(0) != 0) {
      throw unsupported("d_intermediate", config.get("d_intermediate"), "0");
    }
    int dModel = size(config, "d_model", null);
    int multiple = size(config, "pad_vocab_size_multiple", 8);
    return new MambaConfig(
        dModel,
        layers(config, "n_layer"),
        roundUp(size(config, "vocab_size", null), multiple),
        new MixerConfig(
            size(ssm, "d_state", 16),
            size(ssm, "d_conv", 4),
            inner(ssm, "expand", dModel),
            rank(ssm, "dt_rank", dModel),
            flag(ssm, "conv_bias", true),
            flag(ssm, "bias", false),
            null),
        NORM_EPS,
        flag(config, "tie_embeddings", true),
        token(config, "bos_token_id"),
        token(config, "eos_token_id"));
  }

  /** The hyper-parameters that affect the model's results, in one line, for the fingerprint. */
  String canonical() {
    return "dModel=%d nLayer=%d vocabSize=%d dState=%d dConv=%d dInner=%d dtRank=%d normEps=%s mixerNormEps=%s"
        .formatted(
            dModel,
            nLayer,
            vocabSize,
            mixer.dState(),
            mixer.dConv(),
            mixer.dInner(),
            mixer.dtRank(),
            normEps,
            mixer.normEps());
  }

  private static CheckpointException unsupported(String key, JsonNode found, String expected) {
    return new CheckpointException(
        "config.json: %s is %s; this engine requires %s".formatted(key, shown(found), expected));
  }

  private static String shown(JsonNode found) {
    return CheckpointException.shown(found.toString());
  }

  private static int layers(JsonNode config, String key) {
    return integer(config, key, MAX_LAYERS);
  }

  private static int size(JsonNode config, String key, Integer absent) {
    JsonNode node = config.path(key);
    if (absent != null && (node.isMissingNode() || node.isNull())) {
      return absent;
    }
    return integer(config, key, MAX_SIZE);
  }

  private static int integer(JsonNode config, String key, int max) {
    JsonNode node = config.path(key);
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

  private static int inner(JsonNode config, String key, int dModel) {
    long inner = (long) size(config, key, 2) * dModel;
    if (inner > MAX_SIZE) {
      throw new CheckpointException(
          "config.json: %s times the model's width is %d; expected at most %d"
              .formatted(key, inner, MAX_SIZE));
    }
    return (int) inner;
  }

  private static int rank(JsonNode config, String key, int dModel) {
    return config.path(key).asText("auto").equals("auto")
        ? roundUp(dModel, 16) / 16
        : size(config, key, null);
  }

  private static boolean flag(JsonNode config, String key, boolean absent) {
    JsonNode node = config.path(key);
    if (node.isMissingNode() || node.isNull()) {
      return absent;
    }
    if (!node.isBoolean()) {
      throw new CheckpointException(
          "config.json: %s is %s; expected true or false".formatted(key, shown(node)));
    }
    return node.booleanValue();
  }

  private static float epsilon(JsonNode config, String key, float absent) {
    JsonNode node = config.path(key);
    if (node.isMissingNode() || node.isNull()) {
      return absent;
    }
    if (!node.isNumber() || !(node.floatValue() >= 0 && node.floatValue() < 1)) {
      throw new CheckpointException(
          "config.json: %s is %s; expected a number from 0 to 1".formatted(key, shown(node)));
    }
    return node.floatValue();
  }

  private static Integer token(JsonNode config, String key) {
    JsonNode node = config.path(key);
    // A list contains all tokens that end generation; its first one is the tokenizer's token.
    node = node.isArray() ? node.path(0) : node;
    return node.isIntegralNumber() && node.canConvertToInt() ? node.intValue() : null;
  }

  private static int roundUp(int n, int multiple) {
    return Math.toIntExact(((long) n + multiple - 1) / multiple * multiple);
  }
}
