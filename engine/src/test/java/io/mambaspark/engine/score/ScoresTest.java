package io.mambaspark.engine.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class ScoresTest {
  private static final float[] GOOD = {-1, 0};
  private static final float[] BAD = {-1, Float.NEGATIVE_INFINITY};
  private static final float[] NAN = {Float.NaN, 0};

  private static Scores<String> scores(double nll, long count) {
    return scores(nll, count, null, null, null);
  }

  private static Scores<String> scores(
      double nll, long count, float[] tokenLogprobs, float[][] topKLogprobs, float[] lastLogits) {
    return new Scores<>(
        "k",
        nll,
        count,
        0,
        0,
        new double[0],
        new long[0],
        tokenLogprobs,
        null,
        null,
        null,
        topKLogprobs,
        lastLogits);
  }

  @Test
  void perplexityIsTheExponentialOfTheMean() {
    assertThat(scores(Math.log(8) * 3, 3).perplexity()).isCloseTo(8, within(1e-14));
    assertThat(scores(0, 5).perplexity()).isEqualTo(1);
    assertThat(scores(0, 0).perplexity()).isNaN();
    assertThat(scores(1000, 1).perplexity()).isInfinite();
  }

  @Test
  void scoresAreFiniteWhenAllNumbersAre() {
    assertThat(scores(0, 0).finite()).isTrue();
    assertThat(scores(3, 2).finite()).isTrue();
    // Its perplexity is infinite.
    assertThat(scores(1000, 1).finite()).isTrue();
    assertThat(scores(1, 2, GOOD, new float[][] {GOOD}, GOOD).finite()).isTrue();
  }

  @Test
  void oneNumberThatIsNotFiniteIsEnough() {
    assertThat(scores(Double.NaN, 1).finite()).isFalse();
    assertThat(scores(Double.POSITIVE_INFINITY, 1).finite()).isFalse();
    for (float[] bad : new float[][] {BAD, NAN}) {
      assertThat(scores(1, 2, bad, null, null).finite()).isFalse();
      assertThat(scores(1, 2, null, new float[][] {GOOD, bad}, null).finite()).isFalse();
      assertThat(scores(0, 0, null, null, bad).finite()).isFalse();
    }
  }
}
