package io.mambaspark.engine.kernel;

/** A function of one float, with the bit patterns on which such functions are tested. */
@FunctionalInterface
interface FloatFunction {

  /**
   * The distance between tested bit patterns. It is odd, so that a pass over all four billion
   * patterns includes every sign, every exponent and every combination of low mantissa bits.
   */
  int STEP = 1009;

  /** Values that such a grid can miss. */
  float[] SPECIAL = {
    0f,
    -0f,
    1f,
    -1f,
    Math.nextUp(-1f),
    Math.nextDown(-1f),
    Math.nextUp(1f),
    Math.nextDown(1f),
    2f,
    Float.MIN_VALUE,
    -Float.MIN_VALUE,
    Math.nextDown(Float.MIN_NORMAL),
    -Math.nextDown(Float.MIN_NORMAL),
    Float.MIN_NORMAL,
    -Float.MIN_NORMAL,
    Float.MAX_VALUE,
    -Float.MAX_VALUE,
    Float.POSITIVE_INFINITY,
    Float.NEGATIVE_INFINITY,
    Float.NaN,
    // The values at which silu is least accurate.
    -5.9388933f,
    -3.218181f,
    ScalarMath.EXP_LOW,
    Math.nextUp(ScalarMath.EXP_LOW),
    Math.nextDown(ScalarMath.EXP_LOW),
    -ScalarMath.EXP_LOW,
    Math.nextUp(-ScalarMath.EXP_LOW),
    ScalarMath.EXP_HIGH,
    Math.nextUp(ScalarMath.EXP_HIGH),
    Math.nextDown(ScalarMath.EXP_HIGH),
    -ScalarMath.EXP_HIGH,
    ScalarMath.EXP2_LOW,
    Math.nextUp(ScalarMath.EXP2_LOW),
    Math.nextDown(ScalarMath.EXP2_LOW),
    Float.intBitsToFloat(ScalarMath.SQRT_HALF_BITS),
    Float.intBitsToFloat(ScalarMath.SQRT_HALF_BITS - 1),
    Float.intBitsToFloat(ScalarMath.SQRT_HALF_BITS) - 1f,
    Float.intBitsToFloat(ScalarMath.SQRT_HALF_BITS + 0x00800000),
    Float.intBitsToFloat(ScalarMath.SQRT_HALF_BITS + 0x007fffff),
  };

  float of(float x);
}
