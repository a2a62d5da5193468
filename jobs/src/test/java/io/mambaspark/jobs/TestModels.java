package io.mambaspark.jobs;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Small checkpoints on disk, in the Hugging Face layout. */
public final class TestModels {
  public static final int VOCABULARY = 24;
  public static final int BOS = 3;

  private static final int D_MODEL = 8;
  private static final int D_INNER = 16;
  private static final int D_STATE = 4;
  private static final int D_CONV = 4;
  private static final int DT_RANK = 2;
  private static final int LAYERS = 2;

  private TestModels() {}

  /** Writes a model with {@value #VOCABULARY} ids, a bos token and no eos token. */
  public static Path write(Path folder) {
    return write(folder, 1);
  }

  /** Writes the model of {@link #write(Path)} with all logits multiplied by {@code scale}. */
  public static Path write(Path folder, float scale) {
    Random random = new Random(7);
    Map<String, float[]> tensors = new LinkedHashMap<>();
    Map<String, List<Integer>> shapes = new LinkedHashMap<>();
    add(tensors, shapes, random, "backbone.embeddings.weight", VOCABULARY, D_MODEL);
    for (int i = 0; i < LAYERS; i++) {
      String layer = "backbone.layers." + i + ".";
      add(tensors, shapes, random, layer + "norm.weight", D_MODEL);
      add(tensors, shapes, random, layer + "mixer.A_log", D_INNER, D_STATE);
      add(tensors, shapes, random, layer + "mixer.D", D_INNER);
      add(tensors, shapes, random, layer + "mixer.in_proj.weight", 2 * D_INNER, D_MODEL);
      add(tensors, shapes, random, layer + "mixer.conv1d.weight", D_INNER, 1, D_CONV);
      add(tensors, shapes, random, layer + "mixer.conv1d.bias", D_INNER);
      add(tensors, shapes, random, layer + "mixer.x_proj.weight", DT_RANK + 2 * D_STATE, D_INNER);
      add(tensors, shapes, random, layer + "mixer.dt_proj.weight", D_INNER, DT_RANK);
      add(tensors, shapes, random, layer + "mixer.dt_proj.bias", D_INNER);
      add(tensors, shapes, random, layer + "mixer.out_proj.weight", D_MODEL, D_INNER);
    }
    add(tensors, shapes, random, "backbone.norm_f.weight", D_MODEL);
    float[] last = tensors.get("backbone.norm_f.weight");
    for (int i = 0; i < last.length; i++) {
      last[i] *= scale;
    }
    try {
      Files.createDirectories(folder);
      Files.writeString(
          folder.resolve("config.json"),
          """
          {"model_type": "mamba", "hidden_size": %d, "num_hidden_layers": %d, "vocab_size": %d,
           "state_size": %d, "expand": 2, "conv_kernel": %d, "time_step_rank": %d,
           "use_bias": false, "use_conv_bias": true, "tie_word_embeddings": true,
           "layer_norm_epsilon": 1e-5, "hidden_act": "silu", "bos_token_id": %d}
          """
              .formatted(D_MODEL, LAYERS, VOCABULARY, D_STATE, D_CONV, DT_RANK, BOS));
      Files.write(folder.resolve("model.safetensors"), safetensors(tensors, shapes));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return folder;
  }

  private static void add(
      Map<String, float[]> tensors,
      Map<String, List<Integer>> shapes,
      Random random,
      String name,
      Integer... shape) {
    int size = 1;
    for (int d : shape) {
      size *= d;
    }
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian() * 0.5f;
    }
    tensors.put(name, values);
    shapes.put(name, List.of(shape));
  }

  private static byte[] safetensors(Map<String, float[]> tensors, Map<String, List<Integer>> shapes)
      throws IOException {
    Map<String, Object> header = new LinkedHashMap<>();
    int end = 0;
    for (Map.Entry<String, float[]> tensor : tensors.entrySet()) {
      int begin = end;
      end += 4 * tensor.getValue().length;
      header.put(
          tensor.getKey(),
          Map.of(
              "dtype", "F32",
              "shape", shapes.get(tensor.getKey()),
              "data_offsets", List.of(begin, end)));
    }
    byte[] json = new ObjectMapper().writeValueAsString(header).getBytes(StandardCharsets.UTF_8);
    ByteBuffer file = ByteBuffer.allocate(8 + json.length + end).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(json.length).put(json);
    for (float[] values : tensors.values()) {
      for (float value : values) {
        file.putFloat(value);
      }
    }
    return file.array();
  }
}
