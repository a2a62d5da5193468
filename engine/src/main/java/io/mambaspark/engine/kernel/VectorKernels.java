package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.LANES;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * The kernels on the Vector API; {@link VectorProduct} and {@link VectorScan} hold the large two.
 */
final class VectorKernels implements Kernels {

  VectorKernels() {
    if (LANES < 4) {
      throw new LinkageError("vectors of " + LANES + " floats are too short");
    }
  }

  @Override
  public String describe() {
    return "Vector API kernels, " + LANES + " lanes";
  }

  @Override
  public void product(
      float[] a,
      int rows,
      int stride,
      PackedMatrix w,
      float[] bias,
      int first,
      int end,
      float[] c) {
    VectorProduct.product(a, rows, stride, w, bias, first, end, c);
  }

  @Override
  public void rmsNorm(
      float[] x,
      int xOffset,
      int columns,
      int rows,
      int stride,
      float[] weight,
      float eps,
      float[] to,
      float[] sums) {
    int panels = Panels.count(columns);
    int length = rows * WIDTH;
    Arrays.fill(sums, 0, length, 0f);
    for (int panel = 0; panel < panels; panel++) {
      addSquares(x, xOffset + panel * stride * WIDTH, length, sums);
    }
    for (int at = 0; at < length; at += WIDTH) {
      float scale = ScalarKernels.inverseRoot(sums, at, columns, eps);
      Arrays.fill(sums, at, at + WIDTH, scale);
    }
    for (int panel = 0; panel < panels; panel++) {
      int at = xOffset + panel * stride * WIDTH;
      if (weight == null) {
        scale(x, at, length, sums, to);
      } else {
        for (int lane = 0; lane < WIDTH; lane += LANES) {
          scale(x, at + lane, length, sums, weight, panel * WIDTH + lane, to);
        }
      }
    }
  }

  private static void addSquares(float[] x, int at, int length, float[] sums) {
    for (int i = 0; i < length; i += LANES) {
      FloatVector v = FloatVector.fromArray(SPECIES, x, at + i);
      v.fma(v, FloatVector.fromArray(SPECIES, sums, i)).intoArray(sums, i);
    }
  }

  private static void scale(float[] x, int at, int length, float[] scales, float[] to) {
    for (int i = 0; i < length; i += LANES) {
      FloatVector.fromArray(SPECIES, x, at + i)
          .mul(FloatVector.fromArray(SPECIES, scales, i))
          .intoArray(to, at + i);
    }
  }

  private static void scale(
      float[] x, int at, int length, float[] scales, float[] weight, int channel, float[] to) {
    FloatVector w = FloatVector.fromArray(SPECIES, weight, channel);
    for (int i = 0; i < length; i += WIDTH) {
      FloatVector.fromArray(SPECIES, x, at + i).mul(scales[i]).mul(w).intoArray(to, at + i);
    }
  }

  @Override
  public void add(float[] x, float[] y, int panels, int rows, int stride) {
    for (int panel = 0; panel < panels; panel++) {
      add(x, y, panel * stride * WIDTH, rows * WIDTH);
    }
  }

  private static void add(float[] x, float[] y, int at, int length) {
    for (int i = at; i < at + length; i += LANES) {
      FloatVector.fromArray(SPECIES, x, i)
          .add(FloatVector.fromArray(SPECIES, y, i))
          .intoArray(x, i);
    }
  }

