package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;

import java.util.Arrays;

/** The kernels in plain loops: the reference that the vector kernels must equal bit for bit. */
final class ScalarKernels implements Kernels {
  private final String reason;

  /**
   * Creates the kernels.
   *
   * @param reason why these kernels were chosen, for the log
   */
  ScalarKernels(String reason) {
    this.reason = reason;
  }

  @Override
  public String describe() {
    return "scalar kernels; " + reason;
  }

  @Override
  public void product(
      float[] a,
      int rows,
      int stride,
      PackedMatrix w,
      float[] bias,
      int first,
      int end,
      float[] c) {
    w.checkFloats();
    int k = w.k();
    float[] sum = new float[WIDTH];
    float[] weights = new float[k * WIDTH];
    for (int panel = first; panel < end; panel++) {
      for (int i = 0; i < k * WIDTH; i++) {
        weights[i] = w.weight(panel, i / WIDTH, i % WIDTH);
      }
      for (int row = 0; row < rows; row++) {
        if (bias == null) {
          Arrays.fill(sum, 0f);
        } else {
          System.arraycopy(bias, panel * WIDTH, sum, 0, WIDTH);
        }
        for (int i = 0; i < k; i++) {
          float value = a[Panels.index(row, i, stride)];
          for (int lane = 0; lane < WIDTH; lane++) {
            sum[lane] = Math.fma(value, weights[i * WIDTH + lane], sum[lane]);
          }
        }
        System.arraycopy(sum, 0, c, ((panel - first) * stride + row) * WIDTH, WIDTH);
      }
    }
  }

  @Override
  public void quantize(
      float[] a, int k, int rows, int stride, WeightFormat format, QuantizedRows to) {
    int digits = format.digits();
    to.resize(k, rows, stride, digits);
    for (int row = 0; row < rows; row++) {
      float largest = 0f;
      for (int i = 0; i < k; i++) {
        largest = Math.max(largest, Math.abs(a[Panels.index(row, i, stride)]));
      }
      float scale = Quantization.scale(largest, digits);
      to.scales[row] = scale;
      for (int i = 0; i < k; i++) {
        int at = Panels.index(row, i, stride);
        int q = Quantization.quantized(a[at], scale);
        to.high[at] = digits == 1 ? q : Quantization.high(q);
        if (digits == 2) {
          to.low[at] = Quantization.low(q);
        }
      }
    }
  }

  @Override
  public void product(
      QuantizedRows a, PackedMatrix w, float[] bias, int first, int end, float[] c) {
    a.check(w);
    int[][] high = new int[a.rows][WIDTH];
    int[][] rest = new int[a.rows][WIDTH];
    for (int panel = first; panel < end; panel++) {
      clear(high);
      addProducts(a.high, a.stride, w, panel, high);
      if (a.digits == 2) {
        clear(rest);
        addProducts(a.low, a.stride, w, panel, rest);
        addProducts(a.high, a.stride, w.low(), panel, rest);
      }
      for (int row = 0; row < a.rows; row++) {
        int at = ((panel - first) * a.stride + row) * WIDTH;
        for (int lane = 0; lane < WIDTH; lane++) {
          int n = panel * WIDTH + lane;
          float result =
              Quantization.result(
                  high[row][lane], rest[row][lane], a.digits, a.scales[row], w.units()[n]);
          c[at + lane] = bias == null ? result : result + bias[n];
        }
      }
    }
  }

  private static void clear(int[][] sums) {
    for (int[] row : sums) {
      Arrays.fill(row, 0);
    }
  }

  /** Adds the products of digits of all rows with one panel of digits. */
  private static void addProducts(float[] a, int stride, PackedMatrix w, int panel, int[][] sums) {
    int k = w.k();
    int[] weights = new int[k * WIDTH];
    for (int i = 0; i < k * WIDTH; i++) {
      weights[i] = (int) w.weight(panel, i / WIDTH, i % WIDTH);
    }
    for (int row = 0; row < sums.length; row++) {
      int[] sum = sums[row];
      for (int i = 0; i < k; i++) {
        int digit = (int) a[Panels.index(row, i, stride)];
        for (int lane = 0; lane < WIDTH; lane++) {
          sum[lane] += digit * weights[i * WIDTH + lane];
        }
      }
    }
  }

