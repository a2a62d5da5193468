package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The options that select a model, its format in memory and its delivery.
 *
 * @param path a folder, any Hadoop URI, or {@code demo}
 * @param weights the format of the weights in memory
 * @param delivery how the executors receive the weights
 * @param tokenizer a tokenizer.json or its folder; null for the file in the model's folder
 */
public record ModelOptions(
    String path, WeightFormat weights, ModelDelivery.Mode delivery, String tokenizer) {

  /** Reads the options of the model at a path from the given values. */
  public static ModelOptions of(String path, OptionValues values) {
    return of(path, values.get(Options.WEIGHTS), values);
  }

  /**
   * Reads the options of several models. {@code --weights} names one format for all models, or one
   * for each.
   */
  public static List<ModelOptions> ofEach(List<String> paths, OptionValues values) {
    String given = values.get(Options.WEIGHTS);
    String[] formats = given.split(",", -1);
    if (formats.length != 1 && formats.length != paths.size()) {
      throw Refusal.wrongUsage(
          "--weights %s: found %d formats for %d models; expected one format, or one for each model",
          given, formats.length, paths.size());
    }
    List<ModelOptions> models = new ArrayList<>();
    for (int i = 0; i < paths.size(); i++) {
      models.add(of(paths.get(i), formats[formats.length == 1 ? 0 : i], values));
    }
    return models;
  }

  private static ModelOptions of(String path, String weights, OptionValues values) {
    return new ModelOptions(
        path,
        weightFormat(weights),
        ModelDelivery.Mode.parse(values.get(Options.MODEL_DELIVERY)),
        values.get(Options.TOKENIZER));
  }

  private static WeightFormat weightFormat(String name) {
    return Arrays.stream(WeightFormat.values())
        .filter(format -> format.toString().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                Refusal.wrongUsage(
                    "--weights %s: expected f32, bf16, int8, int8-out16 or int16", name));
  }
}
