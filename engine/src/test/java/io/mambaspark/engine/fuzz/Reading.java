package io.mambaspark.engine.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.ThreadMXBean;
import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.StoredTensor;
import io.mambaspark.engine.fuzz.HostileCases.Case;
import io.mambaspark.engine.fuzz.Original.Format;
import io.mambaspark.engine.model.MambaCheckpoint;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * The result of reading a folder: opening it, computing its fingerprint, and loading it.
 *
 * @param fingerprint null if the folder was refused
 * @param refusal null if the folder loaded
 * @param bytes the bytes that this thread allocated
 */
record Reading(String fingerprint, CheckpointException refusal, long bytes) {
  private static final int MAX_CHARACTERS = 1_000;

  /**
   * The bytes that may be allocated for any folder. Most of them are the names of the tensors of
   * 4096 layers, the maximum of a config; the rest is half a megabyte of floats for the
   * fingerprint.
   */
  static final long FIXED_BYTES = 6 << 20;

  /**
   * The bytes that may be allocated for each byte of the files. Tokens of one or two bytes that
   * become an object need the most memory: an empty dict in a pickle, kept in its memo, needs about
   * 110 for each byte, an empty list in JSON 20. A loaded BF16 weight needs up to 64 for each byte
   * if it is the only one in a row of a matrix.
   */
  static final long BYTES_A_BYTE = 160;

  private static final ThreadMXBean ALLOCATION = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private static final ObjectMapper JSON = new ObjectMapper();

  /** Reads the folder at {@code path}, where {@code folder} has been written. */
  static Reading of(HostileFolder folder, Path path) throws IOException {
    String fingerprint = null;
    CheckpointException refusal = null;
    long before = ALLOCATION.getCurrentThreadAllocatedBytes();
    long bytes = 0;
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(WatchedFolder.watch(path))) {
      try {
        fingerprint = checkpoint.fingerprint();
      } catch (CheckpointException e) {
        refusal = e;
      }
      try {
        long packed = checkpoint.load().packedBytes();
        bytes = ALLOCATION.getCurrentThreadAllocatedBytes() - before;
        assertThat(packed).as("packed bytes").isEqualTo(checkpoint.packedBytes());
        assertThat(refusal).as("refusal of the fingerprint although the model loads").isNull();
      } catch (CheckpointException e) {
        assertThat(fingerprint).as("fingerprint although the model does not load").isNull();
        refusal = e;
      }
      if (refusal == null && folder.original().format() == Format.SAFETENSORS) {
        checkSafetensors(folder, checkpoint);
      }
    } catch (CheckpointException e) {
      refusal = e;
    }
    if (refusal != null) {
      bytes = ALLOCATION.getCurrentThreadAllocatedBytes() - before;
    }
    return new Reading(fingerprint, refusal, bytes);
  }

  static long allowedBytes(HostileFolder folder) {
    return FIXED_BYTES + BYTES_A_BYTE * folder.bytes();
  }

  /**
   * Compares this result with the required one; {@code original} is the fingerprint of the
   * undamaged folder.
   */
  void check(Case read, String original) {
    HostileFolder folder = read.folder();
    assertThat(bytes).as("allocated bytes").isLessThan(allowedBytes(folder));
    if (refusal != null) {
      checkMessage(refusal.getMessage());
    }
    switch (read.expected()) {
      case SAME -> {
        assertLoaded();
        assertThat(fingerprint).isEqualTo(original);
      }
      case LOADED -> assertLoaded();
      case REFUSED -> assertThat(refusal).as("refusal").isNotNull();
      case EITHER -> {}
    }
  }

  private void assertLoaded() {
    if (refusal != null) {
      throw new AssertionError("the folder is refused", refusal);
    }
  }

  private static void checkMessage(String message) {
    assertThat(message).isNotBlank().hasSizeLessThan(MAX_CHARACTERS);
    assertThat(message.lines()).hasSize(1);
    assertThat(message.chars()).noneMatch(Character::isISOControl);
    // Such a message would be a fault of this test and would hide the real result.
    assertThat(message).doesNotContain("Map failed", "Too many open files", "No space left");
  }

  /** Returns the line of the main code that refused the folder. */
  String place() {
    for (StackTraceElement frame : refusal.getStackTrace()) {
      // These methods only create the exception.
      if (!frame.getMethodName().matches("refused|unexpected|unsupported|<init>")) {
        return frame.getFileName() + ":" + frame.getLineNumber();
      }
    }
    throw new IllegalStateException("the stack trace has no line of the main code", refusal);
  }

  /** Reads the tensors' bytes again according to the headers, in a simpler way. */
  private static void checkSafetensors(HostileFolder folder, MambaCheckpoint checkpoint)
      throws IOException {
    Map<String, JsonNode> headers = new HashMap<>();
    for (StoredTensor tensor : checkpoint.tensors().values()) {
      byte[] file = folder.files.get(tensor.source());
      if (file == null) {
        assertThat(folder.links).containsKey(tensor.source());
        continue;
      }
      int length = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
      JsonNode header = headers.get(tensor.source());
      if (header == null) {
        header = JSON.readTree(file, Long.BYTES, length);
        headers.put(tensor.source(), header);
      }
      JsonNode entry = header.get(tensor.name());
      assertThat(tensor.dtype().name()).isEqualTo(entry.get("dtype").asText());
      assertThat(JSON.<JsonNode>valueToTree(tensor.shape())).isEqualTo(entry.get("shape"));
      int begin = Long.BYTES + length + entry.get("data_offsets").get(0).asInt();
      int end = Long.BYTES + length + entry.get("data_offsets").get(1).asInt();
      assertThat(tensor.byteSize()).isEqualTo(end - begin);
      tensor.forEachChunk(
          1 << 20, chunk -> assertThat(chunk).isEqualTo(ByteBuffer.wrap(file, begin, end - begin)));
    }
  }
}
