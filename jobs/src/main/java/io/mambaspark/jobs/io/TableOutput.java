package io.mambaspark.jobs.io;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.get_json_object;
import static org.apache.spark.sql.functions.lit;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.SessionSettings;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.spark.Writers;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.CreateTableWriter;
import org.apache.spark.sql.DataFrameWriterV2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.streaming.DataStreamWriter;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A table to which a run writes. Tables of Iceberg and Delta get the rows of a run in one commit,
 * which carries the run's id, so that a run that is repeated is not written twice:
 *
 * <ul>
 *   <li>Iceberg: the commit is valid only if no other commit came after the check for the id;
 *       otherwise the job checks again and commits again.
 *   <li>Delta: an append is a transaction with the id as its application, which Delta accepts once.
 * </ul>
 *
 * <p>Other tables are appended to without these guarantees.
 */
public final class TableOutput {
  private static final Logger LOG = LoggerFactory.getLogger(TableOutput.class);

  private static final String FLAG = Options.OUTPUT_TABLE.flag();
  private static final String RUN = "mamba-spark.run";
  private static final String DELTA_METADATA = "spark.databricks.delta.commitInfo.userMetadata";

  /** How often a commit is tried again because other writers committed first. */
  private static final int ATTEMPTS = 20;

  private final SparkSession spark;
  private final TableOptions options;
  private final Optional<Table> existing;

  /** The properties of the commit, without the id of the run. */
  private final Map<String, String> properties = new LinkedHashMap<>();

  private TableOutput(SparkSession spark, TableOptions options, Optional<Table> existing) {
    this.spark = spark;
    this.options = options;
    this.existing = existing;
  }

  /**
   * Finds the table. Refuses one that cannot be written as the options ask.
   *
   * @param input the input, which must not be the same table
   */
  public static TableOutput at(SparkSession spark, TableOptions options, InputOptions input) {
    Optional<Table> existing = Table.find(spark, options.name(), FLAG);
    existing.ifPresent(table -> check(table, options));
    if (input.table() != null && same(spark, input, options, existing)) {
      throw Refusal.because("%s %s is the input table; choose another table", FLAG, options.name());
    }
    return new TableOutput(spark, options, existing);
  }

  private static void check(Table table, TableOptions options) {
    if (table.isView()) {
      throw Refusal.because("%s %s is a view; name a table", FLAG, options.name());
    }
    if (options.overwrite() && table.kind() == Table.Kind.OTHER) {
      throw Refusal.because(
          "Cannot overwrite %s: only tables of Iceberg and Delta are replaced in one commit; omit"
              + " --overwrite to append, or write files with --output",
          table.shown());
    }
    if (options.format().isPresent()
        && !options.format().get().equalsIgnoreCase(table.provider().orElseThrow())) {
      throw Refusal.because(
          "--output-format %s: %s exists; omit the option, or choose another table",
          options.format().get(), table.shown());
    }
    if (!options.partitionBy().isEmpty()
        && !options.partitionBy().stream()
            .map(TableOutput::unquoted)
            .toList()
            .equals(table.partitioning())) {
      throw Refusal.because(
          "--partition-by %s: %s exists and is partitioned by %s; give the same columns, or omit the"
              + " option",
          String.join(",", options.partitionBy()),
          table.shown(),
          table.partitioning().isEmpty() ? "none" : String.join(",", table.partitioning()));
    }
  }

  private static String unquoted(String column) {
    return String.join(".", ColumnNames.parts(column));
  }

  private static boolean same(
      SparkSession spark, InputOptions input, TableOptions options, Optional<Table> existing) {
    Table read = TableInput.existing(spark, input);
    return read.name().equalsIgnoreCase(options.name())
        || read.location().isPresent()
            && existing.isPresent()
            && read.location().equals(existing.get().location());
  }

  /** Adds a property to the commit. */
  public void describe(String key, String value) {
    properties.put("mamba-spark." + key, value);
  }

  /** Describes the table for messages. */
  public String shown() {
    return existing
        .map(Table::shown)
        .orElseGet(() -> kindOfNew().name().toLowerCase(Locale.ROOT) + " table " + options.name());
  }

