package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.udf;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.Plans;
import io.mambaspark.jobs.spark.SessionSettings;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF0;
import org.apache.spark.sql.streaming.DataStreamReader;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/**
 * The rows of a table or view of the session's catalogs, which the table's own source reads. Of
 * Iceberg and Delta, all passes over the rows read the same snapshot.
 *
 * @param version the snapshot of Iceberg or the version of Delta that is read; empty if the format
 *     has none, or if the user's options select the rows in another way
 * @param where the predicate of the rows; empty for all rows
 * @param all the rows with all their columns
 * @param size the size of the rows
 */
public record TableInput(
    Table table, Optional<String> version, Optional<String> where, Dataset<Row> all, Size size)
    implements Input {
  private static final String FLAG = Options.INPUT_TABLE.flag();

  /** The options of Delta and Spark that select a version. */
  private static final String VERSION_AS_OF = "versionAsOf";

  private static final String TIMESTAMP_AS_OF = "timestampAsOf";

  /** Iceberg's options that name a snapshot: its id, or a tag or branch. */
  private static final List<String> SNAPSHOTS =
      List.of(VERSION_AS_OF, "snapshot-id", "tag", "branch");

  /** Iceberg's options that name a time. */
  private static final List<String> TIMES = List.of(TIMESTAMP_AS_OF, "as-of-timestamp");

  /** The words of predicates whose value depends on the time, or on other tables. */
  private static final Pattern CHANGING =
      Pattern.compile("(?i)\\b(now|current_\\w+|curdate|localtimestamp|unix_timestamp|select)\\b");

  /** The minimum size of a part of a file that a task reads. */
  private static final long MIN_SPLIT = 1 << 16;

  /** The options that select other rows than those of one version. */
  private static final List<String> CHANGES =
      List.of("start-snapshot-id", "end-snapshot-id", "readChangeFeed");

  /**
   * The options with which streams of Delta and Iceberg skip commits, as their messages have them.
   */
  private static final Pattern SKIPPING =
      Pattern.compile("(skipChangeCommits|ignoreDeletes|streaming-skip-[a-z]+-snapshots)");

  static TableInput of(SparkSession spark, InputOptions options) {
    Table table = existing(spark, options);
    Map<String, String> reading = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    reading.putAll(options.options().values());
    Optional<String> version =
        CHANGES.stream().anyMatch(reading::containsKey)
            ? Optional.empty()
            : version(spark, table, reading);
    String name = table.sql();
    if (version.isPresent() && table.kind() == Table.Kind.ICEBERG) {
      // Spark 3.5 ignores the option versionAsOf of Iceberg.
      name += ".snapshot_id_" + version.get();
      // As Spark does for files, with the setting of SessionSettings.
      long bytes = Plans.bytes(spark.table(name)) / SessionSettings.tasks(spark);
      long split = Math.max(MIN_SPLIT, Math.min(bytes, SessionSettings.maxBytes(spark)));
      reading.putIfAbsent("split-size", Long.toString(split));
      reading.putIfAbsent("file-open-cost", "1");
    } else if (version.isPresent()) {
      reading.put(VERSION_AS_OF, version.get());
    }
    Dataset<Row> rows = read(spark, table, name, reading);
    Dataset<Row> read = filtered(rows, options.where());
    return new TableInput(
        table, version, options.where(), read, new Size(Plans.count(read), Plans.bytes(read)));
  }

  /** Returns the version to read, and removes the options that select it. */
  private static Optional<String> version(
      SparkSession spark, Table table, Map<String, String> options) {
    if (table.kind() == Table.Kind.ICEBERG) {
      for (String key : SNAPSHOTS) {
        String value = options.remove(key);
        if (value != null) {
          return Optional.of(
              table.snapshot(spark, value).orElseThrow(() -> unknown(table, key, value)));
        }
      }
    }
    if (table.kind() != Table.Kind.OTHER) {
      for (String key : TIMES) {
        String value = options.remove(key);
        if (value != null) {
          return Optional.of(
              table.versionAt(spark, value).orElseThrow(() -> unknown(table, key, value)));
        }
      }
    }
    String given = options.remove(VERSION_AS_OF);
    return given != null ? Optional.of(given) : table.version(spark);
  }

  private static Refusal unknown(Table table, String key, String value) {
    return Refusal.because(
        "--input-option %s=%s: %s has no such snapshot", key, value, table.shown());
  }

  private static Dataset<Row> read(
      SparkSession spark, Table table, String name, Map<String, String> options) {
    try {
      return spark.read().options(options).table(name);
    } catch (RuntimeException e) {
      throw unreadable(table, e);
    } catch (Exception e) {
      // Scala throws AnalysisException without declaring it.
      throw unreadable(table, e);
    }
  }

  private static Refusal unreadable(Table table, Exception e) {
    return Refusal.because(e, "Cannot read %s: %s", table.shown(), Failures.oneLine(e));
  }

  /** Finds the table of {@code --input-table}. */
  static Table existing(SparkSession spark, InputOptions options) {
    return Table.find(spark, options.table(), FLAG)
        .orElseThrow(
            () ->
                Refusal.because(
                    "%s %s: there is no such table or view; name it as CATALOG.DATABASE.TABLE",
                    FLAG, options.table()));
  }

  /** Returns the streaming rows of a table that has streams. */
  public static Dataset<Row> stream(SparkSession spark, InputOptions options, int filesPerBatch) {
    Table table = existing(spark, options);
    if (table.isView() || table.kind() == Table.Kind.OTHER) {
      throw Refusal.because(
          "Cannot stream %s: --stream reads tables of Iceberg and Delta; %s",
          table.shown(),
          table.isView()
              ? "name the table that it reads, and select its rows with --where"
              : "give the folder of its files with --input");
    }
    Map<String, String> reading = new LinkedHashMap<>();
    reading.put(
        table.kind() == Table.Kind.DELTA
            ? "maxFilesPerTrigger"
            : "streaming-max-files-per-micro-batch",
        Integer.toString(filesPerBatch));
    reading.putAll(options.options().values());
    try {
      DataStreamReader reader = spark.readStream().options(reading);
      Dataset<Row> rows =
          Table.path(table.name()).isPresent()
              ? reader.format("delta").load(Table.path(table.name()).get())
              : reader.table(table.sql());
      return filtered(rows, options.where());
    } catch (RuntimeException e) {
      throw unreadable(table, e);
    }
  }

  /**
   * Returns what the user can do about a commit that a stream of a table cannot read, because it
   * deletes or changes rows; empty if this is not the failure.
   */
  public static Optional<String> remedy(Throwable failure) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      Matcher option = SKIPPING.matcher(String.valueOf(t.getMessage()));
      if (option.find()) {
        return Optional.of(
            "a stream reads only appended rows; to skip commits that delete or change rows, add"
                + " --input-option %s=true".formatted(option.group(1)));
      }
    }
    return Optional.empty();
  }

  private static Dataset<Row> filtered(Dataset<Row> rows, Optional<String> where) {
    if (where.isEmpty()) {
      return rows;
    }
    try {
      return rows.where(where.get());
    } catch (RuntimeException e) {
      throw wrongPredicate(where.get(), e);
    } catch (Exception e) {
      // Scala throws AnalysisException without declaring it.
      throw wrongPredicate(where.get(), e);
    }
  }

  private static Refusal wrongPredicate(String where, Exception e) {
    return Refusal.wrongUsage("--where %s: %s", where, Failures.oneLine(e));
  }

  @Override
  public InputFiles files() {
    return InputFiles.NONE;
  }

  @Override
  public StructType schema() {
    return all.schema();
  }

  @Override
  public List<String> notes() {
    List<String> notes = new ArrayList<>();
    notes.add(
        "read %s%s%s"
            .formatted(
                table.shown(),
                version
                    .map(
                        v ->
                            ", %s %s"
                                .formatted(
                                    table.kind() == Table.Kind.DELTA ? "version" : "snapshot", v))
                    .orElse(""),
                where.map(predicate -> ", where " + predicate).orElse("")));
    return notes;
  }

  @Override
  public Dataset<Row> rows(List<String> used, LongAccumulator read) {
    if (read == null || countedTotal() == 0) {
      return all;
    }
    UDF0<Boolean> count =
        () -> {
          read.add(1);
          return true;
        };
    return all.where(udf(count, DataTypes.BooleanType).asNondeterministic().apply());
  }

  /** Returns the number of rows, if the table's metadata have it. */
  @Override
  public long countedTotal() {
    return size.rows().orElse(0);
  }

  /** The size of a table according to its metadata; with a predicate an upper bound. */
  public record Size(OptionalLong rows, long bytes) {}

  /**
   * Returns the table and its version. Empty if the predicate may select other rows of the same
   * version at another time.
   */
  @Override
  public Optional<String> identity() {
    boolean fixed =
        where.isEmpty() || !CHANGING.matcher(where.get()).find() && Plans.isDeterministic(all);
    return version.filter(v -> fixed).map(v -> table.identity(all.sparkSession(), v));
  }

  @Override
  public void checkOverlap(Path output) {
    SourceInput.checkOverlap(all, output);
  }
}