  @Override
  public void convolution(
      float[] x,
      int panels,
      int stride,
      int row,
      int length,
      float[] weight,
      float[] bias,
      int dConv,
      float[] context,
      float[] window) {
    int kept = (dConv - 1) * WIDTH;
    for (int panel = 0; panel < panels; panel++) {
      int at = (panel * stride + row) * WIDTH;
      System.arraycopy(context, panel * kept, window, 0, kept);
      System.arraycopy(x, at, window, kept, length * WIDTH);
      System.arraycopy(window, length * WIDTH, context, panel * kept, kept);
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        slide(
            window,
            lane,
            length,
            weight,
            panel * dConv * WIDTH + lane,
            dConv,
            bias,
            panel * WIDTH + lane,
            x,
            at + lane);
        VectorPass.run(VectorPass.SILU, x, at + lane, bias, panel * WIDTH, x, at + lane, length);
      }
    }
  }

  private static void slide(
      float[] window,
      int from,
      int length,
      float[] weight,
      int weightAt,
      int dConv,
      float[] bias,
      int channel,
      float[] x,
      int at) {
    FloatVector b = FloatVector.fromArray(SPECIES, bias, channel);
    for (int i = 0; i < length * WIDTH; i += WIDTH) {
      FloatVector sum = b;
      for (int j = 0; j < dConv * WIDTH; j += WIDTH) {
        FloatVector w = FloatVector.fromArray(SPECIES, weight, weightAt + j);
        sum = w.fma(FloatVector.fromArray(SPECIES, window, from + i + j), sum);
      }
      sum.intoArray(x, at + i);
    }
  }

  @Override
  public void selectiveScan(
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
    VectorScan.scan(
        xz, dt, bc, bOffset, cOffset, panels, stride, row, length, a, dState, d, dtBias, state, y);
  }

  @Override
  public void foldLogits(
      float[] logits,
      int panels,
      int firstPanel,
      int rows,
      int stride,
      float[] max,
      float[] sum,
      float[] argMax) {
    int step = stride * WIDTH;
    for (int i = 0; i < rows * WIDTH; i += LANES) {
      fold(logits, panels, firstPanel, i, step, max, sum, argMax);
    }
  }

  /**
   * The new maximum, and the sum rescaled to it. One method of more than the 325 bytes that C2
   * inlines: inlined into the loop over rows, the vectors that this one carries become objects on
   * JDK 17. {@link ScalarMath#exp2} is written out: see {@link VectorPass} for what becomes of
   * calls.
   */
  private static void fold(
      float[] logits,
      int panels,
      int firstPanel,
      int at,
      int step,
      float[] max,
      float[] sum,
      float[] argMax) {
    FloatVector before = FloatVector.fromArray(SPECIES, max, at);
    FloatVector most = before;
    FloatVector where = FloatVector.fromArray(SPECIES, argMax, at);
    for (int panel = 0; panel < panels; panel++) {
      FloatVector logit = FloatVector.fromArray(SPECIES, logits, at + panel * step);
      VectorMask<Float> more = logit.compare(VectorOperators.GT, most);
      most = most.blend(logit, more);
      where = where.blend(firstPanel + panel, more);
    }
    most.intoArray(max, at);
    where.intoArray(argMax, at);
    FloatVector low = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_LOW);
    FloatVector round = FloatVector.broadcast(SPECIES, ScalarMath.ROUND);
    FloatVector p5 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_5);
    FloatVector p4 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_4);
    FloatVector p3 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_3);
    FloatVector p2 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_2);
    FloatVector p1 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_1);
    FloatVector one = FloatVector.broadcast(SPECIES, 1f);
    FloatVector u0 = before.sub(most).mul(ScalarMath.LOG2_E);
    u0 = u0.blend(low, u0.compare(VectorOperators.LT, low));
    FloatVector q0 = u0.add(round);
    FloatVector f0 = u0.sub(q0.sub(round));
    FloatVector p0 = p5.fma(f0, p4).fma(f0, p3).fma(f0, p2).fma(f0, p1).fma(f0, one);
    IntVector n0 = q0.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
    FloatVector total =
        p0.reinterpretAsInts()
            .add(n0)
            .reinterpretAsFloats()
            .mul(FloatVector.fromArray(SPECIES, sum, at));
    for (int panel = 0; panel < panels; panel++) {
      FloatVector below = FloatVector.fromArray(SPECIES, logits, at + panel * step).sub(most);
      FloatVector u = below.mul(ScalarMath.LOG2_E);
      u = u.blend(low, u.compare(VectorOperators.LT, low));
      FloatVector q = u.add(round);
      FloatVector f = u.sub(q.sub(round));
      FloatVector p = p5.fma(f, p4).fma(f, p3).fma(f, p2).fma(f, p1).fma(f, one);
      IntVector n = q.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
      total = total.add(p.reinterpretAsInts().add(n).reinterpretAsFloats());
    }
    total.intoArray(sum, at);
  }

  /** One for each row of a chunk: too few to be worth vectors. */
  @Override
  public void log(float[] x, int length) {
    for (int i = 0; i < length; i++) {
      x[i] = ScalarMath.log(x[i]);
    }
  }
}
