package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.fail;

import java.util.function.UnaryOperator;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("kernels")
@Tag("vector")
class VectorMathTest {

  /** The functions in both implementations. */
  enum Both {
    EXP2(ScalarMath::exp2, VectorMath::exp2),
    HEAD_DECAY(ScalarMath::headDecay, VectorMath::headDecay),
    EXP_OF_MINUS_ABS(ScalarMath::expOfMinusAbs, VectorMath::expOfMinusAbs),
    SILU(ScalarMath::silu, VectorMath::silu),
    LOG1P_OF_UNIT(ScalarMath::log1pOfUnit, VectorMath::log1pOfUnit);

    private final FloatFunction scalar;
    private final UnaryOperator<FloatVector> vector;

    Both(FloatFunction scalar, UnaryOperator<FloatVector> vector) {
      this.scalar = scalar;
      this.vector = vector;
    }

    void compare(float[] x) {
      float[] y = new float[x.length];
      for (int i = 0; i < x.length; i += VectorMath.LANES) {
        vector.apply(FloatVector.fromArray(VectorMath.SPECIES, x, i)).intoArray(y, i);
      }
      for (int i = 0; i < x.length; i++) {
        float expected = scalar.of(x[i]);
        boolean bothNaN = expected != expected && y[i] != y[i];
        if (Float.floatToRawIntBits(expected) != Float.floatToRawIntBits(y[i]) && !bothNaN) {
          fail("%s(%s): scalar %s, vector %s".formatted(this, x[i], expected, y[i]));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void bothImplementationsGiveTheSameBits(Both function) {
    float[] x = new float[1024];
    System.arraycopy(FloatFunction.SPECIAL, 0, x, 0, FloatFunction.SPECIAL.length);
    function.compare(x);
    for (long bits = 0; bits < 1L << 32; ) {
      for (int i = 0; i < x.length; i++) {
        float value = Float.intBitsToFloat((int) bits);
        // Tests only the NaN that arithmetic produces; results for other NaN bits are undefined.
        x[i] = value == value ? value : Float.NaN;
        bits += FloatFunction.STEP;
      }
      function.compare(x);
    }
  }
}