  /** Lists what a user may not expect of this table; empty for Iceberg and Delta. */
  public List<String> notes() {
    List<String> notes = new ArrayList<>();
    if (kind() == Table.Kind.OTHER) {
      notes.add(
          "%s has no transactions: a failed run may leave some of its rows, and a repeated run"
                  .formatted(shown())
              + " writes them again; tables of Iceberg and Delta have them");
    }
    if (existing.isPresent() && !options.properties().values().isEmpty()) {
      notes.add("--table-property has no effect: %s exists".formatted(shown()));
    }
    return notes;
  }

  private Table.Kind kind() {
    return existing.map(Table::kind).orElseGet(this::kindOfNew);
  }

  private Table.Kind kindOfNew() {
    return switch (formatOfNew().orElse("").toLowerCase(Locale.ROOT)) {
      case "iceberg" -> Table.Kind.ICEBERG;
      case "delta" -> Table.Kind.DELTA;
      default -> Table.Kind.OTHER;
    };
  }

  /** Returns the format of a new table; empty if only its catalog knows it. */
  private Optional<String> formatOfNew() {
    return options.format().isPresent()
        ? options.format()
        : Table.formatOfNew(spark, options.name());
  }

  /**
   * Refuses rows that the table cannot hold: it must have the columns of the rows, by name and
   * type, and no others.
   */
  public void check(StructType rows) {
    for (String column : options.partitionBy()) {
      if (ColumnNames.find(rows, column, "--partition-by", false).size() != 1) {
        throw Refusal.because(
            "Column %s (--partition-by) is not among the written columns: %s",
            column, String.join(", ", rows.fieldNames()));
      }
    }
    if (existing.isEmpty()) {
      return;
    }
    boolean caseSensitive = Boolean.parseBoolean(spark.conf().get("spark.sql.caseSensitive"));
    StructType columns = spark.table(options.name()).schema();
    List<String> clashes = new ArrayList<>();
    for (StructField field : rows.fields()) {
      Optional<StructField> found = field(columns, field.name(), caseSensitive);
      if (found.isEmpty()) {
        clashes.add("it has no column " + field.name());
      } else if (!Cast.canUpCast(field.dataType(), found.get().dataType())) {
        clashes.add(
            "its column %s is %s, and the run writes %s"
                .formatted(
                    field.name(),
                    found.get().dataType().catalogString(),
                    field.dataType().catalogString()));
      }
    }
    for (StructField field : columns.fields()) {
      if (field(rows, field.name(), caseSensitive).isEmpty()) {
        clashes.add("the run does not write its column " + field.name());
      }
    }
    if (!clashes.isEmpty()) {
      throw Refusal.because(
          "Cannot write to %s: %s; choose another table, or other values of --keep-columns and"
              + " --emit",
          shown(), String.join("; ", clashes));
    }
  }

  private static Optional<StructField> field(
      StructType columns, String name, boolean caseSensitive) {
    return Arrays.stream(columns.fields())
        .filter(field -> ColumnNames.same(field.name(), name, caseSensitive))
        .findFirst();
  }

  /**
   * Describes the commit of a run, if the table has it: for an append any commit of the table's
   * history, for a replacement only the latest one.
   */
  public Optional<String> committed(String run) {
    if (existing.isEmpty()) {
      return Optional.empty();
    }
    String name = options.name();
    return switch (kind()) {
      case ICEBERG ->
          one(
              spark.sql(
                  "SELECT s.snapshot_id, s.committed_at, s.summary['%s'] FROM %s.snapshots s JOIN"
                          .formatted(RUN, name)
                      + " %s.history h ON s.snapshot_id = h.snapshot_id AND h.is_current_ancestor ORDER"
                          .formatted(name)
                      + " BY h.made_current_at DESC"),
              run,
              "snapshot");
      case DELTA ->
          one(
              spark
                  .sql("DESCRIBE HISTORY " + name)
                  .select(
                      col("version"),
                      col("timestamp"),
                      get_json_object(col("userMetadata"), "$['%s']".formatted(RUN))),
              run,
              "version");
      case OTHER -> Optional.empty();
    };
  }

  /** Finds the commit of a run among rows of a version, its time and its run, latest first. */
  private Optional<String> one(Dataset<Row> history, String run, String unit) {
    List<Row> commits = history.collectAsList();
    return commits.stream()
        .limit(options.overwrite() ? 1 : commits.size())
        .filter(row -> run.equals(row.getString(2)))
        .findFirst()
        .map(row -> "%s %s of %s".formatted(unit, row.get(0), row.get(1)));
  }

