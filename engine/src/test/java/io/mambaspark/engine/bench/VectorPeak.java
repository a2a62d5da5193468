package io.mambaspark.engine.bench;

import java.util.function.IntToLongFunction;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Measures the peak speed of one core's fused multiply-add units, with independent chains that stay
 * in the registers. The number of chains that fills the units depends on the machine: it is the
 * units' latency times their number. The number of chains that fits depends on the machine's
 * registers. {@link Peak} therefore takes the best of several numbers.
 *
 * <p>The loops are in methods that are called often with few steps, so that C2 compiles them from
 * their entry. If C2 of JDK 25 compiles them in the middle of a long loop, it keeps the sums as
 * objects.
 */
final class VectorPeak implements IntToLongFunction {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();
  private static final int STEPS = 2048;

  /** The number of calls after which C2 has compiled a method from its entry, with a margin. */
  private static final int WARM_UP = 2000;

  private final float[] sums = new float[16 * LANES];

  VectorPeak() {
    for (int chains = 8; chains <= 16; chains += 4) {
      for (int call = 0; call < WARM_UP; call++) {
        run(chains, 16);
      }
    }
  }

  /** Runs a few thousand steps of {@code chains} chains; returns the floating-point operations. */
  @Override
  public long applyAsLong(int chains) {
    run(chains, STEPS);
    return 2L * STEPS * chains * LANES;
  }

  private void run(int chains, int steps) {
    // The sums grow until the increment no longer changes them, far from subnormal numbers,
    // which are slow to compute.
    float factor = 0.999f;
    switch (chains) {
      case 8 -> chains8(sums, factor, steps);
      case 12 -> chains12(sums, factor, steps);
      case 16 -> chains16(sums, factor, steps);
      default -> throw new IllegalArgumentException("no loop with " + chains + " chains");
    }
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
      c0 = a.fma(b, c0);
      c1 = a.fma(b, c1);
      c2 = a.fma(b, c2);
      c3 = a.fma(b, c3);
      c4 = a.fma(b, c4);
      c5 = a.fma(b, c5);
      c6 = a.fma(b, c6);
      c7 = a.fma(b, c7);
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
      c0 = a.fma(b, c0);
      c1 = a.fma(b, c1);
      c2 = a.fma(b, c2);
      c3 = a.fma(b, c3);
      c4 = a.fma(b, c4);
      c5 = a.fma(b, c5);
      c6 = a.fma(b, c6);
      c7 = a.fma(b, c7);
      c8 = a.fma(b, c8);
      c9 = a.fma(b, c9);
      ca = a.fma(b, ca);
      cb = a.fma(b, cb);
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
      c0 = a.fma(b, c0);
      c1 = a.fma(b, c1);
      c2 = a.fma(b, c2);
      c3 = a.fma(b, c3);
      c4 = a.fma(b, c4);
      c5 = a.fma(b, c5);
      c6 = a.fma(b, c6);
      c7 = a.fma(b, c7);
      c8 = a.fma(b, c8);
      c9 = a.fma(b, c9);
      ca = a.fma(b, ca);
      cb = a.fma(b, cb);
      cc = a.fma(b, cc);
      cd = a.fma(b, cd);
      ce = a.fma(b, ce);
      cf = a.fma(b, cf);
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
