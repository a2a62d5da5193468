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

/** Changes settings of a Spark session while work runs, and restores them afterwards. */
public final class SessionSettings {
  private static final Logger LOG = LoggerFactory.getLogger(SessionSettings.class);

  private static final String MIN_PARTITIONS = "spark.sql.files.minPartitionNum";
  private static final int TASKS_PER_CORE = 4;

  private static final String ROWS = "64";
  private static final List<String> READERS =
      List.of("spark.sql.parquet.columnarReaderBatchSize", "spark.sql.orc.columnarReaderBatchSize");

  /**
   * Settings that make Spark, Hadoop or ORC skip files, lines, rows or values that they cannot
   * read, or include rows of a failed streaming batch; each with the value that prevents this.
   * Hadoop's settings are listed because the session's settings override Hadoop's own where Spark
   * reads rows.
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

  /** Spark's own settings of this kind, which apply to the complete application. */
  static final List<String> STATIC =
      List.of("spark.files.ignoreCorruptFiles", "spark.files.ignoreMissingFiles");

  /** Settings that do not depend on Spark's version or on the user's settings. */
  private static final Map<String, String> ALWAYS =
      Map.of(
          // Makes Spark compare each record of CSV with all columns, not with the used ones only.
          "spark.sql.csv.parser.columnPruning.enabled",
          "false",
          // Prevents Spark's warnings about plans that it has shortened in messages.
          "spark.sql.debug.maxToStringFields",
          Integer.toString(Integer.MAX_VALUE),
          // Prevents Spark from refusing a folder "a b" next to a folder "a%20b" as a checkpoint of
          // Spark 2.4.
          "spark.sql.streaming.checkpoint.escapedPathCheck.enabled",
          "false");

  private SessionSettings() {}

  /** Whether a setting may make Spark, Hadoop or ORC skip input. */
  public static boolean skipsInput(String key) {
    return READ_ALL.keySet().stream().anyMatch(key::equalsIgnoreCase);
  }

  /** Accepts every path; replaces a user's filter that might skip files. */
  public static final class EveryPath implements PathFilter {
    /** Public for Hadoop, which creates an instance from the class name. */
    public EveryPath() {}

    @Override
    public boolean accept(Path path) {
      return true;
    }
  }

  /**
   * Runs a command with settings under which the complete input is read or an error is thrown. They
   * override the user's settings, and a warning lists the settings that are overridden.
   *
   * <p>Also reduces the number of rows in a batch of Spark's vectorised readers, unless the user
   * has set that number. These readers hold a batch of every column in memory, by default 4096
   * rows. If each row has a hundred thousand tokens or the logits of a vocabulary, a batch needs
   * gigabytes in every task, and a partition would not be streamed.
   */
  static <T> T forCommand(SparkSession spark, Supplier<T> work) {
    Map<String, String> settings = new HashMap<>(ALWAYS);
    for (String key : READERS) {
      if (!spark.conf().contains(key)) {
        settings.put(key, ROWS);
      }
    }
    if (!spark.conf().contains(MIN_PARTITIONS)) {
      settings.put(MIN_PARTITIONS, Integer.toString(tasks(spark)));
    }
    Map<String, String> unsafe = unsafe(spark);
    unsafe.keySet().forEach(key -> settings.put(key, READ_ALL.get(key)));
    if (!unsafe.isEmpty()) {
      LOG.warn(
          "Ignoring settings that skip input without an error, until the command ends: {}",
          listed(unsafe));
    }
    return with(spark, settings, work);
  }

  /**
   * The number of tasks into which an input is divided at least, so that the last ones cost little.
   */
  public static int tasks(SparkSession spark) {
    return TASKS_PER_CORE * spark.sparkContext().defaultParallelism();
  }

  /** Returns the settings of a session that might skip input, with their current values. */
  private static Map<String, String> unsafe(SparkSession spark) {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    Map<String, String> unsafe = new LinkedHashMap<>();
    READ_ALL.forEach(
        (key, safe) -> {
          String value = null;
          if (spark.conf().contains(key)) {
            value = spark.conf().get(key);
          } else if (!Configuration.isDeprecated(key)) {
            // Hadoop returns a new name's value for its deprecated name.
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
   * Refuses a running application whose settings skip input of Hive's tables. These settings cannot
   * be changed until the application ends.
   */
  static void checkStatic(SparkSession spark) {
    for (String key : STATIC) {
      if (spark.sparkContext().getConf().getBoolean(key, false)) {
        throw Refusal.because(
            "Cannot read a table with %s=true: it skips unreadable input without an error, and it"
                + " cannot be changed in a running application; start Spark without it",
            key);
      }
    }
  }

  /** Runs work with these settings instead of the user's. */
  public static <T> T with(SparkSession spark, Map<String, String> settings, Supplier<T> work) {
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

  /** The maximum number of bytes that a task reads from files: the user's setting for Spark. */
  public static long maxBytes(SparkSession spark) {
    return JavaUtils.byteStringAsBytes(spark.conf().get("spark.sql.files.maxPartitionBytes"));
  }
}
