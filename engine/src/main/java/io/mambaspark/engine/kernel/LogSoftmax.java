package io.mambaspark.engine.kernel;

import java.util.Arrays;

/**
 * Computes the log-softmax of rows of logits block by block, so that the complete rows are never in
 * memory. It keeps for each row the maximum, the logarithm of the sum of exponentials, and the arg
 * max.
 */
public final class LogSoftmax {
  /**
   * The number of panels in a block. The sum is rescaled to the new maximum once per block, so the
   * rounding of the result depends on this number. It must not change.
   */
  public static final int BLOCK = 16;

  /** The padding of the last panel of logits: never the maximum, and contributes 0 to the sum. */
  public static final float PADDING = -Float.MAX_VALUE;

  private final Kernels kernels;
  private final float[] laneMax;
  private final float[] laneSum;
  private final float[] laneArgMax;
  private final float[] max;
  private final float[] logSum;
  private final int[] argMax;

  /** Allocates memory for up to {@code rows} rows at a time. */
  public LogSoftmax(Kernels kernels, int rows) {
    this.kernels = kernels;
    this.laneMax = new float[rows * Panels.WIDTH];
    this.laneSum = new float[rows * Panels.WIDTH];
    this.laneArgMax = new float[rows * Panels.WIDTH];
    this.max = new float[rows];
    this.logSum = new float[rows];
    this.argMax = new int[rows];
  }

  /** Starts {@code rows} new rows and discards the previous ones. */
  public void begin(int rows) {
    Arrays.fill(laneMax, 0, rows * Panels.WIDTH, PADDING);
    Arrays.fill(laneSum, 0, rows * Panels.WIDTH, 0f);
    Arrays.fill(laneArgMax, 0, rows * Panels.WIDTH, 0f);
  }

  /**
   * Adds the next block of logits, as in {@link Kernels#foldLogits}. Every block has {@link #BLOCK}
   * panels; only the last one may have fewer.
   */
  public void fold(float[] logits, int panels, int firstPanel, int rows, int stride) {
    kernels.foldLogits(logits, panels, firstPanel, rows, stride, laneMax, laneSum, laneArgMax);
  }

  /** Combines the lanes of each row, in the order of the lanes. */
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
      // One logarithm per row: too few to vectorize.
      logSum[row] = ScalarMath.log(total);
      argMax[row] = lowest;
    }
  }

  /** The log-probability, in nats, of an entry of {@code row} whose logit is {@code logit}. */
  public float logProbability(int row, float logit) {
    return (logit - max[row]) - logSum[row];
  }

  /** The column of the row's largest logit; the lowest such column on ties. */
  public int argMax(int row) {
    return argMax[row];
  }

  /**
   * Returns the Kullback-Leibler divergence KL(A‖B) = Σ p_A (ln p_A - ln p_B) of two rows of
   * log-probabilities, in nats, summed in double from the first entry to the last. For rows that
   * are almost equal, rounding may make it slightly negative.
   */
  public static double divergence(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) ScalarMath.exp(a[i]) * ((double) a[i] - b[i]);
    }
    return sum;
  }
}
