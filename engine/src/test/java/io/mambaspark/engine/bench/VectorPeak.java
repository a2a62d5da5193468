package io.mambaspark.engine.bench;

import java.util.function.IntToLongFunction;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * What the fused multiply-add units of one core can do: independent chains that never leave the
 * registers. How many chains fill the units depends on the machine (their latency times their
 * number), and how many fit depends on its registers: {@link Peak} takes the best of several
 * counts.
 *
 * <p>The loops are in methods that are called often with few steps: they are then compiled from
 * their entry. Compiled in the middle of a long loop, C2 of JDK 25 keeps the sums as objects.
 */
final class VectorPeak implements IntToLongFunction {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();
  private static final int STEPS = 2048;

  /** Called through one array, so that C2 inlines none of them: see kernel.VectorPass. */
  private static final Loop[] LOOPS = {
    VectorPeak::chains8, VectorPeak::chains12, VectorPeak::chains16
  };

  private interface Loop {
    void run(float[] sums, float factor, int steps);
  }

  private final float[] sums = new float[16 * LANES];

  /** Runs a few thousand steps of 8, 12 or 16 chains; the floating-point operations done. */
  @Override
  public long applyAsLong(int chains) {
    // The sums tend to 1, far from what is slow to compute with.
    float factor = 0.999f;
    LOOPS[chains / 4 - 2].run(sums, factor, STEPS);
    return 2L * STEPS * chains * LANES;
  }

  /** 8 chains. */
  private static void chains8(float[] sums, float factor, int steps) {
    FloatVector a = FloatVector.broadcast(SPECIES, factor);
    FloatVector b = FloatVector.broadcast(SPECIES, 1 - factor);
    FloatVector c0 = FloatVector.fromArray(SPECIES, sums, 0);
    FloatVector c1 = FloatVector.fromArray(SPECIES, sums, LANES);
    FloatVector c2 = FloatVector.fromArray(SPECIES, sums, 2 * LANES);
    FloatVector c3 = FloatVector.fromArray(SPECIES, sums, 3 * LANES);
    FloatVector c4 = FloatVector.fromArray(SPECIES, sums, 4 * LANES);
    FloatVector c5 = FloatVector.fromArray(SPECIES, sums, 5 * LANES);
    FloatVector c6 = FloatVector.fromArray(SPECIES, sums, 6 * LANES);
    FloatVector c7 = FloatVector.fromArray(SPECIES, sums, 7 * LANES);
    for (int step = 0; step < steps; step++) {
      c0 = c0.fma(a, b);
      c1 = c1.fma(a, b);
      c2 = c2.fma(a, b);
      c3 = c3.fma(a, b);
      c4 = c4.fma(a, b);
      c5 = c5.fma(a, b);
      c6 = c6.fma(a, b);
      c7 = c7.fma(a, b);
    }
    c0.intoArray(sums, 0);
    c1.intoArray(sums, LANES);
    c2.intoArray(sums, 2 * LANES);
    c3.intoArray(sums, 3 * LANES);
    c4.intoArray(sums, 4 * LANES);
    c5.intoArray(sums, 5 * LANES);
    c6.intoArray(sums, 6 * LANES);
    c7.intoArray(sums, 7 * LANES);
  }

  /** 12 chains. */
  private static void chains12(float[] sums, float factor, int steps) {
    FloatVector a = FloatVector.broadcast(SPECIES, factor);
    FloatVector b = FloatVector.broadcast(SPECIES, 1 - factor);
    FloatVector c0 = FloatVector.fromArray(SPECIES, sums, 0);
    FloatVector c1 = FloatVector.fromArray(SPECIES, sums, LANES);
    FloatVector c2 = FloatVector.fromArray(SPECIES, sums, 2 * LANES);
    FloatVector c3 = FloatVector.fromArray(SPECIES, sums, 3 * LANES);
    FloatVector c4 = FloatVector.fromArray(SPECIES, sums, 4 * LANES);
    FloatVector c5 = FloatVector.fromArray(SPECIES, sums, 5 * LANES);
    FloatVector c6 = FloatVector.fromArray(SPECIES, sums, 6 * LANES);
    FloatVector c7 = FloatVector.fromArray(SPECIES, sums, 7 * LANES);
    FloatVector c8 = FloatVector.fromArray(SPECIES, sums, 8 * LANES);
    FloatVector c9 = FloatVector.fromArray(SPECIES, sums, 9 * LANES);
    FloatVector ca = FloatVector.fromArray(SPECIES, sums, 10 * LANES);
    FloatVector cb = FloatVector.fromArray(SPECIES, sums, 11 * LANES);
    for (int step = 0; step < steps; step++) {
      c0 = c0.fma(a, b);
      c1 = c1.fma(a, b);
      c2 = c2.fma(a, b);
      c3 = c3.fma(a, b);
      c4 = c4.fma(a, b);
      c5 = c5.fma(a, b);
      c6 = c6.fma(a, b);
      c7 = c7.fma(a, b);
      c8 = c8.fma(a, b);
      c9 = c9.fma(a, b);
      ca = ca.fma(a, b);
      cb = cb.fma(a, b);
    }
    c0.intoArray(sums, 0);
    c1.intoArray(sums, LANES);
    c2.intoArray(sums, 2 * LANES);
    c3.intoArray(sums, 3 * LANES);
    c4.intoArray(sums, 4 * LANES);
    c5.intoArray(sums, 5 * LANES);
    c6.intoArray(sums, 6 * LANES);
    c7.intoArray(sums, 7 * LANES);
    c8.intoArray(sums, 8 * LANES);
    c9.intoArray(sums, 9 * LANES);
    ca.intoArray(sums, 10 * LANES);
    cb.intoArray(sums, 11 * LANES);
  }

