package io.mambaspark.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class DTypeTest {

  @Test
  void everyF16PatternDecodesToItsValue() {
    everyPatternDecodes(DType.F16, 5, 10);
  }

  @Test
  void everyBf16PatternDecodesToItsValue() {
    everyPatternDecodes(DType.BF16, 8, 7);
  }

  @Test
  void f32PreservesEveryBitOfNanInfinitiesAndNegativeZero() {
    int[] bits = {0x7fc00001, 0xffc12345, 0x7f800000, 0xff800000, 0x80000000, 1, 0x3f800000};
    ByteBuffer bytes = ByteBuffer.allocate(4 * bits.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asIntBuffer().put(bits);
    float[] values = new float[bits.length];

    DType.F32.decode(bytes, values, 0, bits.length);

    for (int i = 0; i < bits.length; i++) {
      assertThat(Float.floatToRawIntBits(values[i])).isEqualTo(bits[i]);
    }
  }

  @Test
  void f64IsRoundedToTheNearestFloat() {
    double[] stored = {1 / 3.0, -1 - 0x1p-30, 1e-60, 1e300, Double.NaN, -0.0, 0x1.fffffefp127};
    ByteBuffer bytes = ByteBuffer.allocate(8 * stored.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asDoubleBuffer().put(stored);
    float[] values = new float[stored.length];

    DType.F64.decode(bytes, values, 0, stored.length);

    assertThat(values)
        .containsExactly(1 / 3f, -1, 0, Float.POSITIVE_INFINITY, Float.NaN, -0f, Float.MAX_VALUE);
  }

  @Test
  void integersAreNotFloats() {
    assertThat(DType.values())
        .filteredOn(DType::isFloat)
        .containsExactly(DType.F64, DType.F32, DType.F16, DType.BF16);
    assertThatThrownBy(() -> DType.I64.decode(ByteBuffer.allocate(8), new float[1], 0, 1))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("I64 elements are not read as floats");
  }

  @Test
  void decodingIsLittleEndianWhateverTheBuffersOrderAndAdvancesItsPosition() {
    // A new buffer is big-endian.
    ByteBuffer bytes = ByteBuffer.wrap(new byte[] {99, 0, 0, (byte) 0x80, 0x3f, 0, 0, 0, 0x40, 98});
    bytes.position(1);
    float[] values = {-1, -1, -1, -1};

    DType.F32.decode(bytes, values, 1, 2);

    assertThat(values).containsExactly(-1, 1, 2, -1);
    assertThat(bytes.position()).isEqualTo(9);
    assertThat(bytes.order()).isEqualTo(ByteOrder.BIG_ENDIAN);
  }

  @Test
  void moreElementsThanTheBufferHoldsAreRefusedAndNothingIsRead() {
    ByteBuffer bytes = ByteBuffer.allocate(7);

    assertThatThrownBy(() -> DType.BF16.decode(bytes, new float[4], 0, 4))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(bytes.position()).isZero();
  }

  private static void everyPatternDecodes(DType dtype, int exponentBits, int mantissaBits) {
    ByteBuffer bytes = ByteBuffer.allocate(2 << 16).order(ByteOrder.LITTLE_ENDIAN);
    for (int pattern = 0; pattern < 1 << 16; pattern++) {
      bytes.putShort((short) pattern);
    }
    float[] values = new float[1 << 16];

    dtype.decode(bytes.flip(), values, 0, values.length);

    for (int pattern = 0; pattern < 1 << 16; pattern++) {
      double expected = value(pattern, exponentBits, mantissaBits);
      assertThat(Float.floatToIntBits(values[pattern]))
          .as("%s %04x", dtype, pattern)
          .isEqualTo(Float.floatToIntBits((float) expected));
    }
    assertThat(bytes.hasRemaining()).isFalse();
  }

  /** Returns the value of a 16-bit float, by the definition of IEEE 754's formats, as a double. */
  private static double value(int pattern, int exponentBits, int mantissaBits) {
    int bias = (1 << (exponentBits - 1)) - 1;
    int exponent = pattern >> mantissaBits & ((1 << exponentBits) - 1);
    double fraction = (pattern & ((1 << mantissaBits) - 1)) / (double) (1 << mantissaBits);
    double magnitude;
    if (exponent == (1 << exponentBits) - 1) {
      magnitude = fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
    } else if (exponent == 0) {
      magnitude = fraction * Math.pow(2, 1 - bias);
    } else {
      magnitude = (1 + fraction) * Math.pow(2, exponent - bias);
    }
    return pattern >> 15 == 0 ? magnitude : -magnitude;
  }
}
