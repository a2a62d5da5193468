package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.LANES;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * The kernels on the Vector API. {@link VectorProduct}, {@link VectorQuantization}, {@link
 * VectorScan} and {@link VectorHeadScan} implement the largest.
 */
final class VectorKernels implements Kernels {
  /** The number of rows of logits folded at a time, so that their maxima and sums stay in L1. */
  private static final int STRIP = 64;

  /** The maxima of a strip of rows before the current block. */
  private static final ThreadLocal<float[]> BEFORE =
      ThreadLocal.withInitial(() -> new float[STRIP * WIDTH]);

  private final IntegerProducts integers;

  /** Creates kernels with products of integers by oneDNN, or on vectors if it is null. */
  VectorKernels(Dnnl dnnl) {
    this.integers = dnnl == null ? new VectorQuantization() : new VectorDnnl(dnnl);
    if (LANES < 4) {
      throw new LinkageError("vectors of " + LANES + " floats are too short; expected at least 4");
    }
  }

  @Override
  public boolean hasNativeProducts() {
    return integers instanceof VectorDnnl;
  }

  @Override
  public String describe() {
    return "Vector API kernels, " + LANES + " lanes" + integers.describe();
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
    w.checkFloats();
    VectorProduct.product(a, rows, stride, w, bias, first, end, c);
  }

  @Override
  public void prepare(PackedMatrix w) {
    if (w.format().isInteger()) {
      integers.prepare(w);
    }
  }

  @Override
  public void quantize(
      float[] a, int k, int rows, int stride, WeightFormat format, QuantizedRows to) {
    integers.quantize(a, k, rows, stride, format.digits(), to);
  }

  @Override
  public void product(
      QuantizedRows a, PackedMatrix w, float[] bias, int first, int end, float[] c) {
    a.check(w);
    integers.product(a, w, bias, first, end, c);
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
    inverseRoots(sums, length, columns, eps);
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

  /** Replaces the sums of squares of each row with its scale in all lanes. */
  private static void inverseRoots(float[] sums, int length, int columns, float eps) {
    for (int at = 0; at < length; at += WIDTH) {
      float scale = ScalarKernels.inverseRoot(sums, at, columns, eps);
      Arrays.fill(sums, at, at + WIDTH, scale);
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
  public void headScan(
      float[] x,
      float[] dt,
      float[] bc,
      int bOffset,
      int cOffset,
      Heads heads,
      int stride,
      int row,
      int length,
      float[] a,
      float[] d,
      float[] dtBias,
      float low,
      float high,
      float[] state,
      float[] y,
      float[] steps) {
    VectorHeadScan.scan(
        x, dt, bc, bOffset, cOffset, heads, stride, row, length, a, d, dtBias, low, high, state, y,
        steps);
  }

  @Override
  public void gatedNorm(
      float[] y,
      float[] z,
      int zOffset,
      int groups,
      int channelsPerGroup,
      int rows,
      int stride,
      float[] weight,
      boolean normBeforeGate,
      float eps,
      float[] sums) {
    int panels = Panels.count(channelsPerGroup);
    int length = rows * WIDTH;
    boolean gateFirst = weight == null || !normBeforeGate;
    for (int group = 0; group < groups; group++) {
      int end = (group + 1) * panels;
      Arrays.fill(sums, 0, length, 0f);
      for (int panel = group * panels; panel < end; panel++) {
        if (gateFirst) {
          gate(y, z, zOffset, panel * stride * WIDTH, rows);
        }
        addSquares(y, panel * stride * WIDTH, length, sums);
      }
      if (weight == null) {
        continue;
      }
      inverseRoots(sums, length, channelsPerGroup, eps);
      for (int panel = group * panels; panel < end; panel++) {
        int at = panel * stride * WIDTH;
        for (int lane = 0; lane < WIDTH; lane += LANES) {
          scale(y, at + lane, length, sums, weight, panel * WIDTH + lane, y);
        }
        if (!gateFirst) {
          gate(y, z, zOffset, at, rows);
        }
      }
    }
  }

  /** {@code y *= silu(z)} for one panel. */
  private static void gate(float[] y, float[] z, int zOffset, int at, int rows) {
    for (int lane = at; lane < at + WIDTH; lane += LANES) {
      VectorPass.run(VectorPass.GATE, z, zOffset + lane, z, 0, y, lane, rows);
    }
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
      float[] argMax,
      boolean moments) {
    int sums = moments ? 3 : 1;
    float[] before = BEFORE.get();
    for (int row = 0; row < rows; row += STRIP) {
      int length = Math.min(STRIP, rows - row);
      int at = row * WIDTH;
      System.arraycopy(max, at, before, 0, length * WIDTH);
      for (int panel = 0; panel < panels; panel++) {
        int from = (panel * stride + row) * WIDTH;
        largest(logits, from, firstPanel + panel, length * WIDTH, max, argMax, at);
      }
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        int most = at + lane;
        int to = at * sums + lane;
        int rescale = moments ? VectorPass.RESCALE_MOMENTS : VectorPass.RESCALE;
        int add = moments ? VectorPass.ADD_MOMENTS : VectorPass.ADD_EXP;
        VectorPass.run(rescale, before, lane, max, most, sum, to, length);
        for (int panel = 0; panel < panels; panel++) {
          int from = (panel * stride + row) * WIDTH + lane;
          VectorPass.run(add, logits, from, max, most, sum, to, length);
        }
      }
    }
  }

  /**
   * Updates the maxima, and the numbers of their panels, with one panel of logits. The maxima are
   * stored in memory after each panel: if registers carried them along the panels of a row, they
   * would become objects on JDK 17 in some runs.
   */
  private static void largest(
      float[] logits, int from, float panel, int length, float[] max, float[] argMax, int at) {
    for (int i = 0; i < length; i += LANES) {
      FloatVector logit = FloatVector.fromArray(SPECIES, logits, from + i);
      FloatVector most = FloatVector.fromArray(SPECIES, max, at + i);
      VectorMask<Float> more = logit.compare(VectorOperators.GT, most);
      most.blend(logit, more).intoArray(max, at + i);
      FloatVector.fromArray(SPECIES, argMax, at + i).blend(panel, more).intoArray(argMax, at + i);
    }
  }
}
