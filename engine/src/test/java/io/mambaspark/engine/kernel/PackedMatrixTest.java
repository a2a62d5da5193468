package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class PackedMatrixTest {

  @Test
  void sixteenRowsStandSideBySideInAPanelAndTheRestIsZero() {
    PackedMatrix w = new PackedMatrix(2, 17);
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
    int from = w.offset(panel);
    return Arrays.copyOfRange(w.segment(panel), from, from + w.panelFloats());
  }

  @Test
  void everySectionBeginsAPanel() {
    PackedMatrix w = new PackedMatrix(1, 2, 17, 1);
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
    PackedMatrix whole = new PackedMatrix(19, 50);
    whole.rows(0, 0, 50, values);
    PackedMatrix pieces = new PackedMatrix(19, 50);
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
    PackedMatrix w = new PackedMatrix(21, new int[] {40}, 1024);
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
    PackedMatrix w = new PackedMatrix(20, new int[] {16 * 7}, 3 * 320);

    assertThat(w.segment(0)).hasSize(640).isSameAs(w.segment(1)).isNotSameAs(w.segment(2));
    assertThat(w.segment(6)).hasSize(320).isNotSameAs(w.segment(5));
    assertThat(w.offset(3)).isEqualTo(320);
    assertThat(w.segmentEnd(0)).isEqualTo(2);
    assertThat(w.segmentEnd(5)).isEqualTo(6);
    assertThat(w.segmentEnd(6)).isEqualTo(7);
  }

  @Test
  void aPanelLargerThanASegmentStillStandsBesideItsNeighbour() {
    PackedMatrix w = new PackedMatrix(20, new int[] {48}, 10);

    assertThat(w.segment(0)).hasSize(640).isSameAs(w.segment(1));
    assertThat(w.segment(2)).hasSize(320);
  }

  @Test
  void bytesAreThoseOfAllPanels() {
    assertThat(PackedMatrix.bytes(20, 17, 1)).isEqualTo(3 * 20 * 16 * 4);
    assertThat(PackedMatrix.bytes(2560, 50280)).isEqualTo(3143L * 2560 * 16 * 4);
    assertThat(PackedMatrix.bytes(10240, 1 << 24)).isEqualTo((1L << 24) * 10240 * 4);
  }
}
