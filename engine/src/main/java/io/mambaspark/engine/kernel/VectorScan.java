package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.LANES;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

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
        // y is free until then.
        bias(dt, at, length, dtBias, channel, y);
        tail(y, at, length);
        softplus(dt, at, length, y);
        skip(xz, at, length, d, channel, y);
        for (int n = 0; n < states; n += 2) {
          int bcAt = Panels.index(row, n, stride);
          int stateAt = (panel * states + n) * WIDTH + lane;
          two(xz, dt, at, length, bc, bOffset + bcAt, cOffset + bcAt, a, state, stateAt, y);
        }
        gate(xz, panels * stride * WIDTH + at, length, y, at);
      }
    }
  }

  /** {@code dt += bias; e = exp(-|dt|)}. */
  private static void bias(float[] dt, int at, int length, float[] bias, int channel, float[] e) {
    FloatVector b = FloatVector.fromArray(SPECIES, bias, channel);
    for (int i = at; i < at + length * WIDTH; i += WIDTH) {
      FloatVector biased = FloatVector.fromArray(SPECIES, dt, i).add(b);
      biased.intoArray(dt, i);
      VectorMath.exp(biased.abs().neg()).intoArray(e, i);
    }
  }

  /** {@code e = log1p(e)}: what softplus adds to the positive part. */
  private static void tail(float[] e, int at, int length) {
    for (int i = at; i < at + length * WIDTH; i += WIDTH) {
      VectorMath.log1pOfUnit(FloatVector.fromArray(SPECIES, e, i)).intoArray(e, i);
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

  /** {@code y *= silu(z)}. */
  private static void gate(float[] xz, int zAt, int length, float[] y, int at) {
    for (int i = 0; i < length * WIDTH; i += WIDTH) {
      FloatVector z = VectorMath.silu(FloatVector.fromArray(SPECIES, xz, zAt + i));
      FloatVector.fromArray(SPECIES, y, at + i).mul(z).intoArray(y, at + i);
    }
  }

  /**
   * Two states: {@code s = exp2(dt·A)·s + B·(dt·x); y += C·s}.
   *
   * <p>{@link VectorMath#exp2} is written out: C2 stops inlining methods that the JDK does not
   * force it to inline once a method has grown to 18,000 nodes, and then vectors become objects.
   */
  private static void two(
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
    FloatVector a0 = FloatVector.fromArray(SPECIES, a, stateAt);
    FloatVector a1 = FloatVector.fromArray(SPECIES, a, stateAt + WIDTH);
    FloatVector s0 = FloatVector.fromArray(SPECIES, state, stateAt);
    FloatVector s1 = FloatVector.fromArray(SPECIES, state, stateAt + WIDTH);
    for (int t = 0; t < length * WIDTH; t += WIDTH) {
      FloatVector step = FloatVector.fromArray(SPECIES, dt, at + t);
      FloatVector input = FloatVector.fromArray(SPECIES, x, at + t).mul(step);
      FloatVector out = FloatVector.fromArray(SPECIES, y, at + t);
      FloatVector u0 = step.mul(a0).max(low);
      FloatVector q0 = u0.add(round);
      FloatVector f0 = u0.sub(q0.sub(round));
      FloatVector e0 = p5.fma(f0, p4).fma(f0, p3).fma(f0, p2).fma(f0, p1).fma(f0, one);
      IntVector n0 = q0.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
      FloatVector decay0 = e0.reinterpretAsInts().add(n0).reinterpretAsFloats();
      s0 = decay0.fma(s0, input.mul(bc[bAt + t]));
      out = s0.fma(FloatVector.broadcast(SPECIES, bc[cAt + t]), out);
      FloatVector u1 = step.mul(a1).max(low);
      FloatVector q1 = u1.add(round);
      FloatVector f1 = u1.sub(q1.sub(round));
      FloatVector e1 = p5.fma(f1, p4).fma(f1, p3).fma(f1, p2).fma(f1, p1).fma(f1, one);
      IntVector n1 = q1.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
      FloatVector decay1 = e1.reinterpretAsInts().add(n1).reinterpretAsFloats();
      s1 = decay1.fma(s1, input.mul(bc[bAt + t + 1]));
      out = s1.fma(FloatVector.broadcast(SPECIES, bc[cAt + t + 1]), out);
      out.intoArray(y, at + t);
    }
    s0.intoArray(state, stateAt);
    s1.intoArray(state, stateAt + WIDTH);
  }
}
