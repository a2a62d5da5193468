package io.mambaspark.engine.kernel;

import java.util.Arrays;

/**
 * The log-softmax of some rows of logits that are never there all at once: blocks of panels are
 * folded in, and what remains of a row is its maximum, the logarithm of its sum and its arg max.
 */
public final class LogSoftmax {
  /**
   * Panels in a block. The sum is rescaled to the new maximum once a block, so that the blocks'
   * borders are part of the definition of the result: they never move.
   */
  public static final int BLOCK = 16;

  /** What stands in the padding of the last panel: it never wins and adds nothing. */
  public static final float NOTHING = -Float.MAX_VALUE;

  private final Kernels kernels;
  private final float[] laneMax;
  private final float[] laneSum;
  private final float[] laneArgMax;
  private final float[] max;
  private final float[] logSum;
  private final int[] argMax;

  /** For up to {@code rows} rows at a time. */
  public LogSoftmax(Kernels kernels, int rows) {
    this.kernels = kernels;
    this.laneMax = new float[rows * Panels.WIDTH];
    this.laneSum = new float[rows * Panels.WIDTH];
    this.laneArgMax = new float[rows * Panels.WIDTH];
    this.max = new float[rows];
    this.logSum = new float[rows];
    this.argMax = new int[rows];
  }

  /** Forgets the rows before. */
  public void begin(int rows) {
    Arrays.fill(laneMax, 0, rows * Panels.WIDTH, NOTHING);
    Arrays.fill(laneSum, 0, rows * Panels.WIDTH, 0f);
    Arrays.fill(laneArgMax, 0, rows * Panels.WIDTH, 0f);
  }

  /** Folds in the next block: at most {@link #BLOCK} panels, fewer only at the end. */
  public void fold(float[] logits, int panels, int firstPanel, int rows, int stride) {
    kernels.foldLogits(logits, panels, firstPanel, rows, stride, laneMax, laneSum, laneArgMax);
  }

  /** Joins the lanes of each row, in the order of the lanes. */
  public void end(int rows) {
    for (int row = 0; row < rows; row++) {
      int at = row * Panels.WIDTH;
      float most = laneMax[at];
      for (int lane = 1; lane < Panels.WIDTH; lane++) {
        most = Math.max(most, laneMax[at + lane]);
      }
      float total = 0f;
      int lowest = Integer.MAX_VALUE;
      for (int lane = 0; lane < Panels.WIDTH; lane++) {
        float below = (laneMax[at + lane] - most) * ScalarMath.LOG2_E;
        total = Math.fma(laneSum[at + lane], ScalarMath.exp2(below), total);
        if (laneMax[at + lane] == most) {
          lowest = Math.min(lowest, (int) laneArgMax[at + lane] * Panels.WIDTH + lane);
        }
      }
      max[row] = most;
      // One logarithm a row: too few to be worth vectors.
      logSum[row] = ScalarMath.log(total);
      argMax[row] = lowest;
    }
  }

  /** The log-probability of an entry of {@code row} whose logit is {@code logit}. */
  public float logProbability(int row, float logit) {
    return (logit - max[row]) - logSum[row];
  }

  /** The column of the row's largest logit; of equal ones the lowest. */
  public int argMax(int row) {
    return argMax[row];
  }

  /**
   * The Kullback-Leibler divergence KL(A‖B) = Σ p_A (ln p_A - ln p_B) of two rows of
   * log-probabilities, in nats, summed in double in their order. Rounding may leave a little less
   * than 0 where the rows are almost equal.
   */
  public static double divergence(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) ScalarMath.exp(a[i]) * ((double) a[i] - b[i]);
    }
    return sum;
  }
}
