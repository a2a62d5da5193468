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
 * The module of the Vector API, which a JVM has only if it is started with it; without it the
 * scalar kernels run. Spark 4 starts executors with it, Spark 3.5 does not.
 */
public final class VectorModule {
  static final String EXECUTOR_OPTIONS = "spark.executor.extraJavaOptions";

  private static final Logger LOG = LoggerFactory.getLogger(VectorModule.class);
  private static final String NAME = "jdk.incubator.vector";
  private static final String OPTION = "--add-modules=" + NAME;

  /** The contexts that were warned of. */
  private static final Set<SparkContext> TOLD = Collections.newSetFromMap(new WeakHashMap<>());

  private VectorModule() {}

  /**
   * The executors' options for a session that is to be started, with the module's added to the
   * user's; empty if there is nothing to add. Those of {@code spark.executor.defaultJavaOptions}
   * stay: Spark puts them in front.
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
   * environment. Those of a session that runs have what Spark has added.
   */
  static boolean isGiven(SparkConf conf) {
    return Arrays.stream(conf.getAll())
        .anyMatch(
            setting -> setting._1().startsWith("spark.executor") && setting._2().contains(NAME));
  }

  /** Says so, once, when executors that run already are without the module. */
  public static void warnIfMissing(JavaSparkContext context) {
    // In local mode the kernels themselves say it, in this JVM.
    if (context.isLocal() || isGiven(context.getConf())) {
      return;
    }
    synchronized (TOLD) {
      if (!TOLD.add(context.sc())) {
        return;
      }
    }
    LOG.warn("{}", warning(context.version()));
  }

  static String warning(String spark) {
    return "Spark %s starts its executors without the module %s: they run the scalar kernels, some"
            .formatted(spark, NAME)
        + " 20 times slower. Start the session with --conf %s=%s"
            .formatted(EXECUTOR_OPTIONS, OPTION);
  }
}
