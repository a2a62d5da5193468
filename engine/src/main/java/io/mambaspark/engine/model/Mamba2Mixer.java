package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Heads;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.PackedMatrix;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.WeightFormat;
import java.util.List;

/**
 * The mixer of a Mamba-2 layer (arXiv:2405.21060, section 7.1): in_proj, a causal convolution over
 * x, B and C, the scan of heads, the gate by z with a grouped norm, out_proj.
 *
 * <p>Shapes of activations in this class are (rows, columns); the arrays are column panels. The
 * columns of z, x and y are divided into groups of dInner / G channels, and those of B and C into
 * groups of N. Each group begins in a new panel. In the padding of a group, weights are zero, and
 * therefore x and y too. Products and norms run over all rows of the chunk. Convolution and scan
 * run over one piece after the other, each from the state of the piece's sequence.
 */
final class Mamba2Mixer extends Mixer {
  private final Mamba2Config config;
  private final Heads heads;
  private final WeightFormat format;
  private final int dModel;

  /** The panels of x, B and C. */
  private final int convPanels;

  // A bias of a product is null if the model does not have it.

  /** The rows of z, x, B, C and dt. */
  private PackedMatrix inProj;

  private float[] inProjBias;

  /** (panels of x, B and C, dConv, 16). */
  private float[] convWeight;

  /** (panels of x, B and C, 16); zeros if the model has no such bias. */
  private float[] convBias;

  /** (H panels, 16). */
  private float[] dtBias;

  /** -exp(A_log) · log2(e), (H panels, 16). */
  private float[] a;

  /** D of each channel, (x panels, 16). */
  private float[] d;

  /** (x panels, 16); null if the model lacks the norm. */
  private float[] norm;

  /** k is the padded number of channels. */
  private PackedMatrix outProj;

  private float[] outProjBias;

  Mamba2Mixer(Mamba2Config config, WeightFormat format, int dModel) {
    this.config = config;
    this.heads = config.heads();
    this.format = format;
    this.dModel = dModel;
    this.convPanels = config.convWidth() / Panels.WIDTH;
    this.convBias = new float[config.convWidth()];
  }

  /** The arrays of a Mamba-2 mixer in a {@link Workspace}. */
  static final class Arrays implements Scratch {
    /** (x panels, stride, 16). */
    final float[] z;

    /** x, then B and C, (panels, stride, 16) each. */
    final float[] xbc;

    /** The index of B in {@link #xbc}. */
    final int bOffset;

    /** The index of C in {@link #xbc}. */
    final int cOffset;

    /** dt of every head, (H panels, stride, 16). */
    final float[] dt;

    /** The result of the scan, then gated and normed, (x panels, stride, 16). */
    final float[] y;

    /** Scratch of the scan. */
    final float[] steps;

    Arrays(Mamba2Config config, int stride) {
      int width = config.width();
      int convWidth = config.convWidth();
      this.z = new float[width * stride];
      this.xbc = new float[convWidth * stride];
      this.bOffset = width * stride;
      this.cOffset = (width + (convWidth - width) / 2) * stride;
      this.dt = new float[Packing.width(config.nHeads()) * stride];
      this.y = new float[width * stride];
      this.steps = new float[config.heads().scratchFloats(stride)];
    }
  }

  @Override
  void add(String tensor, FloatReader floats) {
    int[] channels = config.channelSections();
    switch (tensor) {
      case "in_proj.weight" -> inProj = Packing.matrix(format, floats, dModel, config.inSections());
      case "in_proj.bias" -> inProjBias = Packing.vector(floats, config.inSections());
      case "conv1d.weight" ->
          convWeight = Packing.transposed(floats, config.dConv(), config.convSections());
      case "conv1d.bias" -> convBias = Packing.vector(floats, config.convSections());
      case "dt_bias" -> dtBias = Packing.vector(floats, config.nHeads());
      case "A_log" -> a = Packing.vector(Packing.decayRates(floats), config.nHeads());
      case "D" ->
          d = Packing.vector(config.dPerChannel() ? floats : channelsOfHeads(floats), channels);
      case "norm.weight" -> norm = Packing.vector(floats, channels);
      case "out_proj.weight" -> {
        FloatReader padded = Packing.padded(floats, heads.channelsPerGroup());
        outProj = Packing.matrix(format.outProj(), padded, config.width(), dModel);
      }
      case "out_proj.bias" -> outProjBias = Packing.vector(floats, dModel);
      default -> throw new IllegalStateException("Unknown tensor " + tensor);
    }
  }

  /** Converts a value for each head to a value for each channel. */
  private FloatReader channelsOfHeads(FloatReader floats) {
    float[] values = new float[config.nHeads()];
    floats.read(values, 0, values.length);
    int[] channel = {0};
    return (into, offset, count) -> {
      for (int i = offset; i < offset + count; i++) {
        into[i] = values[channel[0]++ / config.headDim()];
      }
    };
  }

  @Override
  void forward(Kernels kernels, Workspace w, int layer, int rows, List<Piece> pieces) {
    Arrays arrays = (Arrays) w.scratch;
    inProjection(kernels, w, arrays, rows);
    convolution(
        kernels, w, arrays.xbc, convPanels, convWeight, convBias, config.dConv(), layer, pieces);
    scan(kernels, w, arrays, layer, pieces);
    gate(kernels, w, arrays, rows);
    outProjection(kernels, w, arrays, rows);
  }

  /** u (rows, dModel) → z (rows, dInner); x, B and C (rows, dInner + 2 · G · N); dt (rows, H). */
  private void inProjection(Kernels kernels, Workspace w, Arrays arrays, int rows) {
    int x = heads.panels();
    int dt = x + convPanels;
    prepare(kernels, w, inProj, w.u, rows);
    product(kernels, w, w.u, rows, inProj, inProjBias, 0, x, arrays.z);
    product(kernels, w, w.u, rows, inProj, inProjBias, x, dt, arrays.xbc);
    product(kernels, w, w.u, rows, inProj, inProjBias, dt, inProj.panels(), arrays.dt);
  }

  /** x (rows, dInner), B, C (rows, G · N), dt (rows, H) → y (rows, dInner). */
  private void scan(Kernels kernels, Workspace w, Arrays arrays, int layer, List<Piece> pieces) {
    MambaState.continued(
        pieces,
        state -> state.scan[layer],
        w.scan,
        (row, length) ->
            kernels.headScan(
                arrays.xbc,
                arrays.dt,
                arrays.xbc,
                arrays.bOffset,
                arrays.cOffset,
                heads,
                w.stride,
                row,
                length,
                a,
                d,
                dtBias,
                config.dtLow(),
                config.dtHigh(),
                w.scan,
                arrays.y,
                arrays.steps));
  }

  /** y, z (rows, dInner) → y, gated by silu(z) and normed in each group. */
  private void gate(Kernels kernels, Workspace w, Arrays arrays, int rows) {
    kernels.gatedNorm(
        arrays.y,
        arrays.z,
        0,
        config.nGroups(),
        heads.channelsPerGroup(),
        rows,
        w.stride,
        norm,
        config.normBeforeGate(),
        config.normEps() == null ? 0f : config.normEps(),
        w.sums);
  }

  /** y (rows, dInner) → u (rows, dModel). */
  private void outProjection(Kernels kernels, Workspace w, Arrays arrays, int rows) {
    prepare(kernels, w, outProj, arrays.y, rows);
    product(kernels, w, arrays.y, rows, outProj, outProjBias, 0, outProj.panels(), w.u);
  }
}
