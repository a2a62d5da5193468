package io.mambaspark.engine.kernel;

/**
 * The definition of products in {@link WeightFormat#INT8}. All operations on floats are in single
 * precision and round to nearest, ties to even.
 *
 * <p>A row of numbers x, either a row of W or the k inputs of one token, becomes a scale s and
 * integers q in [-127, 127]:
 *
 * <ul>
 *   <li>{@code m = max |x|}, {@code s = m / 127}, {@code q = round(x / s)}. Both are divisions; a
 *       multiplication by a reciprocal would round differently. A tie of {@code round} goes to the
 *       even integer.
 *   <li>If {@code m} is less than {@link #SMALLEST}, s is 0 and all q are 0. The smallest other
 *       scale is 2^-126, so that no scale is denormal, and {@code x / s} never rounds to more than
 *       127.
 *   <li>If a number of an input row is infinite or NaN, s is NaN, and so are all results of the
 *       row. Weights are finite.
 * </ul>
 *
 * <p>An element of the product is {@code float(Σ q_a·q_w) · (s_a · s_w)}, where the sum is exact
 * and is rounded to a float once. If the product has a bias, it is added last, with a rounding of
 * its own. If {@code s_a · s_w} overflows, the result is infinite or NaN.
 *
 * <p>An exact sum does not depend on the order of its terms. Any implementation that follows these
 * rules has the same results, whatever its instructions.
 */
public final class Int8 {
  /** The largest integer. */
  static final int LARGEST = 127;

  /** Rows whose largest magnitude is less than this number are zero: 127 · 2^-126. */
  static final float SMALLEST = 127 * Float.MIN_NORMAL;

  /** The maximum k: the sum of so many products of two integers fits in an int. */
  public static final int MAX_K = Integer.MAX_VALUE / (LARGEST * LARGEST);

  /**
   * The steps of k that are summed in floats: a multiple of {@code VectorProduct}'s blocks. The sum
   * of so many products of two integers is below 2^24, so it and all partial sums are exact. 1040
   * is the largest such number.
   */
  static final int EXACT = 1024;

  private Int8() {}

  /** Returns the scale of a row whose largest magnitude is m; NaN if m is infinite or NaN. */
  static float scale(float m) {
    if (!(m <= Float.MAX_VALUE)) {
      return Float.NaN;
    }
    return m < SMALLEST ? 0f : m / LARGEST;
  }

  /** Returns the integer of x in a row of this scale; 0 if the scale is 0 or NaN. */
  static int quantized(float x, float scale) {
    return scale > 0 ? (int) Math.rint(x / scale) : 0;
  }

  /** Returns an element of a product without its bias, from the exact sum of its terms. */
  static float result(int sum, float aScale, float wScale) {
    return (float) sum * (aScale * wScale);
  }
}
