package io.mambaspark.engine.kernel;

/**
 * exp, log, silu, softplus and powers of two in single precision, with their constants. Every step
 * is one IEEE operation or one fused multiply-add, so that {@code VectorMath} gives the same bits.
 * Errors are at most 2 ulp, with two exceptions: 3 ulp for softplus and 4 ulp for silu, if x is at
 * least {@link #EXP_LOW}. Below that, the results of these two are within 1.1e-36 of zero. {@link
 * #exp} flushes results below 2^-126 to zero.
 */
final class ScalarMath {
  static final float LOG2_E = 1.44269504f;

  /** 1.5 · 2^23: adding it rounds to an integer, which is then in the low bits of the sum. */
  static final float ROUND = 12582912f;

  /** The smallest x for which exp(x) is at least 2^-126. */
  static final float EXP_LOW = -87.33654f;

  /** The largest x for which exp(x) is finite. */
  static final float EXP_HIGH = 88.72283f;

  static final float LN2_HIGH = 0x1.62e400p-1f;
  static final float LN2_LOW = 0x1.7f7d1cp-20f;

  // exp(r) = 1 + r + r²·P(r) for |r| <= ln2/2 (Cephes expf).
  static final float EXP_0 = 5.0000001201e-1f;
  static final float EXP_1 = 1.6666665459e-1f;
  static final float EXP_2 = 4.1665795894e-2f;
  static final float EXP_3 = 8.3334519073e-3f;
  static final float EXP_4 = 1.3981999507e-3f;
  static final float EXP_5 = 1.9875691500e-4f;

  // 2^f = 1 + f·P(f) for |f| <= 1/2; minimax, relative error 1.1e-7.
  static final float EXP2_1 = 0x1.62e42ap-1f;
  static final float EXP2_2 = 0x1.ebf9bcp-3f;
  static final float EXP2_3 = 0x1.c6b752p-5f;
  static final float EXP2_4 = 0x1.3cea88p-7f;
  static final float EXP2_5 = 0x1.5bba14p-10f;

  /** The smallest exponent of {@link #exp2}: smaller ones are replaced by it. */
  static final float EXP2_LOW = -126f;

  // log(1 + f), computed from s = f / (2 + f) (FreeBSD's k_logf.h).
  static final float LOG_1 = 0xaaaaaa.0p-24f;
  static final float LOG_2 = 0xccce13.0p-25f;
  static final float LOG_3 = 0x91e9ee.0p-25f;
  static final float LOG_4 = 0xf89e26.0p-26f;
  static final float LOG_LN2_HIGH = 6.9313812256e-01f;
  static final float LOG_LN2_LOW = 9.0580006145e-06f;

  /** The bits of sqrt(1/2): {@link #log} scales mantissas into [sqrt(1/2), sqrt(2)). */
  static final int SQRT_HALF_BITS = 0x3f3504f3;

  // log(1 + x) = s·(2 + s²·P(s²)) with s = x / (2 + x), for x in [0, 1]; minimax, error 5e-9.
  static final float UNIT_0 = 0x1.5555p-1f;
  static final float UNIT_1 = 0x1.99d27cp-2f;
  static final float UNIT_2 = 0x1.1eb61p-2f;
  static final float UNIT_3 = 0x1.1ef87ap-2f;

  static final float TWO_25 = 0x1p25f;

  /** {@code exp2(EXP2_LOW)}, the smallest value of {@link #exp2}. */
  static final float EXP2_FLOOR = Float.MIN_NORMAL;

  /** The value of exp2 that {@link #headDecay} subtracts. */
  static final float HEAD_FLOOR = 0x1p-64f;

  static final int SIGN = 0x80000000;

  static final int EXP_LOW_BITS = Float.floatToRawIntBits(EXP_LOW);

  static final int EXP2_LOW_BITS = Float.floatToRawIntBits(EXP2_LOW);

  static final int HEAD_LOW_BITS = Float.floatToRawIntBits(-64f);

  private ScalarMath() {}

  /** e to the power of x. */
  static float exp(float x) {
    float scaled = expInRange(x);
    if (x < EXP_LOW) {
      return 0f;
    }
    if (x > EXP_HIGH) {
      return Float.POSITIVE_INFINITY;
    }
    return x != x ? x : scaled;
  }

  /** e to the power of {@link #minusAbs}. */
  static float expOfMinusAbs(float x) {
    return expInRange(minusAbs(x));
  }

  /**
   * Returns max(-|x|, {@link #EXP_LOW}), and EXP_LOW for NaN. The bits of floats with a sign bit,
   * compared as integers, are in reverse order, so that one integer minimum suffices. Comparisons
   * and masks of floats are slow on JDK 17.
   */
  private static float minusAbs(float x) {
    return Float.intBitsToFloat(Math.min(Float.floatToRawIntBits(x) | SIGN, EXP_LOW_BITS));
  }

