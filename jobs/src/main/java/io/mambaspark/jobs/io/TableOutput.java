package io.mambaspark.jobs.io;

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
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeoutException;
import org.apache.hadoop.fs.Path;
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
  private static final String MODE = "mamba-spark.mode";
  private static final String FAILURES = "mamba-spark.failures";
  private static final String STREAM = "mamba-spark.stream";
  private static final String CHECKPOINT = "mamba-spark.checkpoint";
  private static final String DELTA_METADATA = "spark.databricks.delta.commitInfo.userMetadata";

  /** How often a commit is tried again because other writers committed first. */
  private static final int ATTEMPTS = 20;

  /** The longest pause after the first attempt; after the n-th, n times as long. */
  private static final long PAUSE_MILLIS = 1_000;

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
    for (String key : List.of("spark.wap.branch", "spark.wap.id")) {
      if (spark.conf().contains(key)) {
        throw Refusal.because(
            "%s cannot be combined with %s: the job writes the table itself; unset it", FLAG, key);
      }
    }
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
    options.partitionBy().forEach(column -> partitionColumn(rows, column));
    if (existing.isEmpty()) {
      checkNew(rows);
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

  private static List<String> partitionColumn(StructType rows, String column) {
    List<String> found = ColumnNames.find(rows, column, "--partition-by", false);
    if (found.size() != 1) {
      throw Refusal.because(
          "Column %s (--partition-by) is not among the written columns: %s",
          column, String.join(", ", rows.fieldNames()));
    }
    return found;
  }

  /** Refuses a new table that its catalog would refuse after all rows are scored. */
  private void checkNew(StructType rows) {
    List<String> parts = ColumnNames.parts(options.name());
    List<String> schema = parts.subList(0, parts.size() - 1);
    boolean iceberg = Table.isInIcebergCatalog(spark, options.name());
    if (iceberg && options.format().filter(format -> !format.equals("iceberg")).isPresent()) {
      throw Refusal.wrongUsage(
          "--output-format %s: the catalog of %s has tables of Iceberg only",
          options.format().get(), options.name());
    }
    if (Table.path(options.name()).isEmpty()
        && !iceberg
        && !schema.isEmpty()
        && !spark.catalog().databaseExists(ColumnNames.sql(schema))) {
      throw Refusal.because(
          "%s %s: schema %s does not exist; create it, or correct the name",
          FLAG, options.name(), String.join(".", schema));
    }
    if (!iceberg) {
      formatOfNew().ifPresent(format -> Table.checkFormat(format, "--output-format " + format));
    }
    for (String column : kindOfNew() == Table.Kind.DELTA ? rows.fieldNames() : new String[0]) {
      if (column.matches(".*[ ,;{}()\n\t=].*")
          && !options.properties().has("delta.columnMapping.mode")) {
        throw Refusal.because(
            "A new Delta table cannot have column '%s', because of its characters; add"
                + " --table-property delta.columnMapping.mode=name, or rename the column",
            column);
      }
    }
  }

  private static Optional<StructField> field(
      StructType columns, String name, boolean caseSensitive) {
    return Arrays.stream(columns.fields())
        .filter(field -> ColumnNames.same(field.name(), name, caseSensitive))
        .findFirst();
  }

  /**
   * The commit of a run.
   *
   * @param shown its version and time
   * @param failures the number of rows and files that could not be scored
   */
  public record Commit(String shown, long failures) {}

  /**
   * Finds the commit of a run: for an append any commit of the table's history, for a replacement
   * only the latest one, if it replaced all rows.
   */
  public Optional<Commit> committed(String run) {
    List<Row> commits = history(List.of(RUN, MODE, FAILURES));
    for (Row commit :
        commits.subList(0, options.overwrite() ? Math.min(1, commits.size()) : commits.size())) {
      boolean appended = "append".equals(commit.getString(3));
      if (run.equals(commit.getString(2)) && !(options.overwrite() && appended)) {
        String failures = commit.getString(4);
        return Optional.of(
            new Commit(shown(commit), failures == null ? 0 : Long.parseLong(failures)));
      }
    }
    return Optional.empty();
  }

  private List<Row> history(List<String> properties) {
    return existing
        .filter(table -> table.kind() != Table.Kind.OTHER)
        .map(table -> table.history(spark, properties))
        .orElse(List.of());
  }

  private String shown(Row commit) {
    String unit = kind() == Table.Kind.DELTA ? "version" : "snapshot";
    return "%s %s of %s".formatted(unit, commit.get(0), commit.get(1));
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
          kind() == Table.Kind.OTHER || existing.isEmpty() || isUnknown(e)
              ? ""
              : "; the table is as it was");
    }
  }

  /** Returns the properties of a commit. */
  private Map<String, String> commit(String run) {
    Map<String, String> commit = new LinkedHashMap<>();
    commit.put(RUN, run);
    commit.put(MODE, existing.isEmpty() ? "create" : options.overwrite() ? "overwrite" : "append");
    commit.putAll(properties);
    commit.put("mamba-spark.version", Versions.mambaSpark());
    return commit;
  }

  /** A commit, which other writers may prevent. */
  private interface Attempt {
    void carryOut() throws Exception;
  }

  private void retried(Attempt commit, String run) throws Exception {
    for (int attempt = 1; ; attempt++) {
      try {
        commit.carryOut();
        return;
      } catch (Exception e) {
        if (attempt == ATTEMPTS || !isConflict(e)) {
          throw e;
        }
        LOG.info("Another writer changed {}: committing again", options.name());
        refuseCommitted(run);
        Thread.sleep(ThreadLocalRandom.current().nextLong(PAUSE_MILLIS * attempt));
      }
    }
  }

  private void refuseCommitted(String run) {
    Optional<Commit> committed = committed(run);
    if (committed.isPresent()) {
      throw Refusal.because(
          "%s has this run already: another process wrote it at the same time, %s",
          shown(), committed.get().shown());
    }
  }

  /** Whether Iceberg does not know if its commit succeeded. */
  private static boolean isUnknown(Throwable e) {
    for (Throwable t = e; t != null; t = t.getCause()) {
      if (t.getClass().getName().endsWith("CommitStateUnknownException")) {
        return true;
      }
    }
    return false;
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
    refuseCommitted(commit.get(RUN));
    DataFrameWriterV2<Row> writer = writer(rows);
    commit.forEach((key, value) -> writer.option("snapshot-property." + key, value));
    writer.option("isolation-level", "serializable");
    latest.ifPresent(snapshot -> writer.option("validate-from-snapshot-id", snapshot));
    if (!options.overwrite() && rows.isEmpty()) {
      // A commit that replaces no rows by no rows would stop streams of this table.
      writer.append();
    } else {
      // Replacing no rows appends. Unlike Spark's append, Iceberg validates this commit.
      writer.overwrite(lit(options.overwrite()));
    }
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
          .partitionBy(table.partitioning().toArray(String[]::new))
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
    List<Column> partitions =
        options.partitionBy().stream()
            .map(name -> ColumnNames.column(partitionColumn(rows.schema(), name)))
            .toList();
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
   * Names the stream in the commits. Refuses its first start if the table has rows of the same
   * stream, which another checkpoint records.
   *
   * @param stream an id of the stream's settings without its checkpoint
   * @param first whether the checkpoint is new
   */
  public void checkStart(String stream, Path checkpoint, boolean first) {
    for (Row commit : history(List.of(STREAM, CHECKPOINT, MODE))) {
      boolean batch = !"create".equals(commit.getString(4));
      if (first && batch && stream.equals(commit.getString(2))) {
        throw Refusal.because(
            "%s has rows of this stream (%s), which checkpoint %s records; give this one with"
                + " --checkpoint-location, or choose another table",
            shown(), shown(commit), commit.getString(3));
      }
    }
    properties.put(STREAM, stream);
    properties.put(CHECKPOINT, Refusal.redacted(checkpoint.toString()));
  }

  /** Refuses a checkpoint that overlaps the table's folder. */
  public void checkOverlap(Path checkpoint) {
    existing
        .flatMap(Table::location)
        .or(() -> Table.path(options.name()))
        .ifPresent(
            folder ->
                OverlappingPaths.refuse(
                    "Checkpoint",
                    checkpoint,
                    new Path(folder),
                    spark.sparkContext().hadoopConfiguration()));
  }

  /** Returns the rows with the columns of the table, in its order and types: streams match both. */
  public Dataset<Row> asInTable(Dataset<Row> rows) {
    if (existing.isEmpty()) {
      return rows;
    }
    boolean caseSensitive = Boolean.parseBoolean(spark.conf().get("spark.sql.caseSensitive"));
    List<Column> columns = new ArrayList<>();
    for (StructField to : spark.table(options.name()).schema().fields()) {
      StructField from = field(rows.schema(), to.name(), caseSensitive).orElseThrow();
      columns.add(ColumnNames.quoted(from.name()).cast(to.dataType()).as(to.name()));
    }
    return rows.select(columns.toArray(Column[]::new));
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
    Map<String, String> commit = commit(run);
    commit.put(MODE, "append");
    Map<String, String> batch = new LinkedHashMap<>();
    commit.forEach((key, value) -> batch.put("snapshot-property." + key, value));
    batch.put("userMetadata", json(commit));
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
