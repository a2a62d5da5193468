package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HeadsTest {
  @Test
  void aPublishedShapeHasNoPadding() {
    Heads heads = new Heads(24, 64, 1, 128);

    assertThat(heads.channelsPerGroup()).isEqualTo(1536);
    assertThat(heads.panelsPerGroup()).isEqualTo(96);
    assertThat(heads.panels()).isEqualTo(96);
    assertThat(heads.statePanels()).isEqualTo(8);
    assertThat(heads.headPanels()).isEqualTo(2);
    assertThat(heads.stateFloats()).isEqualTo(1536 * 128);
    assertThat(heads.head(3, 15)).isEqualTo(0);
    assertThat(heads.head(4, 0)).isEqualTo(1);
    assertThat(heads.head(95, 15)).isEqualTo(23);
  }

  @Test
  void eachGroupBeginsInANewPanel() {
    Heads heads = new Heads(6, 7, 2, 3);

    assertThat(heads.channelsPerGroup()).isEqualTo(21);
    assertThat(heads.panelsPerGroup()).isEqualTo(2);
    assertThat(heads.panels()).isEqualTo(4);
    assertThat(heads.statePanels()).isEqualTo(1);
    assertThat(heads.headPanels()).isEqualTo(1);
    assertThat(heads.stateFloats()).isEqualTo(4 * 3 * 16);
    assertThat(heads.head(0, 6)).isEqualTo(0);
    assertThat(heads.head(0, 7)).isEqualTo(1);
    assertThat(heads.head(1, 4)).isEqualTo(2);
    assertThat(heads.head(1, 5)).isEqualTo(-1);
    assertThat(heads.head(2, 0)).isEqualTo(3);
    assertThat(heads.head(3, 4)).isEqualTo(5);
    assertThat(heads.head(3, 15)).isEqualTo(-1);
  }

  @ParameterizedTest
  @CsvSource({"0, 1, 1, 1", "1, 0, 1, 1", "1, 1, 0, 1", "1, 1, 1, 0", "3, 1, 2, 1", "2, 1, 4, 1"})
  void shapesThatCannotBeAreRefused(int heads, int headDim, int groups, int dState) {
    assertThatThrownBy(() -> new Heads(heads, headDim, groups, dState))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "Cannot lay out %d heads of %d channels and %d states in %d groups: expected positive"
                    .formatted(heads, headDim, dState, groups)
                + " numbers, and groups that divide the heads");
  }
}
