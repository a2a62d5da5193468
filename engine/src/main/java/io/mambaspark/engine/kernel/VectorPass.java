package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;

/**
 * Loops over a piece of one panel, each of which calls a function of {@link VectorMath}. C2 must
 * compile each loop separately.
 *
 * <p>C2 of JDK 17 creates about 500 nodes for a vector operation before it simplifies them. Above
 * 18,000 nodes it inlines only methods with a forced-inline annotation. If it inlined several of
 * these loops into a caller, it would reach this limit inside one of them. The vectors of that loop
 * would then be objects: a hundred times slower, in some runs and not in others. The loops are
 * therefore called through one array of several implementations, which prevents C2 from inlining
 * them.
 */
final class VectorPass {
  /** {@code x += p; y = exp(-|x|)}: the first third of softplus. */
  static final int BIAS = 0;

  /** {@code y = log1p(y)} for y in [0, 1]: the second third of softplus. */
  static final int LOG1P = 1;

  /** {@code y *= silu(x)}. */
  static final int GATE = 2;

  /** {@code y = silu(y)}. */
  static final int SILU = 3;

  /** {@code y *= exp(x - p)} where p is at least x. */
  static final int RESCALE = 4;

  /** {@code y += exp(x - p)} where p is at least x. */
  static final int ADD_EXP = 5;

  /** {@code y = headDecay(x·p)}. */
  static final int HEAD_DECAY = 6;

  /** {@code RESCALE} for the three sums of {@link Kernels#foldLogits} with moments. */
  static final int RESCALE_MOMENTS = 7;

  /** {@code ADD_EXP} for the three sums of {@link Kernels#foldLogits} with moments. */
  static final int ADD_MOMENTS = 8;

  private static final Pass[] PASSES = {
    VectorPass::bias,
    VectorPass::log1p,
    VectorPass::gate,
    VectorPass::silu,
    VectorPass::rescale,
    VectorPass::addExp,
    VectorPass::headDecay,
    VectorPass::rescaleMoments,
    VectorPass::addMoments
  };

  private interface Pass {
    void run(float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length);
  }

  private VectorPass() {}

  /**
   * Runs the loop {@code pass} over {@code length} rows of one vector each, which are 16 floats
   * apart. {@code p} is one vector for {@link #BIAS} and {@link #HEAD_DECAY}, has rows like {@code
   * x} and {@code y} for {@link #RESCALE} and {@link #ADD_EXP}, and is ignored by the other loops.
   * With moments, each row of {@code y} is three vectors, 16 floats apart.
   */
  static void run(
      int pass, float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length) {
    PASSES[pass].run(x, xAt, p, pAt, y, yAt, length);
  }

  private static void bias(float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length) {
    FloatVector b = FloatVector.fromArray(SPECIES, p, pAt);
    for (int i = 0; i < length * WIDTH; i += WIDTH) {
      FloatVector biased = FloatVector.fromArray(SPECIES, x, xAt + i).add(b);
      biased.intoArray(x, xAt + i);
      VectorMath.expOfMinusAbs(biased).intoArray(y, yAt + i);
    }
  }

  private static void log1p(
      float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length) {
    for (int i = 0; i < length * WIDTH; i += WIDTH) {
      VectorMath.log1pOfUnit(FloatVector.fromArray(SPECIES, y, yAt + i)).intoArray(y, yAt + i);
    }
  }

  private static void gate(float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length) {
    for (int i = 0; i < length * WIDTH; i += WIDTH) {
      FloatVector gate = VectorMath.silu(FloatVector.fromArray(SPECIES, x, xAt + i));
      FloatVector.fromArray(SPECIES, y, yAt + i).mul(gate).intoArray(y, yAt + i);
    }
  }

  private static void silu(float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length) {
    for (int i = 0; i < length * WIDTH; i += WIDTH) {
      VectorMath.silu(FloatVector.fromArray(SPECIES, y, yAt + i)).intoArray(y, yAt + i);
    }
  }

  private static void rescale(
      float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length) {
    for (int i = 0; i < length * WIDTH; i += WIDTH) {
      FloatVector factor = expOfDifference(x, xAt + i, p, pAt + i);
      factor.mul(FloatVector.fromArray(SPECIES, y, yAt + i)).intoArray(y, yAt + i);
    }
  }

  private static void addExp(
      float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length) {
    for (int i = 0; i < length * WIDTH; i += WIDTH) {
      FloatVector term = expOfDifference(x, xAt + i, p, pAt + i);
      FloatVector.fromArray(SPECIES, y, yAt + i).add(term).intoArray(y, yAt + i);
    }
  }

  private static void headDecay(
      float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length) {
    FloatVector rate = FloatVector.fromArray(SPECIES, p, pAt);
    for (int i = 0; i < length * WIDTH; i += WIDTH) {
      FloatVector t = FloatVector.fromArray(SPECIES, x, xAt + i).mul(rate);
      VectorMath.headDecay(t).intoArray(y, yAt + i);
    }
  }

  private static void rescaleMoments(
      float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length) {
    for (int i = 0, to = yAt; i < length * WIDTH; i += WIDTH, to += 3 * WIDTH) {
      FloatVector shift = VectorMath.inExp2Range(bitsOfDifference(x, xAt + i, p, pAt + i));
      FloatVector factor = VectorMath.exp2InRange(shift);
      FloatVector sum = FloatVector.fromArray(SPECIES, y, to);
      FloatVector first = FloatVector.fromArray(SPECIES, y, to + WIDTH);
      FloatVector second = FloatVector.fromArray(SPECIES, y, to + 2 * WIDTH);
      FloatVector shifted = shift.fma(sum, first);
      FloatVector squares = shift.fma(first.add(shifted), second);
      sum.mul(factor).intoArray(y, to);
      FloatVector kept = factor.sub(ScalarMath.EXP2_FLOOR);
      kept.mul(shifted).intoArray(y, to + WIDTH);
      kept.mul(squares).intoArray(y, to + 2 * WIDTH);
    }
  }

  private static void addMoments(
      float[] x, int xAt, float[] p, int pAt, float[] y, int yAt, int length) {
    for (int i = 0, to = yAt; i < length * WIDTH; i += WIDTH, to += 3 * WIDTH) {
      FloatVector t = VectorMath.inExp2Range(bitsOfDifference(x, xAt + i, p, pAt + i));
      FloatVector term = VectorMath.exp2InRange(t);
      FloatVector.fromArray(SPECIES, y, to).add(term).intoArray(y, to);
      FloatVector first = term.sub(ScalarMath.EXP2_FLOOR).mul(t);
      FloatVector.fromArray(SPECIES, y, to + WIDTH).add(first).intoArray(y, to + WIDTH);
      FloatVector second = FloatVector.fromArray(SPECIES, y, to + 2 * WIDTH);
      first.fma(t, second).intoArray(y, to + 2 * WIDTH);
    }
  }

  private static FloatVector expOfDifference(float[] x, int xAt, float[] p, int pAt) {
    return VectorMath.exp2(bitsOfDifference(x, xAt, p, pAt));
  }

  /** (x - p)·log2(e): the binary logarithm of exp(x - p). */
  private static FloatVector bitsOfDifference(float[] x, int xAt, float[] p, int pAt) {
    FloatVector largest = FloatVector.fromArray(SPECIES, p, pAt);
    return FloatVector.fromArray(SPECIES, x, xAt).sub(largest).mul(ScalarMath.LOG2_E);
  }
}
