package io.mambaspark.engine.kernel;

import java.util.Arrays;

/**
 * Computes the log-softmax of rows of logits block by block, so that the complete rows are never in
 * memory. It keeps for each row the maximum, the logarithm of the sum of exponentials, and the arg
 * max; on request, also the mean μ = Σ p ln p and the variance σ² = Σ p (ln p)² - μ² of ln p under
 * the row's own distribution p.
 */
public final class LogSoftmax {
  /**
   * The number of panels in a block. The sum is rescaled to the new maximum once per block, so the
   * rounding of the result depends on this number. It must not change.
   */
  public static final int BLOCK = 16;

  /** The padding of the last panel of logits: never the maximum, and contributes 0 to the sum. */
  public static final float PADDING = -Float.MAX_VALUE;

  /** The nats of a unit of {@link ScalarMath#exp2}. */
  private static final double NATS = 1 / (double) ScalarMath.LOG2_E;

  private final Kernels kernels;
  private final boolean moments;

  /** The number of floats of a row in {@link #laneSum}. */
  private final int rowSums;

  private final float[] laneMax;
  private final float[] laneSum;
  private final float[] laneArgMax;
  private final float[] max;
  private final float[] logSum;
  private final int[] argMax;
  private final float[] mean;
  private final float[] variance;

  /** Allocates memory for up to {@code rows} rows at a time, without moments. */
  public LogSoftmax(Kernels kernels, int rows) {
    this(kernels, rows, false);
  }

  /**
   * Allocates memory for up to {@code rows} rows at a time.
   *
   * @param moments whether to compute the means and variances, too; other results do not change
   */
  public LogSoftmax(Kernels kernels, int rows, boolean moments) {
    this.kernels = kernels;
    this.moments = moments;
    this.rowSums = (moments ? 3 : 1) * Panels.WIDTH;
    this.mean = new float[moments ? rows : 0];
    this.variance = new float[moments ? rows : 0];
    this.laneMax = new float[rows * Panels.WIDTH];
    this.laneSum = new float[rows * rowSums];
    this.laneArgMax = new float[rows * Panels.WIDTH];
    this.max = new float[rows];
    this.logSum = new float[rows];
    this.argMax = new int[rows];
  }

  /** Starts {@code rows} new rows and discards the previous ones. */
  public void begin(int rows) {
    Arrays.fill(laneMax, 0, rows * Panels.WIDTH, PADDING);
    Arrays.fill(laneSum, 0, rows * rowSums, 0f);
    Arrays.fill(laneArgMax, 0, rows * Panels.WIDTH, 0f);
  }

  /**
   * Adds the next block of logits, as in {@link Kernels#foldLogits}. Every block has {@link #BLOCK}
   * panels; only the last one may have fewer.
   */
  public void fold(float[] logits, int panels, int firstPanel, int rows, int stride) {
    kernels.foldLogits(
        logits, panels, firstPanel, rows, stride, laneMax, laneSum, laneArgMax, moments);
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
        total = Math.fma(laneSum[row * rowSums + lane], ScalarMath.exp2(below), total);
        if (laneMax[at + lane] == most) {
          lowest = Math.min(lowest, (int) laneArgMax[at + lane] * Panels.WIDTH + lane);
        }
      }
      max[row] = most;
      // One logarithm per row: too few to vectorize.
      logSum[row] = ScalarMath.log(total);
      argMax[row] = lowest;
      if (moments) {
        endMoments(row);
      }
    }
  }

  /**
   * Combines the moments of the row's lanes in double, each shifted to the row's maximum. The shift
   * makes them exact zeros if all probabilities above 2^-126 are equal: the mean is then ln p of
   * each of these, and the variance is 0.
   */
  private void endMoments(int row) {
    double total = 0;
    double first = 0;
    double second = 0;
    for (int lane = 0; lane < Panels.WIDTH; lane++) {
      int at = row * rowSums + lane;
      float below = (laneMax[row * Panels.WIDTH + lane] - max[row]) * ScalarMath.LOG2_E;
      double shift = ScalarMath.inExp2Range(below);
      double factor = ScalarMath.exp2(below) - ScalarMath.EXP2_FLOOR;
      double shifted = laneSum[at + Panels.WIDTH] + shift * laneSum[at];
      total += factor * laneSum[at];
      first += factor * shifted;
      second +=
          factor
              * (laneSum[at + 2 * Panels.WIDTH] + shift * (laneSum[at + Panels.WIDTH] + shifted));
    }
    double below = first / total;
    mean[row] = (float) (below * NATS - logSum[row]);
    variance[row] = (float) (Math.max(0, second / total - below * below) * NATS * NATS);
  }

  /** The log-probability, in nats, of an entry of {@code row} whose logit is {@code logit}. */
  public float logProbability(int row, float logit) {
    return (logit - max[row]) - logSum[row];
  }

  /** With moments: the mean Σ p ln p of the row, in nats; minus its entropy. */
  public float mean(int row) {
    return mean[row];
  }

  /** With moments: the variance Σ p (ln p)² - mean² of the row, in nats²; never negative. */
  public float variance(int row) {
    return variance[row];
  }

  /** The column of the row's largest logit; the lowest such column on ties. */
  public int argMax(int row) {
    return argMax[row];
  }

  /**
   * How far two distributions differ.
   *
   * @param kl the Kullback-Leibler divergence KL(A‖B) = Σ p_A (ln p_A - ln p_B), in nats. For rows
   *     that are almost equal, rounding may make it slightly negative
   * @param crossEntropy the cross-entropy H(A, B) = -Σ p_A ln p_B, in nats
   */
  public record Divergence(double kl, double crossEntropy) {}

  /**
   * Returns how far two rows of log-probabilities differ, summed in double from the first entry to
   * the last.
   */
  public static Divergence divergence(float[] a, float[] b) {
    double kl = 0;
    double crossEntropy = 0;
    for (int i = 0; i < a.length; i++) {
      double p = ScalarMath.exp(a[i]);
      kl += p * ((double) a[i] - b[i]);
      crossEntropy -= p * b[i];
    }
    return new Divergence(kl, crossEntropy);
  }
}
