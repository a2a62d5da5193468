package io.mambaspark.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.TestKernels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Compares models of many shapes and flags with {@link Mamba2Recurrence}. */
class Mamba2ModelTest {
  private static final long SEED = 81;
  private static final int CONFIGS = 120;

  /** A config.json, the model that it describes, and the model's oracle. */
  private record Sample(String json, MambaModel model, Mamba2Recurrence oracle) {}

  private static int pick(SplittableRandom random, int... values) {
    return values[random.nextInt(values.length)];
  }

  /** Returns a model of random shape and flags, in either layout of config.json. */
  private static Sample sample(SplittableRandom random) {
    int g = pick(random, 1, 1, 2, 3, 5);
    int p = pick(random, 1, 2, 3, 4, 7, 8, 16, 20, 33);
    // A norm over fewer than eight channels may be nearly zero and then amplifies rounding errors
    // beyond the tolerance.
    int heads = g * Math.max(pick(random, 1, 2, 3, 4), (15 + g * p) / (g * p));
    int expand = heads * p % 2 == 0 ? 2 : 1;
    int dModel = heads * p / expand;
    int n = pick(random, 1, 2, 5, 8, 15, 16, 17, 24, 33, 128, 256);
    int k = pick(random, 1, 2, 3, 4, 5);
    int vocabSize = pick(random, 7, 16, 40);
    boolean bias = random.nextBoolean();
    boolean convBias = random.nextBoolean();
    boolean tied = random.nextBoolean();
    double[] limit = random.nextBoolean() ? new double[] {0, 1 / 0.0} : new double[] {0.05, 0.5};
    boolean normBeforeGate = random.nextBoolean();
    boolean huggingFace = random.nextBoolean();
    boolean norm = huggingFace || random.nextInt(3) > 0;
    boolean dPerChannel = !huggingFace && random.nextBoolean();
    double eps = huggingFace && random.nextBoolean() ? 1e-3 : 1e-5;
    String json =
        huggingFace
            ? ("{'model_type': 'mamba2', 'hidden_size': %d, 'num_hidden_layers': 2, 'vocab_size':"
                    + " %d, 'state_size': %d, 'conv_kernel': %d, 'expand': %d, 'head_dim': %d,"
                    + " 'num_heads': %d, 'n_groups': %d, 'time_step_limit': %s, 'use_bias': %s,"
                    + " 'use_conv_bias': %s, 'layer_norm_epsilon': %s, 'tie_word_embeddings': %s,"
                    + " 'norm_before_gate': %s, 'time_step_min': 0.1, 'time_step_max': 0.2}")
                .formatted(
                    dModel,
                    vocabSize,
                    n,
                    k,
                    expand,
                    p,
                    heads,
                    g,
                    Arrays.toString(limit),
                    bias,
                    convBias,
                    eps,
                    tied,
                    normBeforeGate)
            : ("{'d_model': %d, 'n_layer': 2, 'vocab_size': %d, 'pad_vocab_size_multiple': 1,"
                    + " 'tie_embeddings': %s, 'ssm_cfg': {'layer': 'Mamba2', 'd_state': %d,"
                    + " 'd_conv': %d, 'expand': %d, 'headdim': %d, 'ngroups': %d, 'dt_limit': %s,"
                    + " 'bias': %s, 'conv_bias': %s, 'rmsnorm': %s, 'norm_before_gate': %s,"
                    + " 'D_has_hdim': %s, 'dt_min': 0.1, 'dt_max': 0.2, 'chunk_size': 16}}")
                .formatted(
                    dModel,
                    vocabSize,
                    tied,
                    n,
                    k,
                    expand,
                    p,
                    g,
                    Arrays.toString(limit),
                    bias,
                    convBias,
                    norm,
                    normBeforeGate,
                    dPerChannel);
    MambaConfig config = MambaConfigTest.read(json);
    Map<String, float[]> tensors = tensors(config, random);
    Boolean normFirst = norm ? !huggingFace && normBeforeGate : null;
    Mamba2Recurrence oracle =
        new Mamba2Recurrence(
            dModel, 2, vocabSize, heads * p, n, k, p, g, eps, normFirst, limit[0], limit[1],
            tensors);
    return new Sample(json, TestModels.of(config, tensors), oracle);
  }

