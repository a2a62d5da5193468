package io.mambaspark.engine.bench;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.TestModels;
import java.util.List;

/** The shapes of the published models, state-spaces/mamba-130m to mamba-2.8b. */
record Shape(String name, int dModel, int nLayer) {
  static final List<Shape> ALL =
      List.of(
          new Shape("130m", 768, 24),
          new Shape("370m", 1024, 48),
          new Shape("1.4b", 2048, 48),
          new Shape("2.8b", 2560, 64));

  static final Shape SMALLEST = ALL.get(0);

  /** The size of the vocabulary before it is padded to 50280. */
  private static final int VOCABULARY = 50277;

  static Shape of(String name) {
    return ALL.stream()
        .filter(shape -> shape.name.equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "--shapes %s: expected a list of %s"
                        .formatted(
                            name, String.join(",", ALL.stream().map(Shape::name).toList()))));
  }

  MambaConfig config() {
    return MambaConfig.of(dModel, nLayer, VOCABULARY);
  }

  /** Returns the floating-point operations per token in the layers' products. */
  static double layerFlop(MambaConfig c) {
    double products =
        TestModels.shapesInMixer(c).entrySet().stream()
            .filter(tensor -> tensor.getKey().endsWith("_proj.weight"))
            .mapToDouble(tensor -> (double) tensor.getValue()[0] * tensor.getValue()[1])
            .sum();
    return 2 * c.nLayer() * products;
  }

  /** Returns the floating-point operations per token in the head's product, for all logits. */
  static double headFlop(MambaConfig c) {
    return 2.0 * c.vocabSize() * c.dModel();
  }

  /** Returns the floating-point operations per token in all products, without other kernels. */
  static double flop(MambaConfig c) {
    return layerFlop(c) + headFlop(c);
  }
}
