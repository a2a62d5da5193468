package io.mambaspark.engine.model;

import io.mambaspark.engine.kernel.Panels;

/**
 * One thread's scratch memory for chunks of a limited number of tokens. It also holds the results.
 */
public final class Workspace {
  final int tokens;
  final int stride;

  /** The residual stream, (dModel panels, stride, 16). */
  final float[] h;

  /** Normed h, then the output of a layer, which is added to h, (dModel panels, stride, 16). */
  final float[] u;

  /** x and z, (2 × dInner panels, stride, 16). */
  final float[] xz;

  /** dt of low rank (dtRank panels, stride, 16), then B and C (dState panels, stride, 16 each). */
  final float[] dbc;

  /** The index of B in {@link #dbc}. */
  final int bOffset;

  /** The index of C in {@link #dbc}. */
  final int cOffset;

  /** dt of every channel, (dInner panels, stride, 16). */
  final float[] dt;

  /** The gated result of the scan, (dInner panels, stride, 16). */
  final float[] y;

  /** Scratch of the norms, (stride, 16). */
  final float[] sums;

  /** Scratch of the convolution, (dConv - 1 + stride, 16). */
  final float[] window;

  /** One layer's convolution state of the current sequence, as in {@link MambaState}. */
  final float[] conv;

  /** One layer's scan state of the current sequence, as in {@link MambaState}. */
  final float[] scan;

  /** Creates a workspace for chunks of up to {@code tokens} tokens; at least 1. */
  public Workspace(MambaConfig config, int tokens) {
    if (tokens < 1) {
      throw new IllegalArgumentException(
          "Cannot create a workspace for %d tokens: expected at least 1".formatted(tokens));
    }
    this.tokens = tokens;
    this.stride = Panels.stride(tokens);
    int rowFloats = stride * Panels.WIDTH;
    int inner = Panels.count(config.mixer().dInner());
    this.h = new float[Panels.count(config.dModel()) * rowFloats];
    this.u = new float[h.length];
    this.xz = new float[2 * inner * rowFloats];
    this.bOffset = Panels.count(config.mixer().dtRank()) * rowFloats;
    this.cOffset = bOffset + Panels.count(config.mixer().dState()) * rowFloats;
    this.dbc = new float[cOffset + Panels.count(config.mixer().dState()) * rowFloats];
    this.dt = new float[inner * rowFloats];
    this.y = new float[inner * rowFloats];
    this.sums = new float[rowFloats];
    this.window = new float[rowFloats + (config.mixer().dConv() - 1) * Panels.WIDTH];
    this.conv = new float[inner * Panels.WIDTH * (config.mixer().dConv() - 1)];
    this.scan = new float[inner * Panels.WIDTH * config.mixer().dState()];
  }

  /** The maximum number of tokens in a chunk. */
  public int tokens() {
    return tokens;
  }

  /** The number of rows of each panel in {@link #hidden}, unused rows included. */
  public int stride() {
    return stride;
  }

  /**
   * The normed hidden rows of the last chunk, (dModel panels, stride, 16), the input of the head.
   * The next chunk overwrites them. Not a copy.
   */
  public float[] hidden() {
    return u;
  }
}
