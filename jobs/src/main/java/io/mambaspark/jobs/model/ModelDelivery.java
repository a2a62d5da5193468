package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.VectorModule;
import java.io.Serializable;
import java.util.Locale;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * A model on its way to the tasks. Each executor holds one packed model for all of its tasks; an
 * executor that starts late or again gets the model with its first task.
 */
public interface ModelDelivery extends Serializable, AutoCloseable {
  /** The packed model, shared by all tasks of this JVM. The first call fetches and packs it. */
  MambaModel model();

  /** Called on the driver when no task needs the model any more. */
  @Override
  void close();

  /** The values of {@code --model-delivery}. */
  enum Mode {
    /** One of the others, chosen by the size of the model and of the heaps. */
    AUTO,
    /** Stored weights as a Spark broadcast, which keeps them beside the packed ones. */
    BROADCAST,
    /** Files that each executor packs from; no heap holds the stored bytes. */
    FILE;

    /**
     * The mode that an option names.
     *
     * @throws Refusal if it names none
     */
    public static Mode parse(String option) {
      for (Mode mode : values()) {
        if (mode.option().equals(option)) {
          return mode;
        }
      }
      throw Refusal.wrongUsage("--model-delivery %s: expected auto, broadcast or file", option);
    }

    /** The mode as the option spells it. */
    public String option() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * Delivers a model in the way that {@link ModelMemory} has chosen.
   *
   * @param chosen not {@code AUTO}
   * @param source stays open until this delivery is closed
   */
  static ModelDelivery send(
      Mode chosen, ModelSource source, WeightFormat weights, JavaSparkContext context) {
    VectorModule.warnIfMissing(context);
    if (chosen == Mode.BROADCAST) {
      return BroadcastDelivery.send(source, weights, context);
    }
    return context.isLocal()
        ? FileDelivery.here(source, weights)
        : FileDelivery.sent(source, weights, context);
  }
}