  /** Returns random weights, none of which has a neutral value. */
  private static Map<String, float[]> tensors(MambaConfig config, SplittableRandom random) {
    Map<String, float[]> tensors = new LinkedHashMap<>();
    for (String name : TensorNames.required(config)) {
      int[] shape = TensorNames.shape(config, name);
      float[] values = new float[Arrays.stream(shape).reduce(1, Math::multiplyExact)];
      double middle = name.matches(".*(norm.*\\.weight|\\.D)") ? 1 : 0;
      double spread = shape.length == 1 ? 0.8 : 1.5 / Math.sqrt(shape[shape.length - 1]);
      if (name.endsWith("A_log")) {
        middle = 1;
      } else if (name.endsWith("dt_bias")) {
        middle = -1;
        spread = 2;
      }
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (middle + spread * (2 * random.nextDouble() - 1));
      }
      tensors.put(name, values);
    }
    return tensors;
  }

  @Test
  @Tag("kernels")
  void randomModelsEqualARecurrenceInDoublePrecision() {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < CONFIGS; i++) {
      Sample sample = sample(random);
      int vocabSize = sample.model.config().vocabSize();
      int[] tokens = random.ints(pick(random, 1, 2, 3, 7, 30), 0, vocabSize).toArray();
      double[] expected = sample.oracle.logits(tokens);
      double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();

      float[] found = MambaModelTest.logits(sample.model, tokens);

      assertThat(found).hasSameSizeAs(expected);
      for (int j = 0; j < found.length; j++) {
        if (!(Math.abs(found[j] - expected[j]) <= 5e-6 * largest)) {
          assertThat((double) found[j])
              .as("seed %d, config %d, logit %d of %s", SEED, i, j, sample.json)
              .isEqualTo(expected[j]);
        }
      }
    }
  }

  /** Returns the logits of a sequence that runs in pieces of {@code length} tokens. */
  private static float[] inPieces(MambaModel model, int length, int... tokens) {
    MambaState state = new MambaState(model.config());
    Workspace workspace = new Workspace(model.config(), length);
    List<float[]> rows = new ArrayList<>();
    for (int at = 0; at < tokens.length; at += length) {
      int[] piece = Arrays.copyOfRange(tokens, at, Math.min(at + length, tokens.length));
      model.forward(
          workspace, piece, List.of(new Piece(piece.length, at == 0 ? null : state, state)));
      rows.add(MambaModelTest.logits(model, workspace, piece.length));
    }
    return concatenated(rows);
  }

  private static float[] concatenated(List<float[]> parts) {
    float[] all = new float[parts.stream().mapToInt(part -> part.length).sum()];
    int at = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }

  /** Returns the logits of the first sequence between two others in one chunk. */
  private static float[] packed(MambaModel model, int[] before, int[] tokens, int[] after) {
    int total = before.length + tokens.length + after.length;
    Workspace workspace = new Workspace(model.config(), total);
    int[] all = Arrays.copyOf(before, total);
    System.arraycopy(tokens, 0, all, before.length, tokens.length);
    System.arraycopy(after, 0, all, before.length + tokens.length, after.length);
    model.forward(
        workspace,
        all,
        List.of(
            new Piece(before.length, null, null),
            new Piece(tokens.length, null, null),
            new Piece(after.length, null, null)));
    int vocabSize = model.config().vocabSize();
    return Arrays.copyOfRange(
        MambaModelTest.logits(model, workspace, total),
        before.length * vocabSize,
        (before.length + tokens.length) * vocabSize);
  }

  @Test
  @Tag("kernels")
  void randomModelsGiveTheSameBitsInPiecesInAChunkWithOthersAndOnOtherKernels() {
    SplittableRandom random = new SplittableRandom(SEED + 1);
    for (int i = 0; i < CONFIGS / 3; i++) {
      Sample sample = sample(random);
      MambaModel model = sample.model;
      int vocabSize = model.config().vocabSize();
      int[] tokens = random.ints(17, 0, vocabSize).toArray();
      int[] before = random.ints(pick(random, 1, 2, 5), 0, vocabSize).toArray();
      int[] after = random.ints(pick(random, 1, 3, 20), 0, vocabSize).toArray();
      String where = "seed %d, config %d, %s".formatted(SEED + 1, i, sample.json);

      float[] expected = MambaModelTest.logits(model, tokens);

      for (int length : new int[] {1, 2, 3, 7}) {
        assertThat(inPieces(model, length, tokens))
            .as("%s in pieces of %d", where, length)
            .containsExactly(expected);
      }
      assertThat(packed(model, before, tokens, after)).as(where).containsExactly(expected);
      assertThat(MambaModelTest.logits(model.with(TestKernels.scalar()), tokens))
          .as(where)
          .containsExactly(expected);
    }
  }

  /**
   * The config of Mamba-Codestral-7B sets norm_before_gate to true in the Hugging Face layout, and
   * its weights require the gate first.
   */
  @ParameterizedTest
  @CsvSource({"true, true", "true, false", "false, true", "false, false"})
  void onlyTheLayoutOfStateSpacesNormsBeforeTheGate(boolean huggingFace, boolean normBeforeGate) {
    String json =
        (huggingFace
                ? "{'model_type': 'mamba2', 'hidden_size': 8, 'num_hidden_layers': 1, 'vocab_size':"
                    + " 5, 'state_size': 3, 'head_dim': 4, 'num_heads': 4, 'n_groups': 2,"
                    + " 'tie_word_embeddings': true, 'norm_before_gate': %s}"
                : "{'d_model': 8, 'n_layer': 1, 'vocab_size': 5, 'pad_vocab_size_multiple': 1,"
                    + " 'ssm_cfg': {'layer': 'Mamba2', 'd_state': 3, 'headdim': 4, 'ngroups': 2,"
                    + " 'norm_before_gate': %s}}")
            .formatted(normBeforeGate);
    MambaConfig config = MambaConfigTest.read(json);
    Map<String, float[]> tensors = tensors(config, new SplittableRandom(83));
    float[] found = MambaModelTest.logits(TestModels.of(config, tensors), 3, 1, 4);

    for (boolean normFirst : new boolean[] {true, false}) {
      double[] oracle =
          new Mamba2Recurrence(
                  8, 1, 5, 16, 3, 4, 4, 2, 1e-5, normFirst, 0, Double.POSITIVE_INFINITY, tensors)
              .logits(3, 1, 4);
      double largest = 0;
      double difference = 0;
      for (int i = 0; i < oracle.length; i++) {
        largest = Math.max(largest, Math.abs(oracle[i]));
        difference = Math.max(difference, Math.abs(oracle[i] - found[i]));
      }
      if (normFirst == (!huggingFace && normBeforeGate)) {
        assertThat(difference).isLessThan(5e-6 * largest);
      } else {
        assertThat(difference).isGreaterThan(0.01 * largest);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"768, 24, 64", "2560, 64, 256"})
  void aWorkspaceStaysSmall(int dModel, int nLayer, int megabytes) {
    Workspace w = new Workspace(MambaConfig.ofMamba2(dModel, nLayer, 50277), 480);
    Mamba2Mixer.Arrays arrays = (Mamba2Mixer.Arrays) w.scratch;
    long floats = 0;
    for (float[] array :
        List.of(
            w.h,
            w.u,
            w.sums,
            w.window,
            w.conv,
            w.scan,
            arrays.z,
            arrays.xbc,
            arrays.dt,
            arrays.y,
            arrays.steps)) {
      floats += array.length;
    }
    assertThat(floats * Float.BYTES).isLessThan((long) megabytes << 20);
  }

  @Test
  void theStateHoldsTheInputsOfTheConvolutionAndTheScan() {
    // 24 channels in 2 groups of 12 and states of 5: each group is padded to a panel.
    MambaConfig config =
        MambaConfigTest.read(
            "{'d_model': 12, 'n_layer': 3, 'vocab_size': 5, 'ssm_cfg': {'layer': 'Mamba2',"
                + " 'd_state': 5, 'headdim': 4, 'ngroups': 2, 'd_conv': 3}}");
    MambaState state = new MambaState(config);

    assertThat(state.conv).hasDimensions(3, (2 + 2 * 2) * Panels.WIDTH * 2);
    assertThat(state.scan).hasDimensions(3, 2 * Panels.WIDTH * 5);
  }
}
