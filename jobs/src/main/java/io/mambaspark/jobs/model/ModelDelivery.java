package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.jobs.spark.VectorModule;
import java.io.Serializable;
import java.util.Locale;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;

/**
 * How a model gets to the tasks. An executor holds one packed model for all of them, whichever way
 * it came; one that starts late or anew gets it with its first task.
 */
public interface ModelDelivery extends Serializable, AutoCloseable {
  /** The packed model, shared by all tasks of this JVM. The first call fetches and packs it. */
  MambaModel model();

  /** On the driver, when no task will ask any more. */
  @Override
  void close();

  /** What {@code --model-delivery} names. */
  enum Mode {
    /** One of the others, by the model's size and the memory that there is. */
    AUTO,
    /** Stored weights as a Spark broadcast, which keeps them beside the packed ones. */
    BROADCAST,
    /** Files that each executor packs from; no heap holds the stored bytes. */
    FILE;

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
      return new ByBroadcast(context.broadcast(new ModelBroadcast(source.checkpoint(), weights)));
    }
    return context.isLocal()
        ? FileDelivery.here(source, weights)
        : FileDelivery.sent(source, weights, context);
  }

  /** The stored weights in a broadcast. */
  record ByBroadcast(Broadcast<ModelBroadcast> sent) implements ModelDelivery {
    @Override
    public MambaModel model() {
      return sent.value().model();
    }

    @Override
    public void close() {
      // Executors that are still at it when Spark stops complain to its log, so they are waited
      // for,
      // but one that hangs not for long.
      Thread removal = new Thread(() -> sent.destroy(true), "mamba-spark-broadcast-removal");
      removal.setDaemon(true);
      removal.start();
      try {
        removal.join(5_000);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
