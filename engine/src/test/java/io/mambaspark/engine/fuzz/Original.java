package io.mambaspark.engine.fuzz;

import io.mambaspark.engine.Golden;
import io.mambaspark.engine.checkpoint.SafetensorsWriter;
import io.mambaspark.engine.checkpoint.SafetensorsWriter.Tensor;
import io.mambaspark.engine.checkpoint.TorchWriter;
import io.mambaspark.engine.checkpoint.TorchWriter.Pickler;
import io.mambaspark.engine.model.Mamba2Config;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.TestModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * A valid checkpoint, the input of mutations.
 *
 * @param shards whether the weights are in two shards with an index
 * @param tensors the weights by name; null if the weights are from a golden file
 */
record Original(
    String name,
    Format format,
    boolean shards,
    Map<String, Tensor> tensors,
    Map<String, byte[]> files) {

  static final List<String> SHARDS = List.of("one", "two");

  /** Two heads of four channels in two groups, and a convolution of 8 + 2 · 2 · 3 channels. */
  private static final String MAMBA2_HUGGING_FACE =
      "{\"model_type\": \"mamba2\", \"hidden_size\": 4, \"num_hidden_layers\": 2, \"vocab_size\":"
          + " 8, \"state_size\": 3, \"head_dim\": 4, \"num_heads\": 2, \"n_groups\": 2,"
          + " \"time_step_limit\": [0.0, {\"__float__\": \"Infinity\"}], \"tie_word_embeddings\":"
          + " true}";

  private static final String MAMBA2_STATE_SPACES =
      "{\"d_model\": 4, \"n_layer\": 2, \"vocab_size\": 7, \"ssm_cfg\": {\"layer\": \"Mamba2\","
          + " \"d_state\": 3, \"headdim\": 4, \"ngroups\": 2, \"dt_limit\": [0.0, Infinity]},"
          + " \"pad_vocab_size_multiple\": 4, \"attn_layer_idx\": []}";

  enum Format {
    SAFETENSORS("model.safetensors"),
    PYTORCH("pytorch_model.bin");

    private final String file;

    Format(String file) {
      this.file = file;
    }

    String file() {
      return file;
    }

    String suffix() {
      return file.substring(file.indexOf('.'));
    }

    /** Returns the files of these weights by name. */
    Map<String, byte[]> files(Map<String, Tensor> tensors, boolean shards) {
      if (!shards) {
        return Map.of(file, bytes(tensors));
      }
      Map<String, Map<String, Tensor>> parts = new LinkedHashMap<>();
      Map<String, String> shardOf = new LinkedHashMap<>();
      tensors.forEach(
          (name, tensor) -> {
            String shard = SHARDS.get(shardOf.size() % SHARDS.size()) + suffix();
            shardOf.put(name, shard);
            parts.computeIfAbsent(shard, s -> new LinkedHashMap<>()).put(name, tensor);
          });
      Map<String, byte[]> files = new TreeMap<>();
      parts.forEach((shard, part) -> files.put(shard, bytes(part)));
      files.put(file + ".index.json", index(shardOf));
      return files;
    }

    byte[] bytes(Map<String, Tensor> tensors) {
      return this == SAFETENSORS ? SafetensorsWriter.bytes(tensors) : archive(tensors);
    }
  }

  static byte[] index(Map<String, String> shardOf) {
    StringBuilder json = new StringBuilder("{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
    shardOf.forEach(
        (tensor, shard) ->
            json.append(HostileValues.quoted(tensor))
                .append(": ")
                .append(HostileValues.quoted(shard))
                .append(", "));
    if (!shardOf.isEmpty()) {
      json.setLength(json.length() - 2);
    }
    return json.append("}}").toString().getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] archive(Map<String, Tensor> tensors) {
    Pickler pickler = Pickler.protocol2().op('}', '(');
    TorchWriter archive = new TorchWriter();
    archive.entry("m/byteorder", "little".getBytes(StandardCharsets.UTF_8));
    int key = 0;
    for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
      TorchTensor.of(entry.getValue(), Integer.toString(key)).pickle(entry.getKey(), pickler);
      archive.entry("m/data/" + key, entry.getValue().bytes());
      key++;
    }
    return archive.entry("m/data.pkl", pickler.op('u').end()).bytes();
  }

  /** Returns a checkpoint in each layout, and golden ones that other software has written. */
  static List<Original> all() {
    Map<String, Tensor> huggingFace = new LinkedHashMap<>();
    Map<String, Tensor> stateSpaces = smallModel(MambaConfig.of(4, 2, 8));
    Map<String, Tensor> mamba2 = smallModel(smallMamba2());
    stateSpaces.forEach(
        (name, tensor) -> huggingFace.put(name.replace(".embedding.", ".embeddings."), tensor));
    String hfConfig =
        "{\"model_type\": \"mamba\", \"hidden_size\": 4, \"num_hidden_layers\": 2, \"vocab_size\":"
            + " 8, \"intermediate_size\": 8, \"state_size\": 16, \"layer_norm_epsilon\": 1e-5}";
    String ssConfig =
        "{\"d_model\": 4, \"n_layer\": 2, \"vocab_size\": 7, \"ssm_cfg\": {\"d_conv\": 4},"
            + " \"rms_norm\": true, \"pad_vocab_size_multiple\": 8}";
    return List.of(
        of("one safetensors file", Format.SAFETENSORS, false, huggingFace, hfConfig),
        of("safetensors shards", Format.SAFETENSORS, true, huggingFace, hfConfig),
        of("Mamba-2 in safetensors", Format.SAFETENSORS, false, mamba2, MAMBA2_HUGGING_FACE),
        golden("golden safetensors", Format.SAFETENSORS, "bf16"),
        of("one PyTorch file", Format.PYTORCH, false, stateSpaces, ssConfig),
        of("PyTorch shards", Format.PYTORCH, true, stateSpaces, ssConfig),
        of("Mamba-2 in PyTorch shards", Format.PYTORCH, true, mamba2, MAMBA2_STATE_SPACES),
        golden("golden PyTorch", Format.PYTORCH, "state-spaces-bin"));
  }

  private static Original of(
      String name, Format format, boolean shards, Map<String, Tensor> tensors, String config) {
    Map<String, byte[]> files = new TreeMap<>(format.files(tensors, shards));
    files.put(HostileFolder.CONFIG, config.getBytes(StandardCharsets.UTF_8));
    return new Original(name, format, shards, tensors, files);
  }

  private static Original golden(String name, Format format, String golden) {
    Map<String, byte[]> files = new TreeMap<>();
    for (String file : List.of(HostileFolder.CONFIG, format.file())) {
      Path path = Golden.folder(golden).resolve(file);
      try {
        files.put(file, Files.readAllBytes(path));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return new Original(name, format, false, null, files);
  }

  /** Returns a model of two layers in all three dtypes. */
  private static Map<String, Tensor> smallModel(MambaConfig config) {
    SplittableRandom random = new SplittableRandom(1);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    TestModels.tensors(config, 1)
        .forEach(
            (name, values) -> {
              int[] shape = TestModels.shape(config, name);
              Tensor tensor =
                  switch (tensors.size() % 3) {
                    case 0 -> Tensor.f32(shape, values);
                    case 1 -> Tensor.bf16(shape, values);
                    default -> Tensor.halves("F16", shape, halves(values.length, random));
                  };
              tensors.put("backbone." + name, tensor);
            });
    return tensors;
  }

  /** Returns the config that both texts of Mamba-2 describe. */
  private static MambaConfig smallMamba2() {
    Mamba2Config mixer =
        new Mamba2Config(
            3, 4, 4, 2, 2, true, false, 1e-5f, false, false, 0f, Float.POSITIVE_INFINITY);
    return new MambaConfig(4, 2, 8, mixer, 1e-5f, true, null, null);
  }

  /** Returns the bits of binary16 numbers with magnitudes from 1/16 to 1. */
  private static short[] halves(int count, SplittableRandom random) {
    short[] bits = new short[count];
    for (int i = 0; i < count; i++) {
      bits[i] = (short) (random.nextInt(0x2c00, 0x3c00) | random.nextInt(2) << 15);
    }
    return bits;
  }

  /** A tensor as a pickle describes it. The record owns its arrays. */
  record TorchTensor(
      String type, String key, long elements, long offset, long[] shape, long[] strides) {

    static TorchTensor of(Tensor tensor, String key) {
      int[] shape = tensor.shape();
      long[] strides = new long[shape.length];
      long elements = 1;
      for (int i = shape.length - 1; i >= 0; i--) {
        strides[i] = elements;
        elements *= shape[i];
      }
      String type =
          switch (tensor.dtype()) {
            case "F32" -> "FloatStorage";
            case "F16" -> "HalfStorage";
            case "BF16" -> "BFloat16Storage";
            case "F64" -> "DoubleStorage";
            case "I64" -> "LongStorage";
            case "I32" -> "IntStorage";
            case "U8" -> "ByteStorage";
            case "BOOL" -> "BoolStorage";
            default -> throw new IllegalArgumentException(tensor.dtype());
          };
      return new TorchTensor(
          type, key, elements, 0, Arrays.stream(shape).asLongStream().toArray(), strides);
    }

    String shown() {
      return "%s %s of %d, %d %s %s"
          .formatted(type, key, elements, offset, Arrays.toString(shape), Arrays.toString(strides));
    }

    void pickle(String name, Pickler pickler) {
      pickler.text(name).tensor(type, key, elements, offset, shape, strides);
    }
  }
}
