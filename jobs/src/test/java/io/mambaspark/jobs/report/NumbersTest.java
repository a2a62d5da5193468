package io.mambaspark.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.stats.LogBins;
import org.junit.jupiter.api.Test;

class NumbersTest {
  @Test
  void perplexities_have_four_digits_or_all_before_the_decimal_point() {
    assertThat(Numbers.perplexity(1.0)).isEqualTo("1.00");
    assertThat(Numbers.perplexity(45.678)).isEqualTo("45.68");
    assertThat(Numbers.perplexity(456.78)).isEqualTo("456.8");
    assertThat(Numbers.perplexity(440_123.4)).isEqualTo("440,123");
    assertThat(Numbers.perplexity(1.234e12)).isEqualTo("1.23·10¹²");
    assertThat(Numbers.perplexity(Double.POSITIVE_INFINITY)).isEqualTo("∞");
  }

  @Test
  void ticks_are_short() {
    assertThat(Numbers.tick(0)).isEqualTo("0");
    assertThat(Numbers.tick(0.5)).isEqualTo("0.5");
    assertThat(Numbers.tick(1000)).isEqualTo("1,000");
    assertThat(Numbers.tick(20_000)).isEqualTo("20k");
    assertThat(Numbers.tick(1_500_000)).isEqualTo("1.5M");
    assertThat(Numbers.tick(1e9)).isEqualTo("10⁹");
  }

  @Test
  void durations_have_a_suitable_unit() {
    assertThat(Numbers.seconds(0.04)).isEqualTo("0.0 s");
    assertThat(Numbers.seconds(27.4)).isEqualTo("27 s");
    assertThat(Numbers.seconds(600)).isEqualTo("10.0 min");
    assertThat(Numbers.seconds(7200)).isEqualTo("2.0 h");
  }

  @Test
  void logarithmic_axes_have_round_numbers() {
    assertThat(Ticks.log10(1, 6, 12).labels())
        .containsExactly("10", "100", "1,000", "10k", "100k", "1M");
    assertThat(Ticks.log10(Math.log10(40), Math.log10(300), 6).labels())
        .containsExactly("50", "100", "200");
    assertThat(Ticks.log10(Math.log10(41), Math.log10(44.5), 6).labels())
        .containsExactly("41", "42", "43", "44");
    assertThat(Ticks.log2(0, 14, 5).labels()).containsExactly("1", "8", "64", "512", "4,096");
    assertThat(Ticks.log2(Ticks.LOG2_OF_ZERO, 3, 9).labels())
        .containsExactly("0", "1", "2", "4", "8");
  }

  @Test
  void bins_are_joined_until_at_most_80_remain() {
    assertThat(LogBins.of(new int[] {20, 60})).isEqualTo(new LogBins(20, 41, 1));
    assertThat(LogBins.of(new int[] {-1, 119})).isEqualTo(new LogBins(-1, 61, 2));
    assertThat(LogBins.of(new int[] {-1, 119}).of(119)).isEqualTo(60);
    assertThat(LogBins.of(new int[] {-6480, 6165}).count()).isLessThanOrEqualTo(80);
    assertThat(LogBins.of(new int[] {40}).edges().get(0)).isEqualTo(100.0);
  }
}
