package io.mambaspark.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.mambaspark.engine.Golden;
import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.DType;
import io.mambaspark.engine.checkpoint.SafetensorsWriter;
import io.mambaspark.engine.checkpoint.SafetensorsWriter.Tensor;
import io.mambaspark.engine.checkpoint.TorchWriter;
import io.mambaspark.engine.checkpoint.TorchWriter.Pickler;
import io.mambaspark.engine.kernel.WeightFormat;
import java.io.IOException;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Mamba-2 checkpoints of two layers: dModel 4, 2 heads of 4 channels in 2 groups, 3 states, so that
 * in_proj has 8 + 20 + 2 rows.
 */
class Mamba2CheckpointTest {
  @TempDir Path folder;

  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  @BeforeEach
  void smallModel() {
    put(config("").with(true, false, true), 1);
  }

  /** Adds the tensors that a model with this config requires. */
  private void put(MambaConfig config, long seed) {
    TestModels.tensors(config, seed)
        .forEach(
            (name, values) ->
                tensors.put(
                    "backbone." + name, Tensor.f32(TestModels.shape(config, name), values)));
  }

  private static String huggingFace(String more) {
    return "{'model_type': 'mamba2', 'hidden_size': 4, 'num_hidden_layers': 2, 'vocab_size': 8,"
        + " 'state_size': 3, 'head_dim': 4, 'num_heads': 2, 'n_groups': 2,"
        + " 'tie_word_embeddings': true"
        + more
        + "}";
  }

  private static String stateSpaces(String moreOfSsm) {
    return "{'d_model': 4, 'n_layer': 2, 'vocab_size': 5, 'ssm_cfg': {'layer': 'Mamba2',"
        + " 'd_state': 3, 'headdim': 4, 'ngroups': 2"
        + moreOfSsm
        + "}}";
  }

  private static MambaConfig config(String more) {
    return MambaConfigTest.read(huggingFace(more));
  }

