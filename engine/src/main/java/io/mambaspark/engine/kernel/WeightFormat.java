package io.mambaspark.engine.kernel;

/** The format of packed matrices in memory. Activations and results are in single precision. */
public enum WeightFormat {
  /** Single precision. */
  F32(Float.BYTES),

  /**
   * The upper half of single precision, rounded to nearest, ties to even. It needs half the memory,
   * and is exact for weights that are stored as BF16.
   */
  BF16(Short.BYTES),

  /**
   * Integers of 8 bits with a scale for each row. It needs a quarter of the memory. Products round
   * weights and activations as {@link Int8} defines, and sum them exactly.
   */
  INT8(Byte.BYTES);

  private final int bytes;

  WeightFormat(int bytes) {
    this.bytes = bytes;
  }

  /** The size of a weight in bytes. */
  int bytes() {
    return bytes;
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
