package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.LANES;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;

/**
 * The selective scan on vectors of channels: the state of four n at a time stays in registers while
 * time passes. Each step is a method of its own, since C2 stops inlining Vector API calls in a
 * method that has grown too large.
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
    int states = ScalarKernels.states(dState);
    for (int panel = 0; panel < panels; panel++) {
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        int channel = panel * WIDTH + lane;
        int at = (panel * stride + row) * WIDTH + lane;
        step(dt, at, length, dtBias, channel);
        skip(xz, at, length, d, channel, y);
        for (int n = 0; n < states; n += 4) {
          int bcAt = Panels.index(row, n, stride);
          int stateAt = (panel * states + n) * WIDTH + lane;
          four(xz, dt, at, length, bc, bOffset + bcAt, cOffset + bcAt, a, state, stateAt, y);
        }
        gate(xz, panels * stride * WIDTH + at, length, y, at);
      }
    }
  }

  /** {@code dt = softplus(dt + bias)}. */
  private static void step(float[] dt, int at, int length, float[] bias, int channel) {
    FloatVector b = FloatVector.fromArray(SPECIES, bias, channel);
    for (int i = at; i < at + length * WIDTH; i += WIDTH) {
      VectorMath.softplus(FloatVector.fromArray(SPECIES, dt, i).add(b)).intoArray(dt, i);
    }
  }

  /** {@code y = D·x}. */
  private static void skip(float[] x, int at, int length, float[] d, int channel, float[] y) {
    FloatVector factor = FloatVector.fromArray(SPECIES, d, channel);
    for (int i = at; i < at + length * WIDTH; i += WIDTH) {
      factor.mul(FloatVector.fromArray(SPECIES, x, i)).intoArray(y, i);
    }
  }

  /** {@code y *= silu(z)}. */
  private static void gate(float[] xz, int zAt, int length, float[] y, int at) {
    for (int i = 0; i < length * WIDTH; i += WIDTH) {
      FloatVector z = VectorMath.silu(FloatVector.fromArray(SPECIES, xz, zAt + i));
      FloatVector.fromArray(SPECIES, y, at + i).mul(z).intoArray(y, at + i);
    }
  }

  /** Four states: {@code s = exp2(dt·A)·s + B·(dt·x); y += C·s}. */
  private static void four(
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
    FloatVector a0 = FloatVector.fromArray(SPECIES, a, stateAt);
    FloatVector s0 = FloatVector.fromArray(SPECIES, state, stateAt);
    FloatVector a1 = FloatVector.fromArray(SPECIES, a, stateAt + WIDTH);
    FloatVector s1 = FloatVector.fromArray(SPECIES, state, stateAt + WIDTH);
    FloatVector a2 = FloatVector.fromArray(SPECIES, a, stateAt + 2 * WIDTH);
    FloatVector s2 = FloatVector.fromArray(SPECIES, state, stateAt + 2 * WIDTH);
    FloatVector a3 = FloatVector.fromArray(SPECIES, a, stateAt + 3 * WIDTH);
    FloatVector s3 = FloatVector.fromArray(SPECIES, state, stateAt + 3 * WIDTH);
    for (int t = 0; t < length * WIDTH; t += WIDTH) {
      FloatVector step = FloatVector.fromArray(SPECIES, dt, at + t);
      FloatVector input = FloatVector.fromArray(SPECIES, x, at + t).mul(step);
      FloatVector out = FloatVector.fromArray(SPECIES, y, at + t);
      s0 = VectorMath.exp2(step.mul(a0)).fma(s0, input.mul(bc[bAt + t]));
      out = s0.fma(VectorMath.all(bc[cAt + t]), out);
      s1 = VectorMath.exp2(step.mul(a1)).fma(s1, input.mul(bc[bAt + t + 1]));
      out = s1.fma(VectorMath.all(bc[cAt + t + 1]), out);
      s2 = VectorMath.exp2(step.mul(a2)).fma(s2, input.mul(bc[bAt + t + 2]));
      out = s2.fma(VectorMath.all(bc[cAt + t + 2]), out);
      s3 = VectorMath.exp2(step.mul(a3)).fma(s3, input.mul(bc[bAt + t + 3]));
      out = s3.fma(VectorMath.all(bc[cAt + t + 3]), out);
      out.intoArray(y, at + t);
    }
    s0.intoArray(state, stateAt);
    s1.intoArray(state, stateAt + WIDTH);
    s2.intoArray(state, stateAt + 2 * WIDTH);
    s3.intoArray(state, stateAt + 3 * WIDTH);
  }
}
