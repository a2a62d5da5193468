package io.mambaspark.engine.kernel;

/** Random arguments for a selective scan. */
final class ScanInput {
  final int dState;
  final int panels;
  final int stride;
  final float[] xz;
  final float[] dt;
  final float[] bc;

  /** The index of B, which is not at the start of the array. */
  final int bOffset;

  final int cOffset;
  final float[] a;
  final float[] d;
  final float[] dtBias;
  final float[] state;

  ScanInput(long seed, int channels, int dState, int rows, int stride) {
    Floats random = new Floats(seed);
    this.dState = dState;
    this.panels = Panels.count(channels);
    this.stride = stride;
    float[] x = random.panels(channels, rows, stride, -2, 2);
    float[] z = random.panels(channels, rows, stride, -4, 4);
    this.xz = new float[2 * x.length];
    System.arraycopy(x, 0, xz, 0, x.length);
    System.arraycopy(z, 0, xz, x.length, z.length);
    this.dt = random.panels(channels, rows, stride, -9, 3);
    float[] b = random.panels(dState, rows, stride, -1, 1);
    float[] c = random.panels(dState, rows, stride, -1, 1);
    this.bOffset = stride * 16;
    this.cOffset = bOffset + b.length;
    this.bc = new float[cOffset + c.length];
    System.arraycopy(b, 0, bc, bOffset, b.length);
    System.arraycopy(c, 0, bc, cOffset, c.length);
    this.a = new float[panels * dState * 16];
    this.state = new float[a.length];
    for (int channel = 0; channel < channels; channel++) {
      for (int n = 0; n < dState; n++) {
        a[stateIndex(channel, n)] = random.between(-1.5f, -0.1f) * (1 + n);
        state[stateIndex(channel, n)] = random.between(-1, 1);
      }
    }
    this.d = random.vector(channels, -1, 1);
    this.dtBias = random.vector(channels, -1, 1);
  }

  int stateIndex(int channel, int n) {
    return (channel / 16 * dState + n) * 16 + channel % 16;
  }

  void run(Kernels kernels, int row, int length, float[] xz, float[] dt, float[] state, float[] y) {
    kernels.selectiveScan(
        xz, dt, bc, bOffset, cOffset, panels, stride, row, length, a, dState, d, dtBias, state, y);
  }
}
