package io.mambaspark.engine.model;

import static io.mambaspark.engine.model.ConfigValues.flag;
import static io.mambaspark.engine.model.ConfigValues.inner;
import static io.mambaspark.engine.model.ConfigValues.size;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.kernel.Heads;
import io.mambaspark.engine.kernel.PackedMatrix;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.WeightFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The shape of a Mamba-2 mixer (arXiv:2405.21060).
 *
 * @param dState N, the number of states of the scan per channel
 * @param dConv K, the width of the causal convolution
 * @param headDim P, the number of channels per head
 * @param nHeads H, the number of heads; dInner is H · P
 * @param nGroups G, the number of groups of heads that share B and C; it divides H
 * @param convBias whether the convolution has a bias
 * @param bias whether in_proj and out_proj have a bias
 * @param normEps epsilon of the grouped norm before out_proj; null if the model lacks this norm
 * @param normBeforeGate whether the gate follows this norm; false if the model lacks the norm
 * @param dPerChannel whether D has a value for each channel, not for each head
 * @param dtLow the lower limit of dt
 * @param dtHigh the upper limit of dt; may be infinite
 */
public record Mamba2Config(
    int dState,
    int dConv,
    int headDim,
    int nHeads,
    int nGroups,
    boolean convBias,
    boolean bias,
    Float normEps,
    boolean normBeforeGate,
    boolean dPerChannel,
    float dtLow,
    float dtHigh)
    implements MixerConfig {

  /** The largest N that the scan supports; published models have 64 to 256. */
  private static final int MAX_STATE = 256;

  /** The number of rows of a chunk for which the arrays of a layer must not be too long. */
  private static final int CHUNK_ROWS = 512;

  /**
   * Returns a config with the defaults of state-spaces' {@code Mamba2}: dState 128, expand 2, dConv
   * 4, headDim 64, one group, conv bias on, bias off, gate before norm, dt without limits.
   *
   * @param dModel width of the residual stream, a multiple of 32
   */
  static Mamba2Config of(int dModel) {
    return new Mamba2Config(
        128,
        4,
        64,
        2 * dModel / 64,
        1,
        true,
        false,
        ConfigValues.NORM_EPS,
        false,
        false,
        0f,
        Float.POSITIVE_INFINITY);
  }

  /** Reads a config.json of {@code model_type} mamba2. */
  static MambaConfig huggingFace(JsonNode config) {
    ConfigValues.checkActivation(config);
    int dModel = size(config, "hidden_size", 4096);
    int dInner = inner(config, "expand", dModel);
    int nHeads = size(config, "num_heads", 128);
    int headDim = size(config, "head_dim", 64);
    if ((long) nHeads * headDim != dInner) {
      throw new CheckpointException(
          "config.json: num_heads times head_dim is %d; expected expand times hidden_size, %d"
              .formatted((long) nHeads * headDim, dInner));
    }
    float normEps = ConfigValues.epsilon(config, "layer_norm_epsilon", ConfigValues.NORM_EPS);
    float[] limits = limits(config, "time_step_limit");
    Mamba2Config mixer =
        new Mamba2Config(
            state(config, "state_size"),
            size(config, "conv_kernel", 4),
            headDim,
            nHeads,
            groups(config, "n_groups", 8, nHeads),
            flag(config, "use_conv_bias", true),
            flag(config, "use_bias", false),
            normEps,
            // Like transformers, this layout ignores norm_before_gate: the published config of
            // Mamba-Codestral-7B sets it to true, but its weights require the gate first.
            false,
            false,
            limits[0],
            limits[1]);
    return new MambaConfig(
        dModel,
        ConfigValues.layers(config, "num_hidden_layers", 64),
        size(config, "vocab_size", 32768),
        checked(mixer),
        normEps,
        flag(config, "tie_word_embeddings", false),
        ConfigValues.token(config, "bos_token_id"),
        ConfigValues.token(config, "eos_token_id"));
  }

  /** Reads the object {@code ssm_cfg} of a config.json of state-spaces. */
  static Mamba2Config stateSpaces(JsonNode ssm, int dModel) {
    int dInner = inner(ssm, "expand", dModel);
    JsonNode dSsm = ssm.path("d_ssm");
    if (!ConfigValues.isAbsent(dSsm) && !(dSsm.isNumber() && dSsm.doubleValue() == dInner)) {
      throw ConfigValues.unsupported("d_ssm", dSsm, dInner + ", the number of channels");
    }
    int headDim = size(ssm, "headdim", 64);
    if (dInner % headDim != 0) {
      throw new CheckpointException(
          "config.json: headdim is %d; expected a divisor of the number of channels, %d"
              .formatted(headDim, dInner));
    }
    int nHeads = dInner / headDim;
    boolean norm = flag(ssm, "rmsnorm", true);
    boolean normBeforeGate = flag(ssm, "norm_before_gate", false);
    float[] limits = limits(ssm, "dt_limit");
    return checked(
        new Mamba2Config(
            state(ssm, "d_state"),
            size(ssm, "d_conv", 4),
            headDim,
            nHeads,
            groups(ssm, "ngroups", 1, nHeads),
            flag(ssm, "conv_bias", true),
            flag(ssm, "bias", false),
            norm ? ConfigValues.NORM_EPS : null,
            norm && normBeforeGate,
            flag(ssm, "D_has_hdim", false),
            limits[0],
            limits[1]));
  }

  private static int state(JsonNode config, String key) {
    return ConfigValues.integer(config, key, 128, MAX_STATE);
  }

  private static int groups(JsonNode config, String key, int absent, int nHeads) {
    int groups = size(config, key, absent);
    if (nHeads % groups != 0) {
      throw new CheckpointException(
          "config.json: %s is %d; expected a divisor of the number of heads, %d"
              .formatted(key, groups, nHeads));
    }
    return groups;
  }

  /** Returns the lower and the upper limit of dt; zero and infinity if the config has none. */
  private static float[] limits(JsonNode config, String key) {
    JsonNode node = config.path(key);
    if (ConfigValues.isAbsent(node)) {
      return new float[] {0f, Float.POSITIVE_INFINITY};
    }
    float low = limit(node.path(0));
    float high = limit(node.path(1));
    // A comparison with NaN is false.
    boolean ordered = low >= 0 && low < Float.POSITIVE_INFINITY && low <= high;
    if (!node.isArray() || node.size() != 2 || !ordered) {
      throw new CheckpointException(
          ("config.json: %s is %s; expected two numbers from 0 on in ascending order, of which the"
                  + " second may be infinite")
              .formatted(key, ConfigValues.shown(node)));
    }
    return new float[] {low, high};
  }

  /** Returns NaN for a value that is not a limit. */
  private static float limit(JsonNode node) {
    // Infinity has three spellings: null, {"__float__": "Infinity"}, which transformers 5 writes,
    // and a bare Infinity, which is a number.
    if (node.isNull() || node.size() == 1 && node.path("__float__").asText().equals("Infinity")) {
      return Float.POSITIVE_INFINITY;
    }
    return node.isNumber() ? node.floatValue() : Float.NaN;
  }

  private static Mamba2Config checked(Mamba2Config config) {
    Heads heads = config.heads();
    long inner = (long) heads.panels() * Panels.WIDTH;
    long channels = inner + 2L * config.nGroups * heads.statePanels() * Panels.WIDTH;
    if (inner * config.dState > ConfigValues.MAX_ARRAY
        || channels * Math.max(config.dConv, CHUNK_ROWS) > ConfigValues.MAX_ARRAY) {
      throw new CheckpointException(
          ("config.json: %d channels in %d groups with %d states and a convolution of width %d"
                  + " require more than %d numbers per layer")
              .formatted(
                  config.dInner(),
                  config.nGroups,
                  config.dState,
                  config.dConv,
                  ConfigValues.MAX_ARRAY));
    }
    return config;
  }

  @Override
  public int dInner() {
    return nHeads * headDim;
  }

  /** The shape of the scan, which is also the layout of the channels. */
  Heads heads() {
    return new Heads(nHeads, headDim, nGroups, dState);
  }

  /** The number of channels of each group: the sections of z, x, y and D. */
  int[] channelSections() {
    int[] sections = new int[nGroups];
    Arrays.fill(sections, dInner() / nGroups);
    return sections;
  }

  /** The sections of the convolution: x, B and C, each with a section for each group. */
  int[] convSections() {
    int[] sections = new int[3 * nGroups];
    Arrays.fill(sections, 0, nGroups, dInner() / nGroups);
    Arrays.fill(sections, nGroups, 3 * nGroups, dState);
    return sections;
  }

  /** The sections of in_proj's rows: z, then those of the convolution, then dt. */
  int[] inSections() {
    int[] sections = new int[4 * nGroups + 1];
    System.arraycopy(channelSections(), 0, sections, 0, nGroups);
    System.arraycopy(convSections(), 0, sections, nGroups, 3 * nGroups);
    sections[4 * nGroups] = nHeads;
    return sections;
  }

  @Override
  public Map<String, Object> otherParameters() {
    Map<String, Object> others = new LinkedHashMap<>();
    others.put("headDim", headDim);
    others.put("nHeads", nHeads);
    others.put("nGroups", nGroups);
    others.put("dtLow", dtLow);
    others.put("dtHigh", dtHigh);
    others.put("normBeforeGate", normBeforeGate);
    return Collections.unmodifiableMap(others);
  }

  @Override
  public Mamba2Config with(boolean otherConvBias, boolean otherBias) {
    return new Mamba2Config(
        dState,
        dConv,
        headDim,
        nHeads,
        nGroups,
        otherConvBias,
        otherBias,
        normEps,
        normBeforeGate,
        dPerChannel,
        dtLow,
        dtHigh);
  }

  @Override
  public int[] shape(String tensor, int dModel) {
    int convDim = dInner() + 2 * nGroups * dState;
    int inRows = dInner() + convDim + nHeads;
    return switch (tensor) {
      case "A_log", "dt_bias" -> new int[] {nHeads};
      case "D" -> new int[] {dPerChannel ? dInner() : nHeads};
      case "in_proj.weight" -> new int[] {inRows, dModel};
      case "in_proj.bias" -> new int[] {inRows};
      case "conv1d.weight" -> new int[] {convDim, 1, dConv};
      case "conv1d.bias" -> new int[] {convDim};
      case "norm.weight" -> normEps == null ? null : new int[] {dInner()};
      case "out_proj.weight" -> new int[] {dModel, dInner()};
      case "out_proj.bias" -> new int[] {dModel};
      default -> null;
    };
  }

  @Override
  public int columns(String tensor, int dModel) {
    return switch (tensor) {
      case "in_proj.weight" -> dModel;
      case "out_proj.weight" -> width();
      default -> 0;
    };
  }

  @Override
  public List<String> required() {
    List<String> names =
        new ArrayList<>(List.of("A_log", "D", "dt_bias", "in_proj.weight", "conv1d.weight"));
    if (convBias) {
      names.add("conv1d.bias");
    }
    if (normEps != null) {
      names.add("norm.weight");
    }
    names.add("out_proj.weight");
    if (bias) {
      names.addAll(List.of("in_proj.bias", "out_proj.bias"));
    }
    return names;
  }

  /** The number of channels of x, padded to panels in each group. */
  int width() {
    return heads().panels() * Panels.WIDTH;
  }

  /** The number of channels of the convolution, padded to panels in each group. */
  int convWidth() {
    return width() + 2 * nGroups * heads().statePanels() * Panels.WIDTH;
  }

  @Override
  public long packedBytes(WeightFormat format, int dModel) {
    return PackedMatrix.bytes(format, dModel, inSections())
        + PackedMatrix.bytes(format.outProj(), width(), dModel)
        + ((long) convWidth() * (dConv + 1) + 2L * width()) * Float.BYTES;
  }

  @Override
  public int convFloats() {
    return convWidth() * (dConv - 1);
  }

  @Override
  public int scanFloats() {
    return heads().stateFloats();
  }

  @Override
  public Mamba2Mixer mixer(WeightFormat format, int dModel) {
    return new Mamba2Mixer(this, format, dModel);
  }

  @Override
  public Mixer.Scratch scratch(int stride) {
    return new Mamba2Mixer.Arrays(this, stride);
  }
}
