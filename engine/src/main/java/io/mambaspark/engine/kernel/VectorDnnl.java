package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.LANES;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Products of integers by oneDNN. Vectors round the inputs, and convert between column panels and
 * the rows of bytes and ints of oneDNN.
 */
final class VectorDnnl implements IntegerProducts {
  private static final Logger LOG = LoggerFactory.getLogger(Kernels.class);

  private static final VectorSpecies<Integer> INTS = SPECIES.withLanes(int.class);

  private static final int GROUP_PANELS = DnnlMatrix.GROUP / WIDTH;
  private static final int SPAN_PANELS = Quantization.EXACT / WIDTH;

  private static final IntVector LOWEST = IntVector.broadcast(INTS, 0xff);

  private final Dnnl dnnl;
  private final IntegerProducts vectors = new VectorQuantization();

  /** One thread's arrays. */
  private static final class Scratch {
    /** Digits of all rows as bytes, four in an int. */
    int[] packed = {};

    /** The sums of the high digits, and of both products with low digits, (rows, n). */
    final int[][] sums = {{}, {}, {}};

    void resize(int packedInts, int sumInts, int digits) {
      if (packed.length < packedInts) {
        packed = new int[packedInts];
      }
      for (int i = 0; i < (digits == 1 ? 1 : 3); i++) {
        if (sums[i].length < sumInts) {
          sums[i] = new int[sumInts];
        }
      }
    }
  }

  private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

  VectorDnnl(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  @Override
  public String describe() {
    return ", products of integers by oneDNN (" + dnnl.shape(768, 256).implementation + ")";
  }

  @Override
  public void prepare(PackedMatrix w) {
    try {
      DnnlMatrix high = new DnnlMatrix(dnnl, w);
      if (w.low() != null) {
        w.low().moveTo(new DnnlMatrix(dnnl, w.low()));
      }
      w.moveTo(high);
    } catch (IllegalStateException | OutOfMemoryError e) {
      if (NativeProducts.required()) {
        throw NativeProducts.refusal(e.getMessage());
      }
      LOG.warn("A matrix of {} columns stays in the heap: {}", w.k(), e.getMessage());
    }
  }

  @Override
  public void quantize(float[] a, int k, int rows, int stride, int digits, QuantizedRows to) {
    vectors.quantize(a, k, rows, stride, digits, to);
    if (to.dnnl == null) {
      to.dnnl = new DnnlRows();
    }
    int ints = rows * DnnlMatrix.width(k) / Integer.BYTES;
    Scratch scratch = SCRATCH.get();
    scratch.resize(ints, 0, digits);
    pack(to.high, k, rows, stride, scratch.packed);
    to.dnnl.put(0, scratch.packed, ints);
    if (digits == 2) {
      pack(to.low, k, rows, stride, scratch.packed);
      to.dnnl.put(1, scratch.packed, ints);
    }
  }

  @Override
  public void product(
      QuantizedRows a, PackedMatrix w, float[] bias, int first, int end, float[] c) {
    if (w.nativeDigits() == null) {
      vectors.product(a, w, bias, first, end, c);
      return;
    }
    Scratch scratch = SCRATCH.get();
    scratch.resize(0, a.rows * DnnlMatrix.PANELS * WIDTH, a.digits);
    DnnlMatrix high = (DnnlMatrix) w.nativeDigits();
    for (int panel = first; panel < end; ) {
      int block = panel / DnnlMatrix.PANELS;
      int next = Math.min((block + 1) * DnnlMatrix.PANELS, end);
      a.dnnl.multiply(0, a.rows, high.block(block), scratch.sums[0]);
      if (a.digits == 2) {
        DnnlMatrix low = (DnnlMatrix) w.low().nativeDigits();
        a.dnnl.multiply(1, a.rows, high.block(block), scratch.sums[1]);
        a.dnnl.multiply(0, a.rows, low.block(block), scratch.sums[2]);
      }
      finish(
          scratch.sums,
          high.block(block)[0].shape().n,
          panel % DnnlMatrix.PANELS,
          a,
          w.units(),
          bias,
          panel,
          next,
          c,
          (panel - first) * a.stride * WIDTH);
      panel = next;
    }
  }

  /**
   * Packs digits, (k panels, stride, 16), into rows of bytes, span by span, in the order of {@link
   * DnnlMatrix}. Bytes beyond column k are undefined; the weights are zero there.
   */
  private static void pack(float[] digits, int k, int rows, int stride, int[] to) {
    int panels = Panels.count(k);
    int step = stride * WIDTH;
    for (int first = 0; first < panels; first += GROUP_PANELS) {
      int from = first / SPAN_PANELS * SPAN_PANELS;
      int steps = Math.min(k - from * WIDTH, Quantization.EXACT);
      int rowInts = DnnlMatrix.width(steps) / Integer.BYTES;
      int at = from * WIDTH / Integer.BYTES * rows + (first - from) * WIDTH / Integer.BYTES;
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        // A panel that does not exist is replaced by the first one, whose weights are zero there.
        pack(
            digits,
            first * step + lane,
            (first + 1 < panels ? first + 1 : first) * step + lane,
            (first + 2 < panels ? first + 2 : first) * step + lane,
            (first + 3 < panels ? first + 3 : first) * step + lane,
            rows,
            to,
            at + lane,
            rowInts);
      }
    }
  }

