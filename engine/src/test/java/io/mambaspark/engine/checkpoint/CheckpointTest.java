package io.mambaspark.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.mambaspark.engine.Golden;
import io.mambaspark.engine.checkpoint.SafetensorsWriter.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {
  private static final Map<String, Tensor> ONE = Map.of("t", Tensor.f32(new int[] {2}, 1.5f, -2));

  @TempDir Path folder;

  // The expected values come from an independent reader.
  @ParameterizedTest
  @CsvSource({
    "seed-demo, 22, F32, 256, 16, -0.4691337049007416, 0.9496011734008789, 2.859795331954956,"
        + " 0.9227176308631897, 1.018986463546753",
    "odd-shapes, 36, F32, 60, 5, 0.032651789486408234, 0.9291980266571045, 1.2930535078048706,"
        + " 0.8945083618164062, 0.8832865953445435",
    "bf16, 22, BF16, 64, 16, -0.03662109375, 0.64453125, 2.53125, 1.21875, 1.1484375",
    "falcon, 23, F32, 64, 16, 0.06986693292856216, 1.1168477535247803, 2.890690565109253,"
        + " 0.9875024557113647, 1.33746337890625",
  })
  void goldenSafetensorsOpen(
      String name,
      int count,
      DType dtype,
      int dInner,
      int dState,
      float first,
      float second,
      float last,
      float normFirst,
      float normLast) {
    try (Checkpoint checkpoint = Checkpoint.open(Golden.folder(name))) {
      assertThat(checkpoint.config().has("hidden_size")).isTrue();
      assertThat(checkpoint.tensors()).hasSize(count);
      StoredTensor aLog = checkpoint.tensors().get("backbone.layers.1.mixer.A_log");
      assertThat(aLog.dtype()).isEqualTo(dtype);
      assertThat(aLog.shape()).containsExactly(dInner, dState);
      assertThat(values(aLog)).startsWith(first, second).endsWith(last);
      assertThat(values(checkpoint.tensors().get("backbone.norm_f.weight")))
          .startsWith(normFirst)
          .endsWith(normLast);
    }
  }

  @Test
  void theGoldenPyTorchFileOpensAndItsTiedHeadEqualsItsEmbedding() {
    try (Checkpoint checkpoint = Checkpoint.open(Golden.folder("state-spaces-bin"))) {
      assertThat(checkpoint.config().get("d_model").asInt()).isEqualTo(32);
      assertThat(checkpoint.tensors()).hasSize(23);
      StoredTensor embedding = checkpoint.tensors().get("backbone.embedding.weight");
      assertThat(embedding.dtype()).isEqualTo(DType.F32);
      assertThat(embedding.shape()).containsExactly(40, 32);
      assertThat(embedding.source()).isEqualTo("pytorch_model.bin");
      assertThat(values(embedding))
          .startsWith(0.2185792773962021f, 0.18503057956695557f)
          .endsWith(0.04766465350985527f)
          .isEqualTo(values(checkpoint.tensors().get("lm_head.weight")));
      assertThat(values(checkpoint.tensors().get("backbone.norm_f.weight")))
          .startsWith(1.101196527481079f, 1.0277268886566162f)
          .endsWith(0.5875241756439209f);
    }
  }

  @Test
  void shardsContainTheTensorsThatTheIndexLists() throws IOException {
    config("{}");
    SafetensorsWriter.write(folder.resolve("one.safetensors"), ONE);
    SafetensorsWriter.write(
        folder.resolve("two.safetensors"), Map.of("u", Tensor.f32(new int[] {1}, 3)));
    index(
        "{\"metadata\": {\"total_size\": 12, \"x\": [{}]},"
            + " \"weight_map\": {\"t\": \"one.safetensors\", \"u\": \"two.safetensors\"}}");

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().keySet()).containsExactly("t", "u");
      assertThat(values(checkpoint.tensors().get("t"))).containsExactly(1.5f, -2);
      assertThat(checkpoint.tensors().get("u").source()).isEqualTo("two.safetensors");
    }
  }

  @Test
  void pyTorchShardsAreRead() throws IOException {
    config("{}");
    new TorchWriter()
        .entry("m/data.pkl", TorchWriter.Pickler.small("t"))
        .entry("m/data/0", ONE.get("t").bytes())
        .write(folder.resolve("one.bin"));
    Files.writeString(
        folder.resolve("pytorch_model.bin.index.json"), "{\"weight_map\": {\"t\": \"one.bin\"}}");

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(values(checkpoint.tensors().get("t"))).containsExactly(1.5f, -2);
    }
  }

  @Test
  void aFolderOfSymbolicLinksOpensAsInTheHuggingFaceCache() throws IOException {
    Path blobs = Files.createDirectories(folder.resolve("blobs"));
    Path snapshot = Files.createDirectories(folder.resolve("snapshots/abc"));
    Files.writeString(blobs.resolve("1"), "{\"a\": 1}");
    SafetensorsWriter.write(blobs.resolve("2"), ONE);
    Files.writeString(blobs.resolve("3"), "{\"weight_map\": {\"t\": \"part.safetensors\"}}");
    Files.createSymbolicLink(snapshot.resolve("config.json"), Path.of("../../blobs/1"));
    Files.createSymbolicLink(snapshot.resolve("part.safetensors"), Path.of("../../blobs/2"));
    Files.createSymbolicLink(
        snapshot.resolve("model.safetensors.index.json"), Path.of("../../blobs/3"));

    try (Checkpoint checkpoint = Checkpoint.open(snapshot)) {
      assertThat(values(checkpoint.tensors().get("t"))).containsExactly(1.5f, -2);
      assertThat(checkpoint.tensors().get("t").source()).isEqualTo("part.safetensors");
    }
  }

  @Test
  void oneSafetensorsFileIsReadBeforeAnIndexOrPyTorch() throws IOException {
    config("{}");
    index("not read");
    Files.writeString(folder.resolve("pytorch_model.bin"), "not read");
    SafetensorsWriter.write(folder.resolve("model.safetensors"), ONE);

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors()).containsOnlyKeys("t");
    }
  }

  @Test
  void shardsAreReadBeforePyTorch() throws IOException {
    config("{}");
    index("{\"weight_map\": {\"t\": \"one.safetensors\"}}");
    Files.writeString(folder.resolve("pytorch_model.bin"), "not read");
    SafetensorsWriter.write(folder.resolve("one.safetensors"), ONE);

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors()).containsOnlyKeys("t");
    }
  }

  @Test
  void aConfigMayContainInfinityAsPythonWritesIt() throws IOException {
    config("{\"time_step_limit\": [0.0, Infinity]}");
    SafetensorsWriter.write(folder.resolve("model.safetensors"), ONE);

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.config().get("time_step_limit").get(1).asDouble())
          .isEqualTo(Double.POSITIVE_INFINITY);
    }
  }

  @Test
  void aClosedCheckpointCannotBeRead() throws IOException {
    config("{}");
    SafetensorsWriter.write(folder.resolve("model.safetensors"), ONE);
    Checkpoint checkpoint = Checkpoint.open(folder);
    FloatReader reader = checkpoint.tensors().get("t").floats();

    checkpoint.close();

    assertThatThrownBy(() -> reader.read(new float[2], 0, 2))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("The checkpoint of model.safetensors is closed");
  }

  @Test
  void missingFilesAreNamed() throws IOException {
    Path missing = folder.resolve("missing");
    refused(missing, "Cannot open model folder " + missing + ": it does not exist");

    refused(folder, "Cannot open model folder " + folder + ": it holds no config.json");

    config("{}");
    refused(
        folder,
        "Cannot open model folder "
            + folder
            + ": it holds no weights; looked for model.safetensors, model.safetensors.index.json,"
            + " pytorch_model.bin, pytorch_model.bin.index.json");

    Path config = folder.resolve("config.json");
    refused(
        config,
        "Cannot open model folder "
            + config
            + ": it is a file, expected the folder that holds config.json and the weights");

    Path weights = folder.resolve("model.safetensors");
    Files.createSymbolicLink(weights, Path.of("../blobs/0"));
    refused(
        folder, "Cannot open " + weights + ": it is a symbolic link to a file that does not exist");

    Files.delete(weights);
    Files.createDirectory(weights);
    refused(folder, "Cannot open " + weights + ": it is not a regular file");

    Files.delete(weights);
    Files.createSymbolicLink(weights, Path.of("/dev/zero"));
    refused(folder, "Cannot open " + weights + ": it is not a regular file");
  }

  @Test
  void missingShardsAreNamed() throws IOException {
    config("{}");
    SafetensorsWriter.write(folder.resolve("one.safetensors"), ONE);
    index(
        "{\"weight_map\": {\"t\": \"one.safetensors\", \"u\": \"two.safetensors\", \"v\":"
            + " \"three.safetensors\"}}");
    refused(
        folder,
        "Cannot read model.safetensors.index.json: 2 of its 3 shards are not in "
            + folder
            + ": three.safetensors, two.safetensors; copy or download them to it");

    String many =
        IntStream.range(0, 9)
            .mapToObj(i -> "\"%d\": \"%d.bin\"".formatted(i, i))
            .collect(Collectors.joining(", "));
    index("{\"weight_map\": {" + many + "}}");
    refused(
        folder,
        "Cannot read model.safetensors.index.json: 9 of its 9 shards are not in "
            + folder
            + ": 0.bin, 1.bin, 2.bin, 3.bin, 4.bin and 4 more; copy or download them to it");
  }

  @Test
  void theOutputFolderOfATrainerIsRefusedAndItsNewestCheckpointIsNamed() throws IOException {
    for (String name : List.of("checkpoint-500", "checkpoint-1000", "checkpoint-x", "runs")) {
      Files.createDirectories(folder.resolve(name));
    }
    refused(
        folder,
        "Cannot open model folder %s: it holds no config.json; it is the output folder of a Trainer: give its newest checkpoint, %s/checkpoint-1000"
            .formatted(folder, folder));

    config("{}");
    refused(
        folder,
        "Cannot open model folder "
            + folder
            + ": it holds no weights; looked for model.safetensors, model.safetensors.index.json,"
            + " pytorch_model.bin, pytorch_model.bin.index.json; it is the output folder of a"
            + " Trainer: give its newest checkpoint, ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"})
  void anAdapterWithoutItsModelIsRefusedWithARemedy(String file) throws IOException {
    Files.writeString(folder.resolve(file), "{}");
    refused(
        folder,
        "Cannot open model folder %s: it holds no config.json; it holds an adapter (%s) without its model: merge the adapter into its base model (merge_and_unload and save_pretrained in Python), and give that folder"
            .formatted(folder, file));
  }

  @Test
  void aGgufFileIsRefusedWithARemedy() throws IOException {
    Path gguf = folder.resolve("mamba-Q8_0.GGUF");
    Files.writeString(gguf, "no matter");
    config("{}");
    String remedy =
        ", which is not supported: give the folder of the Hugging Face or state-spaces checkpoint"
            + " that it was converted from";
    refused(
        folder,
        "Cannot open model folder "
            + folder
            + ": it holds no weights; looked for model.safetensors, model.safetensors.index.json,"
            + " pytorch_model.bin, pytorch_model.bin.index.json; it holds a GGUF file,"
            + " mamba-Q8_0.GGUF"
            + remedy);
    refused(gguf, "Cannot open model folder " + gguf + ": it is a GGUF file" + remedy);

    Path other = Files.writeString(folder.resolve("ggml-model"), "GGUF\u0003");
    refused(other, "Cannot open model folder " + other + ": it is a GGUF file" + remedy);

    // A GGUF file is ignored if the folder also has supported weights.
    SafetensorsWriter.write(folder.resolve("model.safetensors"), ONE);
    Checkpoint.open(folder).close();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"config.json", "model.safetensors", "model.safetensors.index.json", "one.bin"})
  void aGitLfsPointerIsRefusedWithARemedy(String file) throws IOException {
    config("{}");
    if (file.endsWith(".bin")) {
      Files.writeString(
          folder.resolve("pytorch_model.bin.index.json"), "{\"weight_map\": {\"t\": \"one.bin\"}}");
    } else if (file.equals("config.json")) {
      SafetensorsWriter.write(folder.resolve("model.safetensors"), ONE);
    }
    Files.writeString(
        folder.resolve(file),
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1234\n");

    refused(
        folder,
        "Cannot read "
            + file
            + ": it is a Git LFS pointer, not the file itself; run git lfs pull in its"
            + " repository, or download the file");
  }

  static Stream<Arguments> configs() {
    String c = "Cannot read config.json: ";
    // Jackson limits nesting and numbers. Its messages about them differ between versions.
    return Stream.of(
        arguments("", c + "expected a JSON object, found nothing"),
        arguments("[]", c + "expected a JSON object, found ARRAY"),
        arguments("{\"a\": 1, \"a\": 2}", c + "Duplicate field 'a' (line 1, column "),
        arguments("{\"a\": {\"b\": 1, \"b\": 2}}", c + "Duplicate field 'b' (line 1, column "),
        arguments("{\n\"a\" 1}", c + "Unexpected character ('1' (code 49)): was expecting a colon"),
        arguments(
            "{} {}", c + "expected the end of the file after its JSON object, found START_OBJECT"),
        arguments("{\"a\": " + "[".repeat(100_000), c),
        arguments("{\"a\": 1" + "0".repeat(100_000) + "}", c),
        arguments(
            "{\"a\": \"" + "b".repeat(1 << 20) + "\"}",
            c + "found 1048585 bytes, expected at most"));
  }

  @ParameterizedTest
  @MethodSource("configs")
  void aConfigThatIsNotAJsonObjectIsRefusedInOneLine(String config, String message)
      throws IOException {
    config(config);
    SafetensorsWriter.write(folder.resolve("model.safetensors"), ONE);

    refused(folder, message);
  }

  static Stream<Arguments> indexes() {
    String i = "Cannot read model.safetensors.index.json: ";
    String plain = ", expected the plain name of a file in the same folder";
    return Stream.of(
        arguments(map("t", "../one.safetensors"), i + "found ../one.safetensors" + plain),
        arguments(map("t", "sub/one.safetensors"), i + "found sub/one.safetensors" + plain),
        arguments(map("t", "sub\\\\one.safetensors"), i + "found sub\\one.safetensors" + plain),
        arguments(map("t", "/etc/passwd"), i + "found /etc/passwd" + plain),
        arguments(map("t", ".."), i + "found .." + plain),
        arguments(map("t", "."), i + "found ." + plain),
        arguments(map("t", ""), i + "found an empty name" + plain),
        arguments(map("t", "a\\u0000b"), i + "found a\\u0000b" + plain),
        arguments(map("t", "a\\nb"), i + "found a\\u000ab" + plain),
        arguments(map("t", "x".repeat(256)), i + "found " + "x".repeat(120) + "… (256 characters)"),
        arguments(map("t", "missing.safetensors"), i + "1 of its 1 shards are not in /"),
        arguments(
            map("other", "one.safetensors"),
            "Cannot load tensor t from one.safetensors: model.safetensors.index.json does not list it"),
        arguments(
            "{\"weight_map\": {\"t\": \"one.safetensors\", \"u\": \"one.safetensors\"}}",
            "Cannot load tensor u from one.safetensors: model.safetensors.index.json places it there,"
                + " but it is not in that file"),
        arguments(
            "{\"weight_map\": {\"t\": \"copy.safetensors\", \"u\": \"one.safetensors\"}}",
            "Cannot load tensor t from one.safetensors: model.safetensors.index.json places it in"
                + " copy.safetensors"),
        arguments(
            "{\"weight_map\": {\"t\": \"one.safetensors\", \"t\": \"copy.safetensors\"}}",
            i + "Duplicate field 't' (line 1, column "),
        arguments(
            "{\"weight_map\": {\"t\": 1}}", i + "expected file names in weight_map, found VALUE"),
        arguments(
            "{\"weight_map\": []}", i + "expected weight_map as an object, found START_ARRAY"),
        arguments("{\"weight_map\": {}}", i + "its weight_map lists no tensor"),
        arguments("{}", i + "its weight_map lists no tensor"),
        arguments("[]", i + "expected a JSON object, found START_ARRAY"),
        arguments("", i + "expected a JSON object, found nothing"),
        arguments("{\"metadata\": " + "[".repeat(100_000), i),
        arguments(map("t", "config.json"), "Cannot read config.json: expected a header's length"));
  }

  @ParameterizedTest
  @MethodSource("indexes")
  void anIndexThatContradictsItsFolderIsRefusedInOneLine(String index, String message)
      throws IOException {
    config("{}");
    SafetensorsWriter.write(folder.resolve("one.safetensors"), ONE);
    SafetensorsWriter.write(folder.resolve("copy.safetensors"), ONE);
    index(index);

    refused(folder, message);
  }

  private static String map(String tensor, String shard) {
    return "{\"weight_map\": {\"" + tensor + "\": \"" + shard + "\"}}";
  }

  private void config(String json) throws IOException {
    Files.writeString(folder.resolve("config.json"), json);
  }

  private void index(String json) throws IOException {
    Files.writeString(folder.resolve("model.safetensors.index.json"), json);
  }

  private static void refused(Path folder, String message) {
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(CheckpointException.class)
        .message()
        .startsWith(message)
        .doesNotContain("\n")
        .hasSizeLessThan(500);
  }

  private static float[] values(StoredTensor tensor) {
    float[] values = new float[(int) tensor.elementCount()];
    tensor.floats().read(values, 0, values.length);
    return values;
  }
}
