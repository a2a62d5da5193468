package io.mambaspark.engine.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.ShortBuffer;
import java.util.Objects;

/**
 * The storage format of a tensor's elements. F16 and BF16 values are exact in F32; F64 values are
 * rounded to F32. Weights are never integers: the integer types exist because a file may hold other
 * tensors than weights.
 */
public enum DType {
  /** IEEE 754 binary64. */
  F64(8),
  /** IEEE 754 binary32. */
  F32(4),
  /** IEEE 754 binary16. */
  F16(2),
  /** The upper half of a binary32. */
  BF16(2),
  /** A signed integer of 64 bits. */
  I64(8),
  /** A signed integer of 32 bits. */
  I32(4),
  /** A signed integer of 16 bits. */
  I16(2),
  /** A signed integer of 8 bits. */
  I8(1),
  /** An unsigned integer of 8 bits. */
  U8(1),
  /** A truth value in a byte. */
  BOOL(1);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** Whether the elements are floating-point numbers, which {@link #decode} reads. */
  public boolean isFloat() {
    return this == F64 || this == F32 || this == F16 || this == BF16;
  }

  /**
   * Decodes {@code count} little-endian elements from {@code from} into {@code
   * into[offset..offset+count)}, and advances the buffer's position past them. Ignores the buffer's
   * byte order. NaN and infinities are preserved. F64 is rounded to the nearest float, or to an
   * infinity if it is outside the range of floats; all other types are exact.
   *
   * @throws IndexOutOfBoundsException if the array or the buffer is too short; nothing is read then
   * @throws IllegalStateException if this is not a floating-point type
   */
  public void decode(ByteBuffer from, float[] into, int offset, int count) {
    Objects.checkFromIndexSize(offset, count, into.length);
    int start = from.position();
    Objects.checkFromIndexSize(start, (long) count * bytes, from.limit());
    ByteBuffer source = from.slice(start, count * bytes).order(ByteOrder.LITTLE_ENDIAN);
    switch (this) {
      case F64 -> {
        DoubleBuffer doubles = source.asDoubleBuffer();
        for (int i = 0; i < count; i++) {
          into[offset + i] = (float) doubles.get(i);
        }
      }
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
      default -> throw new IllegalStateException(this + " elements are not read as floats");
    }
    from.position(start + count * bytes);
  }

  /** Converts a binary16. JDK 17 has no Float.float16ToFloat; JDK 20 introduced it. */
  private static float half(short bits) {
    int sign = (bits & 0x8000) << 16;
    int magnitude = (bits & 0x7fff) << 13;
    if ((bits & 0x7c00) == 0x7c00) {
      return Float.intBitsToFloat(sign | 0x7f800000 | magnitude);
    }
    // The exponent bias is 127 in a float and 15 in a half. Multiplying by 2^(127 - 15) corrects
    // the bias exactly, and also normalizes subnormal halves.
    float value = Float.intBitsToFloat(magnitude) * 0x1p112f;
    return Float.intBitsToFloat(sign | Float.floatToRawIntBits(value));
  }
}
