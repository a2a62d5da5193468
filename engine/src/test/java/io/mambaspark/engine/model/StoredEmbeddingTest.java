package io.mambaspark.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.checkpoint.DType;
import io.mambaspark.engine.checkpoint.FloatReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class StoredEmbeddingTest {
  private static final int COLUMNS = 33;

  private static FloatReader reader(float[] values) {
    int[] at = {0};
    return (into, offset, count) -> {
      System.arraycopy(values, at[0], into, offset, count);
      at[0] += count;
    };
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  void everyFiniteValueOfSixteenBitsIsKept(DType dtype) {
    ByteBuffer stored = ByteBuffer.allocate(2 << 16).order(ByteOrder.LITTLE_ENDIAN);
    for (int bits = 0; bits < 1 << 16; bits++) {
      stored.putShort((short) bits);
    }
    float[] all = new float[1 << 16];
    dtype.decode(stored.flip(), all, 0, all.length);
    for (int i = 0; i < all.length; i++) {
      all[i] = Float.isFinite(all[i]) ? all[i] : 0f;
    }
    int rows = all.length / COLUMNS;
    assertThat(copied(dtype, all, rows)).isEqualTo(Arrays.copyOf(all, rows * COLUMNS));
  }

  @Test
  void valuesOfF32AndF64AreKeptInF32() {
    float[] values = {1f / 3, -0f, Float.MIN_VALUE, -Float.MAX_VALUE};
    float[] padded = Arrays.copyOf(values, 2 * COLUMNS);
    assertThat(copied(DType.F32, padded, 2)).isEqualTo(padded);
    assertThat(copied(DType.F64, padded, 2)).isEqualTo(padded);
  }

  /** Returns all rows, as {@link StoredEmbedding#copyRow} writes them. */
  private static float[] copied(DType dtype, float[] values, int rows) {
    StoredEmbedding embedding = new StoredEmbedding(dtype, reader(values), rows, COLUMNS);
    float[] found = new float[rows * COLUMNS];
    float[] to = new float[3 * 4 * 16];
    for (int id = 0; id < rows; id++) {
      Arrays.fill(to, Float.NaN);
      embedding.copyRow(id, to, 1, 4);
      for (int i = 0; i < COLUMNS; i++) {
        found[id * COLUMNS + i] = to[(i / 16 * 4 + 1) * 16 + i % 16];
      }
      assertThat(Arrays.copyOfRange(to, (2 * 4 + 1) * 16 + 1, (2 * 4 + 2) * 16))
          .as("padding")
          .containsOnly(0f);
      assertThat(to[0]).as("another row").isNaN();
    }
    return found;
  }

  @ParameterizedTest
  @CsvSource({"F16, 200", "BF16, 200", "F32, 400", "F64, 400"})
  void itsSizeIsThatOfTheStoredDtypeButAtMostThatOfF32(DType dtype, long bytes) {
    assertThat(StoredEmbedding.bytes(dtype, 10, 10)).isEqualTo(bytes);
  }
}