  /**
   * Writes the rows in one commit, or leaves the table as it was. A commit that another writer
   * prevents is tried again, which evaluates the rows again.
   *
   * @param rows should be persisted
   */
  public void write(Dataset<Row> rows, String run) {
    Map<String, String> commit = commit(run);
    try {
      if (existing.isEmpty()) {
        create(rows, commit);
      } else {
        switch (kind()) {
          case ICEBERG -> retried(() -> commitToIceberg(rows, commit), run);
          case DELTA -> retried(() -> commitToDelta(rows, commit), run);
          case OTHER -> append(rows);
        }
      }
    } catch (Refusal e) {
      throw e;
    } catch (Exception e) {
      // Scala throws checked exceptions without declaring them.
      throw Refusal.because(
          e,
          "Cannot write to %s: %s%s",
          shown(),
          Failures.oneLine(e),
          kind() == Table.Kind.OTHER ? "" : "; the table is as it was");
    }
  }

  /** Returns the properties of a commit. */
  private Map<String, String> commit(String run) {
    Map<String, String> commit = new LinkedHashMap<>();
    commit.put(RUN, run);
    commit.putAll(properties);
    commit.put("mamba-spark.version", Versions.mambaSpark());
    return commit;
  }

  /** A commit, which other writers may prevent. */
  private interface Commit {
    void carryOut() throws Exception;
  }

  private void retried(Commit commit, String run) throws Exception {
    for (int attempt = 1; ; attempt++) {
      try {
        commit.carryOut();
        return;
      } catch (Exception e) {
        if (attempt == ATTEMPTS || !isConflict(e)) {
          throw e;
        }
        LOG.info("Another writer changed {}: committing again", options.name());
        Optional<String> committed = committed(run);
        if (committed.isPresent()) {
          throw Refusal.because(
              e,
              "%s has this run already: another process wrote it at the same time, %s",
              shown(),
              committed.get());
        }
      }
    }
  }

  /** Whether a commit failed because another one came first. */
  private static boolean isConflict(Throwable e) {
    for (Throwable t = e; t != null; t = t.getCause()) {
      String name = t.getClass().getName();
      if (name.startsWith("org.apache.iceberg.exceptions.ValidationException")
          || name.startsWith("org.apache.iceberg.exceptions.CommitFailedException")
          || name.startsWith("io.delta.exceptions.Concurrent")) {
        return true;
      }
    }
    return false;
  }

  private void commitToIceberg(Dataset<Row> rows, Map<String, String> commit) throws Exception {
    Optional<String> latest = existing.orElseThrow().version(spark);
    Optional<String> committed = committed(commit.get(RUN));
    if (committed.isPresent()) {
      throw Refusal.because(
          "%s has this run already: another process wrote it at the same time, %s",
          shown(), committed.get());
    }
    DataFrameWriterV2<Row> writer = writer(rows);
    commit.forEach((key, value) -> writer.option("snapshot-property." + key, value));
    writer.option("isolation-level", "serializable");
    latest.ifPresent(snapshot -> writer.option("validate-from-snapshot-id", snapshot));
    // Replacing no rows appends. Unlike Spark's append, Iceberg validates this commit.
    writer.overwrite(lit(options.overwrite()));
  }

  private void commitToDelta(Dataset<Row> rows, Map<String, String> commit) throws Exception {
    DataFrameWriterV2<Row> writer = writer(rows);
    writer.option("userMetadata", json(commit));
    if (options.overwrite()) {
      writer.overwrite(lit(true));
    } else {
      writer.option("txnAppId", "mamba-spark " + commit.get(RUN));
      writer.option("txnVersion", "1");
      writer.append();
    }
  }

  /** Appends to a table of Spark, by the names of the columns. */
  private void append(Dataset<Row> rows) throws Exception {
    Table table = existing.orElseThrow();
    if (table.isInSessionCatalog(spark)) {
      rows.write()
          .format(table.provider().orElseThrow())
          .options(options.writer().values())
          .mode(SaveMode.Append)
          .saveAsTable(options.name());
    } else {
      writer(rows).append();
    }
  }

