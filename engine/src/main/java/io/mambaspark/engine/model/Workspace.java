package io.mambaspark.engine.model;

import io.mambaspark.engine.kernel.Panels;

/** One thread's scratch memory for chunks of up to a number of tokens, and where results lie. */
public final class Workspace {
  final int tokens;
  final int stride;

  /** The residual stream, (dModel panels, stride, 16). */
  final float[] h;

  /** Normed h, and what a layer adds to it. */
  final float[] u;

  /** x and z, (2 × dInner panels, stride, 16). */
  final float[] xz;

  /** dt of low rank, B and C, each in panels of its own. */
  final float[] dbc;

  final float[] dt;
  final float[] y;
  final float[] sums;
  final float[] window;

  /** One layer's state of the sequence at hand. */
  final float[] conv;

  final float[] scan;

  /** For chunks of up to {@code tokens} tokens, at least 1. */
  public Workspace(MambaConfig config, int tokens) {
    if (tokens < 1) {
      throw new IllegalArgumentException(
          "A workspace for %d tokens is of no use; expected at least 1".formatted(tokens));
    }
    this.tokens = tokens;
    this.stride = Panels.stride(tokens);
    int rowFloats = stride * Panels.WIDTH;
    int inner = Panels.count(config.dInner());
    this.h = new float[Panels.count(config.dModel()) * rowFloats];
    this.u = new float[h.length];
    this.xz = new float[2 * inner * rowFloats];
    this.dbc =
        new float[(Panels.count(config.dtRank()) + 2 * Panels.count(config.dState())) * rowFloats];
    this.dt = new float[inner * rowFloats];
    this.y = new float[inner * rowFloats];
    this.sums = new float[rowFloats];
    this.window = new float[rowFloats + (config.dConv() - 1) * Panels.WIDTH];
    this.conv = new float[inner * Panels.WIDTH * (config.dConv() - 1)];
    this.scan = new float[inner * Panels.WIDTH * config.dState()];
  }

  /** Tokens in a chunk, at most. */
  public int tokens() {
    return tokens;
  }

  /** Rows between panels in {@link #hidden}. */
  public int stride() {
    return stride;
  }

  /**
   * The normed hidden rows of the last chunk, (dModel panels, stride, 16): what the head is applied
   * to. Overwritten by the next chunk.
   */
  public float[] hidden() {
    return u;
  }
}
