package io.mambaspark.engine.model;

import io.mambaspark.engine.kernel.WeightFormat;
import java.io.Serializable;
import java.util.List;
import java.util.Map;

/**
 * The shape of a mixer, the same in all layers of a model. There is one implementation for each
 * architecture. It also defines the mixer's tensors and the sizes of its arrays, and creates it.
 */
public sealed interface MixerConfig extends Serializable permits Mamba1Config, Mamba2Config {

  /** N, the number of states of the scan per channel. */
  int dState();

  /** K, the width of the causal convolution. */
  int dConv();

  /** The number of channels inside a layer. */
  int dInner();

  /** Whether the convolution has a bias. */
  boolean convBias();

  /** Whether in_proj and out_proj have a bias. */
  boolean bias();

  /** Epsilon of the norms inside the mixer; null if the model lacks them. */
  Float normEps();

  /**
   * The other hyper-parameters that affect the model's results and are not visible in the shapes of
   * the tensors, by name and in a fixed order. They are part of the fingerprint.
   */
  Map<String, Object> otherParameters();

  /** Returns this config with other biases. */
  MixerConfig with(boolean otherConvBias, boolean otherBias);

  /**
   * Returns the shape of a tensor, which is that of the checkpoint.
   *
   * @param tensor the tensor's name after {@code layers.N.mixer.}; it may be that of a bias that
   *     this config disables
   * @param dModel width of the residual stream
   * @return null if a mixer with this config has no such tensor
   */
  int[] shape(String tensor, int dModel);

  /**
   * Returns the number of columns of a matrix in memory, which may be more than in the checkpoint.
   *
   * @param tensor the tensor's name, as in {@link #shape}
   * @return 0 if formats of integers do not apply to the tensor
   */
  int columns(String tensor, int dModel);

  /** Returns the names of all tensors that a mixer requires, as {@link #shape} expects them. */
  List<String> required();

  /** The size of a mixer's packed weights in bytes, without a few small vectors. */
  long packedBytes(WeightFormat format, int dModel);

  /** The number of floats of a layer's convolution state. */
  int convFloats();

  /** The number of floats of a layer's scan state. */
  int scanFloats();

  /** Creates a mixer without weights. */
  Mixer mixer(WeightFormat format, int dModel);

  /** Creates the scratch memory of a mixer, for arrays of {@code stride} rows. */
  Mixer.Scratch scratch(int stride);
}
