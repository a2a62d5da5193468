package io.mambaspark.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.engine.Golden;
import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.SafetensorsWriter;
import io.mambaspark.engine.checkpoint.SafetensorsWriter.Tensor;
import io.mambaspark.engine.checkpoint.TorchWriter;
import io.mambaspark.engine.checkpoint.TorchWriter.Pickler;
import io.mambaspark.engine.kernel.WeightFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MambaCheckpointTest {
  private static final String TIED = "";
  private static final String UNTIED = ", \"tie_word_embeddings\": false";

  @TempDir Path folder;

  private final MambaConfig config = MambaConfig.of(4, 2, 8);
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  @BeforeEach
  void smallModel() {
    TestModels.tensors(config, 1)
        .forEach(
            (name, values) -> tensors.put("backbone." + name, Tensor.f32(shape(name), values)));
  }

  private int[] shape(String name) {
    return TestModels.shape(config, name);
  }

  private Path write(String moreConfig) throws IOException {
    writeConfig(folder, moreConfig);
    SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors);
    return folder;
  }

  private static void writeConfig(Path folder, String more) throws IOException {
    Files.writeString(
        Files.createDirectories(folder).resolve("config.json"),
        "{\"model_type\": \"mamba\", \"hidden_size\": 4, \"num_hidden_layers\": 2,"
            + " \"vocab_size\": 8"
            + more
            + "}");
  }

  private static void refused(Path folder, String message) {
    assertThatThrownBy(() -> MambaCheckpoint.open(folder).close())
        .isInstanceOf(CheckpointException.class)
        .hasMessage(message);
  }

  @Test
  void aSmallModelOpensAndLoads() throws IOException {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(write(TIED))) {
      assertThat(checkpoint.config()).isEqualTo(config);
      assertThat(checkpoint.tensors()).hasSize(2 + 2 * 10).containsKey("layers.1.mixer.D");
      long perLayer = 4 + 8 * 16 + 8 + 16 * 4 + 8 * 4 + 8 + 33 * 8 + 8 + 8 + 4 * 8;
      assertThat(checkpoint.parameterCount()).isEqualTo(8 * 4 + 4 + 2 * perLayer);
      assertThat(checkpoint.packedBytes()).isEqualTo(checkpoint.load().packedBytes());
    }
  }

  @ParameterizedTest
  @CsvSource({"seed-demo, 489344", "tiny-books, 1224064"})
  void theParametersOfRealModelsAreCountedOnce(String name, long parameters) {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(Golden.folder(name))) {
      assertThat(checkpoint.parameterCount()).isEqualTo(parameters);
    }
  }

  @Test
  void aFormatWhoseSumsAreTooShortForTheColumnsIsRefused() throws IOException {
    MambaConfig wide =
        new MambaConfig(
            1, 1, 8, new Mamba1Config(1, 1, 66573, 1, false, false, null), 1e-5f, true, null, null);
    tensors.clear();
    TestModels.tensors(wide, 1)
        .forEach(
            (name, values) ->
                tensors.put("backbone." + name, Tensor.f32(TestModels.shape(wide, name), values)));
    Files.writeString(
        folder.resolve("config.json"),
        "{\"model_type\": \"mamba\", \"hidden_size\": 1, \"num_hidden_layers\": 1,"
            + " \"vocab_size\": 8, \"state_size\": 1, \"conv_kernel\": 1,"
            + " \"use_conv_bias\": false, \"intermediate_size\": 66573}");
    SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors);

    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(folder)) {
      for (WeightFormat format : List.of(WeightFormat.F32, WeightFormat.BF16, WeightFormat.INT8)) {
        assertThat(checkpoint.supports(format)).isTrue();
        checkpoint.check(format);
        checkpoint.load(format);
      }
      for (WeightFormat format : List.of(WeightFormat.INT8_OUT16, WeightFormat.INT16)) {
        assertThat(checkpoint.supports(format)).isFalse();
        assertThatThrownBy(() -> checkpoint.check(format))
            .isInstanceOf(CheckpointException.class)
            .hasMessage(
                "Cannot pack tensor backbone.layers.0.mixer.out_proj.weight as %s: found 66573"
                    + " columns, expected at most 66572; choose f32 or bf16",
                format);
      }
    }
  }

  @Test
  void aShapeThatContradictsTheConfigIsRefused() throws IOException {
    MambaConfig wide =
        new MambaConfig(
            1, 4, 8, new Mamba1Config(1, 1, 1536, 1, true, false, null), 1e-5f, true, null, null);
    tensors.clear();
    TestModels.tensors(wide, 1)
        .forEach(
            (name, values) ->
                tensors.put("backbone." + name, Tensor.f32(TestModels.shape(wide, name), values)));
    tensors.put("backbone.layers.3.mixer.D", Tensor.f32(new int[] {768}, new float[768]));
    Files.writeString(
        folder.resolve("config.json"),
        "{\"model_type\": \"mamba\", \"hidden_size\": 1, \"num_hidden_layers\": 4,"
            + " \"vocab_size\": 8, \"state_size\": 1, \"conv_kernel\": 1,"
            + " \"intermediate_size\": 1536}");
    SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors);

    refused(
        folder,
        "Cannot load tensor backbone.layers.3.mixer.D from model.safetensors: expected shape"
            + " [1536], found [768]");
  }

  @Test
  void aShapeWithTheRightNumberOfElementsIsRefusedToo() throws IOException {
    tensors.put(
        "backbone.layers.0.mixer.conv1d.weight", Tensor.f32(new int[] {8, 4}, new float[32]));

    refused(
        write(TIED),
        "Cannot load tensor backbone.layers.0.mixer.conv1d.weight from model.safetensors: expected"
            + " shape [8, 1, 4], found [8, 4]");
  }

  @Test
  void missingTensorsAreNamed() throws IOException {
    tensors.remove("backbone.layers.1.mixer.A_log");
    refused(write(TIED), "The checkpoint lacks tensor layers.1.mixer.A_log");

    tensors.remove("backbone.norm_f.weight");
    refused(write(TIED), "The checkpoint lacks tensor norm_f.weight and 1 more");

    // If a complete layer is missing, the message does not name only its bias.
    tensors.keySet().removeIf(name -> name.contains("layers.1."));
    refused(write(TIED), "The checkpoint lacks tensor norm_f.weight and 9 more");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "backbone.layers.2.mixer.D",
        "backbone.layers.00.mixer.D",
        "backbone.layers.-1.mixer.D",
        "backbone.layers.99999999999.mixer.D",
        "backbone.layers.0.mixer.E",
        "backbone.layers.0.",
        "backbone.layers.",
        "lm_head.bias",
        "visual.weight"
      })
  void aTensorThatAMambaModelDoesNotHaveIsRefused(String name) throws IOException {
    tensors.put(name, Tensor.f32(new int[] {8}, new float[8]));

    refused(
        write(TIED),
        "Cannot load tensor "
            + name
            + " from model.safetensors: a Mamba model with this config.json has no such tensor");
  }

  @Test
  void aVeryLongNameIsTruncatedInTheMessage() throws IOException {
    tensors.put("t".repeat(40_000), Tensor.f32(new int[] {8}, new float[8]));

    refused(
        write(TIED),
        "Cannot load tensor "
            + "t".repeat(120)
            + "… (40000 characters) from model.safetensors: a Mamba model with this config.json has"
            + " no such tensor");
  }

  @Test
  void aTensorUnderTwoNamesIsRefused() throws IOException {
    tensors.put("backbone.embeddings.weight", Tensor.f32(shape("embedding.weight"), new float[32]));

    refused(
        write(TIED),
        "Cannot load tensor backbone.embeddings.weight from model.safetensors: the checkpoint"
            + " contains it under two names");
  }

  @Test
  void theBuilderRefusesATensorThatItAlreadyHas() {
    MambaModel.Builder builder = new MambaModel.Builder(config);
    builder.add("norm_f.weight", new int[] {4}, "a.safetensors", TestModels.reader(1, 2, 3, 4));

    assertThatThrownBy(
            () ->
                builder.add(
                    "backbone.norm_f.weight",
                    new int[] {4},
                    "b.safetensors",
                    TestModels.reader(1, 2, 3, 4)))
        .isInstanceOf(CheckpointException.class)
        .hasMessage(
            "Cannot load tensor backbone.norm_f.weight from b.safetensors: the model already has"
                + " this tensor");
    assertThatThrownBy(builder::build)
        .isInstanceOf(CheckpointException.class)
        .hasMessage("The checkpoint lacks tensor embedding.weight and 20 more");
  }

  @ParameterizedTest
  @CsvSource({
    "F32, NaN, NaN",
    "F32, Infinity, Infinity",
    "F32, -Infinity, -Infinity",
    "F16, 7e00, NaN",
    "F16, fc00, -Infinity",
    "BF16, 7fc0, NaN",
    "BF16, 7f80, Infinity"
  })
  void aWeightThatIsNotFiniteIsRefused(String dtype, String bad, String shown) throws IOException {
    Tensor tensor;
    if (dtype.equals("F32")) {
      float[] values = new float[4];
      values[2] = Float.parseFloat(bad);
      tensor = Tensor.f32(new int[] {4}, values);
    } else {
      short bits = (short) Integer.parseInt(bad, 16);
      tensor = Tensor.halves(dtype, new int[] {4}, (short) 0, (short) 0, bits, (short) 0);
    }
    tensors.put("backbone.layers.1.norm.weight", tensor);
    String message =
        "Cannot load tensor backbone.layers.1.norm.weight from model.safetensors: element 2 is "
            + shown
            + "; weights must be finite";

    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(write(TIED))) {
      assertThatThrownBy(checkpoint::load)
          .isInstanceOf(CheckpointException.class)
          .hasMessage(message);
      assertThatThrownBy(checkpoint::fingerprint)
          .isInstanceOf(CheckpointException.class)
          .hasMessage(message);
    }
  }

  @Test
  void theIndexOfAnElementThatIsNotFiniteIsNamed() throws IOException {
    float[] values = new float[8 * 16];
    values[8 * 16 - 3] = Float.NaN;
    tensors.put("backbone.layers.0.mixer.A_log", Tensor.f32(new int[] {8, 16}, values));

    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(write(TIED))) {
      assertThatThrownBy(checkpoint::load)
          .hasMessageContaining("layers.0.mixer.A_log")
          .hasMessageContaining("element 125 is NaN");
    }
  }

  private float[] logits(String moreConfig) throws IOException {
    MambaModel model = MambaModel.load(write(moreConfig));
    return MambaModelTest.logits(model, 3, 1, 4);
  }

  @Test
  void aHeadEqualToTheEmbeddingIsTiedAndADifferentHeadIsUsed() throws IOException {
    float[] embedding = logits(TIED);
    Tensor same = tensors.get("backbone.embedding.weight");
    tensors.put("lm_head.weight", same);
    assertThat(logits(TIED)).isEqualTo(embedding);
    assertThat(logits(UNTIED)).isEqualTo(embedding);
    // The values are compared, whatever their dtype.
    tensors.put("lm_head.weight", f64(same));
    assertThat(logits(TIED)).isEqualTo(embedding);

    float[] head = new float[32];
    head[0] = 1f;
    tensors.put("lm_head.weight", Tensor.f32(new int[] {8, 4}, head));
    float[] own = logits(UNTIED);
    assertThat(own).isNotEqualTo(embedding);
    assertThat(own[0]).isNotZero();
    assertThat(Arrays.copyOfRange(own, 1, 8)).containsOnly(0f);
  }

  private static Tensor f64(Tensor f32) {
    ByteBuffer floats = ByteBuffer.wrap(f32.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer doubles = ByteBuffer.allocate(2 * f32.bytes().length).order(ByteOrder.LITTLE_ENDIAN);
    while (floats.hasRemaining()) {
      doubles.putDouble(floats.getFloat());
    }
    return new Tensor("F64", f32.shape(), doubles.array());
  }

  @Test
  void aTiedHeadWithOtherValuesIsRefusedAndTheKeyOfTheConfigIsNamed() throws IOException {
    Tensor embedding = tensors.get("backbone.embedding.weight");
    byte[] bytes = embedding.bytes().clone();
    bytes[4 * 21 + 3] ^= 1;
    tensors.put("lm_head.weight", new Tensor("F32", embedding.shape(), bytes));

    String message =
        "Cannot load tensor lm_head.weight from model.safetensors: its element 21 differs from that"
            + " of backbone.embedding.weight, but config.json %s; set %s to false if the head has"
            + " its own weights, or remove lm_head.weight if the embedding is the head";
    String key = "tie_word_embeddings";
    refused(write(TIED), message.formatted("leaves " + key + " at its default (true)", key));
    refused(
        write(", \"tie_word_embeddings\": true"),
        message.formatted("sets " + key + " to true", key));
    refused(
        writeStateSpaces(""),
        message.formatted("leaves tie_embeddings at its default (true)", "tie_embeddings"));
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(write(UNTIED))) {
      assertThat(checkpoint.tensors()).containsKey("lm_head.weight");
    }
  }

  private Path writeStateSpaces(String more) throws IOException {
    write(TIED);
    Files.writeString(
        folder.resolve("config.json"),
        "{\"d_model\": 4, \"n_layer\": 2, \"vocab_size\": 8" + more + "}");
    return folder;
  }

  @Test
  void anUntiedModelWithoutAHeadIsRefusedAndTheKeyOfTheConfigIsNamed() throws IOException {
    String message =
        "The checkpoint lacks tensor lm_head.weight, but config.json sets %s to false; set %s to"
            + " true if the embedding is the head, or save the model again with its head";
    String key = "tie_word_embeddings";
    refused(write(UNTIED), message.formatted(key, key));
    refused(
        writeStateSpaces(", \"tie_embeddings\": false"),
        message.formatted("tie_embeddings", "tie_embeddings"));
  }

  private void putBias(int layer, String bias, int length) {
    float[] values = new float[length];
    Arrays.fill(values, 0.5f);
    tensors.put(
        "backbone.layers." + layer + ".mixer." + bias + ".bias",
        Tensor.f32(new int[] {length}, values));
  }

  @Test
  void biasesThatTheConfigDisablesAreRefused() throws IOException {
    String message =
        "Cannot load tensor backbone.layers.0.mixer.%s.bias from model.safetensors: config.json %s; set"
            + " %s to true if the model was trained with this bias, or remove it from every layer";
    refused(
        write(", \"use_conv_bias\": false"),
        message.formatted("conv1d", "sets use_conv_bias to false", "use_conv_bias"));
    refused(
        writeStateSpaces(", \"ssm_cfg\": {\"conv_bias\": false}"),
        message.formatted("conv1d", "sets ssm_cfg.conv_bias to false", "ssm_cfg.conv_bias"));

    for (int layer = 0; layer < 2; layer++) {
      putBias(layer, "in_proj", 16);
      putBias(layer, "out_proj", 4);
    }
    refused(
        write(TIED),
        message.formatted("in_proj", "leaves use_bias at its default (false)", "use_bias"));
    refused(
        writeStateSpaces(", \"ssm_cfg\": {\"bias\": false}"),
        message.formatted("in_proj", "sets ssm_cfg.bias to false", "ssm_cfg.bias"));
    assertThat(logits(", \"use_bias\": true")).doesNotContain(Float.NaN);
  }

  @Test
  void aBiasThatSomeLayersLackIsRefused() throws IOException {
    putBias(0, "in_proj", 16);
    putBias(1, "in_proj", 16);
    putBias(1, "out_proj", 4);
    refused(
        write(", \"use_bias\": true"),
        "The checkpoint lacks tensor layers.0.mixer.out_proj.bias, but config.json sets use_bias to"
            + " true, and model.safetensors contains backbone.layers.0.mixer.in_proj.bias; save the"
            + " model again with all of its biases, or remove them from every layer and set use_bias"
            + " to false");

    tensors.remove("backbone.layers.1.mixer.conv1d.bias");
    refused(
        write(TIED),
        "The checkpoint lacks tensor layers.1.mixer.conv1d.bias, but config.json leaves"
            + " use_conv_bias at its default (true), and model.safetensors contains"
            + " backbone.layers.0.mixer.conv1d.bias; save the model again with all of its biases, or remove them from every layer and set"
            + " use_conv_bias to false");
  }

  @Test
  void missingConvolutionBiasesAreRefusedUnlessTheConfigDisablesThem() throws IOException {
    tensors.keySet().removeIf(name -> name.endsWith("conv1d.bias"));
    refused(
        writeStateSpaces(""),
        "The checkpoint lacks tensor layers.0.mixer.conv1d.bias and 1 more, but config.json leaves"
            + " ssm_cfg.conv_bias at its default (true); set ssm_cfg.conv_bias to false if the model has"
            + " no such bias, or save it again with all of its biases");
    assertThat(logits(", \"use_conv_bias\": false")).doesNotContain(Float.NaN);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void useBiasIsIgnoredWithANoteIfNoLayerHasABias(boolean huggingFace) throws IOException {
    float[] without = logits(TIED);
    String fingerprint = fingerprint(folder);
    String key = huggingFace ? "use_bias" : "ssm_cfg.bias";
    Path biased =
        huggingFace
            ? write(", \"use_bias\": true")
            : writeStateSpaces(", \"ssm_cfg\": {\"bias\": true}");

    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(biased)) {
      assertThat(checkpoint.notes())
          .containsExactly(
              "config.json sets "
                  + key
                  + " to true, but no layer has an in_proj.bias or out_proj.bias: the model runs"
                  + " without them");
      assertThat(checkpoint.config()).isEqualTo(config);
      assertThat(checkpoint.fingerprint()).isEqualTo(fingerprint);
      assertThat(MambaModelTest.logits(checkpoint.load(), 3, 1, 4)).isEqualTo(without);
    }
  }

  @Test
  void f64IsNarrowedAndANoteReportsIt() throws IOException {
    float[] expected = logits(TIED);
    String fingerprint = fingerprint(folder);
    tensors.replaceAll((name, tensor) -> name.contains("norm") ? f64(tensor) : tensor);

    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(write(TIED))) {
      assertThat(checkpoint.notes())
          .containsExactly(
              "F64 tensors are narrowed to F32: backbone.layers.0.norm.weight,"
                  + " backbone.layers.1.norm.weight, backbone.norm_f.weight");
      assertThat(MambaModelTest.logits(checkpoint.load(), 3, 1, 4)).isEqualTo(expected);
      // The fingerprint depends on the dtype, even if the values are equal.
      assertThat(checkpoint.fingerprint()).isNotEqualTo(fingerprint);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "-1e300, '-1.0E300, which is not finite in F32'",
    "3.5e38, '3.5E38, which is not finite in F32'",
    "NaN, NaN",
    "-Infinity, -Infinity"
  })
  void f64ThatIsNotFiniteInF32IsRefused(double bad, String shown) throws IOException {
    ByteBuffer doubles = ByteBuffer.allocate(32).order(ByteOrder.LITTLE_ENDIAN);
    doubles.putDouble(16, bad);
    tensors.put("backbone.norm_f.weight", new Tensor("F64", new int[] {4}, doubles.array()));
    String message =
        "Cannot load tensor backbone.norm_f.weight from model.safetensors: element 2 is "
            + shown
            + "; weights must be finite";

    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(write(TIED))) {
      assertThatThrownBy(checkpoint::load)
          .isInstanceOf(CheckpointException.class)
          .hasMessage(message);
      assertThatThrownBy(checkpoint::fingerprint)
          .isInstanceOf(CheckpointException.class)
          .hasMessage(message);
    }
  }

  @Test
  void integerWeightsAreRefused() throws IOException {
    tensors.put("backbone.norm_f.weight", new Tensor("I64", new int[] {4}, new byte[32]));
    refused(
        write(TIED),
        "Cannot load tensor backbone.norm_f.weight from model.safetensors: found dtype I64, expected"
            + " F32, F16, BF16 or F64");
  }

  @Test
  void tensorsThatAreNotPartOfTheModelAreIgnoredAndNamed() throws IOException {
    float[] expected = logits(TIED);
    String fingerprint = fingerprint(folder);
    float[] nan = {Float.NaN};
    tensors.put("backbone.layers.0.rotary_emb.inv_freq", Tensor.f32(new int[] {1}, nan));
    tensors.put("v_head.summary.weight", Tensor.bf16(new int[] {1}, 1));
    tensors.put("backbone.bn.num_batches_tracked", new Tensor("I64", new int[0], new byte[8]));

    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(write(TIED))) {
      assertThat(checkpoint.notes())
          .containsExactly(
              "tensors that are not part of the model are ignored: backbone.bn.num_batches_tracked,"
                  + " backbone.layers.0.rotary_emb.inv_freq, v_head.summary.weight");
      assertThat(checkpoint.tensors()).hasSize(2 + 2 * 10);
      assertThat(checkpoint.ignoredTensors()).hasSize(3).containsKey("v_head.summary.weight");
      assertThat(MambaModelTest.logits(checkpoint.load(), 3, 1, 4)).isEqualTo(expected);
      assertThat(checkpoint.fingerprint()).isNotEqualTo(fingerprint);
      tensors.get("v_head.summary.weight").bytes()[0] ^= 1;
      assertThat(fingerprint(write(TIED))).isNotEqualTo(checkpoint.fingerprint());
    }

    for (int i = 0; i < 10; i++) {
      tensors.put("v_head." + i, Tensor.f32(new int[] {1}, 1));
    }
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(write(TIED))) {
      assertThat(checkpoint.notes()).hasSize(1);
      assertThat(checkpoint.notes().get(0)).endsWith(", v_head.5 and 5 more");
    }
  }

  @Test
  void aNoteReportsAListOfTokens() throws IOException {
    try (MambaCheckpoint checkpoint =
        MambaCheckpoint.open(write(", \"eos_token_id\": [7, 1], \"bos_token_id\": [3]"))) {
      assertThat(checkpoint.notes())
          .containsExactly("config.json: eos_token_id is a list, [7,1]; the first, 7, is used");
      assertThat(checkpoint.config().bosTokenId()).isEqualTo(3);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"_orig_mod.", "module.", "module._orig_mod.", "_fsdp_wrapped_module.model."})
  void aWrapperPrefixOfAllNamesIsNamed(String prefix) throws IOException {
    String message =
        "Cannot load the tensors of model.safetensors: all names begin with "
            + prefix
            + ", a prefix that torch.compile and training wrappers add; save the model without its"
            + " wrapper, or the state dict without this prefix";
    prefixed(prefix);
    refused(write(TIED), message);

    tensors.put(prefix + "lm_head.weight", Tensor.f32(new int[] {8, 4}, new float[32]));
    refused(write(UNTIED), message);
  }

  private void prefixed(String prefix) {
    Map<String, Tensor> renamed = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> renamed.put(prefix + name, tensor));
    tensors.clear();
    tensors.putAll(renamed);
  }

  @Test
  void aPrefixOfOnlySomeNamesMakesTheirTensorsUnknown() throws IOException {
    prefixed("module.");
    tensors.put("lm_head.weight", Tensor.f32(new int[] {8, 4}, new float[32]));
    refused(
        write(UNTIED),
        "Cannot load tensor module.backbone.embedding.weight from model.safetensors: a Mamba model with"
            + " this config.json has no such tensor");
  }

  private static String fingerprint(Path folder) {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(folder)) {
      return checkpoint.fingerprint();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "tiny-books, c86c7745ec11597c1a39414d230b0ee893efb19c8af330e8ed99b559adfac525",
    "odd-shapes, 35ec60409a6892ff613d73444001bd43e10460c8915cc3cb4c446de7ca172166",
    "falcon, cc4ee5f22ce61db8d6474168b7045df32f9af58c8f266afecd9621b7f8b65248"
  })
  void theFingerprintsOfKnownModelsDoNotChange(String golden, String expected) {
    assertThat(fingerprint(Golden.folder(golden))).isEqualTo(expected);
  }

  @Test
  void theFingerprintDoesNotDependOnTheFilesThatHoldTheTensors() throws IOException {
    String expected = fingerprint(write(TIED));
    assertThat(expected).matches("[0-9a-f]{64}");

    Path shards = folder.resolve("shards");
    writeConfig(shards, TIED);
    Map<String, Tensor> even = new LinkedHashMap<>();
    Map<String, Tensor> odd = new LinkedHashMap<>();
    StringBuilder index = new StringBuilder("{\"weight_map\": {");
    tensors.forEach(
        (name, tensor) -> {
          boolean first = odd.size() == even.size();
          (first ? even : odd).put(name, tensor);
          index.append("\"%s\": \"%s.safetensors\",".formatted(name, first ? "even" : "odd"));
        });
    index.setCharAt(index.length() - 1, '}');
    SafetensorsWriter.write(shards.resolve("even.safetensors"), even);
    SafetensorsWriter.write(shards.resolve("odd.safetensors"), odd);
    Files.writeString(shards.resolve("model.safetensors.index.json"), index + "}");
    assertThat(fingerprint(shards)).isEqualTo(expected);

    Path torch = folder.resolve("torch");
    writeConfig(torch, TIED);
    Pickler pickler = Pickler.protocol2().op('}');
    TorchWriter archive = new TorchWriter();
    tensors.forEach(
        (name, tensor) -> {
          int[] shape = tensor.shape();
          long[] strides = new long[shape.length];
          long elements = 1;
          for (int i = shape.length - 1; i >= 0; i--) {
            strides[i] = elements;
            elements *= shape[i];
          }
          pickler.text(name).tensor("FloatStorage", name, elements, 0, longs(shape), strides);
          pickler.op('s');
          archive.entry("m/data/" + name, tensor.bytes());
        });
    archive.entry("m/data.pkl", pickler.end()).write(torch.resolve("pytorch_model.bin"));
    assertThat(fingerprint(torch)).isEqualTo(expected);
  }

  @Test
  void theFingerprintDoesNotDependOnStrides() throws IOException {
    String expected = fingerprint(write(TIED));

    Path torch = folder.resolve("strided");
    writeConfig(torch, TIED);
    Pickler pickler = Pickler.protocol2().op('}');
    TorchWriter archive = new TorchWriter();
    tensors.forEach(
        (name, tensor) -> {
          // Column-major.
          long[] shape = longs(tensor.shape());
          int columns = (int) shape[shape.length - 1];
          int rows = tensor.bytes().length / 4 / columns;
          ByteBuffer stored = ByteBuffer.allocate(tensor.bytes().length);
          for (int i = 0; i < rows * columns; i++) {
            stored.put(tensor.bytes(), 4 * (i % rows * columns + i / rows), 4);
          }
          long[] strides =
              switch (shape.length) {
                case 1 -> longs(1);
                case 2 -> longs(1, rows);
                default -> longs(1, 1, rows);
              };
          pickler.text(name).tensor("FloatStorage", name, rows * columns, 0, shape, strides);
          pickler.op('s');
          archive.entry("m/data/" + name, stored.array());
        });
    archive.entry("m/data.pkl", pickler.end()).write(torch.resolve("pytorch_model.bin"));
    assertThat(fingerprint(torch)).isEqualTo(expected);
    assertThat(MambaModelTest.logits(MambaModel.load(torch), 3, 1, 4)).isEqualTo(logits(TIED));
  }

  private static long[] longs(long... longs) {
    return longs;
  }

  private static long[] longs(int[] ints) {
    return Arrays.stream(ints).asLongStream().toArray();
  }

  @Test
  void theFingerprintDoesNotDependOnTheNamesOfALayout() throws IOException {
    String expected = fingerprint(write(TIED));

    Map<String, Tensor> renamed = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> renamed.put(name.substring("backbone.".length()), tensor));
    tensors.clear();
    tensors.putAll(renamed);
    assertThat(fingerprint(write(TIED))).isEqualTo(expected);

    tensors.put("backbone.embeddings.weight", tensors.remove("embedding.weight"));
    assertThat(fingerprint(write(TIED))).isEqualTo(expected);

    tensors.put("lm_head.weight", tensors.get("backbone.embeddings.weight"));
    assertThat(fingerprint(write(TIED))).isEqualTo(expected);
  }

  @Test
  void theFingerprintChangesWithABitADtypeOrAHyperParameter() throws IOException {
    String expected = fingerprint(write(TIED));
    assertThat(fingerprint(write(", \"bos_token_id\": 3"))).isEqualTo(expected);
    assertThat(fingerprint(write(", \"layer_norm_epsilon\": 1e-6"))).isNotEqualTo(expected);

    String name = "backbone.norm_f.weight";
    Tensor tensor = tensors.get(name);
    tensor.bytes()[0] ^= 1;
    assertThat(fingerprint(write(TIED))).isNotEqualTo(expected);
    tensor.bytes()[0] ^= 1;
    assertThat(fingerprint(write(TIED))).isEqualTo(expected);

    tensors.put(name, Tensor.bf16(new int[] {4}, 1, 2, 3, 4));
    String bf16 = fingerprint(write(TIED));
    tensors.put(name, Tensor.f32(new int[] {4}, 1, 2, 3, 4));
    assertThat(fingerprint(write(TIED))).isNotEqualTo(bf16).isNotEqualTo(expected);

    tensors.put("lm_head.weight", Tensor.f32(new int[] {8, 4}, new float[32]));
    String untied = fingerprint(write(UNTIED));
    tensors.remove("lm_head.weight");
    assertThat(fingerprint(write(TIED))).isNotEqualTo(untied);
  }
}
