package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.LANES;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The matrix product on vectors. It computes register tiles of a few rows by two vectors of
 * columns. The accumulators of a tile add up one block of k, and are stored in C until the next
 * block.
 *
 * <p>If a vector fills a panel (AVX-512), a tile is twelve rows by two panels. Otherwise it has
 * five rows, because AVX2 has sixteen registers, and with six rows C2 would spill an accumulator.
 * The blocks of k and the height of tiles do not affect the result: each element is always one
 * chain of fused multiply-adds.
 *
 * <p>One loop runs over k, although A is stored in panels of sixteen steps. With an inner loop of
 * variable length, C2 of JDK 17 keeps accumulators as objects. With an inner loop of sixteen steps,
 * entering it costs an eighth of the speed.
 */
final class VectorProduct {
  /** The steps of k in a block: a multiple of 16 below 512, for which a pair of panels fills L1. */
  private static final int K_BLOCK = 256;

  /**
   * A loop over k counts in steps of 2^22. C2 splits a counted loop into strips of a thousand
   * iterations, and the loop over the strips costs the inner one registers and 4 % of its speed. C2
   * does not split a loop if a thousand iterations exceed the range of int.
   */
  private static final int STEP_BITS = 22;

  private static final int STEP = 1 << STEP_BITS;

  /** The number of panels of C computed together, so that they stay in L2 between blocks of k. */
  static final int C_PANELS = 16;

  /**
   * The number of rows of a tile of one or two panels; two panels use 24 of 32 registers for
   * accumulators.
   */
  private static final int TALL = 12;

  /**
   * The number of rows of a tile of two vectors that are narrower than a panel; 10 of 16 registers
   * hold its accumulators.
   */
  private static final int FLAT = 5;

  private static final VectorSpecies<Integer> INTS = SPECIES.withLanes(int.class);

  /**
   * The index of the first unpacked weight, so that unpacked panels are aligned as F32 panels are.
   */
  private static final int UNPACKED_AT = PackedMatrix.LEAD;

  /** One block of k of two panels, unpacked to floats. It stays in L1 while all rows use it. */
  private static final ThreadLocal<float[]> UNPACKED =
      ThreadLocal.withInitial(() -> new float[UNPACKED_AT + 2 * K_BLOCK * WIDTH]);

  /** The initial values of the accumulators if there is no bias. */
  private static final float[] ZEROS = new float[2 * WIDTH];

  private VectorProduct() {}

  static void product(
      float[] a,
      int rows,
      int stride,
      PackedMatrix w,
      float[] bias,
      int first,
      int end,
      float[] c) {
    for (int panel = first; panel < end; ) {
      int next = Math.min(Math.min(panel + C_PANELS, end), w.segmentEnd(panel));
      int cAt = (panel - first) * stride * WIDTH;
      steps(a, rows, stride, w, bias, panel, next, 0, w.k(), c, cAt);
      panel = next;
    }
  }

  /**
   * Computes steps [from, to) of the chains for the panels [panel, end), which are in one array of
   * W.
   *
   * @param from a multiple of K_BLOCK
   * @param cAt where C begins, with its first panel
   */
  static void steps(
      float[] a,
      int rows,
      int stride,
      PackedMatrix w,
      float[] bias,
      int panel,
      int end,
      int from,
      int to,
      float[] c,
      int cAt) {
    for (int k = from; k < to; k += K_BLOCK) {
      int steps = Math.min(K_BLOCK, to - k);
      block(a, rows, stride, w, bias, panel, end, k, steps, k > from, c, cAt);
    }
  }

  /** Adds steps [k, k + steps) of the chains for the panels [panel, end). */
  private static void block(
      float[] a,
      int rows,
      int stride,
      PackedMatrix w,
      float[] bias,
      int panel,
      int end,
      int k,
      int steps,
      boolean more,
      float[] c,
      int cAt) {
    int aStep = stride * WIDTH;
    while (panel < end) {
      int next = Math.min((panel | 1) + 1, end);
      float[] b;
      int bAt;
      if (w.format() == WeightFormat.F32) {
        b = w.floats(panel);
        bAt = w.offset(panel) + k * PackedMatrix.PAIR;
      } else {
        b = UNPACKED.get();
        bAt = UNPACKED_AT;
        unpack(w, panel, k, steps, b);
      }
      if (LANES == WIDTH && next - panel == 2) {
        rows(a, rows, aStep, k, steps, more, b, bAt, 2, bias, panel, c, cAt);
      } else {
        for (int p = panel; p < next; p++) {
          int at = bAt + p % 2 * WIDTH;
          int pAt = cAt + (p - panel) * aStep;
          rows(a, rows, aStep, k, steps, more, b, at, 1, bias, p, c, pAt);
        }
      }
      cAt += (next - panel) * aStep;
      panel = next;
    }
  }

