package io.mambaspark.engine.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The functions of {@link ScalarMath} on vectors, with the same operations in the same order.
 *
 * <p>C2 of JDK 17 creates about 500 nodes for a vector operation before it simplifies them. Above
 * 18,000 nodes it inlines only methods with a forced-inline annotation. A method that calls more
 * than one of these functions therefore keeps its vectors as objects and is ten times slower. For
 * this reason constants are vectors, not broadcasts, and callers use one function per loop.
 */
final class VectorMath {
  /** The hardware's preferred width, but at most that of a panel. */
  static final VectorSpecies<Float> SPECIES =
      FloatVector.SPECIES_PREFERRED.length() > Panels.WIDTH
          ? FloatVector.SPECIES_512
          : FloatVector.SPECIES_PREFERRED;

  static final int LANES = SPECIES.length();

  private static final FloatVector LOG2_E = FloatVector.broadcast(SPECIES, ScalarMath.LOG2_E);
  private static final FloatVector ROUND = FloatVector.broadcast(SPECIES, ScalarMath.ROUND);
  private static final FloatVector MINUS_LN2_HIGH =
      FloatVector.broadcast(SPECIES, -ScalarMath.LN2_HIGH);
  private static final FloatVector MINUS_LN2_LOW =
      FloatVector.broadcast(SPECIES, -ScalarMath.LN2_LOW);
  private static final FloatVector EXP_5 = FloatVector.broadcast(SPECIES, ScalarMath.EXP_5);
  private static final FloatVector EXP_4 = FloatVector.broadcast(SPECIES, ScalarMath.EXP_4);
  private static final FloatVector EXP_3 = FloatVector.broadcast(SPECIES, ScalarMath.EXP_3);
  private static final FloatVector EXP_2 = FloatVector.broadcast(SPECIES, ScalarMath.EXP_2);
  private static final FloatVector EXP_1 = FloatVector.broadcast(SPECIES, ScalarMath.EXP_1);
  private static final FloatVector EXP_0 = FloatVector.broadcast(SPECIES, ScalarMath.EXP_0);
  private static final FloatVector EXP2_5 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_5);
  private static final FloatVector EXP2_4 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_4);
  private static final FloatVector EXP2_3 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_3);
  private static final FloatVector EXP2_2 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_2);
  private static final FloatVector EXP2_1 = FloatVector.broadcast(SPECIES, ScalarMath.EXP2_1);
  private static final FloatVector ONE = FloatVector.broadcast(SPECIES, 1f);
  private static final FloatVector HALF = FloatVector.broadcast(SPECIES, 0.5f);
  private static final FloatVector TWO = FloatVector.broadcast(SPECIES, 2f);
  private static final FloatVector UNIT_3 = FloatVector.broadcast(SPECIES, ScalarMath.UNIT_3);
  private static final FloatVector UNIT_2 = FloatVector.broadcast(SPECIES, ScalarMath.UNIT_2);
  private static final FloatVector UNIT_1 = FloatVector.broadcast(SPECIES, ScalarMath.UNIT_1);
  private static final FloatVector UNIT_0 = FloatVector.broadcast(SPECIES, ScalarMath.UNIT_0);
  private static final IntVector SIGN =
      IntVector.broadcast(SPECIES.withLanes(int.class), ScalarMath.SIGN);
  private static final IntVector EXP_LOW =
      IntVector.broadcast(SPECIES.withLanes(int.class), ScalarMath.EXP_LOW_BITS);
  static final IntVector EXP2_LOW =
      IntVector.broadcast(SPECIES.withLanes(int.class), ScalarMath.EXP2_LOW_BITS);
  private static final IntVector HEAD_LOW =
      IntVector.broadcast(SPECIES.withLanes(int.class), ScalarMath.HEAD_LOW_BITS);
  private static final FloatVector HEAD_FLOOR =
      FloatVector.broadcast(SPECIES, ScalarMath.HEAD_FLOOR);

  private VectorMath() {}

  static FloatVector expOfMinusAbs(FloatVector x) {
    return expInRange(minusAbs(x));
  }

  private static FloatVector minusAbs(FloatVector x) {
    return x.reinterpretAsInts().or(SIGN).min(EXP_LOW).reinterpretAsFloats();
  }

  private static FloatVector expInRange(FloatVector x) {
    FloatVector q = x.fma(LOG2_E, ROUND);
    FloatVector n = q.sub(ROUND);
    FloatVector r = n.fma(MINUS_LN2_HIGH, x);
    r = n.fma(MINUS_LN2_LOW, r);
    FloatVector p = r.fma(EXP_5, EXP_4);
    p = p.fma(r, EXP_3);
    p = p.fma(r, EXP_2);
    p = p.fma(r, EXP_1);
    p = p.fma(r, EXP_0);
    p = p.fma(r.mul(r), r).add(ONE);
    return scale(p, q);
  }

  static FloatVector exp2(FloatVector t) {
    return exp2InRange(inExp2Range(t));
  }

  static FloatVector inExp2Range(FloatVector t) {
    return t.blend(ScalarMath.EXP2_LOW, t.compare(VectorOperators.LT, ScalarMath.EXP2_LOW));
  }

  static FloatVector headDecay(FloatVector t) {
    return exp2InRange(t.reinterpretAsInts().min(HEAD_LOW).reinterpretAsFloats()).sub(HEAD_FLOOR);
  }

  /** 2 to the power of u, for u from -126 to 0. */
  static FloatVector exp2InRange(FloatVector u) {
    FloatVector q = u.add(ROUND);
    FloatVector f = u.sub(q.sub(ROUND));
    FloatVector p = f.fma(EXP2_5, EXP2_4).fma(f, EXP2_3).fma(f, EXP2_2).fma(f, EXP2_1).fma(f, ONE);
    return scale(p, q);
  }

  /** p · 2^n, where n is in the low bits of q. */
  private static FloatVector scale(FloatVector p, FloatVector q) {
    return p.reinterpretAsInts()
        .add(q.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
        .reinterpretAsFloats();
  }

  static FloatVector silu(FloatVector x) {
    FloatVector t = minusAbs(x);
    FloatVector e = expInRange(t);
    FloatVector positive = positive(x);
    return t.add(positive).fma(e, positive).div(e.add(ONE));
  }

  /** max(x, 0); NaN for NaN. */
  static FloatVector positive(FloatVector x) {
    return HALF.fma(x.abs(), x.mul(HALF));
  }

  static FloatVector log1pOfUnit(FloatVector x) {
    FloatVector s = x.div(x.add(TWO));
    FloatVector z = s.mul(s);
    FloatVector p = z.fma(UNIT_3, UNIT_2).fma(z, UNIT_1).fma(z, UNIT_0);
    return s.mul(z).fma(p, s.add(s));
  }
}
