package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.VectorModule;
import java.io.Serializable;
import java.util.Locale;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * The transport of a model from the driver to the tasks. Each executor holds one packed model for
 * all of its tasks. An executor that starts or restarts during a job fetches the model in its first
 * task.
 */
public interface ModelDelivery extends Serializable, AutoCloseable {
  /** Returns the packed model of this JVM's tasks. The first call fetches and packs it. */
  MambaModel model();

  /** Releases the delivery. The driver calls this when no task needs the model any more. */
  @Override
  void close();

  /** The values of {@code --model-delivery}. */
  enum Mode {
    /** Selects {@code BROADCAST} or {@code FILE} by the sizes of the model and of the heaps. */
    AUTO,
    /** A Spark broadcast of the stored weights. Heaps hold it in addition to the packed weights. */
    BROADCAST,
    /** Files, which each executor reads and packs; no heap holds the stored bytes. */
    FILE;

    /**
     * Parses a value of the option.
     *
     * @throws Refusal if the value is not a mode
     */
    public static Mode parse(String option) {
      for (Mode mode : values()) {
        if (mode.option().equals(option)) {
          return mode;
        }
      }
      throw Refusal.wrongUsage("--model-delivery %s: expected auto, broadcast or file", option);
    }

    /** Returns the option's value for this mode. */
    public String option() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * Delivers a model by the mode that {@link ModelMemory} has chosen.
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
        ? FileDelivery.inDriver(source, weights)
        : FileDelivery.toExecutors(source, weights, context);
  }
}
