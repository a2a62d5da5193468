package io.mambaspark.jobs;

import io.mambaspark.engine.kernel.WeightFormat;
import picocli.CommandLine.Option;

/** How models are kept and sent. */
final class ModelArguments {
  @Option(
      names = "--weights",
      defaultValue = "f32",
      paramLabel = "FORMAT",
      description =
          "How weights are kept in memory: f32, or bf16 in half of it, which is exact for checkpoints"
              + " in BF16 and rounds others (default: ${DEFAULT-VALUE}).")
  String weights;

  @Option(
      names = "--model-delivery",
      defaultValue = "auto",
      paramLabel = "HOW",
      description =
          "How the model gets to the executors: 'broadcast' sends the stored weights, 'file' lets"
              + " each executor read the files, 'auto' decides by size and memory (default:"
              + " ${DEFAULT-VALUE}).")
  String modelDelivery;

  WeightFormat weightFormat() {
    return weightFormat(weights);
  }

  ModelDelivery.Mode deliveryMode() {
    return deliveryMode(modelDelivery);
  }

  /** The format of that name. */
  static WeightFormat weightFormat(String name) {
    return switch (name) {
      case "f32" -> WeightFormat.F32;
      case "bf16" -> WeightFormat.BF16;
      default -> throw Refusal.wrongUsage("--weights %s: expected f32 or bf16", name);
    };
  }

  /** The mode of that name. */
  static ModelDelivery.Mode deliveryMode(String name) {
    for (ModelDelivery.Mode mode : ModelDelivery.Mode.values()) {
      if (mode.option().equals(name)) {
        return mode;
      }
    }
    throw Refusal.wrongUsage("--model-delivery %s: expected auto, broadcast or file", name);
  }
}
