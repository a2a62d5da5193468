package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.LANES;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The selective scan on vectors of channels: the state of one n at a time stays in a register while
 * time passes.
 */
final class VectorScan {
  private VectorScan() {}

  static void scan(
      float[] xz,
      float[] dt,
      float[] bc,
      int bOffset,
      int cOffset,
      int panels,
      int stride,
      int row,
      int length,
      float[] a,
      int dState,
      float[] d,
      float[] dtBias,
      float[] state,
      float[] y) {
    for (int panel = 0; panel < panels; panel++) {
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        int channel = panel * WIDTH + lane;
        int at = (panel * stride + row) * WIDTH + lane;
        // softplus; y is free until then.
        VectorPass.run(VectorPass.BIAS, dt, at, dtBias, channel, y, at, length);
        VectorPass.run(VectorPass.LOG1P, dt, at, dtBias, channel, y, at, length);
        softplus(dt, at, length, y);
        skip(xz, at, length, d, channel, y);
        for (int n = 0; n < dState; n++) {
          int bcAt = Panels.index(row, n, stride);
          int stateAt = (panel * dState + n) * WIDTH + lane;
          one(xz, dt, at, length, bc, bOffset + bcAt, cOffset + bcAt, a, state, stateAt, y);
        }
        int zAt = panels * stride * WIDTH + at;
        VectorPass.run(VectorPass.GATE, xz, zAt, d, channel, y, at, length);
      }
    }
  }

  /** {@code dt = max(dt, 0) + e}; NaN stays. */
  private static void softplus(float[] dt, int at, int length, float[] e) {
    for (int i = at; i < at + length * WIDTH; i += WIDTH) {
      FloatVector x = FloatVector.fromArray(SPECIES, dt, i);
      FloatVector.fromArray(SPECIES, e, i)
          .add(x.blend(0f, x.compare(VectorOperators.LE, 0f)))
          .blend(x, x.compare(VectorOperators.NE, x))
          .intoArray(dt, i);
    }
  }

  /** {@code y = D·x}. */
  private static void skip(float[] x, int at, int length, float[] d, int channel, float[] y) {
    FloatVector factor = FloatVector.fromArray(SPECIES, d, channel);
    for (int i = at; i < at + length * WIDTH; i += WIDTH) {
      factor.mul(FloatVector.fromArray(SPECIES, x, i)).intoArray(y, i);
    }
  }

  /**
   * One state of the scan: {@code s = exp2(dt·A)·s + B·(dt·x); y += C·s}.
   *
   * <p>{@link VectorMath#exp2} is written out: see {@link VectorPass} for what becomes of calls.
   * With two states in a loop C2 of JDK 17 made objects of vectors in every second run.
   */
  private static void one(
      float[] x,
      float[] dt,
      int at,
      int length,
      float[] bc,
      int bAt,
      int cAt,
      float[] a,
      float[] state,
      int stateAt,
      float[] y) {
    FloatVector low = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_LOW);
    FloatVector round = FloatVector.broadcast(SPECIES, ScalarMath.ROUND);
    FloatVector p5 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_5);
    FloatVector p4 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_4);
    FloatVector p3 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_3);
    FloatVector p2 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_2);
    FloatVector p1 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_1);
    FloatVector one = FloatVector.broadcast(SPECIES, 1f);
    FloatVector decayRate = FloatVector.fromArray(SPECIES, a, stateAt);
    FloatVector s = FloatVector.fromArray(SPECIES, state, stateAt);
    for (int t = 0; t < length * WIDTH; t += WIDTH) {
      FloatVector step = FloatVector.fromArray(SPECIES, dt, at + t);
      FloatVector input = FloatVector.fromArray(SPECIES, x, at + t).mul(step);
      FloatVector out = FloatVector.fromArray(SPECIES, y, at + t);
      FloatVector exponent = step.mul(decayRate).max(low);
      FloatVector q = exponent.add(round);
      FloatVector f = exponent.sub(q.sub(round));
      FloatVector p = p5.fma(f, p4).fma(f, p3).fma(f, p2).fma(f, p1).fma(f, one);
      IntVector n = q.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
      FloatVector decay = p.reinterpretAsInts().add(n).reinterpretAsFloats();
      s = decay.fma(s, input.mul(bc[bAt + t]));
      out = s.fma(FloatVector.broadcast(SPECIES, bc[cAt + t]), out);
      out.intoArray(y, at + t);
    }
    s.intoArray(state, stateAt);
  }
}
