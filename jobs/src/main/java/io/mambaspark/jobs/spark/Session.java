package io.mambaspark.jobs.spark;

import java.util.function.Function;
import org.apache.spark.SparkConf;
import org.apache.spark.api.plugin.SparkPlugin;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Spark for the length of a command: the session that runs already, or one that is started. */
public final class Session {
  private static final Logger LOG = LoggerFactory.getLogger(Session.class);

  private static final String PLUGINS = "spark.plugins";
  private static final String BLOCK_SIZE = "spark.broadcast.blockSize";

  private Session() {}

  /**
   * Does work in a session, which is stopped afterwards if it was started here.
   *
   * @param command names the application
   * @param tables whether tables of the catalog are read
   * @param plugin of Spark, which a session that is started here gets
   */
  public static <T> T during(
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
      LOG.warn("Could not stop Spark: {}", e.toString());
    }
  }

  /** Tables are most often those of a Hive metastore, which a session has to be told of. */
  private static boolean hiveIsThere() {
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
      // Progress comes with heartbeats. On a cluster Spark's own ten seconds spare the driver; with
      // one second, a slow start of Spark still runs at the first, and prints a stack trace.
      builder.config("spark.executor.heartbeatInterval", "3s");
    }
    if (!given.contains(BLOCK_SIZE)) {
      // A piece of 4 MB, Spark's default, and its header take one more region of G1's heap: with
      // regions of 2 MB half as much again as the weights of a broadcast.
      builder.config(BLOCK_SIZE, "4095k");
    }
    for (String key : SessionSettings.STATIC) {
      if (given.getBoolean(key, false)) {
        LOG.warn("Ignoring {}=true, which leaves out input without an error", key);
        builder.config(key, "false");
      }
    }
    String plugins = given.get(PLUGINS, "");
    if (!plugins.contains(plugin)) {
      builder.config(PLUGINS, plugins.isEmpty() ? plugin : plugins + "," + plugin);
    }
    VectorModule.executorOptions(given)
        .ifPresent(options -> builder.config(VectorModule.EXECUTOR_OPTIONS, options));
    if (tables && !given.contains("spark.sql.catalogImplementation") && hiveIsThere()) {
      builder.enableHiveSupport();
    }
    return builder.getOrCreate();
  }
}