  private Path write(String config) throws IOException {
    writeConfig(folder, config);
    SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors);
    return folder;
  }

  private static void writeConfig(Path folder, String config) throws IOException {
    Files.writeString(
        Files.createDirectories(folder).resolve("config.json"), config.replace('\'', '"'));
  }

  private static void refused(Path folder, String message) {
    assertThatThrownBy(() -> MambaCheckpoint.open(folder).close())
        .isInstanceOf(CheckpointException.class)
        .hasMessage(message);
  }

  private static String fingerprint(Path folder) {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(folder)) {
      return checkpoint.fingerprint();
    }
  }

  private static float[] logits(Path folder) {
    return MambaModelTest.logits(MambaModel.load(folder), 3, 1, 4);
  }

  @Test
  void aSmallModelOpensAndLoads() throws IOException {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(write(huggingFace("")))) {
      assertThat(checkpoint.config()).isEqualTo(config(""));
      assertThat(checkpoint.notes()).isEmpty();
      assertThat(checkpoint.tensors()).hasSize(2 + 2 * 9).containsKey("layers.1.mixer.dt_bias");
      long perLayer = 4 + 2 + 2 + 2 + 30 * 4 + 20 * 4 + 20 + 8 + 4 * 8;
      assertThat(checkpoint.parameterCount()).isEqualTo(8 * 4 + 4 + 2 * perLayer);
      for (WeightFormat format : WeightFormat.values()) {
        assertThat(checkpoint.packedBytes(format)).isEqualTo(checkpoint.load(format).packedBytes());
      }
    }
  }

  @Test
  void bothLayoutsOfTheSameModelHaveOneFingerprintAndTheSameLogits() throws IOException {
    String expected = fingerprint(write(huggingFace("")));
    float[] logits = logits(folder);

    writeConfig(folder, stateSpaces(""));
    assertThat(fingerprint(folder)).isEqualTo(expected);
    assertThat(logits(folder)).isEqualTo(logits);
    writeConfig(folder, huggingFace(", 'norm_before_gate': true"));
    assertThat(fingerprint(folder)).isEqualTo(expected);
    assertThat(logits(folder)).isEqualTo(logits);

    writeConfig(folder, stateSpaces(", 'norm_before_gate': true"));
    assertThat(fingerprint(folder)).isNotEqualTo(expected);
    assertThat(logits(folder)).isNotEqualTo(logits);
    writeConfig(folder, stateSpaces(", 'dt_limit': [0.01, 0.02]"));
    assertThat(fingerprint(folder)).isNotEqualTo(expected);
    assertThat(logits(folder)).isNotEqualTo(logits);
  }

  @Test
  void infinityOfAFileIsRead() throws IOException {
    String expected = fingerprint(write(huggingFace("")));
    for (String infinity : new String[] {"Infinity", "{'__float__': 'Infinity'}", "null"}) {
      writeConfig(folder, huggingFace(", 'time_step_limit': [0.0, " + infinity + "]"));
      assertThat(fingerprint(folder)).isEqualTo(expected);
    }
    refused(
        write(huggingFace(", 'layer_norm_epsilon': NaN")),
        "config.json: layer_norm_epsilon is \"NaN\"; expected a number from 0 to 1");
  }

  @ParameterizedTest
  @CsvSource({
    "mamba2, d99381eee554c4939a110e250fd3d6cb39307db48020685e6a8fff01af050f3f",
    "mamba2-groups, 506be84a74003e8da54613fde42746297911728fa387a41ba6931d596d2eb7e0",
    "mamba2-state-spaces-bin, 580308872a9a9f2a154fe7aa8b86e930329e7317de56b4cba48c1a926338dc93",
    "mamba2-no-norm, 562fefd3b9bc1069185f55ea160b532fc032fa9ffc4f46ef91c28e04edfeeec0"
  })
  void theFingerprintsOfKnownModelsDoNotChange(String golden, String expected) {
    assertThat(fingerprint(Golden.folder(golden))).isEqualTo(expected);
  }

  @Test
  void missingTensorsAreNamed() throws IOException {
    tensors.remove("backbone.layers.1.mixer.dt_bias");
    refused(write(huggingFace("")), "The checkpoint lacks tensor layers.1.mixer.dt_bias");

    tensors.remove("backbone.layers.0.mixer.norm.weight");
    refused(
        write(huggingFace("")),
        "The checkpoint lacks tensor layers.0.mixer.norm.weight and 1 more");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "mixer.x_proj.weight",
        "mixer.dt_proj.weight",
        "mixer.dt_proj.bias",
        "mixer.norm.bias"
      })
  void aTensorThatMamba2DoesNotHaveIsRefused(String name) throws IOException {
    tensors.put("backbone.layers.0." + name, Tensor.f32(new int[] {8}, new float[8]));

    refused(
        write(huggingFace("")),
        "Cannot load tensor backbone.layers.0."
            + name
            + " from model.safetensors: a Mamba model with this config.json has no such tensor");
  }

  @Test
  void theGroupedNormIsRefusedIfTheConfigDisablesIt() throws IOException {
    refused(
        write(stateSpaces(", 'rmsnorm': false")),
        "Cannot load tensor backbone.layers.0.mixer.norm.weight from model.safetensors: a Mamba"
            + " model with this config.json has no such tensor");

    tensors.keySet().removeIf(name -> name.contains("mixer.norm"));
    assertThat(logits(write(stateSpaces(", 'rmsnorm': false")))).doesNotContain(Float.NaN);
  }

  @Test
  void theShapeOfDFollowsFromTheConfig() throws IOException {
    String message =
        "Cannot load tensor backbone.layers.0.mixer.D from model.safetensors: expected shape [%d],"
            + " found [%d]";
    refused(write(stateSpaces(", 'D_has_hdim': true")), message.formatted(8, 2));
    float[] expected = logits(write(stateSpaces("")));

    // The value of each head, for all of its channels.
    for (int layer = 0; layer < 2; layer++) {
      String name = "backbone.layers." + layer + ".mixer.D";
      byte[] heads = tensors.get(name).bytes();
      byte[] channels = new byte[8 * 4];
      for (int i = 0; i < channels.length; i++) {
        channels[i] = heads[i / 16 * 4 + i % 4];
      }
      tensors.put(name, new Tensor("F32", new int[] {8}, channels));
    }
    refused(write(stateSpaces("")), message.formatted(2, 8));
    assertThat(logits(write(stateSpaces(", 'D_has_hdim': true")))).isEqualTo(expected);
  }

  @Test
  void aShapeOfMamba1IsRefused() throws IOException {
    tensors.put(
        "backbone.layers.0.mixer.in_proj.weight", Tensor.f32(new int[] {16, 4}, new float[64]));
    refused(
        write(huggingFace("")),
        "Cannot load tensor backbone.layers.0.mixer.in_proj.weight from model.safetensors: expected"
            + " shape [30, 4], found [16, 4]");
  }

  @Test
  void anUntiedModelIsTheDefaultOfHuggingFaceAndRequiresAHead() throws IOException {
    String untied = huggingFace("").replace(", 'tie_word_embeddings': true", "");
    refused(
        write(untied),
        "The checkpoint lacks tensor lm_head.weight, but config.json leaves tie_word_embeddings at"
            + " its default (false); set tie_word_embeddings to true if the embedding is the head,"
            + " or save the model again with its head");

    float[] tied = logits(write(huggingFace("")));
    tensors.put("lm_head.weight", tensors.get("backbone.embedding.weight"));
    assertThat(logits(write(untied))).isEqualTo(tied);
  }

  @Test
  void flagsAndBiasesMustAgree() throws IOException {
    refused(
        write(huggingFace(", 'use_conv_bias': false")),
        "Cannot load tensor backbone.layers.0.mixer.conv1d.bias from model.safetensors: config.json"
            + " sets use_conv_bias to false; set use_conv_bias to true if the model was trained"
            + " with this bias, or remove it from every layer");
    refused(
        write(stateSpaces(", 'conv_bias': false")),
        "Cannot load tensor backbone.layers.0.mixer.conv1d.bias from model.safetensors: config.json"
            + " sets ssm_cfg.conv_bias to false; set ssm_cfg.conv_bias to true if the model was"
            + " trained with this bias, or remove it from every layer");
    try (MambaCheckpoint checkpoint =
        MambaCheckpoint.open(write(huggingFace(", 'use_bias': true")))) {
      assertThat(checkpoint.config()).isEqualTo(config(""));
      assertThat(checkpoint.notes())
          .containsExactly(
              "config.json sets use_bias to true, but no layer has an in_proj.bias or"
                  + " out_proj.bias: the model runs without them");
    }

    float[] without = logits(write(huggingFace("")));
    put(config(", 'use_bias': true"), 1);
    refused(
        write(stateSpaces("")),
        "Cannot load tensor backbone.layers.0.mixer.in_proj.bias from model.safetensors:"
            + " config.json leaves ssm_cfg.bias at its default (false); set ssm_cfg.bias to true if"
            + " the model was trained with this bias, or remove it from every layer");
    assertThat(logits(write(stateSpaces(", 'bias': true")))).isNotEqualTo(without);
    tensors.remove("backbone.layers.1.mixer.out_proj.bias");
    refused(
        write(stateSpaces(", 'bias': true")),
        "The checkpoint lacks tensor layers.1.mixer.out_proj.bias, but config.json sets"
            + " ssm_cfg.bias to true, and model.safetensors contains"
            + " backbone.layers.0.mixer.in_proj.bias; save the model again with all of its biases,"
            + " or remove them from every layer and set ssm_cfg.bias to false");
  }

  @Test
  void shardsAndPyTorchFilesGiveTheSameModel() throws IOException {
    String expected = fingerprint(write(huggingFace("")));
    float[] logits = logits(folder);

    Path shards = folder.resolve("shards");
    writeConfig(shards, huggingFace(""));
    Map<String, Tensor> first = new LinkedHashMap<>();
    Map<String, Tensor> second = new LinkedHashMap<>();
    StringBuilder index = new StringBuilder("{\"weight_map\": {");
    tensors.forEach(
        (name, tensor) -> {
          boolean odd = first.size() > second.size();
          (odd ? second : first).put(name, tensor);
          index.append("\"%s\": \"%s.safetensors\",".formatted(name, odd ? "second" : "first"));
        });
    index.setCharAt(index.length() - 1, '}');
    SafetensorsWriter.write(shards.resolve("first.safetensors"), first);
    SafetensorsWriter.write(shards.resolve("second.safetensors"), second);
    Files.writeString(shards.resolve("model.safetensors.index.json"), index + "}");
    assertThat(fingerprint(shards)).isEqualTo(expected);
    assertThat(logits(shards)).isEqualTo(logits);

    Path torch = folder.resolve("torch");
    writeConfig(torch, stateSpaces(""));
    Pickler pickler = Pickler.protocol2().op('}');
    TorchWriter archive = new TorchWriter();
    tensors.forEach(
        (name, tensor) -> {
          long[] shape = Arrays.stream(tensor.shape()).asLongStream().toArray();
          long[] strides = new long[shape.length];
          long elements = 1;
          for (int i = shape.length - 1; i >= 0; i--) {
            strides[i] = elements;
            elements *= shape[i];
          }
          pickler.text(name).tensor("FloatStorage", name, elements, 0, shape, strides).op('s');
          archive.entry("m/data/" + name, tensor.bytes());
        });
    archive.entry("m/data.pkl", pickler.end()).write(torch.resolve("pytorch_model.bin"));
    assertThat(fingerprint(torch)).isEqualTo(expected);
    assertThat(logits(torch)).isEqualTo(logits);
  }

  private float[] int8Logits() {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(folder)) {
      MambaModel model = checkpoint.load(WeightFormat.INT8);
      assertThat(model.packedBytes()).isEqualTo(checkpoint.packedBytes(WeightFormat.INT8));
      return MambaModelTest.logits(model, 3, 1, 4);
    }
  }

  @Test
  void weightsInF16AndBf16GiveTheSameLogitsAsTheirValuesInF32() throws IOException {
    SplittableRandom random = new SplittableRandom(91);
    Map<String, Tensor> f16 = new LinkedHashMap<>();
    Map<String, Tensor> bf16 = new LinkedHashMap<>();
    tensors.replaceAll(
        (name, tensor) -> {
          // Numbers with three bits after the point are exact in both formats.
          float[] values = new float[tensor.bytes().length / Float.BYTES];
          short[] bits = new short[values.length];
          for (int i = 0; i < values.length; i++) {
            int fraction = random.nextInt(8);
            int exponent = random.nextInt(-3, 0);
            int sign = random.nextInt(2);
            values[i] = (1 - 2 * sign) * Math.scalb(1 + fraction / 8f, exponent);
            bits[i] = (short) (sign << 15 | exponent + 15 << 10 | fraction << 7);
          }
          f16.put(name, Tensor.halves("F16", tensor.shape(), bits));
          bf16.put(name, Tensor.bf16(tensor.shape(), values));
          return Tensor.f32(tensor.shape(), values);
        });
    float[] expected = logits(write(huggingFace("")));
    float[] expectedInt8 = int8Logits();
    tensors.putAll(f16);
    assertThat(logits(write(huggingFace("")))).isEqualTo(expected);
    assertThat(int8Logits()).isEqualTo(expectedInt8);
    tensors.putAll(bf16);
    assertThat(logits(write(huggingFace("")))).isEqualTo(expected);
    assertThat(int8Logits()).isEqualTo(expectedInt8).isNotEqualTo(expected);

    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(folder)) {
      assertThat(checkpoint.rounds(WeightFormat.BF16)).isFalse();
      MambaModel packed = checkpoint.load(WeightFormat.BF16);
      assertThat(MambaModelTest.logits(packed, 3, 1, 4)).isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"mamba2", "mamba2-groups", "mamba2-state-spaces-bin", "mamba2-no-norm"})
  void anF32CheckpointIsRoundedToBf16AndGivesCloseResults(String golden) {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(Golden.folder(golden))) {
      assertThat(checkpoint.rounds(WeightFormat.BF16)).isTrue();
      MambaModel half = checkpoint.load(WeightFormat.BF16);
      assertThat(half.packedBytes()).isEqualTo(checkpoint.packedBytes(WeightFormat.BF16));
      float[] full = MambaModelTest.logits(checkpoint.load(), 3, 1, 4, 1, 5);
      assertThat(MambaModelTest.logits(half, 3, 1, 4, 1, 5))
          .isNotEqualTo(full)
          .containsExactly(full, within(1f));
    }
  }

  @ParameterizedTest
  @EnumSource
  void thePackedBytesAreThoseOfTheArrays(WeightFormat format) {
    for (MambaConfig config :
        List.of(MambaConfig.of(256, 3, 999), MambaConfig.ofMamba2(256, 3, 999))) {
      for (DType embedding : List.of(DType.F32, DType.F16, DType.BF16)) {
        MambaModel.Builder builder = new MambaModel.Builder(config, format);
        for (String name : TensorNames.required(config)) {
          DType dtype = name.equals(TensorNames.EMBEDDING) ? embedding : DType.F32;
          builder.add(name, TensorNames.shape(config, name), dtype, "zeros", (to, at, count) -> {});
        }
        MambaModel model = builder.build();

        long bytes = arrayBytes(model, Collections.newSetFromMap(new IdentityHashMap<>()));

        assertThat(model.packedBytes())
            .as("%s, embedding in %s", config, embedding)
            .isBetween(bytes - bytes / 50, bytes);
      }
    }
  }

  /** Returns the bytes of all arrays that an object refers to. */
  private static long arrayBytes(Object object, Set<Object> seen) {
    if (object == null || !seen.add(object)) {
      return 0;
    }
    Class<?> type = object.getClass();
    if (object instanceof float[] floats) {
      return (long) Float.BYTES * floats.length;
    }
    if (object instanceof int[] ints) {
      return (long) Integer.BYTES * ints.length;
    }
    if (object instanceof short[] shorts) {
      return (long) Short.BYTES * shorts.length;
    }
    long bytes = 0;
    if (object instanceof Object[]) {
      for (int i = 0; i < Array.getLength(object); i++) {
        bytes += arrayBytes(Array.get(object, i), seen);
      }
    } else if (type.getPackageName().startsWith("io.mambaspark") && !type.isEnum()) {
      for (Class<?> c = type; c != Object.class; c = c.getSuperclass()) {
        for (Field field : c.getDeclaredFields()) {
          if (!Modifier.isStatic(field.getModifiers()) && !field.getType().isPrimitive()) {
            field.setAccessible(true);
            try {
              bytes += arrayBytes(field.get(object), seen);
            } catch (IllegalAccessException e) {
              throw new IllegalStateException(e);
            }
          }
        }
      }
    }
    return bytes;
  }
}
