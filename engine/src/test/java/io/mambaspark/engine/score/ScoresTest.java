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
        0,
        new double[0],
        new long[0],
        tokenLogprobs,
        null,
        null,
        null,
        topKLogprobs,
        lastLogits,
        null);
  }

  @Test
  void perplexityIsTheExponentialOfTheMeanNll() {
    assertThat(scores(Math.log(8) * 3, 3).perplexity()).isCloseTo(8, within(1e-14));
    assertThat(scores(0, 5).perplexity()).isEqualTo(1);
    assertThat(scores(0, 0).perplexity()).isNaN();
    assertThat(scores(1000, 1).perplexity()).isInfinite();
  }

  private static Scores<String> signals(float[] logprobs, float[] means, float[] variances) {
    double nll = 0;
    double mean = 0;
    double variance = 0;
    for (int i = 0; i < logprobs.length; i++) {
      nll -= logprobs[i];
      mean += means[i];
      variance += variances[i];
    }
    return new Scores<>(
        "k",
        nll,
        logprobs.length,
        0,
        0,
        0,
        new double[0],
        new long[0],
        logprobs,
        null,
        null,
        null,
        null,
        null,
        new Moments(mean, variance, means, variances));
  }

  @Test
  void signalsOfHandValuesAreCorrect() {
    Scores<String> scores =
        signals(
            new float[] {-1, -4, -2, -8, -3},
            new float[] {-2, -2, -2, -2, -2},
            new float[] {1, 4, 1, 4, 4});

    assertThat(scores.minK(100)).isEqualTo(-18 / 5.0);
    assertThat(scores.minK(40)).isEqualTo(-6);
    // ⌊5 · 39 / 100⌋ is 1, and at least one token counts.
    assertThat(scores.minK(39)).isEqualTo(-8);
    assertThat(scores.minK(1)).isEqualTo(-8);
    // The terms are 1, -1, 0, -3 and -1/2.
    assertThat(scores.minKPlusPlus(40)).isEqualTo(-2);
    assertThat(scores.minKPlusPlus(100)).isEqualTo(-3.5 / 5);
    assertThat(scores.curvature()).isEqualTo(-8 / Math.sqrt(14));
    assertThat(scores.entropy()).isEqualTo(2);
  }

  @Test
  void signalsWithoutVarianceAreZeroForTheMeanAndInfiniteForOtherTokens() {
    float[] zeros = {0, 0};
    Scores<String> certain = signals(zeros, zeros, zeros);
    assertThat(certain.minKPlusPlus(100)).isZero();
    assertThat(certain.curvature()).isZero();
    assertThat(Double.doubleToRawLongBits(certain.entropy())).isZero();

    Scores<String> impossible = signals(new float[] {0, -200}, zeros, zeros);
    assertThat(impossible.minKPlusPlus(100)).isEqualTo(Double.NEGATIVE_INFINITY);
    assertThat(impossible.curvature()).isEqualTo(Double.NEGATIVE_INFINITY);
  }

  @Test
  void signalsOfNoTokensAreNaN() {
    float[] none = {};
    Scores<String> scores = signals(none, none, none);
    assertThat(scores.minK(20)).isNaN();
    assertThat(scores.minKPlusPlus(20)).isNaN();
    assertThat(scores.curvature()).isNaN();
    assertThat(scores.entropy()).isNaN();
  }

  @Test
  void scoresAreFiniteIfAllNumbersAreExceptThePerplexity() {
    assertThat(scores(0, 0).firstNonFinite()).isNull();
    assertThat(scores(3, 2).firstNonFinite()).isNull();
    // The perplexity of these scores is infinite.
    assertThat(scores(1000, 1).firstNonFinite()).isNull();
    assertThat(scores(1, 2, GOOD, new float[][] {GOOD}, GOOD).firstNonFinite()).isNull();
  }

  @Test
  void theFirstNumberThatIsNotFiniteIsNamed() {
    double infinite = Double.NEGATIVE_INFINITY;
    assertThat(scores(Double.NaN, 1).firstNonFinite()).isEqualTo(new NonFinite("nll", Double.NaN));
    assertThat(scores(infinite, 2, BAD, null, NAN).firstNonFinite())
        .isEqualTo(new NonFinite("nll", infinite));
    assertThat(scores(1, 2, BAD, new float[][] {NAN}, NAN).firstNonFinite())
        .isEqualTo(new NonFinite("token_logprobs[1]", infinite));
    assertThat(scores(1, 2, GOOD, new float[][] {GOOD, GOOD, BAD}, NAN).firstNonFinite())
        .isEqualTo(new NonFinite("top_k[2][1]", infinite));
    assertThat(scores(0, 0, null, null, NAN).firstNonFinite())
        .isEqualTo(new NonFinite("last_logits[0]", Double.NaN));
  }

  @Test
  void theFirstLogitOfAPositionThatIsNotFiniteIsNamed() {
    assertThat(new PositionLogits<>("k", 3, 7, GOOD).firstNonFinite()).isNull();
    assertThat(new PositionLogits<>("k", 3, 7, BAD).firstNonFinite())
        .isEqualTo(new NonFinite("logits of position 3, [1]", Double.NEGATIVE_INFINITY));
  }

  @Test
  void theDivergenceIsCheckedOnlyIfDistributionsAreCompared() {
    assertThat(comparison(1, 2, Double.NaN, -1).firstNonFinite()).isNull();
    assertThat(comparison(1, 2, Double.NaN, 0).firstNonFinite())
        .isEqualTo(new NonFinite("kl", Double.NaN));
    assertThat(comparison(1, Double.NaN, Double.NaN, 0).firstNonFinite())
        .isEqualTo(new NonFinite("nll_b", Double.NaN));
    assertThat(comparison(Double.NaN, Double.NaN, 0, -1).firstNonFinite())
        .isEqualTo(new NonFinite("nll_a", Double.NaN));
  }

  private static Comparison<String> comparison(double nllA, double nllB, double kl, long agreed) {
    return new Comparison<>("k", nllA, nllB, 1, 1, 0, kl, 1, agreed);
  }
}
