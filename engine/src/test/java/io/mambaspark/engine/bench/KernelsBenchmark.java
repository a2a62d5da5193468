package io.mambaspark.engine.bench;

import io.mambaspark.engine.kernel.Heads;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.LogSoftmax;
import io.mambaspark.engine.kernel.PackedMatrix;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.QuantizedRows;
import io.mambaspark.engine.kernel.TestKernels;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.Mamba1Config;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.score.Scorer;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.IntToLongFunction;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The kernels one by one, at the sizes of the 130m and mamba2-130m shapes and of a full chunk. Each
 * kernel is compared with the scalar kernels before it is timed. For a product, {@code flop} per
 * nanosecond is its speed in GFLOP/s, which can be compared with {@link #fmaPeak}. So can that of
 * {@link #headScan}, whose multiplications count as much as its fused multiply-adds.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class KernelsBenchmark {
  private static final MambaConfig CONFIG = Shape.SMALLEST.config();
  private static final Mamba1Config MIXER = (Mamba1Config) CONFIG.mixer();
  private static final int ROWS = Scorer.CHUNK;
  private static final int STRIDE = Panels.stride(ROWS);
  private static final int INNER = Panels.count(MIXER.dInner());
  private static final Kernels KERNELS = Kernels.best();

  /** Counts the floating-point operations. */
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  @State(Scope.Thread)
  public static class Flop {
    /** The counter that JMH prints. */
    public long flop;
  }

  /** The operands of a product. */
  @State(Scope.Thread)
  public static class Product {
    /** The name of the product; the head's product is limited to one block. */
    @Param({"in_proj", "x_proj", "dt_proj", "out_proj", "head"})
    public String name;

    /** The format of the weights. The inputs of integers are rounded before the time is taken. */
    @Param({"F32", "BF16", "INT8", "INT16"})
    public WeightFormat format;

    private PackedMatrix w;
    private float[] a;
    private final QuantizedRows quantized = new QuantizedRows();
    private float[] c;
    private long flop;

    /** Fills the operands and compares the results. */
    @Setup
    public void fill() {
      int dInner = MIXER.dInner();
      switch (name) {
        case "in_proj" -> fill(CONFIG.dModel(), dInner, dInner);
        case "x_proj" -> fill(dInner, MIXER.dtRank(), MIXER.dState(), MIXER.dState());
        case "dt_proj" -> fill(MIXER.dtRank(), dInner);
        case "out_proj" -> fill(dInner, CONFIG.dModel());
        case "head" -> fill(CONFIG.dModel(), LogSoftmax.BLOCK * Panels.WIDTH);
        default -> throw new IllegalArgumentException(name);
      }
    }

    private void fill(int k, int... sections) {
      w = new PackedMatrix(format, k, sections);
      for (int section = 0; section < sections.length; section++) {
        w.rows(section, 0, sections[section], random(sections[section] * k, -1, 1));
        flop += 2L * ROWS * k * sections[section];
      }
      a = random(Panels.count(k) * STRIDE * Panels.WIDTH, -1, 1);
      if (format.isInteger()) {
        KERNELS.quantize(a, k, ROWS, STRIDE, format, quantized);
      }
      c = new float[w.panels() * STRIDE * Panels.WIDTH];
      check(c, kernels -> run(kernels));
    }

    private void run(Kernels kernels) {
      if (format.isInteger()) {
        kernels.product(quantized, w, null, 0, w.panels(), c);
      } else {
        kernels.product(a, ROWS, STRIDE, w, null, 0, w.panels(), c);
      }
    }
  }

  /** The operands of all other kernels. */
  @State(Scope.Thread)
  public static class Layer {
    private final float[] xz = random(2 * INNER * STRIDE * Panels.WIDTH, -1, 1);
    private final float[] x = random(INNER * STRIDE * Panels.WIDTH, -1, 1);
    private final float[] y = new float[x.length];
    private final float[] dt = random(x.length, -1, 1);
    private final float[] bc = random(2 * STRIDE * Panels.WIDTH, -1, 1);
    private final float[] xBefore = Arrays.copyOf(xz, xz.length / 2);
    private final float[] a = random(INNER * Panels.WIDTH * MIXER.dState(), -2, -0.1);
    private final float[] state = new float[a.length];
    private final float[] channels = random(INNER * Panels.WIDTH, -0.1, 0.1);
    private final float[] dtBias = random(INNER * Panels.WIDTH, -4.8, -4.4);
    private final float[] weight = random(INNER * Panels.WIDTH * MIXER.dConv(), 0, 0.2);
    // With this bias, values stay near 1 when they are convolved again and again.
    private final float[] bias = random(INNER * Panels.WIDTH, 0.9, 1.1);
    private final float[] context = new float[INNER * Panels.WIDTH * (MIXER.dConv() - 1)];
    private final float[] window = new float[(MIXER.dConv() - 1 + ROWS) * Panels.WIDTH];
    private final float[] sums = new float[STRIDE * Panels.WIDTH];
    private final float[] max = new float[STRIDE * Panels.WIDTH];
    private final float[] sum = new float[3 * STRIDE * Panels.WIDTH];
    private final float[] argMax = new float[STRIDE * Panels.WIDTH];

    /** Compares the results with the scalar kernels' results. */
    @Setup
    public void check() {
      float[] dtBefore = dt.clone();
      KernelsBenchmark.check(
          y,
          kernels -> {
            System.arraycopy(dtBefore, 0, dt, 0, dt.length);
            Arrays.fill(state, 0f);
            scan(kernels);
          });
      float[] convolvedBefore = x.clone();
      KernelsBenchmark.check(
          x,
          kernels -> {
            System.arraycopy(convolvedBefore, 0, x, 0, x.length);
            Arrays.fill(context, 0f);
            convolution(kernels);
          });
      KernelsBenchmark.check(y, this::norm);
      KernelsBenchmark.check(
          sum,
          kernels -> {
            Arrays.fill(max, LogSoftmax.PADDING);
            Arrays.fill(sum, 0f);
            fold(kernels, false);
          });
      KernelsBenchmark.check(
          sum,
          kernels -> {
            Arrays.fill(max, LogSoftmax.PADDING);
            Arrays.fill(sum, 0f);
            fold(kernels, true);
          });
    }

    private void scan(Kernels kernels) {
      // The scan overwrites x, whose values would become zero after a few calls.
      System.arraycopy(xBefore, 0, xz, 0, xBefore.length);
      kernels.selectiveScan(
          xz,
          dt,
          bc,
          0,
          bc.length / 2,
          INNER,
          STRIDE,
          0,
          ROWS,
          a,
          MIXER.dState(),
          channels,
          dtBias,
          state,
          y);
    }

    private void convolution(Kernels kernels) {
      kernels.convolution(x, INNER, STRIDE, 0, ROWS, weight, bias, MIXER.dConv(), context, window);
    }

    private void norm(Kernels kernels) {
      kernels.rmsNorm(xz, 0, CONFIG.dModel(), ROWS, STRIDE, channels, CONFIG.normEps(), y, sums);
    }

    private void fold(Kernels kernels, boolean moments) {
      kernels.foldLogits(xz, LogSoftmax.BLOCK, 0, ROWS, STRIDE, max, sum, argMax, moments);
    }
  }

  /** The operands of the kernels of Mamba-2, at the mamba2-130m shape. */
  @State(Scope.Thread)
  public static class HeadLayer {
    /**
     * The number of channels per head, with 128 states. The other number is that of a shape whose
     * heads share panels, and whose 127 states and 93 panels do not fill their tiles.
     */
    @Param({"64", "62"})
    public int headDim;

    private Heads heads;
    private float[] xbc;
    private float[] dt;
    private float[] a;
    private float[] dtBias;
    private float[] channels;
    private float[] state;
    private float[] y;
    private float[] z;
    private float[] steps;
    private final float[] sums = new float[STRIDE * Panels.WIDTH];
    private int bOffset;
    private int cOffset;
    private long flop;

    /** Fills the operands and compares the results. */
    @Setup
    public void fill() {
      heads = new Heads(24, headDim, 1, headDim == 64 ? 128 : 127);
      int panelFloats = STRIDE * Panels.WIDTH;
      bOffset = heads.panels() * panelFloats;
      cOffset = bOffset + heads.statePanels() * panelFloats;
      xbc = random(cOffset + heads.statePanels() * panelFloats, -1, 1);
      dt = random(heads.headPanels() * panelFloats, -1, 1);
      a = random(heads.headPanels() * Panels.WIDTH, -2, -0.1);
      dtBias = random(a.length, -4.8, -4.4);
      channels = random(heads.panels() * Panels.WIDTH, 0.5, 1);
      state = new float[heads.stateFloats()];
      y = new float[heads.panels() * panelFloats];
      z = random(y.length, -1, 1);
      steps = new float[heads.scratchFloats(STRIDE)];
      flop = 6L * ROWS * heads.heads() * headDim * heads.dState();
      check(
          y,
          kernels -> {
            Arrays.fill(state, 0f);
            scan(kernels);
          });
      float[] before = y.clone();
      check(
          y,
          kernels -> {
            System.arraycopy(before, 0, y, 0, y.length);
            norm(kernels);
          });
    }

    private void scan(Kernels kernels) {
      // Limited to 1, dt leaves x as it is, so that calls can be repeated.
      kernels.headScan(
          xbc, dt, xbc, bOffset, cOffset, heads, STRIDE, 0, ROWS, a, channels, dtBias, 1f, 1f,
          state, y, steps);
    }

    private void norm(Kernels kernels) {
      kernels.gatedNorm(
          y,
          z,
          0,
          heads.groups(),
          heads.channelsPerGroup(),
          ROWS,
          STRIDE,
          channels,
          false,
          CONFIG.normEps(),
          sums);
    }
  }

  /** The loop that measures the peak. */
  @State(Scope.Thread)
  public static class PeakLoop {
    /** The number of independent chains of fused multiply-adds. */
    @Param({"8", "12", "16"})
    public int chains;

    private final IntToLongFunction loop = Peak.loop();
  }

  private static float[] random(int length, double from, double to) {
    SplittableRandom random = new SplittableRandom(length);
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) (from + (to - from) * random.nextDouble());
    }
    return values;
  }

  private static void check(float[] result, Consumer<Kernels> kernel) {
    Arrays.fill(result, 0f);
    kernel.accept(TestKernels.scalar());
    float[] expected = result.clone();
    Arrays.fill(result, 0f);
    kernel.accept(KERNELS);
    if (!Arrays.equals(result, expected)) {
      throw new IllegalStateException("the result differs from that of the scalar kernels");
    }
  }

  /** Measures the machine's peak, which is the best result of all numbers of chains. */
  @Benchmark
  @BenchmarkMode(Mode.Throughput)
  @OutputTimeUnit(TimeUnit.NANOSECONDS)
  public long fmaPeak(PeakLoop peak, Flop flop) {
    long done = peak.loop.applyAsLong(peak.chains);
    flop.flop += done;
    return done;
  }

  /** Computes the product of a full chunk. */
  @Benchmark
  @BenchmarkMode(Mode.Throughput)
  @OutputTimeUnit(TimeUnit.NANOSECONDS)
  public float[] product(Product product, Flop flop) {
    product.run(KERNELS);
    flop.flop += product.flop;
    return product.c;
  }

  /** Runs softplus, scan and gate of one layer. */
  @Benchmark
  public float[] selectiveScan(Layer layer) {
    layer.scan(KERNELS);
    return layer.y;
  }

  /** Runs Mamba-2's scan of one layer. */
  @Benchmark
  @BenchmarkMode(Mode.Throughput)
  @OutputTimeUnit(TimeUnit.NANOSECONDS)
  public float[] headScan(HeadLayer layer, Flop flop) {
    layer.scan(KERNELS);
    flop.flop += layer.flop;
    return layer.y;
  }

  /** Runs Mamba-2's gate and norm of one layer. */
  @Benchmark
  public float[] gatedNorm(HeadLayer layer) {
    layer.norm(KERNELS);
    return layer.y;
  }

  /** Runs the convolution and SiLU of one layer. */
  @Benchmark
  public float[] convolution(Layer layer) {
    layer.convolution(KERNELS);
    return layer.x;
  }

  /** Runs the norm before a layer. */
  @Benchmark
  public float[] rmsNorm(Layer layer) {
    layer.norm(KERNELS);
    return layer.y;
  }

  /** Folds one block of logits, {@link LogSoftmax#BLOCK} panels. */
  @Benchmark
  public float[] foldLogits(Layer layer) {
    layer.fold(KERNELS, false);
    return layer.sum;
  }

  /** Folds one block of logits with the moments of ln p. */
  @Benchmark
  public float[] foldMoments(Layer layer) {
    layer.fold(KERNELS, true);
    return layer.sum;
  }
}
