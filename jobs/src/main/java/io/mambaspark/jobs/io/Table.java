package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.Versions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * A table or view of the session's catalogs, as Spark's SQL describes it. Only SQL is used, because
 * Spark's interfaces to catalogs differ between its versions, and Iceberg and Delta are not on the
 * class path of every job.
 *
 * @param name the name as the user wrote it, which is the name in SQL
 * @param provider the format, such as iceberg, delta or parquet; empty for a view
 * @param location the folder; empty if it is not known
 * @param partitioning the partition columns or, of Iceberg, transforms of columns
 */
record Table(
    String name, Optional<String> provider, Optional<String> location, List<String> partitioning) {

  /** How a table is committed to. */
  enum Kind {
    ICEBERG,
    DELTA,
    /** Spark's own tables and others, whose appends are not one commit. */
    OTHER
  }

  private static final String DETAILS = "# Detailed Table Information";
  private static final String SESSION_CATALOG = "spark_catalog";
  private static final String DELTA_CATALOG = "org.apache.spark.sql.delta.catalog.DeltaCatalog";

  /**
   * Finds a table.
   *
   * @param option the option that names it
   * @return empty if its catalog does not have it
   * @throws Refusal if the name cannot be one of a table, or its catalog does not work
   */
  static Optional<Table> find(SparkSession spark, String name, String option) {
    List<String> parts = ColumnNames.parts(name);
    checkCatalog(spark, parts, name, option);
    List<Row> described;
    try {
      described = spark.sql("DESCRIBE TABLE EXTENDED " + name).collectAsList();
    } catch (RuntimeException | LinkageError e) {
      return missing(e, name, option);
    } catch (Exception e) {
      // Scala throws AnalysisException without declaring it.
      return missing(e, name, option);
    }
    return Optional.of(of(name, described));
  }

  private static Table of(String name, List<Row> described) {
    Map<String, String> details = new LinkedHashMap<>();
    List<String> partitioning = new ArrayList<>();
    String section = "";
    for (Row row : described) {
      String key = row.getString(0);
      String value = row.isNullAt(1) ? "" : row.getString(1);
      if (key.startsWith("# ") && !key.equals("# col_name")) {
        section = key;
      } else if (section.equals("# Partition Information") && !key.isEmpty()) {
        if (!key.startsWith("#")) {
          partitioning.add(key);
        }
      } else if (section.equals("# Partitioning") && key.startsWith("Part ")) {
        partitioning.add(value);
      } else if (section.equals(DETAILS)) {
        details.putIfAbsent(key, value);
      }
    }
    boolean view = details.getOrDefault("Type", "").toUpperCase(Locale.ROOT).endsWith("VIEW");
    return new Table(
        name,
        view || details.isEmpty()
            ? Optional.empty()
            : Optional.of(details.getOrDefault("Provider", "unknown").toLowerCase(Locale.ROOT)),
        Optional.ofNullable(details.get("Location")).filter(text -> !text.isEmpty()),
        List.copyOf(partitioning));
  }

  /** Refuses a name whose catalog is not defined or not on the class path. */
  private static void checkCatalog(
      SparkSession spark, List<String> parts, String name, String option) {
    String first = parts.get(0);
    if (parts.size() > 1 && parts.stream().anyMatch(String::isEmpty)) {
      throw Refusal.wrongUsage("%s %s is not the name of a table", option, name);
    }
    if (parts.size() > 2 && !isDefined(spark, first) && !first.equals(SESSION_CATALOG)) {
      throw Refusal.because(
          "%s %s: catalog %s is not defined; give spark-submit --conf spark.sql.catalog.%s=CLASS, as"
              + " the documentation of the catalog says",
          option, name, first, first);
    }
    String catalog = catalog(spark, name);
    String plugin = spark.conf().get("spark.sql.catalog." + catalog, "");
    if (!plugin.isEmpty() && !plugin.equals("builtin") && !isLoadable(plugin)) {
      throw Refusal.because(
          "%s %s: catalog %s is %s, which is not on the class path; %s",
          option, name, catalog, plugin, packageOf(plugin));
    }
    if (parts.size() == 2 && first.equals("delta") && !plugin.equals(DELTA_CATALOG)) {
      throw Refusal.because(
          "%s %s: tables in Delta format need --conf spark.sql.catalog.spark_catalog=%s; %s",
          option, name, DELTA_CATALOG, packageOf(DELTA_CATALOG));
    }
  }

  private static boolean isLoadable(String className) {
    try {
      Class.forName(className, false, Thread.currentThread().getContextClassLoader());
      return true;
    } catch (ClassNotFoundException | LinkageError e) {
      return false;
    }
  }

  /** Says which package has a class or a format. */
  private static String packageOf(String name) {
    String spark = Versions.spark().replaceFirst("^(\\d+\\.\\d+).*", "$1");
    if (name.contains("iceberg")) {
      return "give spark-submit --packages org.apache.iceberg:iceberg-spark-runtime-%s_%s:VERSION"
          .formatted(spark, Versions.scala());
    }
    return name.contains("delta")
        ? "give spark-submit --packages io.delta:delta-spark_%s_%s:VERSION"
            .formatted(spark, Versions.scala())
        : "give spark-submit its package with --packages or --jars";
  }

  private static Optional<Table> missing(Throwable e, String name, String option) {
    if (e instanceof LinkageError || e.getCause() instanceof LinkageError) {
      throw Refusal.because(
          e,
          "%s %s: its catalog does not run on Spark %s (%s); use its package for this version",
          option,
          name,
          Versions.spark(),
          Failures.oneLine(e));
    }
    String message = String.valueOf(e.getMessage());
    if (e instanceof AnalysisException
        && (message.contains("TABLE_OR_VIEW_NOT_FOUND")
            || message.contains("DELTA_TABLE_NOT_FOUND")
            || message.contains("DELTA_PATH_DOES_NOT_EXIST")
            || message.contains("DELTA_MISSING_DELTA_TABLE"))) {
      return Optional.empty();
    }
    throw Refusal.because(e, "%s %s: %s", option, name, Failures.oneLine(e));
  }

  Kind kind() {
    return switch (provider.orElse("")) {
      case "iceberg" -> Kind.ICEBERG;
      case "delta" -> Kind.DELTA;
      default -> Kind.OTHER;
    };
  }

  boolean isView() {
    return provider.isEmpty();
  }

  /** Describes the table for messages. */
  String shown() {
    return "%s %s".formatted(provider.map(p -> p + " table").orElse("view"), name);
  }

  /** Returns the format that a catalog gives to a new table; empty if it is not known. */
  static Optional<String> formatOfNew(SparkSession spark, String name) {
    String catalog = catalog(spark, name);
    if (ColumnNames.parts(name).get(0).equals("delta") && !isDefined(spark, "delta")) {
      return Optional.of("delta");
    }
    String plugin = spark.conf().get("spark.sql.catalog." + catalog, "");
    if (plugin.startsWith("org.apache.iceberg.spark.")) {
      return Optional.of("iceberg");
    }
    if (plugin.equals(DELTA_CATALOG)) {
      return Optional.of("delta");
    }
    return catalog.equals(SESSION_CATALOG)
        ? Optional.of(spark.conf().get("spark.sql.sources.default"))
        : Optional.empty();
  }

  /** Whether this is a table of Spark's own catalog. */
  boolean isInSessionCatalog(SparkSession spark) {
    return catalog(spark, name).equals(SESSION_CATALOG);
  }

  private static String catalog(SparkSession spark, String name) {
    List<String> parts = ColumnNames.parts(name);
    return parts.size() > 1 && isDefined(spark, parts.get(0))
        ? parts.get(0)
        : spark.conf().get("spark.sql.defaultCatalog", SESSION_CATALOG);
  }

  private static boolean isDefined(SparkSession spark, String catalog) {
    return spark.conf().contains("spark.sql.catalog." + catalog);
  }

  /** Returns the latest snapshot or version; empty if there is none or the format has none. */
  Optional<String> version(SparkSession spark) {
    return switch (kind()) {
      case ICEBERG ->
          first(spark, "SELECT snapshot_id FROM %s.refs WHERE name = 'main'".formatted(name));
      case DELTA -> first(spark, "DESCRIBE HISTORY %s LIMIT 1".formatted(name));
      case OTHER -> Optional.empty();
    };
  }

  /** Returns the snapshot of Iceberg with an id, or that of a tag or branch. */
  Optional<String> snapshot(SparkSession spark, String idOrRef) {
    return idOrRef.matches("\\d+")
        ? first(
            spark,
            "SELECT snapshot_id FROM %s.snapshots WHERE snapshot_id = %s".formatted(name, idOrRef))
        : first(
            spark,
            "SELECT snapshot_id FROM %s.refs WHERE name = '%s'"
                .formatted(name, idOrRef.replace("'", "")));
  }

  /**
   * Returns the snapshot of Iceberg that was the latest one at a time.
   *
   * @param time a timestamp of SQL, or milliseconds since 1970
   */
  Optional<String> snapshotAt(SparkSession spark, String time) {
    String at =
        time.matches("\\d{10,}")
            ? "timestamp_millis(%s)".formatted(time)
            : "CAST('%s' AS TIMESTAMP)".formatted(time.replace("'", ""));
    return first(
        spark,
        "SELECT snapshot_id FROM %s.history WHERE made_current_at <= %s ORDER BY"
                .formatted(name, at)
            + " made_current_at DESC LIMIT 1");
  }

  /** Returns the folder of a table that is named by it, as in delta.`PATH`. */
  static Optional<String> path(String name) {
    List<String> parts = ColumnNames.parts(name);
    return parts.size() == 2 && parts.get(0).equals("delta") && parts.get(1).contains("/")
        ? Optional.of(parts.get(1))
        : Optional.empty();
  }

  /** Returns the first value of the first row. */
  private static Optional<String> first(SparkSession spark, String query) {
    List<Row> rows = spark.sql(query).collectAsList();
    return rows.isEmpty() ? Optional.empty() : Optional.of(String.valueOf(rows.get(0).get(0)));
  }
}
