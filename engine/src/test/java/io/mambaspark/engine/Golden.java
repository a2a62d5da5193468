package io.mambaspark.engine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Golden checkpoints and their expected results. Reads {@code golden.safetensors} with its own
 * small parser, so that the oracle shares no code with the code under test.
 */
public final class Golden {
  private Golden() {}

  /**
   * One sequence and its expected results. Results that the file does not contain are null.
   *
   * @param logits (length, rows)
   * @param rows the number of rows of the vocabulary matrix
   * @param logprobs (length - 1): entry t is ln p(token t+1 | tokens 0..t)
   * @param lastLogits (rows): the logits after the last token
   */
  public record Case(
      String name,
      int[] inputIds,
      float[] logits,
      int rows,
      double[] logprobs,
      float[] lastLogits) {
    @Override
    public String toString() {
      return name;
    }
  }

  /** Returns the folder of the golden checkpoint of that name in the test resources. */
  public static Path folder(String name) {
    URL config = Golden.class.getResource("/golden/" + name + "/config.json");
    if (config == null) {
      throw new IllegalArgumentException("No golden checkpoint " + name);
    }
    try {
      return Path.of(config.toURI()).getParent();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Reads the cases in {@code golden.safetensors} of a folder, in order. */
  public static List<Case> cases(Path folder) {
    try {
      ByteBuffer bytes =
          ByteBuffer.wrap(Files.readAllBytes(folder.resolve("golden.safetensors")))
              .order(ByteOrder.LITTLE_ENDIAN);
      int headerLength = Math.toIntExact(bytes.getLong());
      byte[] headerBytes = new byte[headerLength];
      bytes.get(headerBytes);
      JsonNode header = new ObjectMapper().readTree(headerBytes);
      ByteBuffer data = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
      List<Case> cases = new ArrayList<>();
      for (int i = 0; header.has("input_ids_" + i); i++) {
        long[] ids = longs(header.get("input_ids_" + i), data);
        int[] inputIds = new int[ids.length];
        for (int t = 0; t < ids.length; t++) {
          inputIds[t] = Math.toIntExact(ids[t]);
        }
        JsonNode logits = header.get("logits_" + i);
        JsonNode logprobs = header.get("logprobs_" + i);
        JsonNode lastLogits = header.get("last_logits_" + i);
        int rows =
            logits != null
                ? logits.get("shape").get(1).asInt()
                : lastLogits.get("shape").get(0).asInt();
        cases.add(
            new Case(
                folder.getFileName() + "/" + i,
                inputIds,
                logits == null ? null : floats(logits, data),
                rows,
                logprobs == null ? null : doubles(logprobs, data),
                lastLogits == null ? null : floats(lastLogits, data)));
      }
      return cases;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long[] longs(JsonNode entry, ByteBuffer data) {
    ByteBuffer bytes = bytes(entry, "I64", data);
    long[] values = new long[bytes.remaining() / Long.BYTES];
    bytes.asLongBuffer().get(values);
    return values;
  }

  private static float[] floats(JsonNode entry, ByteBuffer data) {
    ByteBuffer bytes = bytes(entry, "F32", data);
    float[] values = new float[bytes.remaining() / Float.BYTES];
    bytes.asFloatBuffer().get(values);
    return values;
  }

  private static double[] doubles(JsonNode entry, ByteBuffer data) {
    ByteBuffer bytes = bytes(entry, "F64", data);
    double[] values = new double[bytes.remaining() / Double.BYTES];
    bytes.asDoubleBuffer().get(values);
    return values;
  }

  private static ByteBuffer bytes(JsonNode entry, String dtype, ByteBuffer data) {
    if (!entry.get("dtype").asText().equals(dtype)) {
      throw new IllegalStateException("Expected " + dtype + ", found " + entry);
    }
    int begin = entry.get("data_offsets").get(0).asInt();
    int end = entry.get("data_offsets").get(1).asInt();
    return data.slice(begin, end - begin).order(ByteOrder.LITTLE_ENDIAN);
  }
}