  private void create(Dataset<Row> rows, Map<String, String> commit) throws Exception {
    if (Table.path(options.name()).isPresent()) {
      createFolder(rows.schema());
      commitToDelta(rows, commit);
      return;
    }
    DataFrameWriterV2<Row> writer = writer(rows);
    if (kind() == Table.Kind.ICEBERG) {
      commit.forEach((key, value) -> writer.option("snapshot-property." + key, value));
    }
    CreateTableWriter<Row> table = writer;
    if (formatOfNew().isPresent()) {
      table = table.using(formatOfNew().get());
    }
    for (Map.Entry<String, String> property : options.properties().values().entrySet()) {
      table = table.tableProperty(property.getKey(), property.getValue());
    }
    List<Column> partitions = options.partitionBy().stream().map(name -> col(name)).toList();
    if (!partitions.isEmpty()) {
      table = Writers.partitionedBy(table, partitions);
    }
    CreateTableWriter<Row> created = table;
    // A new table of Delta has this setting's metadata, and not those of the writer's option.
    SessionSettings.with(
        spark,
        kind() == Table.Kind.DELTA ? Map.of(DELTA_METADATA, json(commit)) : Map.of(),
        () -> {
          try {
            created.create();
          } catch (TableAlreadyExistsException e) {
            throw Refusal.because(
                e,
                "Table %s exists now, or its folder has files that belong to no table: run the job"
                    + " again, or empty the folder",
                options.name());
          }
          return null;
        });
  }

  /** Whether the table exists. */
  public boolean exists() {
    return existing.isPresent();
  }

  /** Refuses a table to which a stream cannot write each batch once. */
  public void checkStream() {
    if (kind() == Table.Kind.OTHER) {
      throw Refusal.because(
          "Cannot stream into %s: only Iceberg and Delta write each batch once; give a table of one"
              + " of them, or write files with --output",
          shown());
    }
  }

  /**
   * Creates the table, if it does not exist, and starts a stream that appends to it. Each batch is
   * one commit.
   *
   * @param rows the rows of the stream
   * @param run the id of the stream's first start
   */
  public StreamingQuery start(DataStreamWriter<Row> writer, StructType rows, String run)
      throws TimeoutException {
    if (existing.isEmpty()) {
      write(spark.createDataFrame(List.of(), rows), run);
    }
    Map<String, String> batch = new LinkedHashMap<>();
    commit(run).forEach((key, value) -> batch.put("snapshot-property." + key, value));
    batch.put("userMetadata", json(commit(run)));
    // Iceberg then keeps a file open for each partition, because rows of a batch are not sorted.
    batch.put("fanout-enabled", "true");
    batch.putAll(options.writer().values());
    batch.forEach((key, value) -> Writers.option(writer, key, value));
    writer.format(kind().name().toLowerCase(Locale.ROOT));
    Optional<String> path = Table.path(options.name());
    return path.isPresent() ? writer.start(path.get()) : writer.toTable(options.name());
  }

  /**
   * Creates a table of Delta that is named by its folder, without rows. Delta refuses a folder that
   * has files and no log, as a job that is killed while it creates a table with its rows leaves it.
   */
  private void createFolder(StructType columns) throws Exception {
    StringBuilder sql = new StringBuilder("CREATE TABLE IF NOT EXISTS ");
    sql.append(options.name()).append(" (").append(columns.toDDL()).append(") USING delta");
    if (!options.partitionBy().isEmpty()) {
      List<String> quoted =
          options.partitionBy().stream()
              .map(column -> ColumnNames.sql(ColumnNames.parts(column)))
              .toList();
      sql.append(" PARTITIONED BY (").append(String.join(", ", quoted)).append(")");
    }
    List<String> set = new ArrayList<>();
    options
        .properties()
        .values()
        .forEach((key, value) -> set.add("%s = %s".formatted(literal(key), literal(value))));
    if (!set.isEmpty()) {
      sql.append(" TBLPROPERTIES (").append(String.join(", ", set)).append(")");
    }
    spark.sql(sql.toString());
  }

  private static String literal(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }

  private DataFrameWriterV2<Row> writer(Dataset<Row> rows) throws Exception {
    DataFrameWriterV2<Row> writer = rows.writeTo(options.name());
    options.writer().values().forEach(writer::option);
    return writer;
  }

  private static String json(Map<String, String> commit) {
    try {
      return new ObjectMapper().writeValueAsString(commit);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
