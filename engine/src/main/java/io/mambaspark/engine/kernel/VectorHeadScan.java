package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;
import static io.mambaspark.engine.kernel.VectorMath.LANES;
import static io.mambaspark.engine.kernel.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;

/**
 * Mamba-2's scan on vectors of channels. It processes the rows in blocks, and each block for four n
 * after the others. The states of these n stay in registers along the block, and the block's x,
 * decays, y, B and C stay in L1 until all n are done. If a vector fills a panel (AVX-512), two
 * panels share each broadcast of B and C.
 *
 * <p>The states are few compared with the registers because C2 loads all of B and C at the
 * beginning of an iteration. With eight n, it kept some of the states in memory.
 */
final class VectorHeadScan {
  /** The number of rows in a block: small enough that C2 does not split a loop into strips. */
  private static final int ROWS = Heads.SCRATCH_ROWS / 2;

  /** The number of n in a tile. It divides a panel. */
  private static final int TILE = 4;

  private VectorHeadScan() {}

  static void scan(
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
    for (int panel = 0; panel < heads.headPanels(); panel++) {
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        int head = panel * WIDTH + lane;
        int at = (panel * stride + row) * WIDTH + lane;
        VectorPass.run(VectorPass.BIAS, dt, at, dtBias, head, steps, at, length);
        VectorPass.run(VectorPass.LOG1P, dt, at, dtBias, head, steps, at, length);
        clamp(dt, steps, at, length, low, high);
        VectorPass.run(VectorPass.HEAD_DECAY, dt, at, a, head, steps, at, length);
      }
    }
    int panels = heads.panels();
    int perGroup = heads.panelsPerGroup();
    int groupFloats = heads.statePanels() * stride * WIDTH;
    for (int panel = 0; panel < panels; ) {
      int group = panel / perGroup;
      int count = LANES == WIDTH && panel + 1 < (group + 1) * perGroup ? 2 : 1;
      int b = bOffset + group * groupFloats;
      int c = cOffset + group * groupFloats;
      for (int lane = 0; lane < WIDTH; lane += LANES) {
        for (int start = row; start < row + length; start += ROWS) {
          int rows = Math.min(ROWS, row + length - start);
          for (int p = 0; p < count; p++) {
            prepare(x, dt, heads, stride, start, rows, panel + p, lane, p, d, y, steps);
          }
          block(x, bc, b, c, heads, stride, start, rows, panel, lane, count, state, y, steps);
        }
      }
      panel += count;
    }
  }

  /** {@code dt = min(max(max(dt, 0) + y, low), high)}. */
  private static void clamp(float[] dt, float[] y, int at, int length, float low, float high) {
    for (int i = at; i < at + length * WIDTH; i += WIDTH) {
      FloatVector v = VectorMath.positive(FloatVector.fromArray(SPECIES, dt, i));
      v.add(FloatVector.fromArray(SPECIES, y, i)).max(low).min(high).intoArray(dt, i);
    }
  }

  /**
   * Prepares a vector of channels for the rows of a block: {@code y = D·x; x = dt·x}. The decays of
   * its channels are written to the scratch memory of the {@code place}, which is 0 or 1.
   */
  private static void prepare(
      float[] x,
      float[] dt,
      Heads heads,
      int stride,
      int start,
      int rows,
      int panel,
      int lane,
      int place,
      float[] d,
      float[] y,
      float[] steps) {
    int at = (panel * stride + start) * WIDTH + lane;
    int decaysAt = decaysAt(heads, stride, place);
    int head = heads.head(panel, lane);
    if (head >= 0 && head == heads.head(panel, lane + LANES - 1)) {
      int from = Panels.index(start, head, stride);
      spread(dt, from, rows, y, at);
      spread(steps, from, rows, steps, decaysAt);
    } else {
      for (int i = 0; i < LANES; i++) {
        head = heads.head(panel, lane + i);
        int from = head < 0 ? -1 : Panels.index(start, head, stride);
        copy(dt, from, rows, y, at + i);
        copy(steps, from, rows, steps, decaysAt + i);
      }
    }
    inputs(x, y, at, rows, d, panel * WIDTH + lane);
  }

  /** The index in the scratch memory of the decays of one of two vectors of channels. */
  private static int decaysAt(Heads heads, int stride, int place) {
    return (heads.headPanels() * stride + place * ROWS) * WIDTH;
  }

  /** Copies the values of one head to all lanes of a vector. */
  private static void spread(float[] from, int fromAt, int rows, float[] to, int toAt) {
    for (int i = 0; i < rows * WIDTH; i += WIDTH) {
      FloatVector.broadcast(SPECIES, from[fromAt + i]).intoArray(to, toAt + i);
    }
  }

  /** Copies the values of one head to one lane, or zeros if {@code fromAt} is negative. */
  private static void copy(float[] from, int fromAt, int rows, float[] to, int toAt) {
    for (int i = 0; i < rows * WIDTH; i += WIDTH) {
      to[toAt + i] = fromAt < 0 ? 0f : from[fromAt + i];
    }
  }

  /** {@code x = y·x; y = D·x}, where {@code y} holds dt of each channel. */
  private static void inputs(float[] x, float[] y, int at, int rows, float[] d, int channel) {
    FloatVector factor = FloatVector.fromArray(SPECIES, d, channel);
    for (int i = at; i < at + rows * WIDTH; i += WIDTH) {
      FloatVector input = FloatVector.fromArray(SPECIES, x, i);
      input.mul(FloatVector.fromArray(SPECIES, y, i)).intoArray(x, i);
      factor.mul(input).intoArray(y, i);
    }
  }

  /** Runs the scan of one block of rows for one vector of channels or two. */
  private static void block(
      float[] x,
      float[] bc,
      int bOffset,
      int cOffset,
      Heads heads,
      int stride,
      int start,
      int rows,
      int panel,
      int lane,
      int count,
      float[] state,
      float[] y,
      float[] steps) {
    int dState = heads.dState();
    int at = (panel * stride + start) * WIDTH + lane;
    int next = stride * WIDTH;
    int stateAt = panel * dState * WIDTH + lane;
    int nextState = dState * WIDTH;
    int decaysAt = decaysAt(heads, stride, 0);
    int n = 0;
    for (; n + TILE <= dState; n += TILE) {
      int bAt = bOffset + Panels.index(start, n, stride);
      int cAt = cOffset + Panels.index(start, n, stride);
      int s = stateAt + n * WIDTH;
      if (count == 2) {
        pair(x, at, next, rows, bc, bAt, cAt, state, s, nextState, y, steps, decaysAt);
      } else {
        single(x, at, rows, bc, bAt, cAt, state, s, y, steps, decaysAt);
      }
    }
    for (; n < dState; n++) {
      int bAt = bOffset + Panels.index(start, n, stride);
      int cAt = cOffset + Panels.index(start, n, stride);
      for (int p = 0; p < count; p++) {
        int s = stateAt + p * nextState + n * WIDTH;
        int decays = decaysAt + p * ROWS * WIDTH;
        one(x, at + p * next, rows, bc, bAt, cAt, state, s, y, steps, decays);
      }
    }
  }

  /**
   * Runs a block of rows for four n of two panels, whose states are s and t.
   *
   * <p>The product decay·s is rounded before the input is added, so that the sum can replace s in
   * its register. If s were a factor of the fused multiply-add, the sum would be in the register of
   * the addend, and C2 would have to copy it.
   */
  private static void pair(
      float[] x,
      int at,
      int next,
      int rows,
      float[] bc,
      int bAt,
      int cAt,
      float[] state,
      int stateAt,
      int nextState,
      float[] y,
      float[] decays,
      int decaysAt) {
    FloatVector s0 = FloatVector.fromArray(SPECIES, state, stateAt);
    FloatVector s1 = FloatVector.fromArray(SPECIES, state, stateAt + WIDTH);
    FloatVector s2 = FloatVector.fromArray(SPECIES, state, stateAt + 2 * WIDTH);
    FloatVector s3 = FloatVector.fromArray(SPECIES, state, stateAt + 3 * WIDTH);
    int stateAt1 = stateAt + nextState;
    FloatVector t0 = FloatVector.fromArray(SPECIES, state, stateAt1);
    FloatVector t1 = FloatVector.fromArray(SPECIES, state, stateAt1 + WIDTH);
    FloatVector t2 = FloatVector.fromArray(SPECIES, state, stateAt1 + 2 * WIDTH);
    FloatVector t3 = FloatVector.fromArray(SPECIES, state, stateAt1 + 3 * WIDTH);
    int at1 = at + next;
    int decaysAt1 = decaysAt + ROWS * WIDTH;
    // Equal to rows · WIDTH: the minimum only shows C2 that the loop is short.
    int end = Math.min(rows, ROWS) * WIDTH;
    for (int i = 0; i < end; i += WIDTH) {
      FloatVector x0 = FloatVector.fromArray(SPECIES, x, at + i);
      FloatVector d0 = FloatVector.fromArray(SPECIES, decays, decaysAt + i);
      FloatVector y0 = FloatVector.fromArray(SPECIES, y, at + i);
      FloatVector x1 = FloatVector.fromArray(SPECIES, x, at1 + i);
      FloatVector d1 = FloatVector.fromArray(SPECIES, decays, decaysAt1 + i);
      FloatVector y1 = FloatVector.fromArray(SPECIES, y, at1 + i);
      FloatVector b0 = FloatVector.broadcast(SPECIES, bc[bAt + i]);
      FloatVector c0 = FloatVector.broadcast(SPECIES, bc[cAt + i]);
      s0 = x0.fma(b0, d0.mul(s0));
      y0 = s0.fma(c0, y0);
      t0 = x1.fma(b0, d1.mul(t0));
      y1 = t0.fma(c0, y1);
      FloatVector b1 = FloatVector.broadcast(SPECIES, bc[bAt + i + 1]);
      FloatVector c1 = FloatVector.broadcast(SPECIES, bc[cAt + i + 1]);
      s1 = x0.fma(b1, d0.mul(s1));
      y0 = s1.fma(c1, y0);
      t1 = x1.fma(b1, d1.mul(t1));
      y1 = t1.fma(c1, y1);
      FloatVector b2 = FloatVector.broadcast(SPECIES, bc[bAt + i + 2]);
      FloatVector c2 = FloatVector.broadcast(SPECIES, bc[cAt + i + 2]);
      s2 = x0.fma(b2, d0.mul(s2));
      y0 = s2.fma(c2, y0);
      t2 = x1.fma(b2, d1.mul(t2));
      y1 = t2.fma(c2, y1);
      FloatVector b3 = FloatVector.broadcast(SPECIES, bc[bAt + i + 3]);
      FloatVector c3 = FloatVector.broadcast(SPECIES, bc[cAt + i + 3]);
      s3 = x0.fma(b3, d0.mul(s3));
      y0 = s3.fma(c3, y0);
      t3 = x1.fma(b3, d1.mul(t3));
      y1 = t3.fma(c3, y1);
      y0.intoArray(y, at + i);
      y1.intoArray(y, at1 + i);
    }
    s0.intoArray(state, stateAt);
    s1.intoArray(state, stateAt + WIDTH);
    s2.intoArray(state, stateAt + 2 * WIDTH);
    s3.intoArray(state, stateAt + 3 * WIDTH);
    t0.intoArray(state, stateAt1);
    t1.intoArray(state, stateAt1 + WIDTH);
    t2.intoArray(state, stateAt1 + 2 * WIDTH);
    t3.intoArray(state, stateAt1 + 3 * WIDTH);
  }

  /** Runs a block of rows for four n of one vector of channels. */
  private static void single(
      float[] x,
      int at,
      int rows,
      float[] bc,
      int bAt,
      int cAt,
      float[] state,
      int stateAt,
      float[] y,
      float[] decays,
      int decaysAt) {
    FloatVector s0 = FloatVector.fromArray(SPECIES, state, stateAt);
    FloatVector s1 = FloatVector.fromArray(SPECIES, state, stateAt + WIDTH);
    FloatVector s2 = FloatVector.fromArray(SPECIES, state, stateAt + 2 * WIDTH);
    FloatVector s3 = FloatVector.fromArray(SPECIES, state, stateAt + 3 * WIDTH);
    // Equal to rows · WIDTH: the minimum only shows C2 that the loop is short.
    int end = Math.min(rows, ROWS) * WIDTH;
    for (int i = 0; i < end; i += WIDTH) {
      FloatVector x0 = FloatVector.fromArray(SPECIES, x, at + i);
      FloatVector d0 = FloatVector.fromArray(SPECIES, decays, decaysAt + i);
      FloatVector y0 = FloatVector.fromArray(SPECIES, y, at + i);
      FloatVector b0 = FloatVector.broadcast(SPECIES, bc[bAt + i]);
      FloatVector c0 = FloatVector.broadcast(SPECIES, bc[cAt + i]);
      s0 = x0.fma(b0, d0.mul(s0));
      y0 = s0.fma(c0, y0);
      FloatVector b1 = FloatVector.broadcast(SPECIES, bc[bAt + i + 1]);
      FloatVector c1 = FloatVector.broadcast(SPECIES, bc[cAt + i + 1]);
      s1 = x0.fma(b1, d0.mul(s1));
      y0 = s1.fma(c1, y0);
      FloatVector b2 = FloatVector.broadcast(SPECIES, bc[bAt + i + 2]);
      FloatVector c2 = FloatVector.broadcast(SPECIES, bc[cAt + i + 2]);
      s2 = x0.fma(b2, d0.mul(s2));
      y0 = s2.fma(c2, y0);
      FloatVector b3 = FloatVector.broadcast(SPECIES, bc[bAt + i + 3]);
      FloatVector c3 = FloatVector.broadcast(SPECIES, bc[cAt + i + 3]);
      s3 = x0.fma(b3, d0.mul(s3));
      y0 = s3.fma(c3, y0);
      y0.intoArray(y, at + i);
    }
    s0.intoArray(state, stateAt);
    s1.intoArray(state, stateAt + WIDTH);
    s2.intoArray(state, stateAt + 2 * WIDTH);
    s3.intoArray(state, stateAt + 3 * WIDTH);
  }

  /** Runs a block of rows for one n of one vector of channels. */
  private static void one(
      float[] x,
      int at,
      int rows,
      float[] bc,
      int bAt,
      int cAt,
      float[] state,
      int stateAt,
      float[] y,
      float[] decays,
      int decaysAt) {
    FloatVector s = FloatVector.fromArray(SPECIES, state, stateAt);
    // Equal to rows · WIDTH: the minimum only shows C2 that the loop is short.
    int end = Math.min(rows, ROWS) * WIDTH;
    for (int i = 0; i < end; i += WIDTH) {
      FloatVector input = FloatVector.fromArray(SPECIES, x, at + i);
      FloatVector decay = FloatVector.fromArray(SPECIES, decays, decaysAt + i);
      FloatVector out = FloatVector.fromArray(SPECIES, y, at + i);
      FloatVector b = FloatVector.broadcast(SPECIES, bc[bAt + i]);
      FloatVector c = FloatVector.broadcast(SPECIES, bc[cAt + i]);
      s = input.fma(b, decay.mul(s));
      out = s.fma(c, out);
      out.intoArray(y, at + i);
    }
    s.intoArray(state, stateAt);
  }
}
