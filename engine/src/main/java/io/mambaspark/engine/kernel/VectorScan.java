package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.LANES;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The selective scan on vectors of channels. It processes the rows in blocks, and each block for
 * one n after the other. The state of the current n stays in a register, and the block's x, dt, y,
 * B and C stay in L1 until all n are done.
 */
final class VectorScan {
  /** The number of rows in a block: small enough that C2 does not split a loop into strips. */
  private static final int ROWS = 64;

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
    int zOffset = panels * stride * WIDTH;
    for (int panel = 0; panel < panels; panel++) {
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        int channel = panel * WIDTH + lane;
        for (int start = row; start < row + length; start += ROWS) {
          int rows = Math.min(ROWS, row + length - start);
          int at = (panel * stride + start) * WIDTH + lane;
          // softplus; y serves as scratch until it receives the result.
          VectorPass.run(VectorPass.BIAS, dt, at, dtBias, channel, y, at, rows);
          VectorPass.run(VectorPass.LOG1P, dt, at, dtBias, channel, y, at, rows);
          inputs(xz, dt, at, rows, d, channel, y);
          for (int n = 0; n < dState; n++) {
            int bcAt = Panels.index(start, n, stride);
            int stateAt = (panel * dState + n) * WIDTH + lane;
            one(xz, dt, at, rows, bc, bOffset + bcAt, cOffset + bcAt, a, state, stateAt, y);
          }
          VectorPass.run(VectorPass.GATE, xz, zOffset + at, d, channel, y, at, rows);
        }
      }
    }
  }

  /** {@code dt = max(dt, 0) + y; y = D·x; x = dt·x}. */
  private static void inputs(
      float[] x, float[] dt, int at, int length, float[] d, int channel, float[] y) {
    FloatVector factor = FloatVector.fromArray(SPECIES, d, channel);
    for (int i = at; i < at + length * WIDTH; i += WIDTH) {
      FloatVector v = FloatVector.fromArray(SPECIES, dt, i);
      FloatVector step = VectorMath.positive(v).add(FloatVector.fromArray(SPECIES, y, i));
      step.intoArray(dt, i);
      FloatVector input = FloatVector.fromArray(SPECIES, x, i);
      factor.mul(input).intoArray(y, i);
      input.mul(step).intoArray(x, i);
    }
  }

  /**
   * Runs the scan of a block for one n: {@code s = decay(dt·A)·s + B·x; y += C·s}, where {@code x}
   * already holds dt·x.
   *
   * <p>{@link ScalarMath#decay} is inlined by hand, because of the limit that {@link VectorPass}
   * describes. With two states per loop, C2 of JDK 17 turned vectors into objects in every second
   * run.
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
    FloatVector round = FloatVector.broadcast(SPECIES, ScalarMath.ROUND);
    FloatVector p5 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_5);
    FloatVector p4 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_4);
    FloatVector p3 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_3);
    FloatVector p2 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_2);
    FloatVector p1 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_1);
    FloatVector one = FloatVector.broadcast(SPECIES, 1f);
    FloatVector decayRate = FloatVector.fromArray(SPECIES, a, stateAt);
    FloatVector s = FloatVector.fromArray(SPECIES, state, stateAt);
    // Equal to length · WIDTH: the minimum only shows C2 that the loop is short.
    int end = Math.min(length, ROWS) * WIDTH;
    for (int t = 0; t < end; t += WIDTH) {
      FloatVector u = FloatVector.fromArray(SPECIES, dt, at + t).mul(decayRate);
      u = u.reinterpretAsInts().min(VectorMath.EXP2_LOW).reinterpretAsFloats();
      FloatVector q = u.add(round);
      FloatVector f = u.sub(q.sub(round));
      FloatVector p = p5.fma(f, p4).fma(f, p3).fma(f, p2).fma(f, p1).fma(f, one);
      IntVector n = q.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
      FloatVector decay = p.reinterpretAsInts().add(n).reinterpretAsFloats();
      s = decay.fma(s, FloatVector.fromArray(SPECIES, x, at + t).mul(bc[bAt + t]));
      FloatVector out = FloatVector.fromArray(SPECIES, y, at + t);
      s.fma(FloatVector.broadcast(SPECIES, bc[cAt + t]), out).intoArray(y, at + t);
    }
    s.intoArray(state, stateAt);
  }
}
