package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

class ScalarMathTest {
  private static final double SMALLEST = 0x1p-126;

  /** Half an ulp above the largest float: larger numbers round to infinity. */
  private static final double OVERFLOW = 0x1.ffffffp127;

  @Test
  void expIsWithinTwoUlp() {
    everywhere("exp", ScalarMath::exp, StrictMath::exp, 2);
  }

  @Test
  void logIsWithinTwoUlp() {
    everywhere("log", ScalarMath::log, StrictMath::log, 2);
  }

  @Test
  void softplusIsWithinThreeUlpUnlessItIsAlmostZero() {
    everywhere(
        "softplus",
        x -> x < ScalarMath.EXP_LOW ? 0f : ScalarMath.softplus(x),
        x ->
            x < ScalarMath.EXP_LOW
                ? 0
                : Math.max(x, 0) + StrictMath.log1p(StrictMath.exp(-Math.abs(x))),
        3);
    for (float x = ScalarMath.EXP_LOW; x > -Float.MAX_VALUE; x *= 1.125f) {
      assertThat(ScalarMath.softplus(x)).isBetween(0f, Float.MIN_NORMAL * 1.0001f);
    }
    // An infinite argument is an overflow, which must not become a finite score.
    assertThat(ScalarMath.softplus(Float.NEGATIVE_INFINITY)).isNaN();
  }

  @Test
  void log1pOfUnitIsWithinTwoUlp() {
    for (int bits = 0; bits <= Float.floatToRawIntBits(1f); bits += 100) {
      float x = Float.intBitsToFloat(bits);
      check("log1pOfUnit", ScalarMath::log1pOfUnit, StrictMath::log1p, 2, x);
    }
    check("log1pOfUnit", ScalarMath::log1pOfUnit, StrictMath::log1p, 2, 1f);
  }

  @Test
  void siluIsWithinFourUlpUnlessItIsAlmostZero() {
    // Below EXP_LOW its exp stays at 2^-126, while x·sigmoid(x) approaches 0.
    everywhere(
        "silu",
        x -> x < ScalarMath.EXP_LOW ? 0f : ScalarMath.silu(x),
        x -> x < ScalarMath.EXP_LOW ? 0 : x / (1 + StrictMath.exp(-x)),
        4);
    for (float x = ScalarMath.EXP_LOW; x > -Float.MAX_VALUE; x *= 1.125f) {
      assertThat(ScalarMath.silu(x)).isBetween(-1.1e-36f, 0f);
    }
    assertThat(ScalarMath.silu(Float.NEGATIVE_INFINITY)).isNaN();
    assertThat(ScalarMath.silu(Float.POSITIVE_INFINITY)).isInfinite();
  }

  @Test
  void exp2OfNonPositiveNumbersHasARelativeErrorBelowTwoInTenMillion() {
    for (float t : FloatFunction.SPECIAL) {
      if (t <= 0) {
        checkExp2(t);
      }
    }
    for (int bits = 0x80000000; bits < 0xff800000; bits += FloatFunction.STEP) {
      checkExp2(Float.intBitsToFloat(bits));
    }
    assertThat(ScalarMath.exp2(Float.NEGATIVE_INFINITY)).isEqualTo(Float.MIN_NORMAL);
    assertThat(ScalarMath.exp2(Float.NaN)).isNaN();
    assertThat(ScalarMath.exp2(0f)).isEqualTo(1f);
  }

  @Test
  void decayEqualsExp2ForNonPositiveNumbers() {
    for (int bits = 0x80000000; bits <= 0xff800000; bits += FloatFunction.STEP) {
      float t = Float.intBitsToFloat(bits);
      assertThat(ScalarMath.decay(t)).isEqualTo(ScalarMath.exp2(t));
    }
    assertThat(ScalarMath.decay(-0f)).isEqualTo(1f);
    assertThat(ScalarMath.decay(Float.NEGATIVE_INFINITY)).isEqualTo(Float.MIN_NORMAL);
    assertThat(ScalarMath.decay(Float.NaN)).isEqualTo(Float.MIN_NORMAL);
  }