  private static void pack(
      float[] digits,
      int at0,
      int at1,
      int at2,
      int at3,
      int rows,
      int[] to,
      int toAt,
      int toStep) {
    for (int row = 0; row < rows; row++) {
      int skip = row * WIDTH;
      IntVector bytes = lowest(digits, at0 + skip);
      bytes = bytes.or(lowest(digits, at1 + skip).lanewise(VectorOperators.LSHL, 8));
      bytes = bytes.or(lowest(digits, at2 + skip).lanewise(VectorOperators.LSHL, 16));
      bytes = bytes.or(lowest(digits, at3 + skip).lanewise(VectorOperators.LSHL, 24));
      bytes.intoArray(to, toAt + row * toStep);
    }
  }

  /**
   * Returns digits as bytes in the lowest bits. Adding 1.5 · 2^23 puts an integer, in two's
   * complement, into the lowest bits of a float.
   */
  private static IntVector lowest(float[] digits, int at) {
    return FloatVector.fromArray(SPECIES, digits, at)
        .add(ScalarMath.ROUND)
        .reinterpretAsInts()
        .and(LOWEST);
  }

  /**
   * Converts the sums of some panels of a block to results, as {@link Quantization} defines.
   *
   * @param sums (rows, n): those of the high digits; with two digits also two more, whose sum is
   *     that of the products with low digits
   * @param skip the number of panels of the block before the first one
   * @param units the units of the rows of W
   * @param cAt where the first panel begins in {@code c}
   */
  private static void finish(
      int[][] sums,
      int n,
      int skip,
      QuantizedRows a,
      float[] units,
      float[] bias,
      int panel,
      int end,
      float[] c,
      int cAt) {
    for (int p = panel; p < end; p++) {
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        int from = (p - panel + skip) * WIDTH + lane;
        int to = cAt + (p - panel) * a.stride * WIDTH + lane;
        int column = p * WIDTH + lane;
        if (a.digits == 1) {
          convert(sums[0], from, n, a.rows, a.scales, units, column, c, to);
        } else {
          join(sums, from, n, a.rows, a.scales, units, column, c, to);
        }
        if (bias != null) {
          VectorQuantization.add(c, to, a.rows, bias, column);
        }
      }
    }
  }

  private static void convert(
      int[] sums,
      int from,
      int n,
      int rows,
      float[] scales,
      float[] units,
      int column,
      float[] c,
      int to) {
    FloatVector unit = FloatVector.fromArray(SPECIES, units, column);
    for (int row = 0; row < rows; row++) {
      floats(sums, from + row * n).mul(unit.mul(scales[row])).intoArray(c, to + row * WIDTH);
    }
  }

  private static void join(
      int[][] sums,
      int from,
      int n,
      int rows,
      float[] scales,
      float[] units,
      int column,
      float[] c,
      int to) {
    int[] high = sums[0];
    int[] first = sums[1];
    int[] second = sums[2];
    FloatVector unit = FloatVector.fromArray(SPECIES, units, column);
    FloatVector base = FloatVector.broadcast(SPECIES, Quantization.BASE);
    for (int row = 0; row < rows; row++) {
      int at = from + row * n;
      IntVector rest =
          IntVector.fromArray(INTS, first, at).add(IntVector.fromArray(INTS, second, at));
      FloatVector t =
          floats(high, at).fma(base, (FloatVector) rest.convert(VectorOperators.I2F, 0));
      t.mul(unit.mul(scales[row])).intoArray(c, to + row * WIDTH);
    }
  }

  private static FloatVector floats(int[] sums, int at) {
    return (FloatVector) IntVector.fromArray(INTS, sums, at).convert(VectorOperators.I2F, 0);
  }
}
