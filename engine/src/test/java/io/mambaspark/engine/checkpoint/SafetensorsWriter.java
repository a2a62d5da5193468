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

/** Writes small safetensors files for tests: valid files, and any others with {@link #writeRaw}. */
public final class SafetensorsWriter {
  private SafetensorsWriter() {}

  /** A tensor: its dtype as named in the header, its shape and its little-endian bytes. */
  public record Tensor(String dtype, int[] shape, byte[] bytes) {

    public static Tensor f32(int[] shape, float... values) {
      ByteBuffer bytes =
          ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(values);
      return new Tensor("F32", shape, bytes.array());
    }

    /** Creates a BF16 tensor from the upper halves of the floats, without rounding. */
    public static Tensor bf16(int[] shape, float... values) {
      short[] bits = new short[values.length];
      for (int i = 0; i < bits.length; i++) {
        bits[i] = (short) (Float.floatToRawIntBits(values[i]) >>> 16);
      }
      return halves("BF16", shape, bits);
    }

    /** Creates an F16 or BF16 tensor of these bit patterns. */
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

  /** Returns the bytes of a file with the tensors in the order of the map. */
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

  /** Writes the header's correct length, then the header unchecked, then the data. */
  public static void writeRaw(Path file, String header, byte[] data) throws IOException {
    Files.write(file, rawBytes(header.getBytes(StandardCharsets.UTF_8), data));
  }

  /** Returns the header's correct length, then the header unchecked, then the data. */
  public static byte[] rawBytes(byte[] header, byte[] data) {
    return ByteBuffer.allocate(Long.BYTES + header.length + data.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(header.length)
        .put(header)
        .put(data)
        .array();
  }
}
