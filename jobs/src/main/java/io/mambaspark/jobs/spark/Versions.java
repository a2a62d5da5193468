package io.mambaspark.jobs.spark;

import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.jobs.Refusal;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.SparkSession;

/** The versions of the software that computed the scores. */
public final class Versions {
  private static final Pattern NUMBER = Pattern.compile("(\\d+)\\.(\\d+)\\b.*", Pattern.DOTALL);
  private static final int OLDEST_MAJOR = 3;
  private static final int OLDEST_MINOR = 5;

  private Versions() {}

  /**
   * Checks the version of the running Spark. Call it before anything else uses Spark.
   *
   * @throws Refusal if the version is too old
   */
  public static void checkSpark() {
    checkSpark(spark());
  }

  /** Accepts the suffixes that distributions append to a version, as in 3.5.6-amzn-0. */
  static void checkSpark(String version) {
    Matcher number = NUMBER.matcher(version);
    if (!number.matches()) {
      return;
    }
    int major = Integer.parseInt(number.group(1));
    int minor = Integer.parseInt(number.group(2));
    if (major < OLDEST_MAJOR || major == OLDEST_MAJOR && minor < OLDEST_MINOR) {
      throw Refusal.because(
          "Spark %s is too old: mamba-spark requires %d.%d or newer",
          version, OLDEST_MAJOR, OLDEST_MINOR);
    }
  }

  /** The version of the running Spark, such as 4.1.3. */
  public static String spark() {
    return org.apache.spark.package$.MODULE$.SPARK_VERSION();
  }

  /** The binary version of Scala, such as 2.13. */
  public static String scala() {
    return scala.util.Properties.versionNumberString().replaceFirst("^(\\d+\\.\\d+).*", "$1");
  }

  public static String mambaSpark() {
    Properties properties = new Properties();
    try (InputStream in =
        Versions.class.getResourceAsStream("/io/mambaspark/jobs/version.properties")) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return properties.getProperty("version");
  }

  public static Map<String, Object> all() {
    Map<String, Object> versions = new LinkedHashMap<>();
    versions.put("mamba_spark", mambaSpark());
    versions.put("spark", spark());
    versions.put("scala", scala.util.Properties.versionNumberString());
    versions.put("java", System.getProperty("java.runtime.version"));
    return versions;
  }

  /** Returns all versions and, if this JVM computes the scores, its kernels. */
  public static Map<String, Object> ofScores() {
    Map<String, Object> versions = all();
    if (SparkSession.active().sparkContext().isLocal()) {
      NativeProducts.configure();
      versions.put("kernels", Kernels.best().describe());
    }
    return versions;
  }
}