  private static float expInRange(float x) {
    float q = Math.fma(x, LOG2_E, ROUND);
    float n = q - ROUND;
    float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, x));
    float p = Math.fma(EXP_5, r, EXP_4);
    p = Math.fma(p, r, EXP_3);
    p = Math.fma(p, r, EXP_2);
    p = Math.fma(p, r, EXP_1);
    p = Math.fma(p, r, EXP_0);
    p = Math.fma(p, r * r, r) + 1f;
    return scale(p, q);
  }

  /** p · 2^n, where n is in the low bits of q. */
  private static float scale(float p, float q) {
    return Float.intBitsToFloat(Float.floatToRawIntBits(p) + (Float.floatToRawIntBits(q) << 23));
  }

  /**
   * 2 to the power of t for t <= 0, and 2^-126 for t below -126. Used for the terms of a softmax.
   * Only their absolute error matters, so this method omits the second reduction step of {@link
   * #exp}.
   */
  static float exp2(float t) {
    return exp2InRange(inExp2Range(t));
  }

  /** max(t, {@link #EXP2_LOW}); NaN for NaN. */
  static float inExp2Range(float t) {
    return t < EXP2_LOW ? EXP2_LOW : t;
  }

  /**
   * 2 to the power of t, like {@link #exp2}, for t < 0 and -0. Exponents that are +0, positive or
   * NaN are replaced by -126. Used for the decays of a state; a NaN still reaches the state through
   * its input. {@link #minusAbs} explains the comparison of bits.
   */
  static float decay(float t) {
    return exp2InRange(Float.intBitsToFloat(Math.min(Float.floatToRawIntBits(t), EXP2_LOW_BITS)));
  }

  /**
   * 2 to the power of t minus 2^-64, for t < 0 and -0, and zero for t below -64. Exponents that are
   * +0, positive or NaN give zero. Used for the decays of Mamba-2's heads. The subtraction changes
   * only results below 2^-40. Without it, a state multiplied by 2^-126 would often be subnormal,
   * and subnormal numbers are slow to compute.
   */
  static float headDecay(float t) {
    return exp2InRange(Float.intBitsToFloat(Math.min(Float.floatToRawIntBits(t), HEAD_LOW_BITS)))
        - HEAD_FLOOR;
  }

  private static float exp2InRange(float t) {
    float q = t + ROUND;
    float f = t - (q - ROUND);
    float p = Math.fma(EXP2_5, f, EXP2_4);
    p = Math.fma(p, f, EXP2_3);
    p = Math.fma(p, f, EXP2_2);
    p = Math.fma(p, f, EXP2_1);
    p = Math.fma(p, f, 1f);
    return scale(p, q);
  }

  /**
   * x · sigmoid(x), except that a zero may have the other sign; NaN for negative infinity, as in
   * PyTorch.
   */
  static float silu(float x) {
    float t = minusAbs(x);
    float e = expInRange(t);
    float positive = positive(x);
    // min(x, 0), but at least EXP_LOW. For x > -EXP_LOW it is positive instead, but then its
    // product with e is negligible compared with x.
    float negative = t + positive;
    return Math.fma(negative, e, positive) / (1f + e);
  }

  /** log(1 + exp(x)), without overflow for large x; NaN for negative infinity. */
  static float softplus(float x) {
    return positive(x) + log1pOfUnit(expOfMinusAbs(x));
  }

  /** max(x, 0); NaN for NaN. */
  private static float positive(float x) {
    return Math.fma(0.5f, Math.abs(x), 0.5f * x);
  }

  /** log(1 + x) for x in [0, 1]. */
  static float log1pOfUnit(float x) {
    float s = x / (2f + x);
    float z = s * s;
    float p = Math.fma(UNIT_3, z, UNIT_2);
    p = Math.fma(p, z, UNIT_1);
    p = Math.fma(p, z, UNIT_0);
    return Math.fma(s * z, p, s + s);
  }

  /** The natural logarithm; NaN for negative x. */
  static float log(float x) {
    boolean tiny = x < Float.MIN_NORMAL;
    float u = tiny ? x * TWO_25 : x;
    int bits = Float.floatToRawIntBits(u) - SQRT_HALF_BITS;
    float k = (float) (bits >> 23) - (tiny ? 25f : 0f);
    float f = Float.intBitsToFloat((bits & 0x007fffff) + SQRT_HALF_BITS) - 1f;
    float y = logOf(f, k);
    if (x == 0f) {
      return Float.NEGATIVE_INFINITY;
    }
    if (x < 0f) {
      return Float.NaN;
    }
    return x < Float.POSITIVE_INFINITY ? y : x;
  }

  /** k·ln2 + log(1 + f). */
  private static float logOf(float f, float k) {
    float s = f / (2f + f);
    float z = s * s;
    float w = z * z;
    float r = Math.fma(z, Math.fma(w, LOG_3, LOG_1), w * Math.fma(w, LOG_4, LOG_2));
    float half = 0.5f * f * f;
    return Math.fma(k, LOG_LN2_HIGH, f - (half - Math.fma(s, half + r, k * LOG_LN2_LOW)));
  }
}
