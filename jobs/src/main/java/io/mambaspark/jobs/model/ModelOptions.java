package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;

/**
 * Which model, and how it is kept and sent.
 *
 * @param path a folder, any Hadoop URI, or {@code demo}
 * @param weights how the weights are kept in memory
 * @param delivery how they get to the executors
 * @param tokenizer of texts, a file or the folder that holds it; null for the one beside the model
 */
public record ModelOptions(
    String path, WeightFormat weights, ModelDelivery.Mode delivery, String tokenizer) {

  /** What is given of it, for a model. */
  public static ModelOptions of(String path, OptionValues values) {
    return new ModelOptions(
        path,
        weightFormat(values.get(Options.WEIGHTS)),
        deliveryMode(values.get(Options.MODEL_DELIVERY)),
        values.get(Options.TOKENIZER));
  }

  private static WeightFormat weightFormat(String name) {
    return switch (name) {
      case "f32" -> WeightFormat.F32;
      case "bf16" -> WeightFormat.BF16;
      default -> throw Refusal.wrongUsage("--weights %s: expected f32 or bf16", name);
    };
  }

  private static ModelDelivery.Mode deliveryMode(String name) {
    for (ModelDelivery.Mode mode : ModelDelivery.Mode.values()) {
      if (mode.option().equals(name)) {
        return mode;
      }
    }
    throw Refusal.wrongUsage("--model-delivery %s: expected auto, broadcast or file", name);
  }
}
