package io.mambaspark.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.engine.checkpoint.SafetensorsWriter.Tensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class StoredTensorTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(ints = {8, 24, 1024, 1 << 20})
  void chunksContainTheBytesInOrderAndAllButTheLastAreFull(int limit) throws IOException {
    byte[] bytes = counting(1 + 2 * 1234);
    StoredTensor tensor = tensor(bytes, DType.BF16, 1, 1234);
    List<Integer> lengths = new ArrayList<>();
    ByteBuffer joined = ByteBuffer.allocate(2 * 1234);

    tensor.forEachChunk(
        limit,
        chunk -> {
          assertThat(chunk.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
          assertThat(chunk.isReadOnly()).isTrue();
          lengths.add(chunk.remaining());
          joined.put(chunk);
        });

    assertThat(joined.flip()).isEqualTo(ByteBuffer.wrap(bytes, 1, 2 * 1234).slice());
    assertThat(lengths.subList(0, lengths.size() - 1)).allMatch(length -> length == limit);
    assertThat(lengths.get(lengths.size() - 1)).isBetween(1, limit);
  }

  @Test
  void aChunkLimitThatWouldSplitElementsIsRefused() throws IOException {
    StoredTensor tensor = tensor(new byte[8], DType.F32, 0, 2);

    for (int limit : new int[] {0, -8, 4, Integer.MAX_VALUE}) {
      assertThatThrownBy(() -> tensor.forEachChunk(limit, chunk -> {}))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void floatsAreReadInOrderInPiecesOfAnySize() throws IOException {
    // More elements than fit in one buffer of the reader.
    int count = 600_011;
    ByteBuffer bytes =
        ByteBuffer.allocate(3 + 4 * count).order(ByteOrder.LITTLE_ENDIAN).position(3);
    for (int i = 0; i < count; i++) {
      bytes.putFloat(i);
    }
    FloatReader reader = tensor(bytes.array(), DType.F32, 3, count).floats();
    float[] into = new float[100_000];

    for (int next = 0, n = 1; next < count; next += n, n = Math.min(99_991, 3 * n)) {
      n = Math.min(n, count - next);
      reader.read(into, 7, n);
      for (int i = 0; i < n; i++) {
        if (into[7 + i] != next + i) {
          assertThat(into[7 + i]).as("element %d", next + i).isEqualTo(next + i);
        }
      }
    }

    assertThatThrownBy(() -> reader.read(into, 0, 1))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("Cannot read 1 values of tensor t: only 0 of 600011 are left");
  }

  @Test
  void tensorsAreReadAcrossMappingsAndBeyondTwoGigabytes() throws IOException {
    Path path = folder.resolve("sparse");
    long gigabyte = 1L << 30;
    long size = 2 * gigabyte + 1001;
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(size);
      for (long at : new long[] {gigabyte - 6, 2 * gigabyte - 6, size - 8}) {
        file.seek(at);
        file.write(new byte[] {0, 0, (byte) 0x80, 0x3f, 0, 0, 0, 0x40});
      }
    }
    MappedFile file = MappedFile.open(path);

    for (long at : new long[] {gigabyte - 6, 2 * gigabyte - 6, size - 8}) {
      float[] values = new float[2];
      new StoredTensor("t", DType.F32, new int[] {2}, file, at).floats().read(values, 0, 2);
      assertThat(values).containsExactly(1, 2);
    }
    // Two gigabytes from an odd offset on, in the largest chunks.
    StoredTensor large = new StoredTensor("t", DType.F16, new int[] {1 << 29, 2}, file, 1001);
    List<Integer> lengths = new ArrayList<>();
    large.forEachChunk(1 << 30, chunk -> lengths.add(chunk.remaining()));
    assertThat(lengths).containsExactly(1 << 30, 1 << 30);
    assertThat(large.byteSize()).isEqualTo(2 * gigabyte);
  }

  @Test
  void aMissingFileAndBytesBeyondAFileAreRefused() throws IOException {
    Path missing = folder.resolve("missing");
    assertThatThrownBy(() -> MappedFile.open(missing))
        .isInstanceOf(CheckpointException.class)
        .hasMessage("Cannot open %s: it does not exist", missing);

    MappedFile file = MappedFile.open(Files.write(folder.resolve("eight"), new byte[8]));
    assertThatThrownBy(() -> file.slice(4, 5))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("Cannot map bytes [4, 4 + 5) of eight: it has 8 bytes");
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "BF16"})
  void stridedElementsAreReadInRowMajorOrder(DType dtype) throws IOException {
    // Layouts of (3, 70, 5): dimension 0 is broadcast in the first, dimension 1 is outermost in the
    // second.
    int[] shape = {3, 70, 5};
    long[][] layouts = {{0, 11, 1}, {1, 40, 4}, {400, 1, 77}};
    ByteBuffer bytes = ByteBuffer.wrap(counting(8 * 3000)).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < bytes.capacity() && dtype == DType.F64; i += 8) {
      bytes.putDouble(i, i / 8 - 1000.5);
    }
    Path path = folder.resolve("strided");
    Files.write(path, bytes.array());
    int size = dtype.bytes();
    for (long[] strides : layouts) {
      ByteBuffer expected = ByteBuffer.allocate(3 * 70 * 5 * size);
      for (int i = 0; i < 3 * 70 * 5; i++) {
        long at = 7 + i / 350 * strides[0] + i / 5 % 70 * strides[1] + i % 5 * strides[2];
        expected.put(bytes.array(), (int) (size * at), size);
      }
      StoredTensor tensor =
          new StoredTensor("t", dtype, shape, MappedFile.open(path), 7L * size, strides);

      // Chunks that begin anywhere in a row.
      ByteBuffer joined = ByteBuffer.allocate(expected.capacity());
      tensor.forEachChunk(
          24,
          chunk -> {
            assertThat(chunk.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
            joined.put(chunk);
          });
      assertThat(joined.flip()).isEqualTo(expected.flip());

      float[] values = new float[3 * 70 * 5];
      dtype.decode(expected, values, 0, values.length);
      float[] read = new float[values.length];
      FloatReader reader = tensor.floats();
      for (int at = 0; at < read.length; at += 13) {
        reader.read(read, at, Math.min(13, read.length - at));
      }
      assertThat(read).isEqualTo(values);
    }
  }

  @Test
  void stridedElementsAreReadAcrossMappings() throws IOException {
    Path path = folder.resolve("sparse");
    long gigabyte = 1L << 30;
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(2 * gigabyte + 4);
      for (int i = 0; i <= 2; i++) {
        file.seek(i * gigabyte);
        file.write(new byte[] {0, 0, (byte) (i << 5), 0x40});
      }
    }
    float[] values = new float[3];

    new StoredTensor(
            "t", DType.F32, new int[] {3}, MappedFile.open(path), 0, new long[] {gigabyte / 4})
        .floats()
        .read(values, 0, 3);

    assertThat(values).containsExactly(2, 2.5f, 3);
  }

  @Test
  void theFirstElementThatDiffersIsFoundWhateverTheDtype() throws IOException {
    int count = 70_000;
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = i % 128;
    }
    StoredTensor single = tensor("f32", Tensor.f32(new int[] {count}, values));
    StoredTensor half = tensor("bf16", Tensor.bf16(new int[] {count}, values));
    assertThat(single.mismatch(half)).isEqualTo(-1);
    assertThat(single.mismatch(single)).isEqualTo(-1);

    values[69_999] = -1;
    StoredTensor other = tensor("other", Tensor.f32(new int[] {count}, values));
    assertThat(single.mismatch(other)).isEqualTo(69_999);
    assertThat(other.mismatch(half)).isEqualTo(69_999);
    values[5] = -1;
    assertThat(half.mismatch(tensor("two", Tensor.f32(new int[] {count}, values)))).isEqualTo(5);
  }

  private StoredTensor tensor(String file, Tensor tensor) throws IOException {
    Path path = folder.resolve(file);
    Files.write(path, tensor.bytes());
    return new StoredTensor(
        file, DType.valueOf(tensor.dtype()), tensor.shape(), MappedFile.open(path), 0);
  }

  @Test
  void changingTheReturnedShapeDoesNotChangeTheTensor() throws IOException {
    StoredTensor tensor = tensor(new byte[24], DType.F32, 0, 2, 3);

    tensor.shape()[0] = 7;

    assertThat(tensor.shape()).containsExactly(2, 3);
    assertThat(tensor).hasToString("t F32[2, 3]");
  }

  private StoredTensor tensor(byte[] bytes, DType dtype, long begin, int... shape)
      throws IOException {
    Path path = folder.resolve("bytes");
    Files.write(path, bytes);
    return new StoredTensor("t", dtype, shape, MappedFile.open(path), begin);
  }

  private static byte[] counting(int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = (byte) (i * 31);
    }
    return bytes;
  }
}
