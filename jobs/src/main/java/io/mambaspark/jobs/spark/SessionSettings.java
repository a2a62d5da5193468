package io.mambaspark.jobs.spark;

import io.mambaspark.jobs.Refusal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathFilter;
import org.apache.spark.network.util.JavaUtils;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Settings of a Spark session for the time of a piece of work; it is left as it was found. */
public final class SessionSettings {
  private static final Logger LOG = LoggerFactory.getLogger(SessionSettings.class);

  private static final String ROWS = "64";
  private static final List<String> READERS =
      List.of("spark.sql.parquet.columnarReaderBatchSize", "spark.sql.orc.columnarReaderBatchSize");

  /**
   * What makes Spark, Hadoop or ORC leave out files, lines, rows or values that they do not like,
   * or take in those of a batch that failed, and the value under which they do not. Hadoop's
   * settings are here too: where Spark reads rows, those of the session lie over Hadoop's own.
   */
  private static final Map<String, String> READ_ALL =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("spark.sql.files.ignoreCorruptFiles", "false"),
              Map.entry("spark.sql.files.ignoreMissingFiles", "false"),
              Map.entry("spark.sql.files.ignoreInvalidPartitionPaths", "false"),
              Map.entry("spark.sql.hive.verifyPartitionPath", "false"),
              Map.entry("spark.sql.parquet.fieldId.read.ignoreMissing", "false"),
              Map.entry("spark.sql.streaming.fileStreamSink.ignoreMetadata", "false"),
              Map.entry(
                  "mapreduce.input.fileinputformat.input.dir.nonrecursive.ignore.subdirs", "false"),
              Map.entry("mapreduce.input.linerecordreader.line.maxlength", "2147483647"),
              Map.entry("mapred.linerecordreader.maxlength", "2147483647"),
              Map.entry("mapreduce.input.pathFilter.class", EveryPath.class.getName()),
              Map.entry("mapred.input.pathFilter.class", EveryPath.class.getName()),
              Map.entry("avro.mapred.ignore.inputs.without.extension", "false"),
              Map.entry("orc.skip.corrupt.data", "false"),
              Map.entry("hive.exec.orc.skip.corrupt.data", "false")));

  /** The same of Spark's own settings, which are those of the whole application. */
  static final List<String> STATIC =
      List.of("spark.files.ignoreCorruptFiles", "spark.files.ignoreMissingFiles");

  /** Whatever Spark's version and the user's settings are. */
  private static final Map<String, String> ALWAYS =
      Map.of(
          // Otherwise Spark warns of plans that it has shortened, which nobody asked to see.
          "spark.sql.debug.maxToStringFields",
          Integer.toString(Integer.MAX_VALUE),
          // Otherwise a folder "a b" beside one "a%20b" is taken for a checkpoint of Spark 2.4.
          "spark.sql.streaming.checkpoint.escapedPathCheck.enabled",
          "false");

  private SessionSettings() {}

  /** Leaves out nothing, in the place of a filter that might. */
  public static final class EveryPath implements PathFilter {
    /** For Hadoop, which makes one from the name of the class. */
    public EveryPath() {}

    @Override
    public boolean accept(Path path) {
      return true;
    }
  }

  /**
   * Runs a command.
   *
   * <p>With few rows to a batch of Spark's vectorised readers, unless the user has set a number.
   * They hold a batch of every column at once, by default 4096 rows: with a hundred thousand tokens
   * or the logits of a vocabulary in each that is gigabytes for every task, and a partition would
   * not be streamed.
   *
   * <p>And with settings under which all of the input is read or an error is thrown, whatever the
   * user has set, who is told.
   */
  static <T> T forCommand(SparkSession spark, Supplier<T> work) {
    Map<String, String> settings = new HashMap<>(ALWAYS);
    for (String key : READERS) {
      if (!spark.conf().contains(key)) {
        settings.put(key, ROWS);
      }
    }
    Map<String, String> unsafe = unsafe(spark);
    unsafe.keySet().forEach(key -> settings.put(key, READ_ALL.get(key)));
    if (!unsafe.isEmpty()) {
      LOG.warn(
          "Ignoring settings that leave out input without an error, until the command ends: {}",
          listed(unsafe));
    }
    return during(spark, settings, work);
  }

  /** The settings of a session that might leave out input, as they are. */
  private static Map<String, String> unsafe(SparkSession spark) {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    Map<String, String> unsafe = new LinkedHashMap<>();
    READ_ALL.forEach(
        (key, safe) -> {
          String value = null;
          if (spark.conf().contains(key)) {
            value = spark.conf().get(key);
          } else if (!Configuration.isDeprecated(key)) {
            // An old name has the value of the new one.
            value = hadoop.get(key);
          }
          if (value != null && !value.strip().equalsIgnoreCase(safe)) {
            unsafe.put(key, value);
          }
        });
    return unsafe;
  }

  private static String listed(Map<String, String> settings) {
    List<String> each = new ArrayList<>();
    settings.forEach((key, value) -> each.add(key + "=" + value));
    return String.join(", ", each);
  }

  /**
   * Refuses a session whose application leaves out input of Hive's tables, which cannot be changed
   * while it runs.
   */
  static void checkStatic(SparkSession spark) {
    for (String key : STATIC) {
      if (spark.sparkContext().getConf().getBoolean(key, false)) {
        throw Refusal.because(
            "Cannot read a table with %s=true, which leaves out what cannot be read without an"
                + " error, and which no command can change in an application that runs: start Spark"
                + " without it",
            key);
      }
    }
  }

  /** Runs work with these settings, whatever the user has set. */
  public static <T> T during(SparkSession spark, Map<String, String> settings, Supplier<T> work) {
    Map<String, String> before = new HashMap<>();
    for (String key : settings.keySet()) {
      if (spark.conf().contains(key)) {
        before.put(key, spark.conf().get(key));
      }
    }
    settings.forEach(spark.conf()::set);
    try {
      return work.get();
    } finally {
      settings.keySet().forEach(spark.conf()::unset);
      before.forEach(spark.conf()::set);
    }
  }

  /** The bytes of files that a task reads at most, as the user has set it for Spark's sources. */
  public static long mostBytes(SparkSession spark) {
    return JavaUtils.byteStringAsBytes(spark.conf().get("spark.sql.files.maxPartitionBytes"));
  }
}
