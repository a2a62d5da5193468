package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaModel;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;

/** Delivers the stored weights of a model in a broadcast. */
record BroadcastDelivery(Broadcast<ModelBroadcast> broadcast) implements ModelDelivery {
  private static final long REMOVAL_MILLIS = 5_000;

  static BroadcastDelivery send(
      ModelSource source, WeightFormat weights, JavaSparkContext context) {
    FileDelivery files =
        context.isLocal()
            ? FileDelivery.inDriver(source, weights)
            : FileDelivery.toExecutors(source, weights, context);
    return new BroadcastDelivery(
        context.broadcast(new ModelBroadcast(source.checkpoint(), weights, files)));
  }

  @Override
  public MambaModel model() {
    return broadcast.value().model();
  }

  /**
   * Removes the broadcast from the executors, and waits up to five seconds for them. Executors that
   * are still removing it when Spark stops log errors; the limit is for an executor that hangs.
   */
  @Override
  public void close() {
    Thread removal = new Thread(() -> broadcast.destroy(true), "mamba-spark-broadcast-removal");
    removal.setDaemon(true);
    removal.start();
    try {
      removal.join(REMOVAL_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
