package io.mambaspark.engine.model;

import io.mambaspark.engine.kernel.Panels;
import java.util.Arrays;

/**
 * The state of one sequence between chunks. It holds for each layer the last dConv - 1 inputs of
 * the convolution, (dInner panels, dConv - 1, 16), and the state of the scan, (dInner panels,
 * dState, 16).
 */
public final class MambaState {
  final float[][] conv;
  final float[][] scan;

  /** Creates the state before the first token of a sequence. */
  public MambaState(MambaConfig config) {
    int channels = Panels.count(config.mixer().dInner()) * Panels.WIDTH;
    this.conv = new float[config.nLayer()][channels * (config.mixer().dConv() - 1)];
    this.scan = new float[config.nLayer()][channels * config.mixer().dState()];
  }

  /** Copies one layer's part of a state into {@code to}; writes zeros if {@code from} is null. */
  static void restore(float[] from, float[] to) {
    if (from == null) {
      Arrays.fill(to, 0f);
    } else {
      System.arraycopy(from, 0, to, 0, to.length);
    }
  }
}
