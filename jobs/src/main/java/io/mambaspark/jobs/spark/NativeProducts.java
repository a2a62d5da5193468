package io.mambaspark.jobs.spark;

import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.jobs.Refusal;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;

/** Spark's setting of the engine's native products of integers. */
public final class NativeProducts {
  /** {@code auto}, {@code off} or {@code require}; by default the engine decides. */
  public static final String SETTING = "spark.mambaspark.native";

  private NativeProducts() {}

  /**
   * Passes the setting and Spark's local folder on to the engine, which reads them when it chooses
   * its kernels. Call it before the first model of this JVM is packed.
   *
   * @throws Refusal if the setting is unknown, if it requires native products and there are none,
   *     or if this JVM has chosen its kernels under another setting
   */
  public static void configure() {
    SparkEnv env = SparkEnv.get();
    SparkConf conf = env == null ? new SparkConf() : env.conf();
    configure(conf);
    if (env != null) {
      System.setProperty(Kernels.NATIVE_FOLDER, Tasks.localFolder().toString());
    }
    Kernels kernels;
    try {
      kernels = Kernels.best();
    } catch (IllegalStateException e) {
      throw Refusal.because("%s", e.getMessage());
    }
    String mode = conf.get(SETTING, "auto");
    if (mode.equals(kernels.hasNativeProducts() ? "off" : "require")) {
      throw Refusal.because(
          "%s=%s: this JVM has chosen its kernels before (%s); start a new one",
          SETTING, mode, kernels.describe());
    }
  }

  private static void configure(SparkConf conf) {
    if (!conf.contains(SETTING)) {
      return;
    }
    String mode = conf.get(SETTING);
    if (!List.of("auto", "off", "require").contains(mode)) {
      throw Refusal.because("%s=%s: expected auto, off or require", SETTING, mode);
    }
    System.setProperty(Kernels.NATIVE, mode);
  }

  /**
   * Whether tasks have native products. On a cluster the driver knows only whether they may have
   * them: its class path has the library.
   */
  public static boolean expected(JavaSparkContext context) {
    if (context.isLocal()) {
      configure();
      return Kernels.best().hasNativeProducts();
    }
    configure(context.getConf());
    return Kernels.mayBeNative();
  }
}