  @Override
  public void rmsNorm(
      float[] x,
      int xOffset,
      int columns,
      int rows,
      int stride,
      float[] weight,
      float eps,
      float[] to,
      float[] sums) {
    int panels = Panels.count(columns);
    float[] squares = new float[WIDTH];
    for (int row = 0; row < rows; row++) {
      Arrays.fill(squares, 0f);
      for (int panel = 0; panel < panels; panel++) {
        int at = xOffset + (panel * stride + row) * WIDTH;
        for (int lane = 0; lane < WIDTH; lane++) {
          squares[lane] = Math.fma(x[at + lane], x[at + lane], squares[lane]);
        }
      }
      float scale = inverseRoot(squares, 0, columns, eps);
      for (int panel = 0; panel < panels; panel++) {
        int at = xOffset + (panel * stride + row) * WIDTH;
        for (int lane = 0; lane < WIDTH; lane++) {
          float scaled = x[at + lane] * scale;
          to[at + lane] = weight == null ? scaled : scaled * weight[panel * WIDTH + lane];
        }
      }
    }
  }

  /**
   * Returns 1 / sqrt(mean + eps), where mean is the mean of {@code columns} squares. Adds the
   * sixteen partial sums of the squares, {@code sums[at..at+16)}, by halves and in place.
   */
  static float inverseRoot(float[] sums, int at, int columns, float eps) {
    for (int half = WIDTH / 2; half > 0; half /= 2) {
      for (int lane = 0; lane < half; lane++) {
        sums[at + lane] += sums[at + lane + half];
      }
    }
    return (float) (1 / Math.sqrt((double) sums[at] / columns + eps));
  }

  @Override
  public void add(float[] x, float[] y, int panels, int rows, int stride) {
    for (int panel = 0; panel < panels; panel++) {
      int at = panel * stride * WIDTH;
      for (int i = at; i < at + rows * WIDTH; i++) {
        x[i] += y[i];
      }
    }
  }

  @Override
  public void convolution(
      float[] x,
      int panels,
      int stride,
      int row,
      int length,
      float[] weight,
      float[] bias,
      int dConv,
      float[] context,
      float[] window) {
    int kept = (dConv - 1) * WIDTH;
    for (int panel = 0; panel < panels; panel++) {
      int at = (panel * stride + row) * WIDTH;
      System.arraycopy(context, panel * kept, window, 0, kept);
      System.arraycopy(x, at, window, kept, length * WIDTH);
      System.arraycopy(window, length * WIDTH, context, panel * kept, kept);
      for (int i = 0; i < length * WIDTH; i++) {
        float sum = bias[panel * WIDTH + i % WIDTH];
        for (int j = 0; j < dConv; j++) {
          float w = weight[(panel * dConv + j) * WIDTH + i % WIDTH];
          sum = Math.fma(w, window[i + j * WIDTH], sum);
        }
        x[at + i] = ScalarMath.silu(sum);
      }
    }
  }

  @Override
  public void selectiveScan(
      float[] xz,
      float[] dt,
      float[] bc,
      int bOffset,
      int cOffset,
      int panels,
      int stride,
      int row,
      int length,
      float[] a,
      int dState,
      float[] d,
      float[] dtBias,
      float[] state,
      float[] y) {
    for (int channel = 0; channel < panels * WIDTH; channel++) {
      int panel = channel / WIDTH;
      int lane = channel % WIDTH;
      for (int t = row; t < row + length; t++) {
        int at = (panel * stride + t) * WIDTH + lane;
        float x = xz[at];
        float step = ScalarMath.softplus(dt[at] + dtBias[channel]);
        float input = x * step;
        float out = d[channel] * x;
        for (int n = 0; n < dState; n++) {
          int stateAt = (panel * dState + n) * WIDTH + lane;
          int bcAt = Panels.index(t, n, stride);
          float decay = ScalarMath.decay(step * a[stateAt]);
          state[stateAt] = Math.fma(decay, state[stateAt], input * bc[bOffset + bcAt]);
          out = Math.fma(state[stateAt], bc[cOffset + bcAt], out);
        }
        dt[at] = step;
        xz[at] = input;
        y[at] = out * ScalarMath.silu(xz[panels * stride * WIDTH + at]);
      }
    }
  }