  /** Computes the tiles of all rows by one panel or by a pair of panels. */
  private static void rows(
      float[] a,
      int rows,
      int aStep,
      int k,
      int steps,
      boolean more,
      float[] b,
      int bAt,
      int panels,
      float[] bias,
      int panel,
      float[] c,
      int cAt) {
    // The first block starts from the bias or zero, a later one from the sums of the block before.
    float[] from = more ? c : bias != null ? bias : ZEROS;
    int fromAt = more ? cAt : bias != null ? panel * WIDTH : 0;
    int fromStep = more ? WIDTH : 0;
    int fromPanel = more ? aStep : WIDTH;
    int height = LANES == WIDTH ? TALL : FLAT;
    int aAt = k / WIDTH * aStep;
    for (int row = 0; row < rows; row += height) {
      if (panels == 2) {
        tall(a, aAt, aStep, steps, b, bAt, from, fromAt, fromStep, fromPanel, c, cAt);
      } else if (LANES == WIDTH) {
        single(a, aAt, aStep, steps, b, bAt, from, fromAt, fromStep, c, cAt);
      } else {
        for (int lane = 0; lane < WIDTH; lane += 2 * LANES) {
          flat(a, aAt, aStep, steps, b, bAt + lane, from, fromAt + lane, fromStep, c, cAt + lane);
        }
      }
      aAt += height * WIDTH;
      fromAt += height * fromStep;
      cAt += height * WIDTH;
    }
  }

  /** Unpacks steps [k, k + steps) of the pair of a panel to floats; k is even. */
  private static void unpack(PackedMatrix w, int panel, int k, int steps, float[] to) {
    if (w.format() == WeightFormat.BF16) {
      unpack(w.ints(panel), w.offset(panel) + k * WIDTH, steps * WIDTH, to);
    } else {
      VectorQuantization.unpack(
          w.ints(panel), w.offset(panel) + k / 2 * WIDTH, (steps + 1) / 2 * WIDTH, to, UNPACKED_AT);
    }
  }

