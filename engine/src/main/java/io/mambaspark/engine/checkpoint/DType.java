package io.mambaspark.engine.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;
import java.util.Objects;

/** How the elements of a tensor are stored. Every value of each is exact in F32. */
public enum DType {
  /** IEEE 754 binary32. */
  F32(4),
  /** IEEE 754 binary16. */
  F16(2),
  /** The upper half of a binary32. */
  BF16(2);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /**
   * Decodes {@code count} little-endian elements from {@code from}, whatever its byte order is set
   * to, into {@code into[offset..offset+count)}, and advances its position past them. Exact; NaN
   * and infinities stay what they are.
   *
   * @throws IndexOutOfBoundsException if the array or the buffer holds less; nothing is read then
   */
  public void decode(ByteBuffer from, float[] into, int offset, int count) {
    Objects.checkFromIndexSize(offset, count, into.length);
    int start = from.position();
    Objects.checkFromIndexSize(start, (long) count * bytes, from.limit());
    ByteBuffer source = from.slice(start, count * bytes).order(ByteOrder.LITTLE_ENDIAN);
    switch (this) {
      case F32 -> source.asFloatBuffer().get(into, offset, count);
      case F16 -> {
        ShortBuffer halves = source.asShortBuffer();
        for (int i = 0; i < count; i++) {
          into[offset + i] = half(halves.get(i));
        }
      }
      case BF16 -> {
        ShortBuffer upper = source.asShortBuffer();
        for (int i = 0; i < count; i++) {
          into[offset + i] = Float.intBitsToFloat(upper.get(i) << 16);
        }
      }
    }
    from.position(start + count * bytes);
  }

  /** Float.float16ToFloat came with JDK 20. */
  private static float half(short bits) {
    int sign = (bits & 0x8000) << 16;
    int magnitude = (bits & 0x7fff) << 13;
    if ((bits & 0x7c00) == 0x7c00) {
      return Float.intBitsToFloat(sign | 0x7f800000 | magnitude);
    }
    // The exponent is biased by 127 in a float, by 15 in a half: a power of two mends it, exactly,
    // and makes normal numbers of subnormal ones.
    float value = Float.intBitsToFloat(magnitude) * 0x1p112f;
    return Float.intBitsToFloat(sign | Float.floatToRawIntBits(value));
  }
}
