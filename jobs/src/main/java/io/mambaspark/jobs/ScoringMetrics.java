package io.mambaspark.jobs;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import io.mambaspark.jobs.model.PackedModels;
import io.mambaspark.jobs.score.ScoringCounters;
import java.util.Map;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;

/**
 * Metrics of the scoring in this JVM, for Spark's metrics system. {@code spark.plugins} enables
 * them; {@code score} sets it for sessions that it starts itself. Each executor reports its own
 * values, under {@code plugin.io.mambaspark.jobs.ScoringMetrics}. Tokens and documents of a retried
 * task count twice.
 */
public final class ScoringMetrics implements SparkPlugin {
  /** Called by Spark, which instantiates the class by its name. */
  public ScoringMetrics() {}

  @Override
  public DriverPlugin driverPlugin() {
    return null;
  }

  @Override
  public ExecutorPlugin executorPlugin() {
    return new ExecutorPlugin() {
      @Override
      public void init(PluginContext context, Map<String, String> settings) {
        MetricRegistry registry = context.metricRegistry();
        register(registry, "tokensScored", ScoringCounters::tokens);
        register(registry, "documents", ScoringCounters::documents);
        register(registry, "errors", ScoringCounters::errors);
        register(registry, "modelLoadSeconds", PackedModels::loadSeconds);
        register(registry, "residentModelBytes", PackedModels::residentBytes);
      }
    };
  }

  private static void register(MetricRegistry registry, String name, Gauge<Number> gauge) {
    registry.register(name, gauge);
  }
}
