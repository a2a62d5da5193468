package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.WeightFormat;
import java.util.SplittableRandom;

/** Models with random weights for tests and benchmarks, reproducible from config and seed. */
public final class RandomModel {
  private RandomModel() {}

  /** Returns a model with matrices in F32. */
  public static MambaModel of(MambaConfig config, long seed) {
    return of(config, seed, WeightFormat.F32);
  }

  /** Returns a model with matrices in this format. */
  public static MambaModel of(MambaConfig config, long seed, WeightFormat format) {
    MambaModel.Builder builder = new MambaModel.Builder(config, format);
    SplittableRandom random = new SplittableRandom(seed);
    for (String name : TensorNames.required(config)) {
      int[] shape = TensorNames.shape(config, name);
      builder.add(name, shape, "random numbers", floats(name, shape, random.split()));
    }
    return builder.build();
  }

  private static FloatReader floats(String name, int[] shape, SplittableRandom random) {
    boolean norm = name.endsWith("norm.weight") || name.equals(TensorNames.NORM_F);
    boolean aLog = name.endsWith("A_log");
    boolean dtBias = name.endsWith("dt_proj.bias") || name.endsWith("dt_bias");
    // Norms and D are around 1, which is neutral. dt starts small, as in training. Other weights
    // are scaled by the number of inputs.
    float mean = norm || name.endsWith("mixer.D") ? 1f : dtBias ? -4.6f : 0f;
    float spread =
        norm || dtBias || aLog || shape.length == 1
            ? 0.25f
            : (float) (1 / Math.sqrt(shape[shape.length - 1]));
    return (into, offset, count) -> {
      for (int i = 0; i < count; i++) {
        float at = aLog ? (float) StrictMath.log(1 + i) : mean;
        into[offset + i] = at + spread * (random.nextInt() >> 8) * 0x1p-23f;
      }
    };
  }
}
