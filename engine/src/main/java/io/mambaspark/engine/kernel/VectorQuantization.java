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
 * The kernels of {@link Quantization} on vectors of floats. The digits are floats, and so are their
 * sums: {@link VectorProduct}'s fused multiply-adds do not round while the sum of the terms'
 * magnitudes is below 2^24, that is, in spans of {@link Quantization#EXACT} steps of k.
 *
 * <p>The exact sum of several spans is the unevaluated sum of two floats: the sum of the spans, and
 * the sum of the rounding errors of that sum. A last addition of both rounds the exact sum once.
 */
final class VectorQuantization implements IntegerProducts {
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

    // Arrays of the product, (C_PANELS, stride, 16) each.

    /** The sums of the second span, then also the rounding errors. */
    float[] second = {};

    /** The sums of a later span. */
    float[] later = {};

    /** The sums of the products with low digits. */
    float[] rest = {};

    /** Makes the arrays large enough for a product. */
    void resize(int stride, int digits, int k) {
      int length = VectorProduct.C_PANELS * stride * WIDTH;
      if (second.length < length && (digits > 1 || k > Quantization.EXACT)) {
        second = new float[length];
      }
      if (later.length < length && digits * k > 2 * Quantization.EXACT) {
        later = new float[length];
      }
      if (rest.length < length && digits > 1) {
        rest = new float[length];
      }
    }
  }

  private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

  @Override
  public String describe() {
    return "";
  }

  @Override
  public void prepare(PackedMatrix w) {}

  @Override
  public void quantize(float[] a, int k, int rows, int stride, int digits, QuantizedRows to) {
    to.resize(k, rows, stride, digits);
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
      scales(largest, length, digits, to.scales, row, scratch.divisors);
      for (int panel = 0; panel < panels; panel++) {
        int at = (panel * stride + row) * WIDTH;
        for (int lane = at; lane < at + WIDTH; lane += LANES) {
          round(a, lane, length, scratch.divisors, to.high);
          if (digits == 2) {
            split(to.high, lane, length, to.low);
          }
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

  /**
   * Sets the scales of a strip, and the divisors: infinite where all integers are zero. In a row
   * that is not finite the digits are undefined, because its scale, NaN, determines its results.
   */
  private static void scales(
      int[] largest, int length, int digits, float[] scales, int row, float[] divisors) {
    for (int i = 0; i < length; i++) {
      int most = 0;
      for (int lane = i * WIDTH; lane < (i + 1) * WIDTH; lane++) {
        most = Math.max(most, largest[lane]);
      }
      float scale = Quantization.scale(Float.intBitsToFloat(most), digits);
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
   * Splits integers into digits. Adding and subtracting 1.5 · 2^23 rounds to the nearest integer. A
   * quotient by 255 is never near the middle of two integers, so a reciprocal suffices.
   */
  private static void split(float[] high, int at, int length, float[] low) {
    for (int i = 0; i < length; i++) {
      FloatVector q = FloatVector.fromArray(SPECIES, high, at + i * WIDTH);
      FloatVector digit = q.mul(1f / Quantization.BASE).add(ScalarMath.ROUND).sub(ScalarMath.ROUND);
      q.sub(digit.mul(Quantization.BASE)).intoArray(low, at + i * WIDTH);
      digit.intoArray(high, at + i * WIDTH);
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

  @Override
  public void product(
      QuantizedRows a, PackedMatrix w, float[] bias, int first, int end, float[] c) {
    int rows = a.rows;
    int step = a.stride * WIDTH;
    Scratch scratch = SCRATCH.get();
    scratch.resize(a.stride, a.digits, w.k());
    for (int panel = first; panel < end; ) {
      int next = Math.min(Math.min(panel + VectorProduct.C_PANELS, end), w.segmentEnd(panel));
      int count = next - panel;
      int at = (panel - first) * step;
      int spans = addProducts(a.high, a, w, panel, count, 0, scratch, c, at);
      round(spans, scratch, count, step, rows, c, at);
      if (a.digits == 2) {
        spans = addProducts(a.low, a, w, panel, count, 0, scratch, scratch.rest, 0);
        spans = addProducts(a.high, a, w.low(), panel, count, spans, scratch, scratch.rest, 0);
        round(spans, scratch, count, step, rows, scratch.rest, 0);
      }
      for (int p = 0; p < count; p++) {
        for (int lane = 0; lane < WIDTH; lane += LANES) {
          int n = (panel + p) * WIDTH + lane;
          int cAt = at + p * step + lane;
          if (a.digits == 2) {
            join(c, cAt, rows, scratch.rest, p * step + lane);
          }
          scale(c, cAt, rows, a.scales, w.units(), n);
          if (bias != null) {
            add(c, cAt, rows, bias, n);
          }
        }
      }
      panel = next;
    }
  }

  /**
   * Adds the products of digits of all rows with {@code count} panels of digits, span by span.
   *
   * @param digits one of the digits of {@code a}
   * @param spans the number of spans that the sums contain already
   * @param sums where the sums begin, at {@code at}, except for what is in the scratch arrays
   * @return the number of spans that the sums contain now
   */
  private static int addProducts(
      float[] digits,
      QuantizedRows a,
      PackedMatrix w,
      int panel,
      int count,
      int spans,
      Scratch scratch,
      float[] sums,
      int at) {
    for (int from = 0; from < w.k(); from += Quantization.EXACT) {
      int to = Math.min(w.k(), from + Quantization.EXACT);
      float[] span = spans == 0 ? sums : spans == 1 ? scratch.second : scratch.later;
      int spanAt = spans == 0 ? at : 0;
      VectorProduct.steps(
          digits, a.rows, a.stride, w, null, panel, panel + count, from, to, span, spanAt);
      for (int p = 0; spans > 1 && p < count; p++) {
        int skip = p * a.stride * WIDTH;
        add(scratch.later, scratch.second, skip, a.rows * WIDTH, sums, at + skip);
      }
      spans++;
    }
    return spans;
  }

  /** Rounds the exact sums of some spans to floats. */
  private static void round(
      int spans, Scratch scratch, int count, int step, int rows, float[] sums, int at) {
    for (int p = 0; spans > 1 && p < count; p++) {
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        round(scratch.second, p * step + lane, rows, sums, at + p * step + lane);
      }
    }
  }

  /** {@code c = 255 · c + rest}. */
  private static void join(float[] c, int at, int rows, float[] rest, int restAt) {
    FloatVector base = FloatVector.broadcast(SPECIES, Quantization.BASE);
    for (int i = 0; i < rows * WIDTH; i += WIDTH) {
      FloatVector high = FloatVector.fromArray(SPECIES, c, at + i);
      high.fma(base, FloatVector.fromArray(SPECIES, rest, restAt + i)).intoArray(c, at + i);
    }
  }

  /**
   * Adds the sums of a span to C, and the rounding errors of these additions to {@code errors},
   * which begins as the second span. Its sums are integers of at most 1,024 · 127 · 127. At most
   * 130 errors follow, each an integer of at most 64, so that {@code errors} stays below 2^24 and
   * exact.
   */
  private static void add(float[] span, float[] errors, int at, int length, float[] c, int cAt) {
    for (int i = 0; i < length; i += LANES) {
      FloatVector x = FloatVector.fromArray(SPECIES, c, cAt + i);
      FloatVector y = FloatVector.fromArray(SPECIES, span, at + i);
      FloatVector sum = x.add(y);
      // Knuth's TwoSum: x + y = sum + error.
      FloatVector added = sum.sub(x);
      FloatVector error = x.sub(sum.sub(added)).add(y.sub(added));
      sum.intoArray(c, cAt + i);
      FloatVector.fromArray(SPECIES, errors, at + i).add(error).intoArray(errors, at + i);
    }
  }

  /** {@code c += errors}: rounds exact sums to floats. */
  private static void round(float[] errors, int at, int rows, float[] c, int cAt) {
    for (int i = 0; i < rows * WIDTH; i += WIDTH) {
      FloatVector high = FloatVector.fromArray(SPECIES, c, cAt + i);
      high.add(FloatVector.fromArray(SPECIES, errors, at + i)).intoArray(c, cAt + i);
    }
  }

  /** {@code c *= scale of the row · unit of the column}. */
  private static void scale(
      float[] c, int at, int rows, float[] scales, float[] units, int column) {
    FloatVector w = FloatVector.fromArray(SPECIES, units, column);
    for (int i = 0; i < rows; i++) {
      FloatVector.fromArray(SPECIES, c, at + i * WIDTH)
          .mul(w.mul(scales[i]))
          .intoArray(c, at + i * WIDTH);
    }
  }

  /** {@code c += bias}. */
  static void add(float[] c, int at, int rows, float[] bias, int column) {
    FloatVector b = FloatVector.fromArray(SPECIES, bias, column);
    for (int i = 0; i < rows * WIDTH; i += WIDTH) {
      FloatVector.fromArray(SPECIES, c, at + i).add(b).intoArray(c, at + i);
    }
  }
}
