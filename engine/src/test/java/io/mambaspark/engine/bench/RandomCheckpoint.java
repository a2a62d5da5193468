package io.mambaspark.engine.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.TestModels;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/** Random F32 weights in a checkpoint of state-spaces' format. */
final class RandomCheckpoint {
  private static final int BUFFER = 1 << 20;

  private RandomCheckpoint() {}

  /**
   * Returns the folder of the shape's checkpoint in {@code out}; writes it if it does not exist.
   */
  static Path in(Path out, Shape shape) throws IOException {
    Path folder = out.resolve("model-" + shape.name());
    if (!Files.exists(folder.resolve("config.json"))) {
      write(shape, folder);
    }
    return folder;
  }

  /** Writes config.json last, so that a checkpoint with config.json is complete. */
  private static void write(Shape shape, Path folder) throws IOException {
    MambaConfig config = shape.config();
    Map<String, float[]> tensors = TestModels.tensors(config, 1);
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode header = mapper.createObjectNode();
    long end = 0;
    for (Map.Entry<String, float[]> tensor : tensors.entrySet()) {
      ObjectNode node = header.putObject(tensor.getKey());
      node.put("dtype", "F32");
      for (int dimension : TestModels.shape(config, tensor.getKey())) {
        node.withArray("shape").add(dimension);
      }
      long begin = end;
      end += (long) Float.BYTES * tensor.getValue().length;
      node.putArray("data_offsets").add(begin).add(end);
    }
    Files.createDirectories(folder);
    try (FileChannel file =
        FileChannel.open(
            folder.resolve("model.safetensors"),
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
      ByteBuffer buffer = ByteBuffer.allocate(Math.max(BUFFER, Long.BYTES + json.length));
      buffer.order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json);
      drain(buffer, file);
      for (float[] values : tensors.values()) {
        for (float value : values) {
          if (buffer.remaining() < Float.BYTES) {
            drain(buffer, file);
          }
          buffer.putFloat(value);
        }
      }
      drain(buffer, file);
    }
    ObjectNode json = mapper.createObjectNode();
    json.put("d_model", config.dModel());
    json.put("n_layer", config.nLayer());
    json.put("vocab_size", config.vocabSize());
    Files.writeString(folder.resolve("config.json"), json.toPrettyString());
  }

  private static void drain(ByteBuffer buffer, FileChannel file) throws IOException {
    buffer.flip();
    while (buffer.hasRemaining()) {
      file.write(buffer);
    }
    buffer.clear();
  }
}
