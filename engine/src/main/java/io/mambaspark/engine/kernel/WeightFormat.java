package io.mambaspark.engine.kernel;

/** How packed matrices are kept in memory. Arithmetic is in single precision in either. */
public enum WeightFormat {
  /** Single precision. */
  F32(Float.BYTES),

  /**
   * The upper half of single precision, rounded to nearest, ties to even: half the memory, and
   * exact for weights that come as BF16.
   */
  BF16(Short.BYTES);

  private final int bytes;

  WeightFormat(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of a weight. */
  int bytes() {
    return bytes;
  }

  /** The BF16 nearest to a finite float. */
  static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }

  static float fromBf16(short value) {
    return Float.intBitsToFloat(value << 16);
  }
}
