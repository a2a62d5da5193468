package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.jobs.Refusal;

/**
 * Which model, and how it is kept and sent.
 *
 * @param path a folder, any Hadoop URI, or {@code demo}
 * @param weights the format of the weights in memory
 * @param delivery how the weights get to the executors
 * @param tokenizer of texts, a file or the folder that holds it; null for the one beside the model
 */
public record ModelOptions(
    String path, WeightFormat weights, ModelDelivery.Mode delivery, String tokenizer) {

  /** The format that {@code --weights} names. */
  public static WeightFormat weightFormat(String name) {
    return switch (name) {
      case "f32" -> WeightFormat.F32;
      case "bf16" -> WeightFormat.BF16;
      default -> throw Refusal.wrongUsage("--weights %s: expected f32 or bf16", name);
    };
  }

  /** The mode that {@code --model-delivery} names. */
  public static ModelDelivery.Mode deliveryMode(String name) {
    return ModelDelivery.Mode.parse(name);
  }
}
