package io.mambaspark.engine.model;

import java.util.Arrays;
import java.util.Map;

/**
 * Mamba-2 token by token in double precision, written from the paper (arXiv:2405.21060) and the
 * reference implementations. It shares no code with the code under test.
 *
 * @param dInner H · P
 * @param n N
 * @param k the width of the convolution
 * @param p P, the number of channels per head
 * @param g G, the number of groups
 * @param normBeforeGate null if the model lacks the norm
 * @param tensors the tensors by their names without {@code backbone.}; a bias may be absent, and
 *     without {@code lm_head.weight} the embedding is the head
 */
record Mamba2Recurrence(
    int dModel,
    int nLayer,
    int vocabSize,
    int dInner,
    int n,
    int k,
    int p,
    int g,
    double eps,
    Boolean normBeforeGate,
    double low,
    double high,
    Map<String, float[]> tensors) {

  /** Returns the logits of a sequence, (length, vocabSize). */
  double[] logits(int... tokens) {
    float[] embedding = tensors.get("embedding.weight");
    double[][] h = new double[tokens.length][dModel];
    for (int t = 0; t < tokens.length; t++) {
      for (int i = 0; i < dModel; i++) {
        h[t][i] = embedding[tokens[t] * dModel + i];
      }
    }
    for (int layer = 0; layer < nLayer; layer++) {
      layer("layers." + layer + ".", h);
    }
    double[] logits = new double[tokens.length * vocabSize];
    for (int t = 0; t < tokens.length; t++) {
      double[] last = norm(h[t], 0, dModel, tensors.get("norm_f.weight"));
      float[] head = tensors.getOrDefault("lm_head.weight", embedding);
      System.arraycopy(product(head, null, last), 0, logits, t * vocabSize, vocabSize);
    }
    return logits;
  }

  private void layer(String name, double[][] h) {
    String mixer = name + "mixer.";
    int heads = dInner / p;
    int convDim = dInner + 2 * g * n;
    double[][] convolved = new double[h.length][];
    double[][] state = new double[dInner][n];
    for (int t = 0; t < h.length; t++) {
      double[] u = norm(h[t], 0, dModel, tensors.get(name + "norm.weight"));
      double[] all =
          product(tensors.get(mixer + "in_proj.weight"), tensors.get(mixer + "in_proj.bias"), u);
      convolved[t] = Arrays.copyOfRange(all, dInner, dInner + convDim);
      double[] xbc = convolution(mixer, convolved, t);
      double[] y = new double[dInner];
      float[] d = tensors.get(mixer + "D");
      for (int c = 0; c < dInner; c++) {
        int head = c / p;
        int group = head / (heads / g);
        double raw = all[dInner + convDim + head] + tensors.get(mixer + "dt_bias")[head];
        double dt = Math.min(Math.max(Math.log1p(Math.exp(raw)), low), high);
        double decay = Math.exp(-Math.exp(tensors.get(mixer + "A_log")[head]) * dt);
        y[c] = d[d.length == heads ? head : c] * xbc[c];
        for (int i = 0; i < n; i++) {
          double b = xbc[dInner + group * n + i];
          state[c][i] = decay * state[c][i] + dt * xbc[c] * b;
          y[c] += state[c][i] * xbc[dInner + (g + group) * n + i];
        }
      }
      double[] out =
          product(
              tensors.get(mixer + "out_proj.weight"),
              tensors.get(mixer + "out_proj.bias"),
              gated(mixer, y, all));
      for (int i = 0; i < dModel; i++) {
        h[t][i] += out[i];
      }
    }
  }

  private double[] convolution(String mixer, double[][] inputs, int t) {
    float[] weight = tensors.get(mixer + "conv1d.weight");
    float[] bias = tensors.get(mixer + "conv1d.bias");
    double[] out = new double[inputs[t].length];
    for (int c = 0; c < out.length; c++) {
      double sum = bias == null ? 0 : bias[c];
      for (int back = 0; back < k && back <= t; back++) {
        sum += weight[c * k + k - 1 - back] * inputs[t - back][c];
      }
      out[c] = silu(sum);
    }
    return out;
  }

  /** {@code z} is the beginning of {@code all}. */
  private double[] gated(String mixer, double[] y, double[] all) {
    double[] v = y.clone();
    for (int c = 0; c < dInner; c++) {
      v[c] *= normBeforeGate == null || !normBeforeGate ? silu(all[c]) : 1;
    }
    if (normBeforeGate == null) {
      return v;
    }
    double[] normed = new double[dInner];
    for (int first = 0; first < dInner; first += dInner / g) {
      double[] part = norm(v, first, dInner / g, tensors.get(mixer + "norm.weight"));
      System.arraycopy(part, 0, normed, first, part.length);
    }
    for (int c = 0; c < dInner; c++) {
      normed[c] *= normBeforeGate ? silu(all[c]) : 1;
    }
    return normed;
  }

  /** Norms {@code count} elements from {@code first} on. */
  private double[] norm(double[] x, int first, int count, float[] weight) {
    double squares = 0;
    for (int i = first; i < first + count; i++) {
      squares += x[i] * x[i];
    }
    double[] normed = new double[count];
    for (int i = 0; i < count; i++) {
      normed[i] = x[first + i] / Math.sqrt(squares / count + eps) * weight[first + i];
    }
    return normed;
  }

  private static double[] product(float[] w, float[] bias, double[] x) {
    double[] y = new double[w.length / x.length];
    for (int row = 0; row < y.length; row++) {
      y[row] = bias == null ? 0 : bias[row];
      for (int i = 0; i < x.length; i++) {
        y[row] += w[row * x.length + i] * x[i];
      }
    }
    return y;
  }

  private static double silu(double x) {
    return x / (1 + Math.exp(-x));
  }
}
