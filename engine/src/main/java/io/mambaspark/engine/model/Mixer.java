package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Kernels;
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
