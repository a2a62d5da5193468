package io.mambaspark.engine.score;

import io.mambaspark.engine.kernel.LogSoftmax;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.QuantizedRows;
import io.mambaspark.engine.model.MambaModel;
import java.util.Arrays;

/**
 * The language-model head fused with the log-softmax. It computes the logits of some hidden rows
 * one block of the vocabulary at a time, folds each block into the log-softmax and picks the
 * required logits from it. The logits of the complete vocabulary are therefore never in memory at
 * once.
 */
final class Head {
  private final MambaModel model;
  private final int vocabSize;
  private final int stride;

  /** The hidden rows that {@link #copyRow} copied, (dModel panels, stride, 16). */
  private final float[] hidden;

  /** The hidden rows if the model's matrices are integers. */
  private final QuantizedRows quantized = new QuantizedRows();

  /** A block of logits, (LogSoftmax.BLOCK, stride, 16). */
  private final float[] block;

  private final LogSoftmax softmax;
  private final float[] targetLogits;
  private final int[] rank;
  private TopK[] topK = {};

  /** Allocates memory for up to {@code rows} rows at a time; {@code moments} as in LogSoftmax. */
  Head(MambaModel model, int rows, boolean moments) {
    this.model = model;
    this.vocabSize = model.config().vocabSize();
    this.stride = Panels.stride(rows);
    this.hidden = new float[Panels.count(model.config().dModel()) * stride * Panels.WIDTH];
    this.block = new float[LogSoftmax.BLOCK * stride * Panels.WIDTH];
    this.softmax = new LogSoftmax(model.kernels(), stride, moments);
    this.targetLogits = new float[stride];
    this.rank = new int[stride];
  }

  /** Copies row {@code from} of {@code rows}, the hidden rows of a workspace, to row {@code to}. */
  void copyRow(float[] rows, int rowsStride, int from, int to) {
    for (int panel = 0; panel * stride * Panels.WIDTH < hidden.length; panel++) {
      System.arraycopy(
          rows,
          (panel * rowsStride + from) * Panels.WIDTH,
          hidden,
          (panel * stride + to) * Panels.WIDTH,
          Panels.WIDTH);
    }
  }

  /**
   * Runs the head over the first {@code rows} rows that {@link #copyRow} copied.
   *
   * @param targets for each row the id whose log-probability is required, or -1; null if no
   *     log-softmax is required
   * @param ranks whether to find the rank of each target; requires targets
   * @param k how many of the most probable ids to find for each row; requires targets
   * @param logits for each row an array of vocabSize floats to fill, or null
   */
  void run(int rows, int[] targets, boolean ranks, int k, float[][] logits) {
    model.prepareHidden(hidden, rows, stride, quantized);
    if (targets != null) {
      softmax.begin(rows);
      clearTopK(rows, k);
    }
    if (ranks) {
      beginRanks(rows, targets);
    }
    int panels = rows == 0 ? 0 : model.logitPanels();
    for (int first = 0; first < panels; first += LogSoftmax.BLOCK) {
      int end = Math.min(first + LogSoftmax.BLOCK, panels);
      model.logits(hidden, quantized, rows, stride, first, end, block);
      if (end == panels) {
        blankPadding(rows, end - first - 1);
      }
      if (targets != null) {
        softmax.fold(block, end - first, first, rows, stride);
      }
      for (int row = 0; row < rows; row++) {
        pick(row, first, end, targets, ranks, k, logits[row]);
      }
    }
    if (targets != null) {
      softmax.end(rows);
    }
  }

  private void clearTopK(int rows, int k) {
    if (k > 0 && topK.length < rows) {
      topK = new TopK[stride];
      Arrays.setAll(topK, i -> new TopK(k));
    }
    for (int row = 0; k > 0 && row < rows; row++) {
      topK[row].clear();
    }
  }

  /** Computes the logits of the targets, with which {@link #pick} compares all others. */
  private void beginRanks(int rows, int[] targets) {
    for (int row = 0; row < rows; row++) {
      rank[row] = 1;
      if (targets[row] >= 0) {
        targetLogits[row] = model.logit(hidden, quantized, row, stride, targets[row]);
      }
    }
  }

  private void blankPadding(int rows, int lastPanel) {
    int used = (vocabSize - 1) % Panels.WIDTH + 1;
    for (int row = 0; row < rows; row++) {
      int at = (lastPanel * stride + row) * Panels.WIDTH;
      Arrays.fill(block, at + used, at + Panels.WIDTH, LogSoftmax.PADDING);
    }
  }

  private void pick(
      int row, int first, int end, int[] targets, boolean ranks, int k, float[] logits) {
    int firstId = first * Panels.WIDTH;
    int endId = Math.min(end * Panels.WIDTH, vocabSize);
    if (targets != null && targets[row] >= firstId && targets[row] < endId) {
      targetLogits[row] = block[Panels.index(row, targets[row] - firstId, stride)];
    }
    boolean ranked = ranks && targets[row] >= 0;
    for (int id = firstId; (k > 0 || ranked || logits != null) && id < endId; id += Panels.WIDTH) {
      int at = Panels.index(row, id - firstId, stride);
      int count = Math.min(Panels.WIDTH, endId - id);
      if (ranked) {
        rank[row] += before(at, count, id, targets[row], targetLogits[row]);
      }
      if (k > 0) {
        topK[row].offer(block, at, count, id);
      }
      if (logits != null) {
        System.arraycopy(block, at, logits, id, count);
      }
    }
  }

  /**
   * Returns how many of the ids [id, id + count) of a row, whose logits begin at {@code at}, rank
   * before the target.
   */
  private int before(int at, int count, int id, int target, float logit) {
    int before = 0;
    for (int i = 0; i < count; i++) {
      float other = block[at + i];
      if (other > logit || (other == logit && id + i < target)) {
        before++;
      }
    }
    return before;
  }

  /** After {@link #run} with targets: the log-probability of the row's target, in nats. */
  float logprob(int row) {
    return softmax.logProbability(row, targetLogits[row]);
  }

  /** After {@link #run} with targets, with moments: the mean of ln p of the row, in nats. */
  float mean(int row) {
    return softmax.mean(row);
  }

  /** After {@link #run} with targets, with moments: the variance of ln p of the row, in nats². */
  float variance(int row) {
    return softmax.variance(row);
  }

  /** After {@link #run} with targets: converts the row's logits in place to log-probabilities. */
  void toLogprobs(int row, float[] logits) {
    for (int id = 0; id < logits.length; id++) {
      logits[id] = softmax.logProbability(row, logits[id]);
    }
  }

  /** After {@link #run} with ranks: the rank of the row's target among all ids, from 1. */
  int rank(int row) {
    return rank[row];
  }

  /** After {@link #run} with targets: the most probable id. */
  int argMax(int row) {
    return softmax.argMax(row);
  }

  /** After {@link #run} with k > 0: the k most probable ids, best first. Call it once per row. */
  void topK(int row, int[] ids, float[] logprobs) {
    topK[row].drain(ids, logprobs);
    for (int i = 0; i < logprobs.length; i++) {
      logprobs[i] = softmax.logProbability(row, logprobs[i]);
    }
  }
}
