package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.LANES;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The kernels of {@link Int8} on vectors of floats. The integers are floats, and so are their sums:
 * {@link VectorProduct}'s fused multiply-adds do not round while the sum of the terms' magnitudes
 * is below 2^24, that is, in spans of {@link Int8#EXACT} steps of k.
 *
 * <p>The exact sum of several spans is the unevaluated sum of two floats: the sum of the spans, and
 * the sum of the rounding errors of that sum. A last addition of both rounds the exact sum once.
 */
final class VectorInt8 {
  private static final VectorSpecies<Integer> INTS = SPECIES.withLanes(int.class);

  /** The rows whose inputs stay in L2 between the search for the maximum and the rounding. */
  private static final int STRIP = 32;

  private static final int MAGNITUDE = 0x7fffffff;

  /** Selects the magnitude's bits of the first lanes of a panel, for 16 - i lanes from i on. */
  private static final int[] FIRST_LANES = new int[2 * WIDTH];

  static {
    Arrays.fill(FIRST_LANES, 0, WIDTH, MAGNITUDE);
  }

  /** The sign of each byte. Inverted, the bytes are q + 128. */
  private static final IntVector SIGNS = IntVector.broadcast(INTS, 0x80808080);

  private static final IntVector LOWEST = IntVector.broadcast(INTS, 0xff);

  /** The bits of 2^23. With q + 128 in its lowest bits it is 2^23 + q + 128. */
  private static final IntVector UNIT = IntVector.broadcast(INTS, 0x4b000000);

  private static final FloatVector OFFSET = FloatVector.broadcast(SPECIES, 0x1p23f + 128f);

  /** One thread's arrays. */
  private static final class Scratch {
    /** The largest bits of the magnitudes in each lane of a strip, (STRIP, 16). */
    final int[] largest = new int[STRIP * WIDTH];

    /** What the rows of a strip are divided by. */
    final float[] divisors = new float[STRIP];

    /** The sums of the second span, then also the rounding errors, (C_PANELS, stride, 16). */
    float[] low = {};

    /** The sums of a later span, (C_PANELS, stride, 16). */
    float[] span = {};
  }

  private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

  private VectorInt8() {}

  static void toInt8(float[] a, int k, int rows, int stride, float[] to, float[] scales) {
    Scratch scratch = SCRATCH.get();
    int[] largest = scratch.largest;
    int panels = Panels.count(k);
    for (int row = 0; row < rows; row += STRIP) {
      int length = Math.min(STRIP, rows - row);
      Arrays.fill(largest, 0, length * WIDTH, 0);
      for (int panel = 0; panel < panels; panel++) {
        int lanes = Math.min(WIDTH, k - panel * WIDTH);
        int at = (panel * stride + row) * WIDTH;
        for (int lane = 0; lane < WIDTH; lane += LANES) {
          largest(a, at + lane, WIDTH - lanes + lane, length * WIDTH, largest, lane);
        }
      }
      scales(largest, length, scales, row, scratch.divisors);
      for (int panel = 0; panel < panels; panel++) {
        int at = (panel * stride + row) * WIDTH;
        for (int lane = at; lane < at + WIDTH; lane += LANES) {
          round(a, lane, length, scratch.divisors, to);
        }
      }
    }
  }

  /**
   * Updates the largest bits with one vector of each row. As integers, the bits of floats without
   * their sign are in the order of the magnitudes, and NaN is larger than infinity.
   */
  private static void largest(
      float[] a, int at, int maskAt, int length, int[] largest, int largestAt) {
    IntVector mask = IntVector.fromArray(INTS, FIRST_LANES, maskAt);
    for (int i = 0; i < length; i += WIDTH) {
      IntVector bits = FloatVector.fromArray(SPECIES, a, at + i).reinterpretAsInts().and(mask);
      bits.max(IntVector.fromArray(INTS, largest, largestAt + i)).intoArray(largest, largestAt + i);
    }
  }

  /** Sets the scales of a strip, and the divisors: infinite where all integers are zero. */
  private static void scales(int[] largest, int length, float[] scales, int row, float[] divisors) {
    for (int i = 0; i < length; i++) {
      int most = 0;
      for (int lane = i * WIDTH; lane < (i + 1) * WIDTH; lane++) {
        most = Math.max(most, largest[lane]);
      }
      float scale = Int8.scale(Float.intBitsToFloat(most));
      scales[row + i] = scale;
      divisors[i] = scale > 0 ? scale : Float.POSITIVE_INFINITY;
    }
  }

  /** Divides one vector of each row of a strip and rounds it, by adding 1.5 · 2^23. */
  private static void round(float[] a, int at, int length, float[] divisors, float[] to) {
    for (int i = 0; i < length; i++) {
      FloatVector.fromArray(SPECIES, a, at + i * WIDTH)
          .div(divisors[i])
          .add(ScalarMath.ROUND)
          .sub(ScalarMath.ROUND)
          .intoArray(to, at + i * WIDTH);
    }
  }

  /**
   * Unpacks {@code length} ints, each of two steps of a pair of panels, to floats. The bits of a
   * float that is 2^23 or more are those of an integer: no conversion is necessary.
   */
  static void unpack(int[] from, int fromAt, int length, float[] to, int toAt) {
    for (int part = 0; part < 4; part++) {
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        int at = toAt + part * WIDTH + lane;
        unpack(from, fromAt + lane, length, part * Byte.SIZE, to, at);
      }
    }
  }

  private static void unpack(int[] from, int fromAt, int length, int shift, float[] to, int toAt) {
    for (int i = 0; i < length; i += WIDTH) {
      IntVector four =
          IntVector.fromArray(INTS, from, fromAt + i).lanewise(VectorOperators.XOR, SIGNS);
      IntVector one = four.lanewise(VectorOperators.LSHR, shift).and(LOWEST).or(UNIT);
      one.reinterpretAsFloats().sub(OFFSET).intoArray(to, toAt + 4 * i);
    }
  }

  static void product(
      float[] a,
      float[] scales,
      int rows,
      int stride,
      PackedMatrix w,
      float[] bias,
      int first,
      int end,
      float[] c) {
    Scratch scratch = SCRATCH.get();
    int k = w.k();
    int size = VectorProduct.C_PANELS * stride * WIDTH;
    if (k > Int8.EXACT && scratch.low.length < size) {
      scratch.low = new float[size];
    }
    if (k > 2 * Int8.EXACT && scratch.span.length < size) {
      scratch.span = new float[size];
    }
    float[] low = k > Int8.EXACT ? scratch.low : null;
    for (int panel = first; panel < end; ) {
      int next = Math.min(Math.min(panel + VectorProduct.C_PANELS, end), w.segmentEnd(panel));
      for (int from = 0; from < k; from += Int8.EXACT) {
        int to = Math.min(k, from + Int8.EXACT);
        float[] span = from == 0 ? c : from == Int8.EXACT ? low : scratch.span;
        int origin = from == 0 ? first : panel;
        VectorProduct.steps(a, rows, stride, w, null, origin, panel, next, from, to, span);
        if (from > Int8.EXACT) {
          for (int p = panel; p < next; p++) {
            add(
                span,
                low,
                (p - panel) * stride * WIDTH,
                rows * WIDTH,
                c,
                (p - first) * stride * WIDTH);
          }
        }
      }
      for (int p = panel; p < next; p++) {
        int at = (p - first) * stride * WIDTH;
        int lowAt = (p - panel) * stride * WIDTH;
        for (int lane = 0; lane < WIDTH; lane += LANES) {
          int n = p * WIDTH + lane;
          if (low != null) {
            round(low, lowAt + lane, rows, c, at + lane);
          }
          scale(c, at + lane, rows, scales, w.scales(), n);
          if (bias != null) {
            add(c, at + lane, rows, bias, n);
          }
        }
      }
      panel = next;
    }
  }

  /**
   * Adds the sums of a span to C, and the rounding errors of these additions to {@code low}. The
   * errors are integers of at most 64, so that {@code low} remains exact.
   */
  private static void add(float[] span, float[] low, int at, int length, float[] c, int cAt) {
    for (int i = 0; i < length; i += LANES) {
      FloatVector x = FloatVector.fromArray(SPECIES, c, cAt + i);
      FloatVector y = FloatVector.fromArray(SPECIES, span, at + i);
      FloatVector sum = x.add(y);
      // Knuth's TwoSum: x + y = sum + error.
      FloatVector added = sum.sub(x);
      FloatVector error = x.sub(sum.sub(added)).add(y.sub(added));
      sum.intoArray(c, cAt + i);
      FloatVector.fromArray(SPECIES, low, at + i).add(error).intoArray(low, at + i);
    }
  }

  /** {@code c += low}: rounds exact sums to floats. */
  private static void round(float[] low, int at, int rows, float[] c, int cAt) {
    for (int i = 0; i < rows * WIDTH; i += WIDTH) {
      FloatVector high = FloatVector.fromArray(SPECIES, c, cAt + i);
      high.add(FloatVector.fromArray(SPECIES, low, at + i)).intoArray(c, cAt + i);
    }
  }

  /** {@code c *= scale of the row · scale of the column}. */
  private static void scale(
      float[] c, int at, int rows, float[] scales, float[] columns, int column) {
    FloatVector w = FloatVector.fromArray(SPECIES, columns, column);
    for (int i = 0; i < rows; i++) {
      FloatVector.fromArray(SPECIES, c, at + i * WIDTH)
          .mul(w.mul(scales[i]))
          .intoArray(c, at + i * WIDTH);
    }
  }

  /** {@code c += bias}. */
  private static void add(float[] c, int at, int rows, float[] bias, int column) {
    FloatVector b = FloatVector.fromArray(SPECIES, bias, column);
    for (int i = 0; i < rows * WIDTH; i += WIDTH) {
      FloatVector.fromArray(SPECIES, c, at + i).add(b).intoArray(c, at + i);
    }
  }
}
