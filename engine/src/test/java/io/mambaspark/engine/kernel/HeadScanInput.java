package io.mambaspark.engine.kernel;

import java.util.Arrays;

/** Random arguments for Mamba-2's scan. B and C follow x in one array, as in a model. */
final class HeadScanInput {
  final Heads heads;
  final int stride;
  final float low;
  final float high;
  final float[] xbc;
  final int bOffset;
  final int cOffset;
  final float[] dt;
  final float[] a;
  final float[] d;
  final float[] dtBias;
  final float[] state;

  HeadScanInput(long seed, Heads heads, int rows, int stride) {
    this(seed, heads, rows, stride, 0f, Float.POSITIVE_INFINITY);
  }

  HeadScanInput(long seed, Heads heads, int rows, int stride, float low, float high) {
    Floats random = new Floats(seed);
    this.heads = heads;
    this.stride = stride;
    this.low = low;
    this.high = high;
    float[] x = sections(random, heads.groups(), heads.channelsPerGroup(), rows, stride);
    float[] b = sections(random, heads.groups(), heads.dState(), rows, stride);
    float[] c = sections(random, heads.groups(), heads.dState(), rows, stride);
    this.bOffset = x.length;
    this.cOffset = bOffset + b.length;
    this.xbc = Arrays.copyOf(x, cOffset + c.length);
    System.arraycopy(b, 0, xbc, bOffset, b.length);
    System.arraycopy(c, 0, xbc, cOffset, c.length);
    this.dt = random.panels(heads.heads(), rows, stride, -6, 3);
    this.a = random.vector(heads.heads(), -3, -0.01f);
    this.dtBias = random.vector(heads.heads(), -1, 1);
    this.d = new float[heads.panels() * 16];
    this.state = new float[heads.stateFloats()];
    for (int panel = 0; panel < heads.panels(); panel++) {
      for (int lane = 0; lane < 16; lane++) {
        if (heads.head(panel, lane) >= 0) {
          d[panel * 16 + lane] = random.between(-1, 1);
          for (int n = 0; n < heads.dState(); n++) {
            state[(panel * heads.dState() + n) * 16 + lane] = random.between(-1, 1);
          }
        }
      }
    }
  }

  /** Returns random columns in sections that begin in a new panel each. */
  static float[] sections(Floats random, int sections, int columns, int rows, int stride) {
    int floats = Panels.count(columns) * stride * 16;
    float[] all = new float[sections * floats];
    for (int section = 0; section < sections; section++) {
      float[] values = random.panels(columns, rows, stride, -2, 2);
      System.arraycopy(values, 0, all, section * floats, floats);
    }
    return all;
  }

  /** The arrays that one run overwrites. */
  final class Run {
    final float[] xbc = HeadScanInput.this.xbc.clone();
    final float[] dt = HeadScanInput.this.dt.clone();
    final float[] state = HeadScanInput.this.state.clone();
    final float[] y = new float[heads.panels() * stride * 16];
    private final float[] steps = new float[heads.scratchFloats(stride)];

    Run() {
      Arrays.fill(steps, Float.NaN);
      Arrays.fill(y, Float.NaN);
    }

    /** Runs the scan over the rows [0, rows), in pieces of {@code length} rows. */
    Run pieces(Kernels kernels, int rows, int length) {
      for (int row = 0; row < rows; row += length) {
        kernels.headScan(
            xbc,
            dt,
            xbc,
            bOffset,
            cOffset,
            heads,
            stride,
            row,
            Math.min(length, rows - row),
            a,
            d,
            dtBias,
            low,
            high,
            state,
            y,
            steps);
      }
      return this;
    }

    void assertSame(String what, Run expected, int rows) {
      Floats.assertSameBits(what + ", state", state, expected.state);
      compare(what + ", y", y, expected.y, rows);
      compare(what + ", x, B and C", xbc, expected.xbc, rows);
      compareHeads(what + ", dt", dt, expected.dt, rows);
    }

    private void compare(String what, float[] found, float[] expected, int rows) {
      Floats.assertSameBits(
          what, Floats.rows(found, rows, stride), Floats.rows(expected, rows, stride));
    }

    /** Compares only the heads: what is left in the padding is not defined. */
    private void compareHeads(String what, float[] found, float[] expected, int rows) {
      float[] heads = new float[rows * HeadScanInput.this.heads.heads()];
      float[] expectedHeads = heads.clone();
      for (int i = 0; i < heads.length; i++) {
        int at = Panels.index(i % rows, i / rows, stride);
        heads[i] = found[at];
        expectedHeads[i] = expected[at];
      }
      Floats.assertSameBits(what, heads, expectedHeads);
    }
  }
}
