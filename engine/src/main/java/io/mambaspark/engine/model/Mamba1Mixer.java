package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.PackedMatrix;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.WeightFormat;
import java.util.List;

/**
 * The mixer of a Mamba-1 layer (arXiv:2312.00752, section 3.4): in_proj, a causal convolution, the
 * selective scan gated by z, out_proj.
 *
 * <p>Shapes of activations in this class are (rows, columns); the arrays are column panels.
 * Products run over all rows of the chunk. Convolution and scan run over one piece after the other,
 * each from the state of the piece's sequence.
 */
final class Mamba1Mixer extends Mixer {
  private final Mamba1Config config;
  private final WeightFormat format;
  private final int dModel;

  /** Panels of dInner columns. */
  private final int innerPanels;

  // A bias of a product is null if the model does not have it.
  private PackedMatrix inProj;
  private float[] inProjBias;

  /** (dInner panels, dConv, 16). */
  private float[] convWeight;

  /** (dInner panels, 16); zeros if the model has no such bias. */
  private float[] convBias;

  /** Three sections: the rows of dt, of B, of C. */
  private PackedMatrix xProj;

  private PackedMatrix dtProj;
  private float[] dtBias;

  /** -exp(A_log) · log2(e), (dInner panels, dState, 16). */
  private float[] a;

  private float[] d;
  private PackedMatrix outProj;
  private float[] outProjBias;

  Mamba1Mixer(Mamba1Config config, WeightFormat format, int dModel) {
    this.config = config;
    this.format = format;
    this.dModel = dModel;
    this.innerPanels = Panels.count(config.dInner());
    this.convBias = new float[config.width()];
  }

  /** The arrays of a Mamba-1 mixer in a {@link Workspace}. */
  static final class Arrays implements Scratch {
    /** x and z, (2 × dInner panels, stride, 16). */
    final float[] xz;

    /**
     * dt of low rank (dtRank panels, stride, 16), then B and C (dState panels, stride, 16 each).
     */
    final float[] dbc;

    /** The index of B in {@link #dbc}. */
    final int bOffset;

    /** The index of C in {@link #dbc}. */
    final int cOffset;

    /** dt of every channel, (dInner panels, stride, 16). */
    final float[] dt;

    /** The gated result of the scan, (dInner panels, stride, 16). */
    final float[] y;

    Arrays(Mamba1Config config, int stride) {
      this.xz = new float[2 * config.width() * stride];
      this.bOffset = Packing.width(config.dtRank()) * stride;
      this.cOffset = bOffset + Packing.width(config.dState()) * stride;
      this.dbc = new float[cOffset + Packing.width(config.dState()) * stride];
      this.dt = new float[config.width() * stride];
      this.y = new float[config.width() * stride];
    }
  }

  @Override
  void add(String tensor, FloatReader floats) {
    int dInner = config.dInner();
    int dState = config.dState();
    switch (tensor) {
      case "in_proj.weight" -> inProj = Packing.matrix(format, floats, dModel, dInner, dInner);
      case "in_proj.bias" -> inProjBias = Packing.vector(floats, dInner, dInner);
      case "conv1d.weight" -> convWeight = Packing.transposed(floats, config.dConv(), dInner);
      case "conv1d.bias" -> convBias = Packing.vector(floats, dInner);
      case "x_proj.weight" ->
          xProj = Packing.matrix(format, floats, dInner, config.dtRank(), dState, dState);
      case "dt_proj.weight" ->
          dtProj = Packing.matrix(Mamba1Config.dtFormat(format), floats, config.dtRank(), dInner);
      case "dt_proj.bias" -> dtBias = Packing.vector(floats, dInner);
      case "A_log" -> a = Packing.transposed(Packing.decayRates(floats), dState, dInner);
      case "D" -> d = Packing.vector(floats, dInner);
      case "out_proj.weight" -> outProj = Packing.matrix(format.outProj(), floats, dInner, dModel);
      case "out_proj.bias" -> outProjBias = Packing.vector(floats, dModel);
      default -> throw new IllegalStateException("Unknown tensor " + tensor);
    }
  }

  @Override
  void forward(Kernels kernels, Workspace w, int layer, int rows, List<Piece> pieces) {
    Arrays arrays = (Arrays) w.scratch;
    inProjection(kernels, w, arrays, rows);
    int dConv = config.dConv();
    convolution(kernels, w, arrays.xz, innerPanels, convWeight, convBias, dConv, layer, pieces);
    selection(kernels, w, arrays, rows);
    scan(kernels, w, arrays, layer, pieces);
    outProjection(kernels, w, arrays, rows);
  }

  /** u (rows, dModel) → x and z, side by side (rows, 2 × dInner). */
  private void inProjection(Kernels kernels, Workspace w, Arrays arrays, int rows) {
    prepare(kernels, w, inProj, w.u, rows);
    product(kernels, w, w.u, rows, inProj, inProjBias, 0, inProj.panels(), arrays.xz);
  }

  /**
   * x (rows, dInner) → dt of low rank (rows, dtRank), B and C (rows, dState); then dt → (rows,
   * dInner). This step makes the scan selective: the scan's parameters depend on the token.
   */
  private void selection(Kernels kernels, Workspace w, Arrays arrays, int rows) {
    prepare(kernels, w, xProj, arrays.xz, rows);
    product(kernels, w, arrays.xz, rows, xProj, null, 0, xProj.panels(), arrays.dbc);
    if (config.normEps() != null) {
      norm(kernels, w, arrays, 0, config.dtRank(), rows);
      norm(kernels, w, arrays, arrays.bOffset, config.dState(), rows);
      norm(kernels, w, arrays, arrays.cOffset, config.dState(), rows);
    }
    kernels.product(arrays.dbc, rows, w.stride, dtProj, null, 0, dtProj.panels(), arrays.dt);
  }

  /** Normalizes some columns of {@code dbc} in place, without weights, as Falcon-Mamba does. */
  private void norm(
      Kernels kernels, Workspace w, Arrays arrays, int offset, int columns, int rows) {
    float[] dbc = arrays.dbc;
    kernels.rmsNorm(dbc, offset, columns, rows, w.stride, null, config.normEps(), dbc, w.sums);
  }

  /** x, dt, z (rows, dInner), B, C (rows, dState) → y (rows, dInner), gated: y · silu(z). */
  private void scan(Kernels kernels, Workspace w, Arrays arrays, int layer, List<Piece> pieces) {
    MambaState.continued(
        pieces,
        state -> state.scan[layer],
        w.scan,
        (row, length) ->
            kernels.selectiveScan(
                arrays.xz,
                arrays.dt,
                arrays.dbc,
                arrays.bOffset,
                arrays.cOffset,
                innerPanels,
                w.stride,
                row,
                length,
                a,
                config.dState(),
                d,
                dtBias,
                w.scan,
                arrays.y));
  }

  /** y (rows, dInner) → u (rows, dModel). */
  private void outProjection(Kernels kernels, Workspace w, Arrays arrays, int rows) {
    prepare(kernels, w, outProj, arrays.y, rows);
    product(kernels, w, arrays.y, rows, outProj, outProjBias, 0, outProj.panels(), w.u);
  }
}
