package io.mambaspark.jobs.spark;

import java.util.function.Function;
import org.apache.spark.SparkConf;
import org.apache.spark.api.plugin.SparkPlugin;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The Spark session of one command: the session that is already running, or a new one. */
public final class Session {
  private static final Logger LOG = LoggerFactory.getLogger(Session.class);

  private static final String PLUGINS = "spark.plugins";
  private static final String BLOCK_SIZE = "spark.broadcast.blockSize";
  private static final String BLOCKING_CLEANER = "spark.cleaner.referenceTracking.blocking";

  private Session() {}

  /**
   * Runs work in a session. A session that this method has started is stopped afterwards.
   *
   * @param command the command's name, which becomes part of the application's name
   * @param tables whether the command reads tables of the catalog
   * @param plugin the Spark plugin that a new session loads
   */
  public static <T> T run(
      String command,
      boolean tables,
      Class<? extends SparkPlugin> plugin,
      Function<SparkSession, T> work) {
    boolean ours = SparkSession.getDefaultSession().isEmpty();
    SparkSession spark = session(command, tables, plugin.getName());
    try {
      if (tables) {
        SessionSettings.checkStatic(spark);
      }
      return SessionSettings.forCommand(spark, () -> work.apply(spark));
    } finally {
      spark.sparkContext().setJobDescription(null);
      if (ours) {
        stop(spark);
      }
    }
  }

  /** A failure while stopping Spark must not change the command's result. */
  private static void stop(SparkSession spark) {
    try {
      spark.stop();
    } catch (RuntimeException e) {
      LOG.warn("Cannot stop Spark: {}", e.toString());
    }
  }

  /**
   * Whether Hive's classes are on the class path. Tables are usually in a Hive metastore, which
   * requires a session with Hive support.
   */
  private static boolean hasHive() {
    try {
      ClassLoader loader = Thread.currentThread().getContextClassLoader();
      Class.forName("org.apache.spark.sql.hive.HiveSessionStateBuilder", false, loader);
      Class.forName("org.apache.hadoop.hive.conf.HiveConf", false, loader);
      return true;
    } catch (ClassNotFoundException | NoClassDefFoundError e) {
      return false;
    }
  }

  private static SparkSession session(String command, boolean tables, String plugin) {
    SparkConf given = new SparkConf();
    SparkSession.Builder builder = SparkSession.builder().appName("mamba-spark " + command);
    if (!given.contains("spark.master")) {
      builder.master("local[*]");
    }
    if (given.get("spark.master", "local").startsWith("local")
        && !given.contains("spark.executor.heartbeatInterval")) {
      // Progress is sent with heartbeats. On a cluster, keep Spark's own ten seconds to spare the
      // driver. With one second, the first heartbeat falls into a slow start of Spark and prints a
      // stack trace.
      builder.config("spark.executor.heartbeatInterval", "3s");
    }
    if (!given.contains(BLOCK_SIZE)) {
      // A piece of 4 MB, Spark's default, and its header occupy one more region of G1's heap. With
      // regions of 2 MB, a broadcast then occupies half as much again as its weights.
      builder.config(BLOCK_SIZE, "4095k");
    }
    if (!given.contains(BLOCKING_CLEANER)) {
      // Spark's stop waits for the cleaner. A blocking cleaner waits for each executor to remove
      // its blocks, two minutes for one that hangs (SPARK-54219).
      builder.config(BLOCKING_CLEANER, "false");
    }
    for (String key : SessionSettings.STATIC) {
      if (given.getBoolean(key, false)) {
        LOG.warn("Ignoring {}=true, which skips input without an error", key);
        builder.config(key, "false");
      }
    }
    String plugins = given.get(PLUGINS, "");
    if (!plugins.contains(plugin)) {
      builder.config(PLUGINS, plugins.isEmpty() ? plugin : plugins + "," + plugin);
    }
    VectorModule.executorOptions(given)
        .ifPresent(options -> builder.config(VectorModule.EXECUTOR_OPTIONS, options));
    if (tables && !given.contains("spark.sql.catalogImplementation") && hasHive()) {
      builder.enableHiveSupport();
    }
    return builder.getOrCreate();
  }
}
