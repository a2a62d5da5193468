package io.mambaspark.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.engine.Golden;
import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.SafetensorsWriter;
import io.mambaspark.engine.checkpoint.SafetensorsWriter.Tensor;
import io.mambaspark.engine.checkpoint.TorchWriter;
import io.mambaspark.engine.checkpoint.TorchWriter.Pickler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
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
      assertThat(checkpoint.tensors()).hasSize(2 + 2 * 9).containsKey("layers.1.mixer.D");
      long perLayer = 4 + 8 * 16 + 8 + 16 * 4 + 8 * 4 + 33 * 8 + 8 + 8 + 4 * 8;
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
  void aShapeThatIsNotTheConfigsIsRefused() throws IOException {
    MambaConfig wide =
        new MambaConfig(1, 4, 8, 1, 1, 1536, 1, true, false, 1e-5f, null, true, null, null);
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
  void whatIsMissingIsNamed() throws IOException {
    tensors.remove("backbone.layers.1.mixer.A_log");
    refused(write(TIED), "The checkpoint lacks tensor layers.1.mixer.A_log");

    tensors.remove("backbone.norm_f.weight");
    refused(write(TIED), "The checkpoint lacks tensor norm_f.weight and 1 more");
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
  void aVeryLongNameIsCutInTheMessage() throws IOException {
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
            + " holds it under two names");
  }

  @Test
  void theBuilderRefusesATensorThatIsThereAlready() {
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
            "Cannot load tensor backbone.norm_f.weight from b.safetensors: the model has this"
                + " tensor already");
    assertThatThrownBy(builder::build)
        .isInstanceOf(CheckpointException.class)
        .hasMessage("The checkpoint lacks tensor embedding.weight and 18 more");
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
  void anElementThatIsNotFiniteIsNamedWhereverItStands() throws IOException {
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
  void aTiedHeadIsIgnoredAnUntiedOneUsedAndWithoutOneTheEmbeddingTakesItsPlace()
      throws IOException {
    float[] embedding = logits(TIED);
    assertThat(logits(UNTIED)).isEqualTo(embedding);

    // Not even read where it is tied: what it holds does not matter.
    float[] head = new float[32];
    Arrays.fill(head, Float.NaN);
    tensors.put("lm_head.weight", Tensor.f32(new int[] {8, 4}, head));
    assertThat(logits(TIED)).isEqualTo(embedding);

    Arrays.fill(head, 0f);
    head[0] = 1f;
    tensors.put("lm_head.weight", Tensor.f32(new int[] {8, 4}, head));
    float[] own = logits(UNTIED);
    assertThat(own).isNotEqualTo(embedding);
    assertThat(own[0]).isNotZero();
    assertThat(Arrays.copyOfRange(own, 1, 8)).containsOnly(0f);
  }

  @Test
  void theTensorsPresentDecideAboutBiases() throws IOException {
    float[] without = logits(", \"use_bias\": true");
    assertThat(logits("")).isEqualTo(without);

    float[] bias = new float[4];
    bias[1] = 0.5f;
    tensors.put("backbone.layers.0.mixer.out_proj.bias", Tensor.f32(new int[] {4}, bias));
    assertThat(logits("")).isNotEqualTo(without);
  }

  private static String fingerprint(Path folder) {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(folder)) {
      return checkpoint.fingerprint();
    }
  }

  @Test
  void theFingerprintIsThatOfTheTensorsWhateverHoldsThem() throws IOException {
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

  private static long[] longs(int[] ints) {
    return Arrays.stream(ints).asLongStream().toArray();
  }

  @Test
  void theFingerprintIsTheSameUnderTheNamesOfEveryLayout() throws IOException {
    String expected = fingerprint(write(TIED));

    Map<String, Tensor> renamed = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> renamed.put(name.substring("backbone.".length()), tensor));
    tensors.clear();
    tensors.putAll(renamed);
    assertThat(fingerprint(write(TIED))).isEqualTo(expected);

    tensors.put("backbone.embeddings.weight", tensors.remove("embedding.weight"));
    assertThat(fingerprint(write(TIED))).isEqualTo(expected);

    tensors.put("lm_head.weight", Tensor.f32(new int[] {8, 4}, new float[32]));
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
    assertThat(fingerprint(write(UNTIED))).isNotEqualTo(fingerprint(write(TIED)));
  }
}
