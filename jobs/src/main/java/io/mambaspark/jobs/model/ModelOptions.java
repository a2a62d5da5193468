package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;

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

  /** The options of a model, from the values that were given. */
  public static ModelOptions of(String path, OptionValues values) {
    return new ModelOptions(
        path,
        weightFormat(values.get(Options.WEIGHTS)),
        ModelDelivery.Mode.parse(values.get(Options.MODEL_DELIVERY)),
        values.get(Options.TOKENIZER));
  }

  private static WeightFormat weightFormat(String name) {
    return switch (name) {
      case "f32" -> WeightFormat.F32;
      case "bf16" -> WeightFormat.BF16;
      default -> throw Refusal.wrongUsage("--weights %s: expected f32 or bf16", name);
    };
  }
}
