package io.mambaspark.engine.kernel;

/**
 * The definition of products of integers, {@link WeightFormat#INT8} and {@link WeightFormat#INT16}.
 * All operations on floats are in single precision and round to nearest, ties to even.
 *
 * <p>A row of numbers x, either a row of W or the k inputs of one token, becomes a scale s and
 * integers q. They have one digit, in [-127, 127], or two digits q = 255 · high + low, each in
 * [-127, 127], so that q is in [-32512, 32512]. With L = 127 or L = 32512:
 *
 * <ul>
 *   <li>{@code m = max |x|}, {@code s = m / L}, {@code q = round(x / s)}. Both are divisions; a
 *       multiplication by a reciprocal would round differently. A tie of {@code round} goes to the
 *       even integer. {@code high} is the integer nearest to {@code q / 255}.
 *   <li>If {@code m} is less than {@code L · 2^-126}, s is 0 and all q are 0. The smallest other
 *       scale is 2^-126, so that no scale is denormal, and {@code x / s} never rounds to more than
 *       L.
 *   <li>If a number of an input row is infinite or NaN, s is NaN, and so are all results of the
 *       row. Weights are finite.
 *   <li>A row of W has the unit {@code u = s} with one digit, and {@code u = s · 255}, the unit of
 *       its high digits, with two.
 * </ul>
 *
 * <p>Both factors of a product have the same number of digits. An element of the product is {@code
 * t · (s_a · u_w)}. With one digit, {@code t = float(Σ q_a · q_w)}. With two, {@code t =
 * fma(float(H), 255, float(R))}, where {@code H = Σ high_a · high_w} and {@code R = Σ (low_a ·
 * high_w + high_a · low_w)}; the products of two low digits are left out. All sums are exact, and
 * each is rounded to a float once. If the product has a bias, it is added last, with a rounding of
 * its own.
 *
 * <p>If {@code s_a · u_w} overflows, the result is infinite or NaN. Underflow is gradual: apart
 * from the rows whose scale is 0, nothing is flushed to zero.
 *
 * <p>An exact sum does not depend on the order of its terms, and the sums are joined in a fixed
 * order. Products that follow these rules have the same results, whatever the instructions.
 */
final class Quantization {
  /** The base of two digits: they are balanced, so each has as many negative values as positive. */
  static final int BASE = 255;

  /** The largest digit. */
  private static final int DIGIT = BASE / 2;

  /**
   * The steps of k that are summed in floats: a multiple of {@code VectorProduct}'s blocks. The sum
   * of so many products of two digits is below 2^24, so it and all partial sums are exact. 1040 is
   * the largest such number.
   */
  static final int EXACT = 1024;

  private Quantization() {}

  /** The largest integer of so many digits. */
  private static int largest(int digits) {
    return digits == 1 ? DIGIT : DIGIT * BASE + DIGIT;
  }

  /** The maximum k of a matrix in this format: each sum of so many terms fits in an int. */
  static int maxK(WeightFormat format) {
    return Integer.MAX_VALUE / (DIGIT * DIGIT) / Math.max(format.digits(), 1);
  }

  /** Returns the scale of a row whose largest magnitude is m; NaN if m is infinite or NaN. */
  static float scale(float m, int digits) {
    if (!(m <= Float.MAX_VALUE)) {
      return Float.NaN;
    }
    int largest = largest(digits);
    return m < largest * Float.MIN_NORMAL ? 0f : m / largest;
  }

  /** Returns the integer of x in a row of this scale; 0 if the scale is 0 or NaN. */
  static int quantized(float x, float scale) {
    return scale > 0 ? (int) Math.rint(x / scale) : 0;
  }

  /** Returns the high digit of an integer of two digits. */
  static int high(int q) {
    return Math.floorDiv(q + DIGIT, BASE);
  }

  /** Returns the low digit of an integer of two digits. */
  static int low(int q) {
    return q - BASE * high(q);
  }

  /** Returns what the sums of products with a row of W are multiplied by, from the row's scale. */
  static float unit(float scale, int digits) {
    return digits == 1 ? scale : scale * BASE;
  }

  /** Returns an element of a product without its bias, from the exact sums. */
  static float result(int high, int rest, int digits, float aScale, float wUnit) {
    float t = digits == 1 ? (float) high : Math.fma((float) high, BASE, (float) rest);
    return t * (aScale * wUnit);
  }
}
