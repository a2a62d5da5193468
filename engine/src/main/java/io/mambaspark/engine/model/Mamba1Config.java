package io.mambaspark.engine.model;

import static io.mambaspark.engine.model.ConfigValues.epsilon;
import static io.mambaspark.engine.model.ConfigValues.flag;
import static io.mambaspark.engine.model.ConfigValues.inner;
import static io.mambaspark.engine.model.ConfigValues.roundUp;
import static io.mambaspark.engine.model.ConfigValues.size;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.kernel.PackedMatrix;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.WeightFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The shape of a Mamba-1 mixer (arXiv:2312.00752), including Falcon-Mamba's.
 *
 * @param dState N, the number of states of the scan per channel
 * @param dConv K, the width of the causal convolution
 * @param dInner the number of channels inside a layer
 * @param dtRank the rank of the projection to dt
 * @param convBias whether the convolution has a bias
 * @param bias whether in_proj and out_proj have a bias
 * @param normEps epsilon of Falcon-Mamba's norms of dt, B and C; null if the model lacks these
 *     norms
 */
public record Mamba1Config(
    int dState, int dConv, int dInner, int dtRank, boolean convBias, boolean bias, Float normEps)
    implements MixerConfig {

  /** The default epsilon of Falcon-Mamba's norms of dt, B and C. */
  private static final float FALCON_NORM_EPS = 1e-6f;

  /**
   * Returns a config with the defaults of mamba-minimal's {@code ModelArgs}: dState 16, expand 2,
   * dConv 4, dtRank ceil(dModel / 16), conv bias on, bias off.
   */
  static Mamba1Config of(int dModel) {
    return new Mamba1Config(16, 4, 2 * dModel, autoRank(dModel), true, false, null);
  }

  /** Reads a config.json of {@code model_type} mamba or falcon_mamba. */
  static MambaConfig huggingFace(JsonNode config, boolean falcon) {
    ConfigValues.checkActivation(config);
    int dModel = size(config, "hidden_size", null);
    // intermediate_size overrides expand: falcon-mamba-7b has expand 16, hidden 4096 and
    // intermediate 8192.
    int dInner =
        config.hasNonNull("intermediate_size")
            ? size(config, "intermediate_size", null)
            : inner(config, "expand", dModel);
    return new MambaConfig(
        dModel,
        ConfigValues.layers(config, "num_hidden_layers", null),
        size(config, "vocab_size", null),
        checked(
            new Mamba1Config(
                size(config, "state_size", 16),
                size(config, "conv_kernel", 4),
                dInner,
                rank(config, "time_step_rank", dModel),
                flag(config, "use_conv_bias", true),
                flag(config, "use_bias", false),
                falcon ? epsilon(config, "mixer_rms_eps", FALCON_NORM_EPS) : null)),
        epsilon(config, "layer_norm_epsilon", ConfigValues.NORM_EPS),
        flag(config, "tie_word_embeddings", true),
        ConfigValues.token(config, "bos_token_id"),
        ConfigValues.token(config, "eos_token_id"));
  }

  /** Reads the object {@code ssm_cfg} of a config.json of state-spaces. */
  static Mamba1Config stateSpaces(JsonNode ssm, int dModel) {
    return checked(
        new Mamba1Config(
            size(ssm, "d_state", 16),
            size(ssm, "d_conv", 4),
            inner(ssm, "expand", dModel),
            rank(ssm, "dt_rank", dModel),
            flag(ssm, "conv_bias", true),
            flag(ssm, "bias", false),
            null));
  }

  private static int rank(JsonNode config, String key, int dModel) {
    return config.path(key).asText("auto").equals("auto")
        ? autoRank(dModel)
        : size(config, key, null);
  }

  private static int autoRank(int dModel) {
    return roundUp(dModel, 16) / 16;
  }

  private static Mamba1Config checked(Mamba1Config config) {
    int columns = Math.max(config.dState, config.dConv);
    // Each array is padded to panels.
    if ((config.dInner + Panels.WIDTH - 1L) * columns > ConfigValues.MAX_ARRAY) {
      throw new CheckpointException(
          ("config.json: %d channels with %d states and a convolution of width %d require more than"
                  + " %d numbers per layer")
              .formatted(config.dInner, config.dState, config.dConv, ConfigValues.MAX_ARRAY));
    }
    return config;
  }

  @Override
  public Map<String, Object> otherParameters() {
    return Map.of("dtRank", dtRank);
  }

  @Override
  public Mamba1Config with(boolean otherConvBias, boolean otherBias) {
    return new Mamba1Config(dState, dConv, dInner, dtRank, otherConvBias, otherBias, normEps);
  }

  @Override
  public int[] shape(String tensor, int dModel) {
    return switch (tensor) {
      case "A_log" -> new int[] {dInner, dState};
      case "D", "conv1d.bias", "dt_proj.bias" -> new int[] {dInner};
      case "in_proj.weight" -> new int[] {2 * dInner, dModel};
      case "in_proj.bias" -> new int[] {2 * dInner};
      case "conv1d.weight" -> new int[] {dInner, 1, dConv};
      case "x_proj.weight" -> new int[] {dtRank + 2 * dState, dInner};
      case "dt_proj.weight" -> new int[] {dInner, dtRank};
      case "out_proj.weight" -> new int[] {dModel, dInner};
      case "out_proj.bias" -> new int[] {dModel};
      default -> null;
    };
  }

  @Override
  public int columns(String tensor, int dModel) {
    return switch (tensor) {
      case "in_proj.weight" -> dModel;
      case "x_proj.weight", "out_proj.weight" -> dInner;
      default -> 0;
    };
  }

  @Override
  public List<String> required() {
    List<String> names = new ArrayList<>(List.of("A_log", "D", "in_proj.weight", "conv1d.weight"));
    if (convBias) {
      names.add("conv1d.bias");
    }
    names.addAll(List.of("x_proj.weight", "dt_proj.weight", "dt_proj.bias", "out_proj.weight"));
    if (bias) {
      names.addAll(List.of("in_proj.bias", "out_proj.bias"));
    }
    return names;
  }

  /** The number of channels inside a layer, padded to panels. */
  int width() {
    return Packing.width(dInner);
  }

  /**
   * The format of dt_proj. It stays F32 if other matrices are integers: its k is small, so rounding
   * it would save little memory and no time, and the scan amplifies errors of dt.
   */
  static WeightFormat dtFormat(WeightFormat format) {
    return format.isInteger() ? WeightFormat.F32 : format;
  }

  @Override
  public long packedBytes(WeightFormat format, int dModel) {
    return PackedMatrix.bytes(format, dModel, dInner, dInner)
        + PackedMatrix.bytes(format, dInner, dtRank, dState, dState)
        + PackedMatrix.bytes(dtFormat(format), dtRank, dInner)
        + PackedMatrix.bytes(format.outProj(), dInner, dModel)
        + (long) width() * (dState + dConv + 3) * Float.BYTES;
  }

  @Override
  public int convFloats() {
    return width() * (dConv - 1);
  }

  @Override
  public int scanFloats() {
    return width() * dState;
  }

  @Override
  public Mamba1Mixer mixer(WeightFormat format, int dModel) {
    return new Mamba1Mixer(this, format, dModel);
  }

  @Override
  public Mixer.Scratch scratch(int stride) {
    return new Mamba1Mixer.Arrays(this, stride);
  }
}