  /** Unpacks {@code length} ints of a block of BF16 to floats. */
  private static void unpack(int[] from, int fromAt, int length, float[] to) {
    for (int i = 0; i < length; i += WIDTH) {
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        int toAt = UNPACKED_AT + 2 * i + lane;
        IntVector both = IntVector.fromArray(INTS, from, fromAt + i + lane);
        both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(to, toAt);
        both.and(0xffff0000).reinterpretAsFloats().intoArray(to, toAt + WIDTH);
      }
    }
  }

  /**
   * Computes a tile of twelve rows by a pair of panels. A, B and C begin at {@code aAt}, {@code
   * bAt} and {@code cAt}; the panels of A and of C are {@code aStep} floats apart. The accumulators
   * start from the values in {@code from}, beginning at {@code fromAt}; its rows are {@code
   * fromStep} floats apart, and its panels are {@code fromPanel} floats apart.
   */
  private static void tall(
      float[] a,
      int aAt,
      int aStep,
      int k,
      float[] b,
      int bAt,
      float[] from,
      int fromAt,
      int fromStep,
      int fromPanel,
      float[] c,
      int cAt) {
    FloatVector c00 = FloatVector.fromArray(SPECIES, from, fromAt);
    FloatVector c10 = FloatVector.fromArray(SPECIES, from, fromAt + fromStep);
    FloatVector c20 = FloatVector.fromArray(SPECIES, from, fromAt + 2 * fromStep);
    FloatVector c30 = FloatVector.fromArray(SPECIES, from, fromAt + 3 * fromStep);
    FloatVector c40 = FloatVector.fromArray(SPECIES, from, fromAt + 4 * fromStep);
    FloatVector c50 = FloatVector.fromArray(SPECIES, from, fromAt + 5 * fromStep);
    FloatVector c60 = FloatVector.fromArray(SPECIES, from, fromAt + 6 * fromStep);
    FloatVector c70 = FloatVector.fromArray(SPECIES, from, fromAt + 7 * fromStep);
    FloatVector c80 = FloatVector.fromArray(SPECIES, from, fromAt + 8 * fromStep);
    FloatVector c90 = FloatVector.fromArray(SPECIES, from, fromAt + 9 * fromStep);
    FloatVector ca0 = FloatVector.fromArray(SPECIES, from, fromAt + 10 * fromStep);
    FloatVector cb0 = FloatVector.fromArray(SPECIES, from, fromAt + 11 * fromStep);
    fromAt += fromPanel;
    FloatVector c01 = FloatVector.fromArray(SPECIES, from, fromAt);
    FloatVector c11 = FloatVector.fromArray(SPECIES, from, fromAt + fromStep);
    FloatVector c21 = FloatVector.fromArray(SPECIES, from, fromAt + 2 * fromStep);
    FloatVector c31 = FloatVector.fromArray(SPECIES, from, fromAt + 3 * fromStep);
    FloatVector c41 = FloatVector.fromArray(SPECIES, from, fromAt + 4 * fromStep);
    FloatVector c51 = FloatVector.fromArray(SPECIES, from, fromAt + 5 * fromStep);
    FloatVector c61 = FloatVector.fromArray(SPECIES, from, fromAt + 6 * fromStep);
    FloatVector c71 = FloatVector.fromArray(SPECIES, from, fromAt + 7 * fromStep);
    FloatVector c81 = FloatVector.fromArray(SPECIES, from, fromAt + 8 * fromStep);
    FloatVector c91 = FloatVector.fromArray(SPECIES, from, fromAt + 9 * fromStep);
    FloatVector ca1 = FloatVector.fromArray(SPECIES, from, fromAt + 10 * fromStep);
    FloatVector cb1 = FloatVector.fromArray(SPECIES, from, fromAt + 11 * fromStep);
    int skip = aStep - WIDTH;
    int end = k * STEP;
    for (int step = 0; step < end; step += STEP) {
      int i = aAt + (step >> STEP_BITS) + (step >> STEP_BITS + 4) * skip;
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, bAt + (step >> STEP_BITS - 5));
      FloatVector b1 = FloatVector.fromArray(SPECIES, b, bAt + (step >> STEP_BITS - 5) + WIDTH);
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + WIDTH]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2 * WIDTH]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      FloatVector a3 = FloatVector.broadcast(SPECIES, a[i + 3 * WIDTH]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      FloatVector a4 = FloatVector.broadcast(SPECIES, a[i + 4 * WIDTH]);
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      FloatVector a5 = FloatVector.broadcast(SPECIES, a[i + 5 * WIDTH]);
      c50 = a5.fma(b0, c50);
      c51 = a5.fma(b1, c51);
      FloatVector a6 = FloatVector.broadcast(SPECIES, a[i + 6 * WIDTH]);
      c60 = a6.fma(b0, c60);
      c61 = a6.fma(b1, c61);
      FloatVector a7 = FloatVector.broadcast(SPECIES, a[i + 7 * WIDTH]);
      c70 = a7.fma(b0, c70);
      c71 = a7.fma(b1, c71);
      FloatVector a8 = FloatVector.broadcast(SPECIES, a[i + 8 * WIDTH]);
      c80 = a8.fma(b0, c80);
      c81 = a8.fma(b1, c81);
      FloatVector a9 = FloatVector.broadcast(SPECIES, a[i + 9 * WIDTH]);
      c90 = a9.fma(b0, c90);
      c91 = a9.fma(b1, c91);
      FloatVector aa = FloatVector.broadcast(SPECIES, a[i + 10 * WIDTH]);
      ca0 = aa.fma(b0, ca0);
      ca1 = aa.fma(b1, ca1);
      FloatVector ab = FloatVector.broadcast(SPECIES, a[i + 11 * WIDTH]);
      cb0 = ab.fma(b0, cb0);
      cb1 = ab.fma(b1, cb1);
    }
    c00.intoArray(c, cAt);
    c10.intoArray(c, cAt + WIDTH);
    c20.intoArray(c, cAt + 2 * WIDTH);
    c30.intoArray(c, cAt + 3 * WIDTH);
    c40.intoArray(c, cAt + 4 * WIDTH);
    c50.intoArray(c, cAt + 5 * WIDTH);
    c60.intoArray(c, cAt + 6 * WIDTH);
    c70.intoArray(c, cAt + 7 * WIDTH);
    c80.intoArray(c, cAt + 8 * WIDTH);
    c90.intoArray(c, cAt + 9 * WIDTH);
    ca0.intoArray(c, cAt + 10 * WIDTH);
    cb0.intoArray(c, cAt + 11 * WIDTH);
    cAt += aStep;
    c01.intoArray(c, cAt);
    c11.intoArray(c, cAt + WIDTH);
    c21.intoArray(c, cAt + 2 * WIDTH);
    c31.intoArray(c, cAt + 3 * WIDTH);
    c41.intoArray(c, cAt + 4 * WIDTH);
    c51.intoArray(c, cAt + 5 * WIDTH);
    c61.intoArray(c, cAt + 6 * WIDTH);
    c71.intoArray(c, cAt + 7 * WIDTH);
    c81.intoArray(c, cAt + 8 * WIDTH);
    c91.intoArray(c, cAt + 9 * WIDTH);
    ca1.intoArray(c, cAt + 10 * WIDTH);
    cb1.intoArray(c, cAt + 11 * WIDTH);
  }

  /** Computes a tile of twelve rows by one panel of a pair; parameters as in {@link #tall}. */
  private static void single(
      float[] a,
      int aAt,
      int aStep,
      int k,
      float[] b,
      int bAt,
      float[] from,
      int fromAt,
      int fromStep,
      float[] c,
      int cAt) {
    FloatVector c0 = FloatVector.fromArray(SPECIES, from, fromAt);
    FloatVector c1 = FloatVector.fromArray(SPECIES, from, fromAt + fromStep);
    FloatVector c2 = FloatVector.fromArray(SPECIES, from, fromAt + 2 * fromStep);
    FloatVector c3 = FloatVector.fromArray(SPECIES, from, fromAt + 3 * fromStep);
    FloatVector c4 = FloatVector.fromArray(SPECIES, from, fromAt + 4 * fromStep);
    FloatVector c5 = FloatVector.fromArray(SPECIES, from, fromAt + 5 * fromStep);
    FloatVector c6 = FloatVector.fromArray(SPECIES, from, fromAt + 6 * fromStep);
    FloatVector c7 = FloatVector.fromArray(SPECIES, from, fromAt + 7 * fromStep);
    FloatVector c8 = FloatVector.fromArray(SPECIES, from, fromAt + 8 * fromStep);
    FloatVector c9 = FloatVector.fromArray(SPECIES, from, fromAt + 9 * fromStep);
    FloatVector ca = FloatVector.fromArray(SPECIES, from, fromAt + 10 * fromStep);
    FloatVector cb = FloatVector.fromArray(SPECIES, from, fromAt + 11 * fromStep);
    int skip = aStep - WIDTH;
    int end = k * STEP;
    for (int step = 0; step < end; step += STEP) {
      int i = aAt + (step >> STEP_BITS) + (step >> STEP_BITS + 4) * skip;
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, bAt + (step >> STEP_BITS - 5));
      c0 = FloatVector.broadcast(SPECIES, a[i]).fma(b0, c0);
      c1 = FloatVector.broadcast(SPECIES, a[i + WIDTH]).fma(b0, c1);
      c2 = FloatVector.broadcast(SPECIES, a[i + 2 * WIDTH]).fma(b0, c2);
      c3 = FloatVector.broadcast(SPECIES, a[i + 3 * WIDTH]).fma(b0, c3);
      c4 = FloatVector.broadcast(SPECIES, a[i + 4 * WIDTH]).fma(b0, c4);
      c5 = FloatVector.broadcast(SPECIES, a[i + 5 * WIDTH]).fma(b0, c5);
      c6 = FloatVector.broadcast(SPECIES, a[i + 6 * WIDTH]).fma(b0, c6);
      c7 = FloatVector.broadcast(SPECIES, a[i + 7 * WIDTH]).fma(b0, c7);
      c8 = FloatVector.broadcast(SPECIES, a[i + 8 * WIDTH]).fma(b0, c8);
      c9 = FloatVector.broadcast(SPECIES, a[i + 9 * WIDTH]).fma(b0, c9);
      ca = FloatVector.broadcast(SPECIES, a[i + 10 * WIDTH]).fma(b0, ca);
      cb = FloatVector.broadcast(SPECIES, a[i + 11 * WIDTH]).fma(b0, cb);
    }
    c0.intoArray(c, cAt);
    c1.intoArray(c, cAt + WIDTH);
    c2.intoArray(c, cAt + 2 * WIDTH);
    c3.intoArray(c, cAt + 3 * WIDTH);
    c4.intoArray(c, cAt + 4 * WIDTH);
    c5.intoArray(c, cAt + 5 * WIDTH);
    c6.intoArray(c, cAt + 6 * WIDTH);
    c7.intoArray(c, cAt + 7 * WIDTH);
    c8.intoArray(c, cAt + 8 * WIDTH);
    c9.intoArray(c, cAt + 9 * WIDTH);
    ca.intoArray(c, cAt + 10 * WIDTH);
    cb.intoArray(c, cAt + 11 * WIDTH);
  }

  /**
   * Computes a tile of five rows by two adjacent vectors of a panel; parameters as in {@link
   * #tall}. Its loop counts in steps of 1: here shifting and checking indices would cost more than
   * the strips.
   */
  private static void flat(
      float[] a,
      int aAt,
      int aStep,
      int k,
      float[] b,
      int bAt,
      float[] from,
      int fromAt,
      int fromStep,
      float[] c,
      int cAt) {
    FloatVector c00 = FloatVector.fromArray(SPECIES, from, fromAt);
    FloatVector c10 = FloatVector.fromArray(SPECIES, from, fromAt + fromStep);
    FloatVector c20 = FloatVector.fromArray(SPECIES, from, fromAt + 2 * fromStep);
    FloatVector c30 = FloatVector.fromArray(SPECIES, from, fromAt + 3 * fromStep);
    FloatVector c40 = FloatVector.fromArray(SPECIES, from, fromAt + 4 * fromStep);
    fromAt += LANES;
    FloatVector c01 = FloatVector.fromArray(SPECIES, from, fromAt);
    FloatVector c11 = FloatVector.fromArray(SPECIES, from, fromAt + fromStep);
    FloatVector c21 = FloatVector.fromArray(SPECIES, from, fromAt + 2 * fromStep);
    FloatVector c31 = FloatVector.fromArray(SPECIES, from, fromAt + 3 * fromStep);
    FloatVector c41 = FloatVector.fromArray(SPECIES, from, fromAt + 4 * fromStep);
    int skip = aStep - WIDTH;
    for (int step = 0; step < k; step++) {
      int i = aAt + step + (step >> 4) * skip;
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, bAt + step * PackedMatrix.PAIR);
      FloatVector b1 = FloatVector.fromArray(SPECIES, b, bAt + step * PackedMatrix.PAIR + LANES);
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[i]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[i + WIDTH]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[i + 2 * WIDTH]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      FloatVector a3 = FloatVector.broadcast(SPECIES, a[i + 3 * WIDTH]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      FloatVector a4 = FloatVector.broadcast(SPECIES, a[i + 4 * WIDTH]);
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
    }
    c00.intoArray(c, cAt);
    c10.intoArray(c, cAt + WIDTH);
    c20.intoArray(c, cAt + 2 * WIDTH);
    c30.intoArray(c, cAt + 3 * WIDTH);
    c40.intoArray(c, cAt + 4 * WIDTH);
    cAt += LANES;
    c01.intoArray(c, cAt);
    c11.intoArray(c, cAt + WIDTH);
    c21.intoArray(c, cAt + 2 * WIDTH);
    c31.intoArray(c, cAt + 3 * WIDTH);
    c41.intoArray(c, cAt + 4 * WIDTH);
  }
}
