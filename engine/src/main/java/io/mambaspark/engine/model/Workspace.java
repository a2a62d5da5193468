package io.mambaspark.engine.model;

import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.QuantizedRows;

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

  /** The other arrays of the mixer. */
  final Mixer.Scratch scratch;

  /** The input of a product if matrices are integers. */
  final QuantizedRows quantized = new QuantizedRows();

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
    this.h = new float[Panels.count(config.dModel()) * rowFloats];
    this.u = new float[h.length];
    this.scratch = config.mixer().scratch(stride);
    this.sums = new float[rowFloats];
    this.window = new float[rowFloats + (config.mixer().dConv() - 1) * Panels.WIDTH];
    this.conv = new float[config.mixer().convFloats()];
    this.scan = new float[config.mixer().scanFloats()];
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
