package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PackedMatrixTest {

  @Test
  void aPanelInterleavesSixteenRowsAndTheRestIsZero() {
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 2, 17);
    float[] values = new float[34];
    for (int i = 0; i < values.length; i++) {
      values[i] = i + 1;
    }
    w.rows(0, 0, 17, values);

    assertThat(w.panels()).isEqualTo(2);
    assertThat(panel(w, 0))
        .containsExactly(
            1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, //
            2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32);
    float[] second = new float[32];
    second[0] = 33;
    second[16] = 34;
    assertThat(panel(w, 1)).containsExactly(second);
  }

  private static float[] panel(PackedMatrix w, int panel) {
    float[] floats = new float[16 * w.k()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = w.weight(panel, i / 16, i % 16);
    }
    return floats;
  }

  @Test
  void twoPanelsFormAPair() {
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 2, 48);
    PackedMatrix half = new PackedMatrix(WeightFormat.BF16, 2, 48);
    float[] values = new float[96];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    w.rows(0, 0, 48, values);
    half.rows(0, 0, 48, values);

    assertThat(w.floats(0)).hasSize(PackedMatrix.LEAD + 128);
    assertThat(half.ints(0)).hasSize(PackedMatrix.LEAD + 64);
    for (int row = 0; row < 64; row++) {
      for (int k = 0; k < 2; k++) {
        float value = row < 48 ? 2 * row + k : 0;
        assertThat(w.floats(0)[w.offset(row / 16) + k * 32 + row % 32]).isEqualTo(value);
        int both = half.ints(0)[half.offset(row / 16) + k * 16 + row % 16];
        int bits = row % 32 < 16 ? both << 16 : both & 0xffff0000;
        assertThat(Float.intBitsToFloat(bits)).isEqualTo(value);
      }
    }
  }

  @Test
  void everySectionBeginsInANewPanel() {
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 1, 2, 17, 1);
    w.rows(0, 0, 2, new float[] {1, 2});
    w.rows(1, 16, 1, new float[] {3});
    w.rows(2, 0, 1, new float[] {4});

    assertThat(w.panels()).isEqualTo(4);
    assertThat(w.weight(0, 0, 0)).isEqualTo(1);
    assertThat(w.weight(0, 0, 1)).isEqualTo(2);
    assertThat(w.weight(2, 0, 0)).isEqualTo(3);
    assertThat(w.weight(3, 0, 0)).isEqualTo(4);
  }

  @Test
  void rowsCanBeSetAllAtOnceOrInParts() {
    Floats random = new Floats(1);
    float[] values = random.matrix(50, 19);
    PackedMatrix atOnce = new PackedMatrix(WeightFormat.F32, 19, 50);
    atOnce.rows(0, 0, 50, values);
    PackedMatrix inParts = new PackedMatrix(WeightFormat.F32, 19, 50);
    for (int row = 0, count = 1; row < 50; row += count, count = count % 7 + 1) {
      int rows = Math.min(count, 50 - row);
      inParts.rows(0, row, rows, Arrays.copyOfRange(values, row * 19, (row + rows) * 19));
    }

    for (int panel = 0; panel < atOnce.panels(); panel++) {
      assertThat(panel(inParts, panel)).isEqualTo(panel(atOnce, panel));
    }
  }

  @Test
  void aRowCanBeCopiedOut() {
    float[] values = new Floats(2).matrix(40, 21);
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 21, new int[] {40}, 1024);
    w.rows(0, 0, 40, values);
    float[] to = new float[2 * 24 * 16];

    w.copyRow(37, to, 5, 24);

    for (int i = 0; i < 21; i++) {
      assertThat(to[Panels.index(5, i, 24)]).isEqualTo(values[37 * 21 + i]);
    }
  }

  @Test
  void pairsAreSpreadOverArrays() {
    // A pair has 640 floats: two pairs fit in an array.
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 20, new int[] {16 * 7}, 3 * 640 - 1);

    assertThat(w.floats(0))
        .hasSize(PackedMatrix.LEAD + 1280)
        .isSameAs(w.floats(3))
        .isNotSameAs(w.floats(4));
    assertThat(w.floats(6)).hasSize(PackedMatrix.LEAD + 1280).isSameAs(w.floats(5));
    assertThat(w.offset(3)).isEqualTo(PackedMatrix.LEAD + 640);
    assertThat(w.segmentEnd(0)).isEqualTo(4);
    assertThat(w.segmentEnd(5)).isEqualTo(7);
    assertThat(w.segmentEnd(6)).isEqualTo(7);
  }

  @Test
  void aPairLargerThanASegmentHasAnArrayOfItsOwn() {
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 20, new int[] {48}, 10);

    assertThat(w.floats(0)).hasSize(PackedMatrix.LEAD + 640).isSameAs(w.floats(1));
    assertThat(w.floats(2)).hasSize(PackedMatrix.LEAD + 640);
  }

  @Test
  void theSizeIncludesAllPairs() {
    assertThat(PackedMatrix.bytes(WeightFormat.F32, 20, 17, 1)).isEqualTo(4 * 20 * 16 * 4);
    assertThat(PackedMatrix.bytes(WeightFormat.F32, 2560, 50280)).isEqualTo(3144L * 2560 * 16 * 4);
    assertThat(PackedMatrix.bytes(WeightFormat.F32, 10240, 1 << 24))
        .isEqualTo((1L << 24) * 10240 * 4);
  }

  @Test
  void aBf16MatrixHoldsTheNearestBf16AndHalfTheBytes() {
    float[] values = {1f, 1.00390625f, 1.01171875f, -3e-41f, 3.3e38f, 1f + 0x1p-8f + 0x1p-20f};
    PackedMatrix w = new PackedMatrix(WeightFormat.BF16, 6, 1);
    w.rows(0, 0, 1, values);

    float[] panel = panel(w, 0);
    float[] row = new float[16];
    w.copyRow(0, row, 0, 1);

    // Ties are rounded to even: 1 + 2^-8 down, 1 + 3 * 2^-8 up.
    float[] nearest = {1f, 1f, 1.015625f, -0f, 0x1.fp127f, 1.0078125f};
    for (int i = 0; i < nearest.length; i++) {
      assertThat(panel[i * 16]).isEqualTo(nearest[i]);
      assertThat(row[i]).isEqualTo(nearest[i]);
    }
    assertThat(PackedMatrix.bytes(WeightFormat.BF16, 20, 17, 1)).isEqualTo(4 * 20 * 16 * 2);
  }

  @Test
  void anInt8MatrixHoldsIntegersAndAScaleForEachRow() {
    float[] values = {
      // The largest magnitude becomes 127. Ties are rounded to even: 2.5 to 2, -3.5 to -4.
      -254f,
      5f,
      -7f,
      1f,
      0f,
      // Zero rows, and rows whose scale would be denormal, are zero.
      0f,
      0f,
      0f,
      0f,
      0f,
      0x1p-120f,
      -0x1p-149f,
      0f,
      0f,
      0f,
      // The smallest scale is 2^-126.
      127 * 0x1p-126f,
      -0x1p-126f,
      -0f,
      0f,
      0x1p-149f,
      Float.MAX_VALUE,
      -Float.MAX_VALUE,
      1f,
      0f,
      0f
    };
    PackedMatrix w = new PackedMatrix(WeightFormat.INT8, 5, 3, 17);
    w.rows(0, 0, 3, values);
    w.rows(1, 15, 2, Arrays.copyOfRange(values, 15, 25));

    assertThat(integers(w, 0, 0)).containsExactly(-127, 2, -4, 0, 0);
    assertThat(integers(w, 0, 1)).containsOnly(0);
    assertThat(integers(w, 0, 2)).containsOnly(0);
    assertThat(integers(w, 1, 15)).containsExactly(127, -1, 0, 0, 0);
    assertThat(integers(w, 2, 0)).containsExactly(127, -127, 0, 0, 0);
    assertThat(w.units()).hasSize(3 * 16);
    assertThat(w.units()).startsWith(2f, 0f, 0f, 0f);
    assertThat(w.units()[31]).isEqualTo(Float.MIN_NORMAL);
    assertThat(w.units()[32]).isEqualTo(Float.MAX_VALUE / 127);
    assertThat(PackedMatrix.bytes(WeightFormat.INT8, 5, 3, 17))
        .isEqualTo(2 * 3 * 16 * 4 + 3 * 16 * 4);
  }

  private static float[] integers(PackedMatrix w, int panel, int lane) {
    float[] integers = new float[w.k()];
    for (int i = 0; i < integers.length; i++) {
      integers[i] = w.weight(panel, i, lane);
    }
    return integers;
  }

  @Test
  void anInt16MatrixHoldsTwoDigitsAndAUnitForEachRow() {
    float[] values = {
      // The scale is 2: 32512, -32512, ties to even, then integers in the middle between digits.
      65024f,
      -65024f,
      5f,
      -7f,
      254f,
      256f,
      -254f,
      -256f,
      // The scale is 2^-126, the smallest.
      32512 * 0x1p-126f,
      -128 * 0x1p-126f,
      0f,
      0x1p-127f,
      0f,
      0f,
      0f,
      0f
    };
    PackedMatrix w = new PackedMatrix(WeightFormat.INT16, 8, 17);
    w.rows(0, 0, 1, Arrays.copyOf(values, 8));
    w.rows(0, 16, 1, Arrays.copyOfRange(values, 8, 16));

    assertThat(integers(w, 0, 0)).containsExactly(127, -127, 0, 0, 0, 1, 0, -1);
    assertThat(integers(w.low(), 0, 0)).containsExactly(127, -127, 2, -4, 127, -127, -127, 127);
    assertThat(integers(w, 1, 0)).containsExactly(127, -1, 0, 0, 0, 0, 0, 0);
    assertThat(integers(w.low(), 1, 0)).containsExactly(127, 127, 0, 0, 0, 0, 0, 0);
    assertThat(w.units()[0]).isEqualTo(2f * 255);
    assertThat(w.units()[16]).isEqualTo(0x1p-126f * 255);
    assertThat(PackedMatrix.bytes(WeightFormat.INT16, 8, 17))
        .isEqualTo(2 * PackedMatrix.bytes(WeightFormat.INT8, 8, 17));
  }

  @ParameterizedTest
  @CsvSource({"INT8, 133144", "INT16, 66572"})
  void aMatrixOfIntegersHasAsManyColumnsAsTheirSumFitsInAnInt(WeightFormat format, int most) {
    assertThat(new PackedMatrix(format, most, 1).k()).isEqualTo(most);
    assertThatThrownBy(() -> new PackedMatrix(format, most + 1, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "Cannot pack a matrix of %d columns as %s: expected at most %d",
            most + 1, format, most);
  }

  @Test
  void everyBf16NumberRoundsToItself() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = WeightFormat.fromBf16((short) bits);
      if (Float.isFinite(value)) {
        assertThat(WeightFormat.toBf16(value)).isEqualTo((short) bits);
      }
    }
  }
}
