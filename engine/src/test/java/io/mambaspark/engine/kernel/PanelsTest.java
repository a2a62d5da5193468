package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PanelsTest {

  @Test
  void sixteenChannelsMakeAPanel() {
    assertThat(Panels.count(1)).isEqualTo(1);
    assertThat(Panels.count(16)).isEqualTo(1);
    assertThat(Panels.count(17)).isEqualTo(2);
    assertThat(Panels.count(50280)).isEqualTo(3143);
  }

  @Test
  void stridesAreOddMultiplesOfFourThatFitCompleteTiles() {
    assertThat(Panels.stride(1)).isEqualTo(12);
    assertThat(Panels.stride(12)).isEqualTo(20);
    assertThat(Panels.stride(13)).isEqualTo(28);
    assertThat(Panels.stride(480)).isEqualTo(484);
    for (int rows = 1; rows < 1000; rows++) {
      int stride = Panels.stride(rows);
      assertThat(stride % 8).isEqualTo(4);
      assertThat(stride).isBetween((rows + 11) / 12 * 12, rows + 20);
      assertThat(stride).isGreaterThanOrEqualTo((rows + 4) / 5 * 5);
    }
  }

  @Test
  void channelsOfARowAreAdjacentWithinAPanelAndRowsFollow() {
    assertThat(Panels.index(0, 0, 24)).isZero();
    assertThat(Panels.index(0, 15, 24)).isEqualTo(15);
    assertThat(Panels.index(1, 0, 24)).isEqualTo(16);
    assertThat(Panels.index(0, 16, 24)).isEqualTo(24 * 16);
    assertThat(Panels.index(5, 35, 24)).isEqualTo((2 * 24 + 5) * 16 + 3);
  }
}