  @Override
  public void headScan(
      float[] x,
      float[] dt,
      float[] bc,
      int bOffset,
      int cOffset,
      Heads heads,
      int stride,
      int row,
      int length,
      float[] a,
      float[] d,
      float[] dtBias,
      float low,
      float high,
      float[] state,
      float[] y,
      float[] steps) {
    for (int head = 0; head < heads.heads(); head++) {
      for (int t = row; t < row + length; t++) {
        int at = Panels.index(t, head, stride);
        float step = ScalarMath.softplus(dt[at] + dtBias[head]);
        dt[at] = Math.min(Math.max(step, low), high);
        steps[at] = ScalarMath.headDecay(dt[at] * a[head]);
      }
    }
    int dState = heads.dState();
    for (int channel = 0; channel < heads.panels() * WIDTH; channel++) {
      int panel = channel / WIDTH;
      int lane = channel % WIDTH;
      int head = heads.head(panel, lane);
      int firstColumn = panel / heads.panelsPerGroup() * heads.statePanels() * WIDTH;
      for (int t = row; t < row + length; t++) {
        int at = (panel * stride + t) * WIDTH + lane;
        float step = head < 0 ? 0f : dt[Panels.index(t, head, stride)];
        float decay = head < 0 ? 0f : steps[Panels.index(t, head, stride)];
        float input = x[at] * step;
        float out = d[channel] * x[at];
        for (int n = 0; n < dState; n++) {
          int stateAt = (panel * dState + n) * WIDTH + lane;
          int bcAt = Panels.index(t, firstColumn + n, stride);
          state[stateAt] = Math.fma(input, bc[bOffset + bcAt], decay * state[stateAt]);
          out = Math.fma(state[stateAt], bc[cOffset + bcAt], out);
        }
        x[at] = input;
        y[at] = out;
      }
    }
  }

  @Override
  public void gatedNorm(
      float[] y,
      float[] z,
      int zOffset,
      int groups,
      int channelsPerGroup,
      int rows,
      int stride,
      float[] weight,
      boolean normBeforeGate,
      float eps,
      float[] sums) {
    int panels = Panels.count(channelsPerGroup);
    boolean gateFirst = weight == null || !normBeforeGate;
    float[] squares = new float[WIDTH];
    for (int group = 0; group < groups; group++) {
      int first = group * panels;
      for (int row = 0; row < rows; row++) {
        Arrays.fill(squares, 0f);
        for (int panel = first; panel < first + panels; panel++) {
          int at = (panel * stride + row) * WIDTH;
          for (int lane = 0; lane < WIDTH; lane++) {
            if (gateFirst) {
              y[at + lane] *= ScalarMath.silu(z[zOffset + at + lane]);
            }
            squares[lane] = Math.fma(y[at + lane], y[at + lane], squares[lane]);
          }
        }
        if (weight == null) {
          continue;
        }
        float scale = inverseRoot(squares, 0, channelsPerGroup, eps);
        for (int panel = first; panel < first + panels; panel++) {
          int at = (panel * stride + row) * WIDTH;
          for (int lane = 0; lane < WIDTH; lane++) {
            y[at + lane] = y[at + lane] * scale * weight[panel * WIDTH + lane];
            if (!gateFirst) {
              y[at + lane] *= ScalarMath.silu(z[zOffset + at + lane]);
            }
          }
        }
      }
    }
  }

  @Override
  public void foldLogits(
      float[] logits,
      int panels,
      int firstPanel,
      int rows,
      int stride,
      float[] max,
      float[] sum,
      float[] argMax,
      boolean moments) {
    for (int i = 0; i < rows * WIDTH; i++) {
      float before = max[i];
      float most = before;
      for (int panel = 0; panel < panels; panel++) {
        float logit = logits[panel * stride * WIDTH + i];
        if (logit > most) {
          most = logit;
          argMax[i] = firstPanel + panel;
        }
      }
      int at = moments ? 3 * i - 2 * (i % WIDTH) : i;
      if (moments) {
        shiftMoments(sum, at, (before - most) * ScalarMath.LOG2_E);
      }
      float total = sum[at] * ScalarMath.exp2((before - most) * ScalarMath.LOG2_E);
      for (int panel = 0; panel < panels; panel++) {
        float below = logits[panel * stride * WIDTH + i] - most;
        total += ScalarMath.exp2(below * ScalarMath.LOG2_E);
        if (moments) {
          addMoments(sum, at, below * ScalarMath.LOG2_E);
        }
      }
      max[i] = most;
      sum[at] = total;
    }
  }

  /** Converts the two sums of moments of a lane to a maximum that is greater by -t. */
  private static void shiftMoments(float[] sum, int at, float t) {
    float shift = ScalarMath.inExp2Range(t);
    float factor = ScalarMath.exp2(t) - ScalarMath.EXP2_FLOOR;
    float first = sum[at + WIDTH];
    float shifted = Math.fma(shift, sum[at], first);
    sum[at + WIDTH] = factor * shifted;
    sum[at + 2 * WIDTH] = factor * Math.fma(shift, first + shifted, sum[at + 2 * WIDTH]);
  }

  private static void addMoments(float[] sum, int at, float t) {
    float bounded = ScalarMath.inExp2Range(t);
    float first = (ScalarMath.exp2(t) - ScalarMath.EXP2_FLOOR) * bounded;
    sum[at + WIDTH] += first;
    sum[at + 2 * WIDTH] = Math.fma(first, bounded, sum[at + 2 * WIDTH]);
  }
}
