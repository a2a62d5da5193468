package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.PackedMatrix;
import java.util.List;

/**
 * The mixer of one layer: its packed weights and its forward pass. There is one implementation for
 * each architecture. Once all tensors are added it does not change, and threads may share it.
 */
public abstract sealed class Mixer permits Mamba1Mixer, Mamba2Mixer {

  /** The arrays of a mixer in a {@link Workspace}. All layers use the same ones. */
  sealed interface Scratch permits Mamba1Mixer.Arrays, Mamba2Mixer.Arrays {}

  /** Only the mixers in this package exist. */
  Mixer() {}

  /**
   * Packs one tensor.
   *
   * @param tensor the tensor's name, as in {@link MixerConfig#shape}
   * @param floats reads all elements, row-major
   */
  abstract void add(String tensor, FloatReader floats);

  /**
   * Replaces {@link Workspace#u}, the normed input (rows, dModel), with the layer's output, which
   * the caller adds to the residual stream.
   *
   * @param layer the layer's index in the states of the sequences
   */
  abstract void forward(Kernels kernels, Workspace w, int layer, int rows, List<Piece> pieces);

  /**
   * Prepares activations for products with a matrix: rounds them to integers if those of the matrix
   * are integers. They stay in the workspace until the next call.
   *
   * @param a (k panels, stride, 16)
   */
  static void prepare(Kernels kernels, Workspace w, PackedMatrix matrix, float[] a, int rows) {
    if (matrix.format().isInteger()) {
      kernels.quantize(a, matrix.k(), rows, w.stride, matrix.format(), w.quantized);
    }
  }

  /**
   * Computes the panels [first, end) of a product, in the format of the matrix.
   *
   * @param a activations that {@link #prepare} prepared
   */
  static void product(
      Kernels kernels,
      Workspace w,
      float[] a,
      int rows,
      PackedMatrix matrix,
      float[] bias,
      int first,
      int end,
      float[] c) {
    if (matrix.format().isInteger()) {
      kernels.product(w.quantized, matrix, bias, first, end, c);
    } else {
      kernels.product(a, rows, w.stride, matrix, bias, first, end, c);
    }
  }

  /**
   * Runs the convolution in place over pieces of sequences, each from the state of its sequence.
   *
   * @param x (panels, stride, 16)
   * @param layer the layer's index in the states of the sequences
   */
  static void convolution(
      Kernels kernels,
      Workspace w,
      float[] x,
      int panels,
      float[] weight,
      float[] bias,
      int dConv,
      int layer,
      List<Piece> pieces) {
    MambaState.continued(
        pieces,
        state -> state.conv[layer],
        w.conv,
        (row, length) ->
            kernels.convolution(
                x, panels, w.stride, row, length, weight, bias, dConv, w.conv, w.window));
  }
}
