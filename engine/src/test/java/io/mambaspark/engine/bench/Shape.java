package io.mambaspark.engine.bench;

import io.mambaspark.engine.model.Mamba2Config;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.TestModels;
import java.util.List;
import java.util.stream.Stream;

/**
 * A shape of a published model.
 *
 * @param name the name in {@code --shapes}
 * @param config the config of a model of this shape
 */
record Shape(String name, MambaConfig config) {
  /** The size of the vocabulary of state-spaces' models before it is padded. */
  private static final int VOCABULARY = 50277;

  /** The shapes that are measured if none are named. */
  static final List<Shape> DEFAULT =
      List.of(
          mamba1("130m", 768, 24),
          mamba1("370m", 1024, 48),
          mamba1("1.4b", 2048, 48),
          mamba1("2.8b", 2560, 64),
          mamba2("mamba2-130m", 768, 24));

  static final Shape SMALLEST = DEFAULT.get(0);

  private static final List<Shape> ALL =
      Stream.concat(
              DEFAULT.stream(),
              Stream.of(
                  mamba2("mamba2-1.3b", 2048, 48),
                  mamba2("mamba2-2.7b", 2560, 64),
                  codestral("codestral-7b-4-layers", 4)))
          .toList();

  static Shape mamba1(String name, int dModel, int nLayer) {
    return new Shape(name, MambaConfig.of(dModel, nLayer, VOCABULARY));
  }

  private static Shape mamba2(String name, int dModel, int nLayer) {
    return new Shape(name, MambaConfig.ofMamba2(dModel, nLayer, VOCABULARY));
  }

  /** The first layers of Mamba-Codestral-7B, which has 64. */
  private static Shape codestral(String name, int nLayer) {
    Mamba2Config mixer =
        new Mamba2Config(
            128, 4, 64, 128, 8, true, false, 1e-5f, false, false, 0f, Float.POSITIVE_INFINITY);
    return new Shape(name, new MambaConfig(4096, nLayer, 32768, mixer, 1e-5f, false, null, null));
  }

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
