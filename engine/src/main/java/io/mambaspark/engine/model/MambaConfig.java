package io.mambaspark.engine.model;

import static io.mambaspark.engine.model.ConfigValues.flag;
import static io.mambaspark.engine.model.ConfigValues.isAbsent;
import static io.mambaspark.engine.model.ConfigValues.roundUp;
import static io.mambaspark.engine.model.ConfigValues.size;
import static io.mambaspark.engine.model.ConfigValues.unsupported;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.engine.checkpoint.CheckpointException;
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
        Mamba1Config.of(dModel),
        ConfigValues.NORM_EPS,
        true,
        null,
        null);
  }

  /**
   * Returns a config of a Mamba-2 model with the defaults of state-spaces: dState 128, expand 2,
   * dConv 4, headDim 64, one group, the vocabulary padded up to a multiple of 16, conv bias on,
   * bias off, tied head.
   *
   * @param dModel a multiple of 32
   */
  public static MambaConfig ofMamba2(int dModel, int nLayer, int vocabSize) {
    return new MambaConfig(
        dModel,
        nLayer,
        roundUp(vocabSize, 16),
        Mamba2Config.of(dModel),
        ConfigValues.NORM_EPS,
        true,
        null,
        null);
  }

  /**
   * Reads a config.json in the layout of Hugging Face ({@code model_type} mamba, falcon_mamba or
   * mamba2) or of state-spaces ({@code d_model}).
   *
   * @throws CheckpointException if a number is missing or out of range, or if the config requires
   *     something that this engine does not support
   */
  static MambaConfig of(JsonNode config) {
    if (ConfigValues.isHuggingFace(config)) {
      return huggingFace(config);
    }
    if (config.hasNonNull("d_model")) {
      return stateSpaces(config);
    }
    throw new CheckpointException(
        "config.json has neither model_type (Hugging Face) nor d_model (state-spaces), so it does"
            + " not describe a Mamba model");
  }

  private static MambaConfig huggingFace(JsonNode config) {
    JsonNode type = config.get("model_type");
    return switch (type.asText()) {
      case "mamba" -> Mamba1Config.huggingFace(config, false);
      case "falcon_mamba" -> Mamba1Config.huggingFace(config, true);
      case "mamba2" -> Mamba2Config.huggingFace(config);
      default -> throw unsupported("model_type", type, "mamba, mamba2 or falcon_mamba");
    };
  }

  private static MambaConfig stateSpaces(JsonNode config) {
    JsonNode ssm = config.path("ssm_cfg");
    String layer = ssm.hasNonNull("layer") ? ssm.get("layer").asText() : "Mamba1";
    if (!layer.matches("Mamba1|Mamba2")) {
      throw unsupported("ssm_cfg.layer", ssm.get("layer"), "Mamba1 or Mamba2");
    }
    if (!flag(config, "rms_norm", true)) {
      throw unsupported("rms_norm", config.get("rms_norm"), "true");
    }
    JsonNode attention = config.path("attn_layer_idx");
    if (!isAbsent(attention) && !(attention.isArray() && attention.isEmpty())) {
      throw unsupported("attn_layer_idx", attention, "no attention layers");
    }
    JsonNode intermediate = config.path("d_intermediate");
    if (!isAbsent(intermediate) && !(intermediate.isNumber() && intermediate.doubleValue() == 0)) {
      throw unsupported("d_intermediate", intermediate, "0");
    }
    int dModel = size(config, "d_model", null);
    int multiple = size(config, "pad_vocab_size_multiple", 8);
    return new MambaConfig(
        dModel,
        ConfigValues.layers(config, "n_layer", null),
        roundUp(size(config, "vocab_size", null), multiple),
        layer.equals("Mamba2")
            ? Mamba2Config.stateSpaces(ssm, dModel)
            : Mamba1Config.stateSpaces(ssm, dModel),
        ConfigValues.NORM_EPS,
        flag(config, "tie_embeddings", true),
        ConfigValues.token(config, "bos_token_id"),
        ConfigValues.token(config, "eos_token_id"));
  }

  /** Returns this config with other flags. */
  MambaConfig with(boolean otherConvBias, boolean otherBias, boolean otherTiedHead) {
    return new MambaConfig(
        dModel,
        nLayer,
        vocabSize,
        mixer.with(otherConvBias, otherBias),
        normEps,
        otherTiedHead,
        bosTokenId,
        eosTokenId);
  }

  /** The hyper-parameters that affect the model's results, in one line, for the fingerprint. */
  String canonical() {
    StringBuilder line = new StringBuilder();
    line.append("dModel=%d nLayer=%d vocabSize=%d".formatted(dModel, nLayer, vocabSize));
    line.append(" dState=%d dConv=%d".formatted(mixer.dState(), mixer.dConv()));
    line.append(" dInner=%d".formatted(mixer.dInner()));
    mixer
        .otherParameters()
        .forEach((name, value) -> line.append(" %s=%s".formatted(name, exact(value))));
    line.append(" normEps=%s mixerNormEps=%s".formatted(normEps, mixer.normEps()));
    return line.toString();
  }

  /** The decimal form of a float depends on the version of Java, so this form is hexadecimal. */
  private static Object exact(Object value) {
    return value instanceof Float number ? Float.toHexString(number) : value;
  }
}
