package io.mambaspark.engine.checkpoint;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Writes small safetensors files for tests: right ones, and with {@link #writeRaw} any others. */
public final class SafetensorsWriter {
  private SafetensorsWriter() {}

  /** A tensor's dtype as the header names it, its shape and its little-endian bytes. */
  public record Tensor(String dtype, int[] shape, byte[] bytes) {

    public static Tensor f32(int[] shape, float... values) {
      ByteBuffer bytes =
          ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(values);
      return new Tensor("F32", shape, bytes.array());
    }

    /** BF16 by cutting off the lower half of each float, without rounding. */
    public static Tensor bf16(int[] shape, float... values) {
      short[] bits = new short[values.length];
      for (int i = 0; i < bits.length; i++) {
        bits[i] = (short) (Float.floatToRawIntBits(values[i]) >>> 16);
      }
      return halves("BF16", shape, bits);
    }

    /** F16 or BF16 of these bit patterns. */
    public static Tensor halves(String dtype, int[] shape, short... bits) {
      ByteBuffer bytes =
          ByteBuffer.allocate(bits.length * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asShortBuffer().put(bits);
      return new Tensor(dtype, shape, bytes.array());
    }
  }

  /** Writes the tensors in the order of the map. */
  public static void write(Path file, Map<String, Tensor> tensors) throws IOException {
    Files.write(file, bytes(tensors));
  }

  /** A file of the tensors in the order of the map. */
  public static byte[] bytes(Map<String, Tensor> tensors) {
    ObjectNode header = new ObjectMapper().createObjectNode();
    header.putObject("__metadata__").put("format", "pt");
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
      Tensor tensor = entry.getValue();
      ObjectNode node = header.putObject(entry.getKey());
      node.put("dtype", tensor.dtype);
      for (int dimension : tensor.shape) {
        node.withArray("shape").add(dimension);
      }
      if (tensor.shape.length == 0) {
        node.putArray("shape");
      }
      node.putArray("data_offsets").add(data.size()).add(data.size() + tensor.bytes.length);
      data.writeBytes(tensor.bytes);
    }
    return rawBytes(header.toString().getBytes(StandardCharsets.UTF_8), data.toByteArray());
  }

  /** Writes a header, whatever it says, with its right length before it and the data behind. */
  public static void writeRaw(Path file, String header, byte[] data) throws IOException {
    Files.write(file, rawBytes(header.getBytes(StandardCharsets.UTF_8), data));
  }

  /** A file of a header, whatever it says, with its right length before it and the data behind. */
  public static byte[] rawBytes(byte[] header, byte[] data) {
    return ByteBuffer.allocate(Long.BYTES + header.length + data.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(header.length)
        .put(header)
        .put(data)
        .array();
  }
}
