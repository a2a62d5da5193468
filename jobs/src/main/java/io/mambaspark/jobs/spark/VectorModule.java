package io.mambaspark.jobs.spark;

import java.util.Arrays;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import java.util.WeakHashMap;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The module of the Vector API. A JVM has it only if it is started with it; without the module, the
 * scalar kernels run. Spark 4 starts executors with the module, Spark 3.5 does not.
 */
public final class VectorModule {
  static final String EXECUTOR_OPTIONS = "spark.executor.extraJavaOptions";

  private static final Logger LOG = LoggerFactory.getLogger(VectorModule.class);
  private static final String NAME = "jdk.incubator.vector";
  private static final String OPTION = "--add-modules=" + NAME;

  /** The contexts for which a warning was logged. */
  private static final Set<SparkContext> WARNED = Collections.newSetFromMap(new WeakHashMap<>());

  private VectorModule() {}

  /**
   * Returns the executors' Java options for a new session: the user's options and the module's.
   * Returns an empty value if the module need not be added. The options in {@code
   * spark.executor.defaultJavaOptions} are not repeated, because Spark prepends them.
   */
  static Optional<String> executorOptions(SparkConf given) {
    String master = given.get("spark.master", "local");
    if (master.equals("local") || master.startsWith("local[") || isGiven(given)) {
      return Optional.empty();
    }
    return Optional.of((given.get(EXECUTOR_OPTIONS, "") + " " + OPTION).strip());
  }

  /**
   * Whether a setting of the executors names the module: their options, or a variable of their
   * environment. The settings of a running session include the options that Spark has added.
   */
  static boolean isGiven(SparkConf conf) {
    return Arrays.stream(conf.getAll())
        .anyMatch(
            setting -> setting._1().startsWith("spark.executor") && setting._2().contains(NAME));
  }

  /** Logs a warning, once per session, if executors are running without the module. */
  public static void warnIfMissing(JavaSparkContext context) {
    // In local mode the kernels run in this JVM and log the warning themselves.
    if (context.isLocal() || isGiven(context.getConf())) {
      return;
    }
    synchronized (WARNED) {
      if (!WARNED.add(context.sc())) {
        return;
      }
    }
    LOG.warn("{}", warning(context.version()));
  }

  static String warning(String spark) {
    return "Spark %s starts its executors without the module %s, so they run the scalar kernels,"
            .formatted(spark, NAME)
        + " about 20 times slower. Start the session with --conf %s=%s"
            .formatted(EXECUTOR_OPTIONS, OPTION);
  }
}