  /** 16 chains. */
  private static void chains16(float[] sums, float factor, int steps) {
    FloatVector a = FloatVector.broadcast(SPECIES, factor);
    FloatVector b = FloatVector.broadcast(SPECIES, 1 - factor);
    FloatVector c0 = FloatVector.fromArray(SPECIES, sums, 0);
    FloatVector c1 = FloatVector.fromArray(SPECIES, sums, LANES);
    FloatVector c2 = FloatVector.fromArray(SPECIES, sums, 2 * LANES);
    FloatVector c3 = FloatVector.fromArray(SPECIES, sums, 3 * LANES);
    FloatVector c4 = FloatVector.fromArray(SPECIES, sums, 4 * LANES);
    FloatVector c5 = FloatVector.fromArray(SPECIES, sums, 5 * LANES);
    FloatVector c6 = FloatVector.fromArray(SPECIES, sums, 6 * LANES);
    FloatVector c7 = FloatVector.fromArray(SPECIES, sums, 7 * LANES);
    FloatVector c8 = FloatVector.fromArray(SPECIES, sums, 8 * LANES);
    FloatVector c9 = FloatVector.fromArray(SPECIES, sums, 9 * LANES);
    FloatVector ca = FloatVector.fromArray(SPECIES, sums, 10 * LANES);
    FloatVector cb = FloatVector.fromArray(SPECIES, sums, 11 * LANES);
    FloatVector cc = FloatVector.fromArray(SPECIES, sums, 12 * LANES);
    FloatVector cd = FloatVector.fromArray(SPECIES, sums, 13 * LANES);
    FloatVector ce = FloatVector.fromArray(SPECIES, sums, 14 * LANES);
    FloatVector cf = FloatVector.fromArray(SPECIES, sums, 15 * LANES);
    for (int step = 0; step < steps; step++) {
      c0 = c0.fma(a, b);
      c1 = c1.fma(a, b);
      c2 = c2.fma(a, b);
      c3 = c3.fma(a, b);
      c4 = c4.fma(a, b);
      c5 = c5.fma(a, b);
      c6 = c6.fma(a, b);
      c7 = c7.fma(a, b);
      c8 = c8.fma(a, b);
      c9 = c9.fma(a, b);
      ca = ca.fma(a, b);
      cb = cb.fma(a, b);
      cc = cc.fma(a, b);
      cd = cd.fma(a, b);
      ce = ce.fma(a, b);
      cf = cf.fma(a, b);
    }
    c0.intoArray(sums, 0);
    c1.intoArray(sums, LANES);
    c2.intoArray(sums, 2 * LANES);
    c3.intoArray(sums, 3 * LANES);
    c4.intoArray(sums, 4 * LANES);
    c5.intoArray(sums, 5 * LANES);
    c6.intoArray(sums, 6 * LANES);
    c7.intoArray(sums, 7 * LANES);
    c8.intoArray(sums, 8 * LANES);
    c9.intoArray(sums, 9 * LANES);
    ca.intoArray(sums, 10 * LANES);
    cb.intoArray(sums, 11 * LANES);
    cc.intoArray(sums, 12 * LANES);
    cd.intoArray(sums, 13 * LANES);
    ce.intoArray(sums, 14 * LANES);
    cf.intoArray(sums, 15 * LANES);
  }
}
