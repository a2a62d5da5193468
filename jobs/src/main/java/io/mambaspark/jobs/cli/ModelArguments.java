package io.mambaspark.jobs.cli;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.model.ModelOptions;
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
    return ModelOptions.weightFormat(weights);
  }

  ModelDelivery.Mode deliveryMode() {
    return ModelOptions.deliveryMode(modelDelivery);
  }
}
