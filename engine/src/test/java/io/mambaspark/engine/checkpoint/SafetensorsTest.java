package io.mambaspark.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsTest {
  @TempDir Path folder;
  Path file;

  @BeforeEach
  void config() throws IOException {
    Files.writeString(folder.resolve("config.json"), "{}");
    file = folder.resolve("model.safetensors");
  }

  @Test
  void everyDtypeShapeAndValueIsReadAsWritten() throws IOException {
    Map<String, SafetensorsWriter.Tensor> written = new LinkedHashMap<>();
    written.put("z", SafetensorsWriter.Tensor.bf16(new int[] {3, 1}, 1, -2.5f, Float.NaN));
    written.put("half", SafetensorsWriter.Tensor.halves("F16", new int[] {1}, (short) 0x3c00));
    written.put("a", SafetensorsWriter.Tensor.f32(new int[] {1, 2, 2}, 1, 2, 3, 4e-40f));
    written.put("scalar", SafetensorsWriter.Tensor.f32(new int[0], 7));
    written.put("empty", SafetensorsWriter.Tensor.f32(new int[] {5, 0}));
    SafetensorsWriter.write(file, written);

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().keySet())
          .containsExactly("a", "empty", "half", "scalar", "z");
      assertThat(values(checkpoint, "z")).containsExactly(1, -2.5f, Float.NaN);
      assertThat(values(checkpoint, "half")).containsExactly(1);
      assertThat(values(checkpoint, "a")).containsExactly(1, 2, 3, 4e-40f);
      assertThat(values(checkpoint, "scalar")).containsExactly(7);
      assertThat(values(checkpoint, "empty")).isEmpty();
      StoredTensor z = checkpoint.tensors().get("z");
      assertThat(z.name()).isEqualTo("z");
      assertThat(z.dtype()).isEqualTo(DType.BF16);
      assertThat(z.shape()).containsExactly(3, 1);
      assertThat(z.elementCount()).isEqualTo(3);
      assertThat(z.byteSize()).isEqualTo(6);
      assertThat(z.source()).isEqualTo("model.safetensors");
    }
  }

  @Test
  void spacesThatPadTheHeaderAreAccepted() throws IOException {
    SafetensorsWriter.writeRaw(file, tensor("t", "F32", "[1]", 0, 4) + "     ", new byte[4]);

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(values(checkpoint, "t")).containsExactly(0);
    }
  }

  static Stream<Arguments> headers() {
    String deep = "[".repeat(5000) + "]".repeat(5000);
    String t = "Cannot load tensor t from model.safetensors: ";
    String f = "Cannot read model.safetensors: ";
    return Stream.of(
        // {header, bytes of data, message}
        arguments(
            tensor("t", "F32", "[2]", 0, 8),
            7,
            f
                + "it is truncated, or its header is wrong: tensor t ends at byte 70, found 69 bytes"),
        arguments(
            tensor("t", "F32", "[2]", 0, 8), 9, f + "its tensors end at byte 70, found 71 bytes"),
        arguments(
            "{" + entry("t", "F32", "[2]", 0, 8) + "," + entry("u", "F32", "[2]", 4, 12) + "}",
            12,
            "Cannot load tensor u from model.safetensors: its data_offsets [4, 12) overlap another"
                + " tensor, which ends at 8"),
        arguments(
            "{" + entry("t", "F32", "[1]", 0, 4) + "," + entry("u", "F32", "[1]", 8, 12) + "}",
            12,
            "Cannot load tensor u from model.safetensors: its data_offsets [8, 12) leave a gap"
                + " after 4"),
        arguments(
            tensor("t", "F32", "[1]", 4, 8), 8, t + "its data_offsets [4, 8) leave a gap after 0"),
        arguments(
            tensor("t", "F32", "[1]", 8, 4),
            8,
            t + "found data_offsets [8, 4], expected 0 ≤ begin"),
        arguments(
            tensor("t", "F32", "[1]", -4, 0), 8, t + "found data_offsets [-4, 0], expected 0 ≤"),
        arguments(
            tensor("t", "F32", "[1]", Long.MAX_VALUE - 4, Long.MAX_VALUE),
            8,
            f
                + "it is truncated, or its header is wrong: tensor t ends at byte 9223372036854775905"),
        arguments(
            tensor("t", "F32", "[1]", Long.MIN_VALUE, 8), 8, t + "found data_offsets [-9223372036"),
        arguments(
            tensor("t", "F32", "[3]", 0, 8),
            8,
            t + "dtype F32 and shape [3] require 12 bytes, but its data_offsets [0, 8] span 8"),
        arguments(
            tensor("t", "F32", "[-1]", 0, 4),
            4,
            t + "found shape [-1], expected dimensions from 0"),
        arguments(
            tensor("t", "F32", "[4294967296]", 0, 4), 4, t + "found shape [4294967296], expected"),
        arguments(
            tensor("t", "F32", "[2147483647,2147483647,2147483647,4,0]", 0, 0),
            0,
            t + "shape [2147483647, 2147483647, 2147483647, 4, 0] has too many elements"),
        arguments(
            tensor("t", "F32", "[65536,65536,65536,65536]", 0, 0), 0, t + "shape [65536, 65536, "),
        arguments(
            tensor("t", "F32", "[1.0]", 0, 4), 4, t + "expected its shape as a list of 64-bit"),
        arguments(
            tensor("t", "F32", "[" + "1,".repeat(16) + "1]", 0, 4),
            4,
            t + "its shape has more than 16 numbers"),
        arguments(
            tensor("t", "F32", "[123456789012345678901234567890]", 0, 4),
            4,
            t + "expected its shape as a list of 64-bit integers"),
        arguments(tensor("t", "F32", "1", 0, 4), 4, t + "expected its shape as a list of integers"),
        arguments(tensor("t", "F32", deep, 0, 4), 4, t + "expected its shape as a list of 64-bit"),
        arguments(
            tensor("t", "U32", "[2]", 0, 8),
            8,
            t + "found dtype U32, expected F32, F16, BF16 or F64"),
        arguments(tensor("t", "f32", "[1]", 0, 4), 4, t + "found dtype f32, expected F32, F16"),
        arguments(
            "{" + entry("t", "F32", "[1]", 0, 4) + "," + entry("t", "F32", "[1]", 4, 8) + "}",
            8,
            f + "Duplicate field 't' (line 1, column "),
        arguments(
            "{\"t\":{\"dtype\":\"F32\",\"dtype\":\"F16\"}}",
            0,
            f + "Duplicate field 'dtype' (line 1,"),
        arguments(
            "{\"t\":{\"dtype\":\"F32\",\"shape\":[1]}}",
            4,
            t + "expected a dtype, a shape and two data_offsets"),
        arguments(
            "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}",
            4,
            t + "expected a dtype, a shape and two data_offsets"),
        arguments(
            "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}",
            4,
            t + "its data_offsets has more than 2 numbers"),
        arguments(
            "{\"t\":{\"dtype\":\"F32\",\"x\":" + deep + "}}",
            4,
            t + "found x, expected only dtype, shape and data_offsets"),
        arguments("{\"t\":{\"dtype\":7}}", 0, t + "expected its dtype as a string"),
        arguments("{\"t\":" + deep + "}", 0, t + "expected an object with its dtype and shape"),
        arguments(
            "{\"__metadata__\":7}", 0, f + "expected __metadata__ as an object, found VALUE_NU"),
        arguments(
            "{\"__metadata__\":{\"a\":{}}}",
            0,
            f + "expected strings in __metadata__, found START_"),
        arguments("[]", 0, f + "expected its header to begin with {; it is not a safetensors file"),
        arguments("", 0, f + "expected its header to begin with {"),
        arguments(
            "{}{}",
            0,
            f + "expected the end of the file after its JSON object, found START_OBJECT"),
        arguments(
            "{", 0, f + "Unexpected end-of-input: expected close marker for Object (line 1, c"),
        arguments("{\"t", 0, f + "Unexpected end-of-input"),
        arguments("{t:1}", 0, f + "Unexpected character ('t' (code 116))"),
        arguments(
            "{\"bad\\nname\\u202e\":7}",
            0,
            "Cannot load tensor bad\\u000aname\\u202e from model.safetensors: expected an object"),
        arguments(
            "{\"" + "n".repeat(5000) + "\":7}",
            0,
            "Cannot load tensor "
                + "n".repeat(120)
                + "… (5000 characters) from model.safetensors: expected an object"));
  }

  @ParameterizedTest
  @MethodSource("headers")
  void aBrokenHeaderIsRefusedInOneLine(String header, int data, String message) throws IOException {
    SafetensorsWriter.writeRaw(file, header, new byte[data]);

    assertRefused(message);
  }

  static Stream<Arguments> files() {
    String f = "Cannot read model.safetensors: ";
    byte[] invalidUtf8 = withLength(4, new byte[] {'{', '"', (byte) 0xc3, '"'});
    byte[] overlong = withLength(5, new byte[] {'{', '"', (byte) 0xc0, (byte) 0x80, '"'});
    return Stream.of(
        arguments(
            new byte[0], f + "expected a header's length in its first 8 bytes, found 0 bytes"),
        arguments(
            new byte[7], f + "expected a header's length in its first 8 bytes, found 7 bytes"),
        arguments(
            withLength(100, new byte[50]),
            f + "it is truncated: expected a header of 100 bytes, found 50"),
        arguments(
            withLength(100_000_001, new byte[50]),
            f + "its header claims 100000001 bytes, expected at most 100000000"),
        arguments(withLength(-1, new byte[50]), f + "its header claims 18446744073709551615 bytes"),
        arguments(
            withLength(Long.MIN_VALUE, new byte[50]), f + "its header claims 92233720368547758"),
        arguments(invalidUtf8, f + "its JSON is not valid UTF-8"),
        arguments(overlong, f + "its JSON is not valid UTF-8"),
        arguments(
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
                .getBytes(StandardCharsets.UTF_8),
            f + "it is a Git LFS pointer, not the file itself; run git lfs pull"));
  }

  @ParameterizedTest
  @MethodSource("files")
  void aFileThatIsNotSafetensorsIsRefusedInOneLine(byte[] bytes, String message)
      throws IOException {
    Files.write(file, bytes);

    assertRefused(message);
  }

  @Test
  void moreTensorsThanAnyModelHasAreRefused() throws IOException {
    StringBuilder header = new StringBuilder("{");
    for (int i = 0; i <= Safetensors.MAX_ENTRIES; i++) {
      header.append(i == 0 ? "" : ",").append(entry("t" + i, "F32", "[0]", 0, 0));
    }
    SafetensorsWriter.writeRaw(file, header.append("}").toString(), new byte[0]);

    assertRefused("Cannot read model.safetensors: it has more than 100000 tensors");
  }

  @Test
  void moreMetadataThanAnyModelHasIsRefused() throws IOException {
    String entries =
        IntStream.rangeClosed(0, Safetensors.MAX_ENTRIES)
            .mapToObj(i -> "\"k%d\":\"\"".formatted(i))
            .collect(Collectors.joining(","));
    SafetensorsWriter.writeRaw(file, "{\"__metadata__\":{" + entries + "}}", new byte[0]);

    assertRefused("Cannot read model.safetensors: its __metadata__ has more than 100000 entries");
  }

  private void assertRefused(String message) {
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(CheckpointException.class)
        .message()
        .startsWith(message)
        .doesNotContain("\n")
        .hasSizeLessThan(500);
  }

  private static String tensor(String name, String dtype, String shape, long begin, long end) {
    return "{" + entry(name, dtype, shape, begin, end) + "}";
  }

  private static String entry(String name, String dtype, String shape, long begin, long end) {
    return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
        .formatted(name, dtype, shape, begin, end);
  }

  private static byte[] withLength(long length, byte[] bytes) {
    return ByteBuffer.allocate(8 + bytes.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(length)
        .put(bytes)
        .array();
  }

  private static float[] values(Checkpoint checkpoint, String name) {
    StoredTensor tensor = checkpoint.tensors().get(name);
    float[] values = new float[(int) tensor.elementCount()];
    tensor.floats().read(values, 0, values.length);
    return values;
  }
}
