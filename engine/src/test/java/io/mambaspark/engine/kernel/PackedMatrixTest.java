package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class PackedMatrixTest {

  @Test
  void sixteenRowsStandSideBySideInAPanelAndTheRestIsZero() {
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
    float[] floats = new float[w.panelFloats()];
    w.unpack(panel, floats);
    return floats;
  }

  @Test
  void twoPanelsStandSideBySideAndTheLastOfAnOddNumberAlone() {
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 2, 48);
    float[] values = new float[96];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    w.rows(0, 0, 48, values);

    int at = PackedMatrix.LEAD;
    for (int row = 0; row < 48; row++) {
      for (int k = 0; k < 2; k++) {
        int index = row < 32 ? k * 32 + row : 64 + k * 16 + row - 32;
        assertThat(w.segment(0)[at + index]).isEqualTo(2 * row + k);
      }
    }
    assertThat(w.step(0)).isEqualTo(32);
    assertThat(w.step(1)).isEqualTo(32);
    assertThat(w.step(2)).isEqualTo(16);
  }

  @Test
  void everySectionBeginsAPanel() {
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 1, 2, 17, 1);
    w.rows(0, 0, 2, new float[] {1, 2});
    w.rows(1, 16, 1, new float[] {3});
    w.rows(2, 0, 1, new float[] {4});

    assertThat(w.panels()).isEqualTo(4);
    assertThat(w.segment(0)[w.offset(0)]).isEqualTo(1);
    assertThat(w.segment(0)[w.offset(0) + 1]).isEqualTo(2);
    assertThat(w.segment(2)[w.offset(2)]).isEqualTo(3);
    assertThat(w.segment(3)[w.offset(3)]).isEqualTo(4);
  }

  @Test
  void howRowsAreHandedInDoesNotMatter() {
    Floats random = new Floats(1);
    float[] values = random.matrix(50, 19);
    PackedMatrix whole = new PackedMatrix(WeightFormat.F32, 19, 50);
    whole.rows(0, 0, 50, values);
    PackedMatrix pieces = new PackedMatrix(WeightFormat.F32, 19, 50);
    for (int row = 0, count = 1; row < 50; row += count, count = count % 7 + 1) {
      int rows = Math.min(count, 50 - row);
      pieces.rows(0, row, rows, Arrays.copyOfRange(values, row * 19, (row + rows) * 19));
    }

    for (int panel = 0; panel < whole.panels(); panel++) {
      assertThat(pieces.segment(panel)).isEqualTo(whole.segment(panel));
    }
  }

  @Test
  void aRowIsCopiedBack() {
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
  void panelsAreSpreadOverArraysAnEvenNumberInEach() {
    // A panel has 320 floats: three would fit.
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 20, new int[] {16 * 7}, 3 * 320);

    assertThat(w.segment(0))
        .hasSize(PackedMatrix.LEAD + 640)
        .isSameAs(w.segment(1))
        .isNotSameAs(w.segment(2));
    assertThat(w.segment(6)).hasSize(PackedMatrix.LEAD + 320).isNotSameAs(w.segment(5));
    assertThat(w.offset(3)).isEqualTo(PackedMatrix.LEAD + 16);
    assertThat(w.segmentEnd(0)).isEqualTo(2);
    assertThat(w.segmentEnd(5)).isEqualTo(6);
    assertThat(w.segmentEnd(6)).isEqualTo(7);
  }

  @Test
  void aPanelLargerThanASegmentStillStandsBesideItsNeighbour() {
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 20, new int[] {48}, 10);

    assertThat(w.segment(0)).hasSize(PackedMatrix.LEAD + 640).isSameAs(w.segment(1));
    assertThat(w.segment(2)).hasSize(PackedMatrix.LEAD + 320);
  }

  @Test
  void bytesAreThoseOfAllPanels() {
    assertThat(PackedMatrix.bytes(WeightFormat.F32, 20, 17, 1)).isEqualTo(3 * 20 * 16 * 4);
    assertThat(PackedMatrix.bytes(WeightFormat.F32, 2560, 50280)).isEqualTo(3143L * 2560 * 16 * 4);
    assertThat(PackedMatrix.bytes(WeightFormat.F32, 10240, 1 << 24))
        .isEqualTo((1L << 24) * 10240 * 4);
  }

  @Test
  void aBf16MatrixHoldsTheNearestBf16AndHalfTheBytes() {
    float[] values = {1f, 1.00390625f, 1.01171875f, -3e-41f, 3.3e38f, 1f + 0x1p-8f + 0x1p-20f};
    PackedMatrix w = new PackedMatrix(WeightFormat.BF16, 6, 1);
    w.rows(0, 0, 1, values);

    float[] panel = new float[w.panelFloats()];
    w.unpack(0, panel);
    float[] row = new float[16];
    w.copyRow(0, row, 0, 1);

    // Ties go to the even neighbour: 1 + 2^-8 down, 1 + 3 * 2^-8 up.
    float[] nearest = {1f, 1f, 1.015625f, -0f, 0x1.fp127f, 1.0078125f};
    for (int i = 0; i < nearest.length; i++) {
      assertThat(panel[i * 16]).isEqualTo(nearest[i]);
      assertThat(row[i]).isEqualTo(nearest[i]);
    }
    assertThat(PackedMatrix.bytes(WeightFormat.BF16, 20, 17, 1)).isEqualTo(3 * 20 * 16 * 2);
  }

  @Test
  void everyBf16NumberIsItsOwnNearest() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = WeightFormat.fromBf16((short) bits);
      if (Float.isFinite(value)) {
        assertThat(WeightFormat.toBf16(value)).isEqualTo((short) bits);
      }
    }
  }
}