  @Test
  void decaysOfHeadsAreExp2DownToZero() {
    for (int bits = 0x80000000; bits <= 0xff800000; bits += FloatFunction.STEP) {
      float t = Float.intBitsToFloat(bits);
      float decay = ScalarMath.headDecay(t);
      if (t >= -39) {
        assertThat(decay).isEqualTo(ScalarMath.exp2(t));
      } else if (t > -64) {
        assertThat(decay).isBetween(0f, ScalarMath.exp2(t));
      } else {
        assertThat(decay).isZero();
      }
    }
    assertThat(ScalarMath.headDecay(-0f)).isEqualTo(1f);
    for (float t : new float[] {0f, 1f, Float.POSITIVE_INFINITY, Float.NaN}) {
      assertThat(ScalarMath.headDecay(t)).isZero();
    }
  }

  private static void checkExp2(float t) {
    double expected = Math.max(StrictMath.pow(2, t), SMALLEST);
    float found = ScalarMath.exp2(t);
    if (Math.abs(found / expected - 1) > 2e-7) {
      assertThat((double) found).as("exp2(%s)", t).isEqualTo(expected);
    }
  }

  @Test
  void integralPowersOfTwoAreExact() {
    for (int n = -126; n <= 0; n++) {
      assertThat(ScalarMath.exp2(n)).isEqualTo(Math.scalb(1f, n));
    }
  }

  @Test
  void specialArgumentsGiveTheirExactLimits() {
    assertThat(ScalarMath.exp(0f)).isEqualTo(1f);
    assertThat(ScalarMath.exp(Float.NEGATIVE_INFINITY)).isZero();
    assertThat(ScalarMath.exp(1000f)).isInfinite();
    assertThat(ScalarMath.log(1f)).isZero();
    assertThat(ScalarMath.log(0f)).isEqualTo(Float.NEGATIVE_INFINITY);
    assertThat(ScalarMath.log(-Float.MIN_VALUE)).isNaN();
    assertThat(ScalarMath.log(Float.POSITIVE_INFINITY)).isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(ScalarMath.softplus(0f)).isCloseTo(0.6931472f, within(1e-7f));
    assertThat(ScalarMath.softplus(100f)).isEqualTo(100f);
    assertThat(ScalarMath.softplus(Float.POSITIVE_INFINITY)).isInfinite();
  }

  private static void everywhere(
      String name, FloatFunction function, DoubleUnaryOperator reference, double ulps) {
    for (float x : FloatFunction.SPECIAL) {
      check(name, function, reference, ulps, x);
    }
    for (long bits = 0; bits < 1L << 32; bits += FloatFunction.STEP) {
      check(name, function, reference, ulps, Float.intBitsToFloat((int) bits));
    }
  }

  private static void check(
      String name, FloatFunction function, DoubleUnaryOperator reference, double ulps, float x) {
    float found = function.of(x);
    double expected = reference.applyAsDouble(x);
    boolean right =
        Double.isNaN(expected)
            ? Float.isNaN(found)
            : Math.abs(expected) >= OVERFLOW
                ? found == (float) expected
                : (found == 0 && Math.abs(expected) < SMALLEST) || ulps(found, expected) <= ulps;
    if (!right) {
      assertThat((double) found)
          .as("%s(%s), bits %08x", name, x, Float.floatToRawIntBits(x))
          .isEqualTo(expected);
    }
  }

  /** Returns the error in units in the last place of a float of the expected magnitude. */
  private static double ulps(float found, double expected) {
    int exponent = expected == 0 ? -126 : Math.max(-126, Math.getExponent(expected));
    double reached = Float.isInfinite(found) ? Math.copySign(0x1p128, found) : found;
    return Math.abs(reached - expected) / Math.scalb(1.0, exponent - 23);
  }
}
