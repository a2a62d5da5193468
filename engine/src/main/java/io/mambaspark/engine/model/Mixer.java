package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Kernels;
import java.util.List;

/**
 * The mixer of one layer: its packed weights and its forward pass. There is one implementation for
 * each architecture. Once all tensors are added it does not change, and threads may share it.
 */
public abstract sealed class Mixer permits Mamba1Mixer {

  /** The arrays of a mixer in a {@link Workspace}. All layers use the same ones. */
  sealed interface Scratch permits Mamba1Mixer.Arrays {}

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
}
