package io.mambaspark.engine.model;

import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.PackedMatrix;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.model.MambaWeights.Layer;
import java.util.List;

/**
 * The mixer of a Mamba-1 layer (arXiv:2312.00752, section 3.4): in_proj, a causal convolution, the
 * selective scan gated by z, out_proj.
 *
 * <p>Shapes in this class are (rows, columns). Each array is in the {@link Workspace}, as column
 * panels. Products run over all rows of the chunk. Convolution and scan run over one piece after
 * the other, each from the state of the piece's sequence.
 */
final class Mamba1Mixer {
  private final MixerConfig config;
  private final Kernels kernels;

  /** Panels of dInner columns. */
  private final int innerPanels;

  Mamba1Mixer(MixerConfig config, Kernels kernels) {
    this.config = config;
    this.kernels = kernels;
    this.innerPanels = Panels.count(config.dInner());
  }

  /**
   * Replaces {@code u}, the normed input (rows, dModel), with the layer's output, which the caller
   * adds to the residual stream.
   *
   * @param index the layer's index in the states of the sequences
   */
  void forward(Workspace w, Layer layer, int index, int rows, List<Piece> pieces) {
    inProjection(w, layer, rows);
    convolution(w, layer, index, pieces);
    selection(w, layer, rows);
    scan(w, layer, index, pieces);
    outProjection(w, layer, rows);
  }

  /** u (rows, dModel) → x and z, side by side (rows, 2 × dInner). */
  private void inProjection(Workspace w, Layer layer, int rows) {
    product(w, w.u, rows, layer.inProj, layer.inProjBias, w.xz);
  }

  /** x (rows, dInner) → silu(conv1d(x)), in place. */
  private void convolution(Workspace w, Layer layer, int index, List<Piece> pieces) {
    int row = 0;
    for (Piece piece : pieces) {
      MambaState.restore(piece.from() == null ? null : piece.from().conv[index], w.conv);
      kernels.convolution(
          w.xz,
          innerPanels,
          w.stride,
          row,
          piece.length(),
          layer.convWeight,
          layer.convBias,
          config.dConv(),
          w.conv,
          w.window);
      if (piece.to() != null) {
        System.arraycopy(w.conv, 0, piece.to().conv[index], 0, w.conv.length);
      }
      row += piece.length();
    }
  }

  /**
   * x (rows, dInner) → dt of low rank (rows, dtRank), B and C (rows, dState); then dt → (rows,
   * dInner). This step makes the scan selective: the scan's parameters depend on the token.
   */
  private void selection(Workspace w, Layer layer, int rows) {
    product(w, w.xz, rows, layer.xProj, null, w.dbc);
    if (config.normEps() != null) {
      norm(w, 0, config.dtRank(), rows);
      norm(w, w.bOffset, config.dState(), rows);
      norm(w, w.cOffset, config.dState(), rows);
    }
    product(w, w.dbc, rows, layer.dtProj, null, w.dt);
  }

  /** x, dt, z (rows, dInner), B, C (rows, dState) → y (rows, dInner), gated: y · silu(z). */
  private void scan(Workspace w, Layer layer, int index, List<Piece> pieces) {
    int row = 0;
    for (Piece piece : pieces) {
      MambaState.restore(piece.from() == null ? null : piece.from().scan[index], w.scan);
      kernels.selectiveScan(
          w.xz,
          w.dt,
          w.dbc,
          w.bOffset,
          w.cOffset,
          innerPanels,
          w.stride,
          row,
          piece.length(),
          layer.a,
          config.dState(),
          layer.d,
          layer.dtBias,
          w.scan,
          w.y);
      if (piece.to() != null) {
        System.arraycopy(w.scan, 0, piece.to().scan[index], 0, w.scan.length);
      }
      row += piece.length();
    }
  }

  /** y (rows, dInner) → u (rows, dModel). */
  private void outProjection(Workspace w, Layer layer, int rows) {
    product(w, w.y, rows, layer.outProj, layer.outProjBias, w.u);
  }

  /** Normalizes some columns of {@code dbc} in place, without weights, as Falcon-Mamba does. */
  private void norm(Workspace w, int offset, int columns, int rows) {
    kernels.rmsNorm(w.dbc, offset, columns, rows, w.stride, null, config.normEps(), w.dbc, w.sums);
  }

  /** c = a · matrixᵀ (+ bias). */
  private void product(
      Workspace w, float[] a, int rows, PackedMatrix matrix, float[] bias, float[] c) {
    kernels.product(a, rows, w.stride, matrix, bias, 0, matrix.panels(), c);
  }
}
