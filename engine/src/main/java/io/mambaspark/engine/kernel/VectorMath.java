package io.mambaspark.engine.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** {@link ScalarMath} on vectors, operation by operation. */
final class VectorMath {
  /** As wide as the hardware has it, but never wider than a panel. */
  static final VectorSpecies<Float> SPECIES =
      FloatVector.SPECIES_PREFERRED.length() > Panels.WIDTH
          ? FloatVector.SPECIES_512
          : FloatVector.SPECIES_PREFERRED;

  static final int LANES = SPECIES.length();

  private VectorMath() {}

  static FloatVector all(float value) {
    return FloatVector.broadcast(SPECIES, value);
  }

  static FloatVector exp(FloatVector x) {
    FloatVector q = x.fma(all(ScalarMath.LOG2_E), all(ScalarMath.ROUND));
    FloatVector n = q.sub(ScalarMath.ROUND);
    FloatVector r = n.fma(all(-ScalarMath.LN2_HIGH), x);
    r = n.fma(all(-ScalarMath.LN2_LOW), r);
    FloatVector p = r.fma(all(ScalarMath.EXP_5), all(ScalarMath.EXP_4));
    p = p.fma(r, all(ScalarMath.EXP_3));
    p = p.fma(r, all(ScalarMath.EXP_2));
    p = p.fma(r, all(ScalarMath.EXP_1));
    p = p.fma(r, all(ScalarMath.EXP_0));
    p = p.fma(r.mul(r), r).add(1f);
    return scale(p, q)
        .blend(0f, x.compare(VectorOperators.LT, ScalarMath.EXP_LOW))
        .blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, ScalarMath.EXP_HIGH))
        .blend(x, x.compare(VectorOperators.NE, x));
  }

  static FloatVector exp2(FloatVector t) {
    FloatVector u =
        t.blend(ScalarMath.EXP2_LOW, t.compare(VectorOperators.LT, ScalarMath.EXP2_LOW));
    FloatVector q = u.add(ScalarMath.ROUND);
    FloatVector f = u.sub(q.sub(ScalarMath.ROUND));
    FloatVector p = f.fma(all(ScalarMath.EXP2_5), all(ScalarMath.EXP2_4));
    p = p.fma(f, all(ScalarMath.EXP2_3));
    p = p.fma(f, all(ScalarMath.EXP2_2));
    p = p.fma(f, all(ScalarMath.EXP2_1));
    p = p.fma(f, all(1f));
    return scale(p, q);
  }

  /** p · 2^n, where n stands in the low bits of q. */
  private static FloatVector scale(FloatVector p, FloatVector q) {
    return p.reinterpretAsInts()
        .add(q.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
        .reinterpretAsFloats();
  }

  static FloatVector silu(FloatVector x) {
    return x.div(exp(x.neg()).add(1f));
  }

  static FloatVector sigmoid(FloatVector x) {
    FloatVector e = exp(x.abs().neg());
    FloatVector d = e.add(1f);
    FloatVector inverse = all(1f).div(d);
    FloatVector top = all(1f).blend(e, x.compare(VectorOperators.LT, 0f));
    FloatVector y = top.mul(inverse);
    FloatVector minusY = y.neg();
    FloatVector left = minusY.fma(e.sub(d.sub(1f)), minusY.fma(d, top));
    return left.fma(inverse, y);
  }

  static FloatVector softplus(FloatVector x) {
    FloatVector positive = x.blend(0f, x.compare(VectorOperators.LE, 0f));
    return positive.add(log1p(exp(x.abs().neg()))).blend(x, x.compare(VectorOperators.NE, x));
  }

  static FloatVector log(FloatVector x) {
    VectorMask<Float> tiny = x.compare(VectorOperators.LT, Float.MIN_NORMAL);
    FloatVector u = x.blend(x.mul(ScalarMath.TWO_25), tiny);
    IntVector bits = u.reinterpretAsInts().sub(ScalarMath.SQRT_HALF_BITS);
    FloatVector k = exponent(bits).sub(all(0f).blend(25f, tiny));
    FloatVector y = logOf(mantissa(bits).sub(1f), k, all(0f));
    return y.blend(x, x.compare(VectorOperators.EQ, Float.POSITIVE_INFINITY))
        .blend(Float.NaN, x.compare(VectorOperators.LT, 0f))
        .blend(x, x.compare(VectorOperators.NE, x))
        .blend(Float.NEGATIVE_INFINITY, x.compare(VectorOperators.EQ, 0f));
  }

  static FloatVector log1p(FloatVector x) {
    FloatVector u = x.add(1f);
    IntVector bits = u.reinterpretAsInts().sub(ScalarMath.SQRT_HALF_BITS);
    FloatVector k = exponent(bits);
    FloatVector lost =
        x.sub(u.sub(1f)).blend(all(1f).sub(u.sub(x)), u.compare(VectorOperators.GT, 2f)).div(u);
    VectorMask<Float> exact = k.compare(VectorOperators.EQ, 0f);
    FloatVector y = logOf(mantissa(bits).sub(1f).blend(x, exact), k, lost.blend(0f, exact));
    return y.blend(x, x.compare(VectorOperators.EQ, Float.POSITIVE_INFINITY))
        .blend(Float.NaN, x.compare(VectorOperators.LT, -1f))
        .blend(x, x.compare(VectorOperators.NE, x))
        .blend(Float.NEGATIVE_INFINITY, x.compare(VectorOperators.EQ, -1f));
  }

  private static FloatVector exponent(IntVector bits) {
    return (FloatVector) bits.lanewise(VectorOperators.ASHR, 23).convert(VectorOperators.I2F, 0);
  }

  private static FloatVector mantissa(IntVector bits) {
    return bits.and(0x007fffff).add(ScalarMath.SQRT_HALF_BITS).reinterpretAsFloats();
  }

  private static FloatVector logOf(FloatVector f, FloatVector k, FloatVector c) {
    FloatVector s = f.div(f.add(2f));
    FloatVector z = s.mul(s);
    FloatVector w = z.mul(z);
    FloatVector even = w.mul(w.fma(all(ScalarMath.LOG_4), all(ScalarMath.LOG_2)));
    FloatVector r = z.fma(w.fma(all(ScalarMath.LOG_3), all(ScalarMath.LOG_1)), even);
    FloatVector half = f.mul(0.5f).mul(f);
    FloatVector low = k.fma(all(ScalarMath.LOG_LN2_LOW), c);
    FloatVector small = half.sub(s.fma(half.add(r), low));
    return k.fma(all(ScalarMath.LOG_LN2_HIGH), f.sub(small));
  }
}
