package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.get_json_object;
import static org.apache.spark.sql.functions.lit;

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
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.execution.datasources.DataSource;
import org.apache.spark.sql.internal.SQLConf;

/**
 * A table or view of the session's catalogs, as Spark's SQL describes it. Only SQL is used, because
 * Spark's interfaces to catalogs differ between its versions, and Iceberg and Delta are not on the
 * class path of every job.
 *
 * @param name the name as the user wrote it
 * @param sql the complete name in backticks
 * @param provider the format, such as iceberg, delta or parquet; empty for a view
 * @param location the folder; empty if it is not known
 * @param partitioning the partition columns or, of Iceberg, transforms of columns
 */
record Table(
    String name,
    String sql,
    Optional<String> provider,
    Optional<String> location,
    List<String> partitioning) {

  /** How a table is committed to. */
  enum Kind {
    ICEBERG,
    DELTA,
    /** Spark's own tables and others, whose appends are not one commit. */
    OTHER
  }

  /** The last part of the names of Iceberg's branches, snapshots and metadata tables. */
  private static final Pattern PART_OF_ICEBERG =
      Pattern.compile(
          "(?i)(branch|tag|snapshot_id|at_timestamp)_.+|snapshots|history|refs|partitions"
              + "|(all_|data_|delete_|all_data_|all_delete_)?(files|manifests|entries)"
              + "|metadata_log_entries|position_deletes");

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
    String sql = ColumnNames.sql(qualified(spark, parts));
    try {
      described = spark.sql("DESCRIBE TABLE EXTENDED " + sql).collectAsList();
    } catch (RuntimeException | LinkageError e) {
      return missing(e, name, option);
    } catch (Exception e) {
      // Scala throws AnalysisException without declaring it.
      return missing(e, name, option);
    }
    Table found = of(name, sql, described);
    if (found.kind() == Kind.ICEBERG && isPartOfTable(spark, parts)) {
      throw Refusal.because(
          "%s %s: name the table itself; --input-option branch=NAME, tag=NAME and snapshot-id=ID select"
              + " its rows",
          option, name);
    }
    return Optional.of(found);
  }

  /** Whether a name is that of a branch, a snapshot or metadata of a table of Iceberg. */
  private static boolean isPartOfTable(SparkSession spark, List<String> parts) {
    int last = parts.size() - 1;
    return last > 0
        && PART_OF_ICEBERG.matcher(parts.get(last)).matches()
        && spark.catalog().tableExists(ColumnNames.sql(parts.subList(0, last)));
  }

  /** Returns the complete name; that of a temporary view has one part. */
  private static List<String> qualified(SparkSession spark, List<String> parts) {
    if (parts.size() > 1) {
      return parts;
    }
    try {
      if (spark.catalog().getTable(ColumnNames.sql(parts)).isTemporary()) {
        return parts;
      }
    } catch (Exception e) {
      // There is no table of this name, or Scala throws AnalysisException without declaring it.
    }
    Row current = spark.sql("SELECT current_catalog(), current_database()").first();
    return List.of(current.getString(0), current.getString(1), parts.get(0));
  }

  private static Table of(String name, String sql, List<Row> described) {
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
        sql,
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

  /** Whether a name is one of a catalog that has tables of Iceberg only. */
  static boolean isInIcebergCatalog(SparkSession spark, String name) {
    return spark
        .conf()
        .get("spark.sql.catalog." + catalog(spark, name), "")
        .equals("org.apache.iceberg.spark.SparkCatalog");
  }

  /** Refuses a format that this Spark does not have. */
  static void checkFormat(String format, String option) {
    try {
      DataSource.lookupDataSource(format, SQLConf.get());
    } catch (Exception e) {
      // Scala throws ClassNotFoundException without declaring it.
      throw Refusal.because(e, "%s: Spark has no such format; %s", option, packageOf(format));
    }
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

  /**
   * Returns the latest snapshot or version; empty if there is none or the format has none.
   *
   * @throws Refusal if the table's history cannot be read
   */
  Optional<String> version(SparkSession spark) {
    return switch (kind()) {
      case ICEBERG ->
          first(
              () ->
                  spark.sql("SELECT snapshot_id FROM %s.refs WHERE name = 'main'".formatted(sql)));
      case DELTA -> first(() -> spark.sql("DESCRIBE HISTORY %s LIMIT 1".formatted(sql)));
      case OTHER -> Optional.empty();
    };
  }

  /** Returns the snapshot of Iceberg with an id, or that of a tag or branch. */
  Optional<String> snapshot(SparkSession spark, String idOrRef) {
    boolean id = idOrRef.matches("\\d+");
    return first(
        () ->
            spark
                .table(sql + (id ? ".snapshots" : ".refs"))
                .where(
                    id
                        ? col("snapshot_id").equalTo(lit(idOrRef))
                        : col("name").equalTo(lit(idOrRef)))
                .select("snapshot_id"));
  }

  /**
   * Returns the snapshot or version that was the latest one at a time.
   *
   * @param time a timestamp of SQL, or milliseconds since 1970
   */
  Optional<String> versionAt(SparkSession spark, String time) {
    Column at =
        time.matches("\\d{10,}")
            ? expr("timestamp_millis(%s)".formatted(time))
            : lit(time).cast("timestamp");
    return kind() == Kind.ICEBERG
        ? first(
            () ->
                spark
                    .table(sql + ".history")
                    .where(col("made_current_at").leq(at))
                    .orderBy(col("made_current_at").desc())
                    .select("snapshot_id"))
        : first(
            () ->
                spark
                    .sql("DESCRIBE HISTORY " + sql)
                    .where(col("timestamp").leq(at))
                    .orderBy(col("version").desc())
                    .select("version"));
  }

  /**
   * Returns a text that is equal for two versions only if they hold the same rows: Iceberg's ids of
   * snapshots are unique; Delta's versions are numbers, which a new table of the same name has,
   * too.
   */
  String identity(SparkSession spark, String version) {
    return kind() == Kind.ICEBERG
        ? version
        : first(() -> spark.sql("DESCRIBE DETAIL " + sql).select("id")).orElse(sql) + " " + version;
  }

  /**
   * Returns the commits of the table, latest first: the version, the time, and the values of
   * properties, which are null if a commit does not have them.
   */
  List<Row> history(SparkSession spark, List<String> properties) {
    List<Column> columns = new ArrayList<>();
    if (kind() == Kind.ICEBERG) {
      columns.addAll(List.of(col("s.snapshot_id"), col("s.committed_at")));
      properties.forEach(key -> columns.add(col("s.summary").getItem(key)));
      return spark
          .table(sql + ".snapshots")
          .as("s")
          .join(
              spark.table(sql + ".history").where("is_current_ancestor").as("h"),
              col("s.snapshot_id").equalTo(col("h.snapshot_id")))
          .orderBy(col("h.made_current_at").desc())
          .select(columns.toArray(Column[]::new))
          .collectAsList();
    }
    columns.addAll(List.of(col("version"), col("timestamp")));
    properties.forEach(
        key -> columns.add(get_json_object(col("userMetadata"), "$['%s']".formatted(key))));
    return spark
        .sql("DESCRIBE HISTORY " + sql)
        .select(columns.toArray(Column[]::new))
        .collectAsList();
  }

  /** Returns the folder of a table that is named by it, as in delta.`PATH`. */
  static Optional<String> path(String name) {
    List<String> parts = ColumnNames.parts(name);
    return parts.size() == 2 && parts.get(0).equals("delta") && parts.get(1).contains("/")
        ? Optional.of(parts.get(1))
        : Optional.empty();
  }

  /** Returns the first value of the first row. */
  private Optional<String> first(Supplier<Dataset<Row>> query) {
    try {
      List<Row> rows = query.get().limit(1).collectAsList();
      return rows.isEmpty() ? Optional.empty() : Optional.of(String.valueOf(rows.get(0).get(0)));
    } catch (RuntimeException e) {
      throw unreadable(e);
    } catch (Exception e) {
      // Scala throws AnalysisException without declaring it.
      throw unreadable(e);
    }
  }

  private Refusal unreadable(Exception e) {
    return Refusal.because(e, "Cannot read the history of %s: %s", shown(), Failures.oneLine(e));
  }
}
