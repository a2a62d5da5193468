package io.mambaspark.engine.kernel;

import java.util.Locale;

/**
 * The format of a model's packed matrices in memory. Activations and results are in single
 * precision. The formats of integers round the inputs of products, too. Their products are exact
 * sums of integers, joined in a fixed order, as {@link Quantization} defines.
 */
public enum WeightFormat {
  /** Single precision. */
  F32(0),

  /**
   * The upper half of single precision, rounded to nearest, ties to even. It needs half the memory,
   * and is exact for weights that are stored as BF16.
   */
  BF16(0),

  /**
   * Integers of 8 bits with a scale for each row, for weights and inputs. A weight of a matrix
   * needs a byte.
   */
  INT8(1),

  /**
   * As INT8, but out_proj is in INT16. In large models its input has outliers, so that a scale for
   * the largest magnitude leaves few integers of 8 bits for the others.
   */
  INT8_OUT16(1),

  /**
   * Integers of two digits of 8 bits, for weights and inputs. A weight of a matrix needs two bytes.
   */
  INT16(2);

  private final int digits;

  WeightFormat(int digits) {
    this.digits = digits;
  }

  /** Returns the name in options and summaries, such as {@code int8-out16}. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** The format of out_proj in a model of this format. */
  public WeightFormat outProj() {
    return this == INT8_OUT16 ? INT16 : this;
  }

  /** Whether weights and inputs are integers. */
  public boolean isInteger() {
    return digits > 0;
  }

  /** The maximum number of columns of a matrix in this format. */
  public int maxColumns() {
    return isInteger() ? Quantization.maxK(this) : Integer.MAX_VALUE;
  }

  /** The number of digits of weights and inputs; 0 if they are not integers. */
  int digits() {
    return digits;
  }

  /** Returns the BF16 nearest to a finite float. */
  static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }

  static float fromBf16(short value) {
    return Float.intBitsToFloat(value << 16);
  }
}
