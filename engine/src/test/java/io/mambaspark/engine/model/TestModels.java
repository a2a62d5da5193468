package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.WeightFormat;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** Creates models for the tests of this and other packages. */
public final class TestModels {
  private TestModels() {}

  /** Returns a model with the same weights on other kernels. */
  public static MambaModel with(MambaModel model, Kernels kernels) {
    return model.with(kernels);
  }

  /**
   * Returns the config of a small Mamba-2 model: heads of 4 channels in two groups, 5 states, a
   * convolution of width 3, limits of dt, biases, and a tied head.
   *
   * @param dModel a multiple of 4
   */
  public static MambaConfig mamba2(int dModel, int nLayer, int vocabSize) {
    Mamba2Config mixer =
        new Mamba2Config(5, 3, 4, dModel / 2, 2, true, true, 1e-5f, false, false, 0.001f, 0.1f);
    return new MambaConfig(dModel, nLayer, vocabSize, mixer, 1e-5f, true, null, null);
  }

  /** Returns random tensors of every name that such a model requires, row-major and mutable. */
  public static Map<String, float[]> tensors(MambaConfig config, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    Map<String, float[]> tensors = new LinkedHashMap<>();
    for (String name : TensorNames.required(config)) {
      int[] shape = TensorNames.shape(config, name);
      float[] values = new float[Arrays.stream(shape).reduce(1, Math::multiplyExact)];
      float spread = 1 / (float) Math.sqrt(shape[shape.length - 1]);
      for (int i = 0; i < values.length; i++) {
        values[i] = spread * (2 * (random.nextInt() >>> 8) * 0x1p-24f - 1);
      }
      tensors.put(name, values);
    }
    return tensors;
  }

  /** Builds the model from these tensors. */
  public static MambaModel of(MambaConfig config, Map<String, float[]> tensors) {
    return of(config, tensors, WeightFormat.F32);
  }

  /** Builds the model from these tensors, with matrices in this format. */
  static MambaModel of(MambaConfig config, Map<String, float[]> tensors, WeightFormat format) {
    MambaModel.Builder builder = new MambaModel.Builder(config, format);
    tensors.forEach(
        (name, values) -> builder.add(name, shape(config, name), "a test", reader(values)));
    return builder.build();
  }

  /** Returns the shape of the tensor of this name in such a model. */
  public static int[] shape(MambaConfig config, String name) {
    return TensorNames.shape(config, TensorNames.of(name));
  }

  /** Returns the shapes of the tensors that each mixer of such a model requires, by their names. */
  public static Map<String, int[]> shapesInMixer(MambaConfig config) {
    Map<String, int[]> shapes = new LinkedHashMap<>();
    for (String name : config.mixer().required()) {
      shapes.put(name, config.mixer().shape(name, config.dModel()));
    }
    return shapes;
  }

  static FloatReader reader(float... values) {
    int[] position = {0};
    return (into, offset, count) -> {
      System.arraycopy(values, position[0], into, offset, count);
      position[0] += count;
    };
  }
}
