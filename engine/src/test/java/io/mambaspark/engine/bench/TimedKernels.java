package io.mambaspark.engine.bench;

import io.mambaspark.engine.kernel.Heads;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.PackedMatrix;
import io.mambaspark.engine.kernel.QuantizedRows;
import io.mambaspark.engine.kernel.WeightFormat;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;

/** Kernels that sum up how long each of them takes. Not thread-safe. */
final class TimedKernels implements Kernels {
  /** The kernels that are timed separately. */
  enum Kernel {
    PRODUCT,
    HEAD_PRODUCT,
    QUANTIZE,
    FOLD,
    SCAN,
    CONVOLUTION,
    NORM,
    ADD
  }

  private final Kernels kernels;
  private final int headPanels;
  private final long[] nanos = new long[Kernel.values().length];

  /** {@code headPanels} is the number of panels of the head's matrix, which identifies it. */
  TimedKernels(Kernels kernels, int headPanels) {
    this.kernels = kernels;
    this.headPanels = headPanels;
  }

  /** Resets the sums. */
  void clear() {
    Arrays.fill(nanos, 0);
  }

  /** Returns the seconds in each kernel. */
  Map<Kernel, Double> seconds() {
    Map<Kernel, Double> seconds = new EnumMap<>(Kernel.class);
    for (Kernel kernel : Kernel.values()) {
      seconds.put(kernel, nanos[kernel.ordinal()] / 1e9);
    }
    return seconds;
  }

  private void count(Kernel kernel, long start) {
    nanos[kernel.ordinal()] += System.nanoTime() - start;
  }

  @Override
  public String describe() {
    return kernels.describe();
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
    long start = System.nanoTime();
    kernels.product(a, rows, stride, w, bias, first, end, c);
    count(w.panels() == headPanels ? Kernel.HEAD_PRODUCT : Kernel.PRODUCT, start);
  }

  @Override
  public void quantize(
      float[] a, int k, int rows, int stride, WeightFormat format, QuantizedRows quantized) {
    long start = System.nanoTime();
    kernels.quantize(a, k, rows, stride, format, quantized);
    count(Kernel.QUANTIZE, start);
  }

  @Override
  public void product(
      QuantizedRows a, PackedMatrix w, float[] bias, int first, int end, float[] c) {
    long start = System.nanoTime();
    kernels.product(a, w, bias, first, end, c);
    count(w.panels() == headPanels ? Kernel.HEAD_PRODUCT : Kernel.PRODUCT, start);
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
    long start = System.nanoTime();
    kernels.rmsNorm(x, xOffset, columns, rows, stride, weight, eps, to, sums);
    count(Kernel.NORM, start);
  }

  @Override
  public void add(float[] x, float[] y, int panels, int rows, int stride) {
    long start = System.nanoTime();
    kernels.add(x, y, panels, rows, stride);
    count(Kernel.ADD, start);
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
    long start = System.nanoTime();
    kernels.convolution(x, panels, stride, row, length, weight, bias, dConv, context, window);
    count(Kernel.CONVOLUTION, start);
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
    long start = System.nanoTime();
    kernels.selectiveScan(
        xz, dt, bc, bOffset, cOffset, panels, stride, row, length, a, dState, d, dtBias, state, y);
    count(Kernel.SCAN, start);
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
    long start = System.nanoTime();
    kernels.headScan(
        x, dt, bc, bOffset, cOffset, heads, stride, row, length, a, d, dtBias, low, high, state, y,
        steps);
    count(Kernel.SCAN, start);
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
    long start = System.nanoTime();
    kernels.gatedNorm(
        y, z, zOffset, groups, channelsPerGroup, rows, stride, weight, normBeforeGate, eps, sums);
    count(Kernel.NORM, start);
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
    long start = System.nanoTime();
    kernels.foldLogits(logits, panels, firstPanel, rows, stride, max, sum, argMax, moments);
    count(Kernel.FOLD, start);
  }
}
