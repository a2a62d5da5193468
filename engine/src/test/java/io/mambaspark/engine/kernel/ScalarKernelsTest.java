package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares the reference with hand-computed values and with plain formulas in double. */
class ScalarKernelsTest {
  private static final Offset<Float> CLOSE = within(1e-6f);

  private final Kernels kernels = new ScalarKernels("for a test");

  @Test
  void aSmallProductIsCorrect() {
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 2, 3);
    w.rows(0, 0, 3, new float[] {1, 2, 3, 4, 5, 6});
    float[] a = new float[24 * 16];
    a[0] = 10;
    a[1] = 1;
    a[16] = -1;
    a[17] = 0.5f;
    float[] c = new float[24 * 16];

    kernels.product(a, 2, 24, w, null, 0, 1, c);

    assertThat(Arrays.copyOf(c, 4)).containsExactly(12, 34, 56, 0);
    assertThat(Arrays.copyOfRange(c, 16, 20)).containsExactly(0, -1, -2, 0);

    kernels.product(a, 2, 24, w, Arrays.copyOf(new float[] {0.5f, -1, 2}, 16), 0, 1, c);

    assertThat(Arrays.copyOf(c, 4)).containsExactly(12.5f, 33, 58, 0);
    assertThat(Arrays.copyOfRange(c, 16, 20)).containsExactly(0.5f, -2, 0, 0);
  }

  @Test
  void aProductIsOneChainOfFusedMultiplyAddsInTheOrderOfK() {
    // 1 + 2^-24 rounds to 1 each time, so the result depends on the order of the terms.
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, 3, 2);
    w.rows(0, 0, 2, new float[] {1, 0x1p-24f, 0x1p-24f, 0x1p-24f, 0x1p-24f, 1});
    float[] a = new float[24 * 16];
    Arrays.fill(a, 0, 3, 1f);
    float[] c = new float[24 * 16];

    kernels.product(a, 1, 24, w, null, 0, 1, c);

    assertThat(c[0]).isEqualTo(1f);
    assertThat(c[1]).isEqualTo(1f + 0x1p-23f);

    // Rounded once, not twice: (1 + 2^-23)² - 1 - 2^-22 = 2^-46.
    PackedMatrix one = new PackedMatrix(WeightFormat.F32, 1, 1);
    one.rows(0, 0, 1, new float[] {1 + 0x1p-23f});
    float[] bias = new float[16];
    bias[0] = -1 - 0x1p-22f;
    a[0] = 1 + 0x1p-23f;
    a[1] = 0;
    a[2] = 0;
    kernels.product(a, 1, 24, one, bias, 0, 1, c);

    assertThat(c[0]).isEqualTo(0x1p-46f);
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 1", "3, 17, 20", "25, 33, 100", "2, 100, 513"})
  void productsAgreeWithDoublePrecision(int m, int n, int k) {
    int seed = 3;
    Floats random = new Floats(seed);
    int stride = Panels.stride(m);
    float[] a = random.panels(k, m, stride, -1, 1);
    float[] values = random.matrix(n, k);
    float[] bias = random.vector(n, -1, 1);
    PackedMatrix w = new PackedMatrix(WeightFormat.F32, k, n);
    w.rows(0, 0, n, values);
    float[] c = new float[w.panels() * stride * 16];

    kernels.product(a, m, stride, w, bias, 0, w.panels(), c);

    for (int row = 0; row < m; row++) {
      for (int column = 0; column < n; column++) {
        double sum = bias[column];
        for (int i = 0; i < k; i++) {
          sum += (double) a[Panels.index(row, i, stride)] * values[column * k + i];
        }
        assertThat((double) c[Panels.index(row, column, stride)])
            .as("seed %d, row %d, column %d", seed, row, column)
            .isCloseTo(sum, within(1e-6 * Math.sqrt(k)));
      }
    }
  }

  @Test
  void aSmallNormIsCorrect() {
    float[] x = new float[24 * 16];
    x[0] = 3;
    x[1] = 4;
    x[16] = 0;
    x[17] = -2;
    float[] to = new float[x.length];

    kernels.rmsNorm(x, 0, 2, 2, 24, null, 0f, to, new float[x.length]);

    assertThat(Arrays.copyOf(to, 3))
        .containsExactly(new float[] {0.84852814f, 1.1313709f, 0}, CLOSE);
    assertThat(Arrays.copyOfRange(to, 16, 19))
        .containsExactly(new float[] {0, -1.4142135f, 0}, CLOSE);

    float[] weight = Arrays.copyOf(new float[] {2, -0.5f}, 16);
    kernels.rmsNorm(x, 0, 2, 1, 24, weight, 12.5f, x, new float[x.length]);

    assertThat(Arrays.copyOf(x, 3)).containsExactly(new float[] {1.2f, -0.4f, 0}, CLOSE);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 15, 17, 60, 768})
  void normsAtAnOffsetAgreeWithDoublePrecision(int columns) {
    int seed = 4;
    Floats random = new Floats(seed);
    int rows = 5;
    int stride = 24;
    int offset = 2 * stride * 16;
    float[] panels = random.panels(columns, rows, stride, -3, 3);
    float[] x = new float[offset + panels.length];
    System.arraycopy(panels, 0, x, offset, panels.length);
    float[] weight = random.vector(columns, 0.5f, 1.5f);
    float[] to = new float[x.length];

    kernels.rmsNorm(x, offset, columns, rows, stride, weight, 1e-5f, to, new float[stride * 16]);

    assertThat(Arrays.copyOf(to, offset)).containsOnly(0f);
    for (int row = 0; row < rows; row++) {
      double squares = 0;
      for (int i = 0; i < columns; i++) {
        double value = panels[Panels.index(row, i, stride)];
        squares += value * value;
      }
      for (int i = 0; i < columns; i++) {
        int at = Panels.index(row, i, stride);
        double expected = panels[at] / Math.sqrt(squares / columns + 1e-5) * weight[i];
        assertThat((double) to[offset + at])
            .as("seed %d, row %d, column %d", seed, row, i)
            .isCloseTo(expected, within(1e-6 * Math.max(1, Math.abs(expected))));
      }
    }
  }

  @Test
  void additionDoesNotChangeOtherRows() {
    float[] x = new float[2 * 24 * 16];
    float[] y = new float[x.length];
    Arrays.fill(x, 1f);
    Arrays.fill(y, 2f);

    kernels.add(x, y, 2, 3, 24);

    assertThat(Floats.rows(x, 3, 24)).containsOnly(3f);
    assertThat(Floats.rows(x, 3, 21, 24)).containsOnly(1f);
  }

  @Test
  void aSmallConvolutionIsCorrect() {
    float[] x = new float[24 * 16];
    x[16] = 1;
    x[2 * 16] = 2;
    x[3 * 16] = 3;
    float[] weight = new float[2 * 16];
    weight[0] = -1;
    weight[16] = 0.5f;
    float[] bias = new float[16];
    bias[0] = 0.5f;
    float[] context = new float[16];
    context[0] = 2;

    kernels.convolution(x, 1, 24, 1, 3, weight, bias, 2, context, new float[4 * 16]);

    // silu of -2 + 0.5 + 0.5, -1 + 1 + 0.5, -2 + 1.5 + 0.5.
    assertThat(new float[] {x[16], x[32], x[48]})
        .containsExactly(new float[] {-0.26894143f, 0.31122967f, 0f}, CLOSE);
    assertThat(context[0]).isEqualTo(3f);
    assertThat(x[0]).isZero();
    assertThat(x[64]).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  void convolutionsAgreeWithDoublePrecision(int dConv) {
    int seed = 5;
    Floats random = new Floats(seed);
    int channels = 20;
    int length = 9;
    int stride = 24;
    float[] x = random.panels(channels, length, stride, -2, 2);
    float[] weight = random.array(2 * dConv * 16, -1, 1);
    float[] bias = random.vector(channels, -1, 1);
    float[] context = random.array(2 * (dConv - 1) * 16, -2, 2);
    float[] y = x.clone();
    float[] kept = context.clone();

    kernels.convolution(
        y, 2, stride, 0, length, weight, bias, dConv, kept, new float[(dConv - 1 + length) * 16]);

    for (int channel = 0; channel < channels; channel++) {
      int panel = channel / 16;
      int lane = channel % 16;
      // All inputs in order: those before the piece, then its own.
      double[] inputs = new double[dConv - 1 + length];
      for (int t = 0; t < inputs.length; t++) {
        inputs[t] =
            t < dConv - 1
                ? context[(panel * (dConv - 1) + t) * 16 + lane]
                : x[Panels.index(t - dConv + 1, channel, stride)];
      }
      for (int t = 0; t < length; t++) {
        double sum = bias[channel];
        for (int j = 0; j < dConv; j++) {
          sum += weight[(panel * dConv + j) * 16 + lane] * inputs[t + j];
        }
        assertThat((double) y[Panels.index(t, channel, stride)])
            .as("seed %d, row %d, channel %d", seed, t, channel)
            .isCloseTo(sum / (1 + Math.exp(-sum)), within(3e-6));
      }
      for (int j = 0; j < dConv - 1; j++) {
        assertThat((double) kept[(panel * (dConv - 1) + j) * 16 + lane])
            .isEqualTo(inputs[length + j]);
      }
    }
  }

  @Test
  void aSmallScanIsCorrect() {
    float[] xz = new float[2 * 24 * 16];
    xz[0] = 3;
    xz[24 * 16] = 1;
    float[] dt = new float[24 * 16];
    dt[0] = -0.25f;
    float[] dtBias = new float[16];
    dtBias[0] = 0.25f;
    float[] bc = new float[2 * 24 * 16];
    bc[0] = 2;
    bc[24 * 16] = 1;
    float[] a = new float[4 * 16];
    a[0] = -ScalarMath.LOG2_E;
    float[] d = new float[16];
    d[0] = 1;
    float[] state = new float[4 * 16];
    state[0] = 4;
    float[] y = new float[24 * 16];

    kernels.selectiveScan(xz, dt, bc, 0, 24 * 16, 1, 24, 0, 1, a, 1, d, dtBias, state, y);

    // dt = ln 2, so exp(dt·A) = 1/2: s = 4/2 + ln 2 · 2 · 3, y = (s + 3) · silu(1).
    assertThat(dt[0]).isCloseTo(0.6931472f, CLOSE);
    assertThat(state[0]).isCloseTo(6.158883f, CLOSE);
    assertThat(y[0]).isCloseTo(9.158883f * 0.7310586f, within(2e-6f));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 4, 5, 16, 17})
  void scansAgreeWithDoublePrecision(int dState) {
    int seed = 6;
    ScanInput in = new ScanInput(seed, 20, dState, 30, 48);
    float[] state = in.state.clone();
    float[] dt = in.dt.clone();
    float[] y = new float[2 * 48 * 16];

    in.run(kernels, 0, 30, in.xz.clone(), dt, state, y);

    for (int channel = 0; channel < 20; channel++) {
      double[] s = new double[dState];
      for (int n = 0; n < dState; n++) {
        s[n] = in.state[in.stateIndex(channel, n)];
      }
      for (int t = 0; t < 30; t++) {
        int at = Panels.index(t, channel, 48);
        double x = in.xz[at];
        double z = in.xz[2 * 48 * 16 + at];
        double step = Math.log1p(Math.exp((double) in.dt[at] + in.dtBias[channel]));
        double out = in.d[channel] * x;
        for (int n = 0; n < dState; n++) {
          double decay = Math.pow(2, step * in.a[in.stateIndex(channel, n)]);
          int bc = Panels.index(t, n, 48);
          s[n] = decay * s[n] + step * in.bc[in.bOffset + bc] * x;
          out += in.bc[in.cOffset + bc] * s[n];
        }
        String where = "seed %d, row %d, channel %d".formatted(seed, t, channel);
        assertThat((double) dt[at]).as(where).isCloseTo(step, within(2e-6 * Math.max(1, step)));
        double expected = out * z / (1 + Math.exp(-z));
        assertThat((double) y[at]).as(where).isCloseTo(expected, within(2e-5 * dState));
      }
      for (int n = 0; n < dState; n++) {
        assertThat((double) state[in.stateIndex(channel, n)]).isCloseTo(s[n], within(2e-5));
      }
    }
  }

  @Test
  void aSmallHeadScanIsCorrect() {
    // Two heads of one channel each, in one group, and two states.
    Heads heads = new Heads(2, 1, 1, 2);
    float[] xbc = new float[3 * 24 * 16];
    xbc[0] = 3;
    xbc[1] = -1;
    int b = 24 * 16;
    xbc[b] = 2;
    xbc[b + 1] = 1;
    int c = 2 * 24 * 16;
    xbc[c] = 1;
    xbc[c + 1] = 10;
    float[] dt = new float[24 * 16];
    dt[0] = -0.25f;
    dt[1] = 7;
    float[] dtBias = new float[16];
    dtBias[0] = 0.25f;
    float[] a = new float[16];
    a[0] = -ScalarMath.LOG2_E;
    a[1] = -1;
    float[] d = new float[16];
    d[0] = 1;
    d[1] = 2;
    float[] state = new float[2 * 16];
    state[0] = 4;
    state[17] = 8;
    float[] y = new float[24 * 16];
    float[] steps = new float[heads.scratchFloats(24)];

    kernels.headScan(xbc, dt, xbc, b, c, heads, 24, 0, 1, a, d, dtBias, 0f, 2f, state, y, steps);

    // The first head's dt is ln 2, so exp(dt·A) = 1/2. The second head's dt is 7, clamped to 2, so
    // 2^(dt·A·log2(e)) = 1/4.
    assertThat(Arrays.copyOf(dt, 2)).containsExactly(new float[] {0.6931472f, 2}, CLOSE);
    assertThat(Arrays.copyOf(xbc, 2)).containsExactly(new float[] {2.0794415f, -2}, CLOSE);
    assertThat(state[0]).isCloseTo(6.158883f, CLOSE);
    assertThat(state[16]).isCloseTo(2.0794415f, CLOSE);
    assertThat(state[1]).isCloseTo(-4, CLOSE);
    assertThat(state[17]).isCloseTo(0, CLOSE);
    assertThat(Arrays.copyOf(y, 3))
        .containsExactly(new float[] {3 + 6.158883f + 20.794415f, -2 - 4, 0}, within(4e-6f));
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, 1, 0, Infinity",
    "3, 5, 1, 7, 0, Infinity",
    "4, 10, 2, 17, 0.1, 2",
    "6, 16, 3, 16, 0, Infinity",
    "20, 3, 4, 5, 0.5, 0.5"
  })
  void headScansAgreeWithDoublePrecision(
      int h, int headDim, int groups, int dState, float low, float high) {
    int seed = 7;
    int rows = 30;
    int stride = 44;
    Heads heads = new Heads(h, headDim, groups, dState);
    HeadScanInput in = new HeadScanInput(seed, heads, rows, stride, low, high);

    HeadScanInput.Run run = in.new Run().pieces(kernels, rows, rows);

    int groupFloats = Panels.count(dState) * stride * 16;
    for (int channel = 0; channel < h * headDim; channel++) {
      int head = channel / headDim;
      int group = head / (h / groups);
      int inGroup = channel - group * (h / groups) * headDim;
      // The channel's column in the layout with padding.
      int column = group * Panels.count(h / groups * headDim) * 16 + inGroup;
      double[] s = new double[dState];
      for (int n = 0; n < dState; n++) {
        s[n] = in.state[(column / 16 * dState + n) * 16 + column % 16];
      }
      for (int t = 0; t < rows; t++) {
        String where = "seed %d, row %d, channel %d".formatted(seed, t, channel);
        int dtAt = Panels.index(t, head, stride);
        double step = Math.log1p(Math.exp((double) in.dt[dtAt] + in.dtBias[head]));
        step = Math.min(Math.max(step, low), high);
        assertThat((double) run.dt[dtAt]).as(where).isCloseTo(step, within(2e-6 * step));
        double decay = Math.pow(2, step * in.a[head]);
        double x = in.xbc[Panels.index(t, column, stride)];
        double out = in.d[column] * x;
        for (int n = 0; n < dState; n++) {
          int at = group * groupFloats + Panels.index(t, n, stride);
          s[n] = decay * s[n] + step * x * in.xbc[in.bOffset + at];
          out += s[n] * in.xbc[in.cOffset + at];
        }
        assertThat((double) run.y[Panels.index(t, column, stride)])
            .as(where)
            .isCloseTo(out, within(3e-5 * dState));
      }
      for (int n = 0; n < dState; n++) {
        assertThat((double) run.state[(column / 16 * dState + n) * 16 + column % 16])
            .as("seed %d, channel %d, n %d", seed, channel, n)
            .isCloseTo(s[n], within(3e-5));
      }
    }
  }

  @Test
  void headScansKeepThePaddingZeroAndOtherRowsUnchanged() {
    Heads heads = new Heads(4, 5, 2, 3);
    HeadScanInput in = new HeadScanInput(8, heads, 20, 28);

    HeadScanInput.Run run = in.new Run();
    kernels.headScan(
        run.xbc,
        run.dt,
        run.xbc,
        in.bOffset,
        in.cOffset,
        heads,
        28,
        4,
        6,
        in.a,
        in.d,
        in.dtBias,
        0f,
        1f,
        run.state,
        run.y,
        new float[heads.scratchFloats(28)]);

    for (int row = 0; row < 28; row++) {
      for (int column = 0; column < heads.panels() * 16; column++) {
        int at = Panels.index(row, column, 28);
        if (row < 4 || row >= 10) {
          assertThat(run.y[at]).isNaN();
          assertThat(Float.compare(run.xbc[at], in.xbc[at])).isZero();
        } else if (column % 16 >= 10) {
          assertThat(run.y[at]).isZero();
          assertThat(run.xbc[at]).isZero();
        }
      }
    }
    assertThat(Arrays.copyOfRange(run.xbc, in.bOffset, run.xbc.length))
        .isEqualTo(Arrays.copyOfRange(in.xbc, in.bOffset, in.xbc.length));
    for (int i = 0; i < run.state.length; i++) {
      assertThat(run.state[i] == 0).isEqualTo(i % 16 >= 10);
    }
  }

  @Test
  void aStepOfZeroKeepsTheStateAndALargeOneReplacesIt() {
    Heads heads = new Heads(1, 1, 1, 1);
    HeadScanInput in = new HeadScanInput(9, heads, 4, 12, 0f, 0f);
    HeadScanInput.Run kept = in.new Run().pieces(kernels, 4, 4);

    assertThat(kept.state[0]).isEqualTo(in.state[0]);

    // A clamp to infinity, and x of 0, would give NaN; x is not 0, so the input is infinite.
    HeadScanInput large = new HeadScanInput(9, heads, 1, 12, 1e30f, 1e30f);
    HeadScanInput.Run forgotten = large.new Run().pieces(kernels, 1, 1);

    assertThat(forgotten.state[0]).isEqualTo(large.xbc[0] * 1e30f * large.xbc[large.bOffset]);
  }

  @Test
  void aSmallGatedNormIsCorrect() {
    // Two groups of two channels.
    float[] y = new float[2 * 24 * 16];
    float[] z = new float[3 * 24 * 16];
    int second = 24 * 16;
    y[0] = 3;
    y[1] = 4;
    y[second] = 1;
    y[second + 1] = -1;
    Arrays.fill(z, 24 * 16, z.length, 1);
    float[] weight = new float[2 * 16];
    weight[0] = 1;
    weight[1] = 2;
    weight[16] = 3;
    weight[17] = 4;
    float[] sums = new float[24 * 16];
    float silu = 0.7310586f;

    float[] gated = y.clone();
    kernels.gatedNorm(gated, z, 24 * 16, 2, 2, 1, 24, null, false, 1f, sums);
    assertThat(Arrays.copyOf(gated, 3)).containsExactly(new float[] {3 * silu, 4 * silu, 0}, CLOSE);
    assertThat(Arrays.copyOfRange(gated, second, second + 2))
        .containsExactly(new float[] {silu, -silu}, CLOSE);

    // The mean squares without the gate are 12.5 and 1.
    float[] normed = y.clone();
    kernels.gatedNorm(normed, z, 24 * 16, 2, 2, 1, 24, weight, true, 0f, sums);
    assertThat(Arrays.copyOf(normed, 3))
        .containsExactly(new float[] {0.84852814f * silu, 2.2627417f * silu, 0}, CLOSE);
    assertThat(Arrays.copyOfRange(normed, second, second + 2))
        .containsExactly(new float[] {3 * silu, -4 * silu}, CLOSE);

    float[] both = y.clone();
    kernels.gatedNorm(both, z, 24 * 16, 2, 2, 1, 24, weight, false, 0f, sums);
    assertThat(Arrays.copyOf(both, 3))
        .containsExactly(new float[] {0.84852814f, 2.2627417f, 0}, CLOSE);
    assertThat(Arrays.copyOfRange(both, second, second + 2))
        .containsExactly(new float[] {3, -4}, CLOSE);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, false",
    "1, 1, true",
    "2, 17, false",
    "3, 16, true",
    "1, 60, true",
    "4, 40, false"
  })
  void gatedNormsAgreeWithDoublePrecision(int groups, int channels, boolean normBeforeGate) {
    int seed = 10;
    Floats random = new Floats(seed);
    int rows = 5;
    int stride = 12;
    float[] y = HeadScanInput.sections(random, groups, channels, rows, stride);
    float[] z = HeadScanInput.sections(random, groups, channels, rows, stride);
    int columns = Panels.count(channels) * 16;
    float[] weight = random.array(groups * columns, 0.5f, 1.5f);
    float[] found = y.clone();

    kernels.gatedNorm(
        found,
        z,
        0,
        groups,
        channels,
        rows,
        stride,
        weight,
        normBeforeGate,
        1e-5f,
        new float[stride * 16]);

    for (int group = 0; group < groups; group++) {
      for (int row = 0; row < rows; row++) {
        double[] gates = new double[channels];
        double[] values = new double[channels];
        double squares = 0;
        for (int i = 0; i < channels; i++) {
          int at = Panels.index(row, group * columns + i, stride);
          gates[i] = z[at] / (1 + Math.exp(-z[at]));
          values[i] = y[at] * (normBeforeGate ? 1 : gates[i]);
          squares += values[i] * values[i];
        }
        for (int i = 0; i < channels; i++) {
          double expected =
              values[i]
                  / Math.sqrt(squares / channels + 1e-5)
                  * weight[group * columns + i]
                  * (normBeforeGate ? gates[i] : 1);
          assertThat((double) found[Panels.index(row, group * columns + i, stride)])
              .as("seed %d, group %d, row %d, channel %d", seed, group, row, i)
              .isCloseTo(expected, within(2e-6 * Math.max(1, Math.abs(expected))));
        }
      }
    }
  }

  @Test
  void theDescriptionContainsTheReason() {
    assertThat(kernels.describe()).isEqualTo("scalar kernels; for a test");
  }
}
