package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FileUtil;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.DataFrameWriter;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder to which a run writes. A run never destroys an existing output: without {@code
 * --overwrite} it refuses the output; with it, the run writes a new folder next to the old one, and
 * the complete new folder replaces the old one, see {@link Replacement}.
 *
 * <p>If a second pass follows, the first pass writes {@code OUTPUT_scores-RUN}, which is removed
 * after the output has been moved to its place.
 *
 * <p>{@link OutputPlacement} decides where a run writes; {@link OutputRepair} finishes or rolls
 * back an interrupted replacement; this class writes.
 */
public final class Output {
  private static final Logger LOG = LoggerFactory.getLogger(Output.class);

  /** The name of the summary. Spark does not read files whose names begin with an underscore. */
  public static final String SUMMARY = "_mamba_summary.json";

  private static final String SUCCESS = "_SUCCESS";

  /**
   * The maximum size of a row group. It is small, because a job that reads a Parquet output can cut
   * units only between row groups.
   */
  public static final long ROW_GROUP_BYTES = 16 << 20;

  private final OutputPlacement placement;
  private final OutputOptions options;
  private final RunRecords records;
  private final FileSystem files;

  private Output(OutputPlacement placement, OutputOptions options, Configuration configuration) {
    this.placement = placement;
    this.options = options;
    this.records = new RunRecords(placement.scores(), configuration);
    this.files = HadoopFiles.fileSystem(placement.path(), configuration);
  }

  /**
   * Repairs an interrupted replacement, then decides where this run writes. Refuses an existing
   * output unless the options allow replacing or resuming it. Needs no Spark session.
   *
   * @param secondPass whether a second pass makes the output from the scores
   * @param repairs whether an interrupted replacement may be repaired
   */
  public static Output at(
      OutputOptions options, boolean secondPass, boolean repairs, Configuration configuration) {
    Path path = HadoopFiles.qualified(options.path(), configuration);
    if (path.getParent() == null) {
      throw Refusal.because(
          "Cannot write to output %s: it is the root of a file system; choose a folder in it",
          options.path());
    }
    FileSystem files = HadoopFiles.fileSystem(path, configuration);
    try {
      // A dry run without --resume does not depend on the folders next to the output.
      boolean neighbours = repairs || options.resume();
      OutputState state = OutputState.read(path, neighbours, files, configuration);
      if (repairs && OutputRepair.carryOut(OutputRepair.plan(state), path, files)) {
        state = OutputState.read(path, neighbours, files, configuration);
      }
      OutputPlacement placement = OutputPlacement.of(options, secondPass, state, newRunId());
      return new Output(placement, options, configuration);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", options.path(), e.getMessage());
    }
  }

  /** Whether a folder is empty or contains only a ledger. */
  public static boolean isEmpty(Path folder, FileSystem files) throws IOException {
    for (FileStatus file : files.listStatus(folder)) {
      if (!file.getPath().getName().equals(LedgerFolder.NAME)) {
        return false;
      }
    }
    return true;
  }

  /** Whether a folder contains only a ledger: its run was killed before it wrote a file. */
  private static boolean isLedgerOnly(Path folder, FileSystem files) throws IOException {
    return isEmpty(folder, files) && files.exists(new Path(folder, LedgerFolder.NAME));
  }

  /** Whether an earlier start has finished this run. */
  public boolean isComplete() {
    try {
      return !placement.replaces()
          && OutputState.summarized(target(), files).filter(runId()::equals).isPresent();
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", target(), Failures.oneLine(e));
    }
  }

  /**
   * Whether an earlier start has finished this run in two passes and has removed the scores of the
   * first pass.
   */
  public boolean isCompleteAfterSecondPass() {
    return placement.afterSecondPass() && isComplete();
  }

  /** Returns the id of a new run: the current time and a random number. */
  public static String newRunId() {
    return DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss")
            .withZone(ZoneOffset.UTC)
            .format(Instant.now())
        + "-"
        + UUID.randomUUID().toString().substring(0, 8);
  }

  public Path path() {
    return placement.path();
  }

  /** The folder to which the output is written: its own path, or a new folder next to it. */
  public Path target() {
    return placement.target();
  }

  /** The folder to which scores are written: {@link #target}, unless a second pass follows. */
  public Path scores() {
    return placement.scores();
  }

  /** Whether a second pass makes the output from the scores. */
  public boolean hasSecondPass() {
    return placement.hasSecondPass();
  }

  /** Whether resuming this run requires {@code --overwrite}, because an output exists. */
  public boolean resumesOverAnother() {
    try {
      return placement.replaces() && (!hasSecondPass() || files.exists(path()));
    } catch (IOException e) {
      LOG.debug("Cannot determine whether {} exists", path(), e);
      return false;
    }
  }

  /**
   * The id of this run, unique among the runs that write to this output. A resumed run keeps its
   * id.
   */
  public String runId() {
    return placement.runId();
  }

  public RunRecords records() {
    return records;
  }

  /** The run that is resumed, as its ledger records it; empty if this run is new. */
  public Optional<RunRecord> earlier() {
    return placement.earlier();
  }

  /**
   * Writes the rows in one Spark job, then the summary that {@code summarize} computes from the
   * written folder, then moves both to their place. A failure after all rows are written does not
   * remove them.
   */
  public <T> T write(Dataset<Row> rows, Function<Path, T> summarize, Function<T, String> toJson) {
    clear();
    boolean complete = false;
    try {
      if (hasSecondPass()) {
        // An earlier start may have written a part of the second pass.
        files.delete(target(), true);
      }
      write(rows, target());
      if (hasSecondPass() && records.latest().isPresent()) {
        // Copy the record of the run, because the scores are removed.
        FileUtil.copy(
            files,
            new Path(scores(), LedgerFolder.NAME),
            files,
            new Path(target(), LedgerFolder.NAME),
            false,
            files.getConf());
      }
      complete = true;
    } catch (IOException | RuntimeException e) {
      // Spark throws the IOException of a file system without declaring it.
      boolean resumable = hasSecondPass() && records.latest().isPresent();
      if (e instanceof RuntimeException failure && !resumable) {
        throw failure;
      }
      String reason = Failures.oneLine(e);
      throw Refusal.because(
          e,
          "%s%s",
          e instanceof IOException ? "Cannot write the output " + path() + ": " + reason : reason,
          resumable
              ? "; all scores are in %s, continue with --resume%s"
                  .formatted(scores(), resumesOverAnother() ? " --overwrite" : "")
              : "");
    } finally {
      if (!complete) {
        discard();
        discardWithoutLedger();
      }
    }
    T summary = finish(() -> summarize.apply(target()), toJson);
    if (hasSecondPass()) {
      Replacement.remove(scores(), files);
    }
    return summary;
  }

  private void write(Dataset<Row> rows, Path folder) {
    writer(rows).mode(SaveMode.ErrorIfExists).save(folder.toString());
  }

  /** Returns a writer with the format and the options of this output. */
  public DataFrameWriter<Row> writer(Dataset<Row> rows) {
    return rows.write().format(options.format()).options(options.ofWriter());
  }

  /**
   * Reads a folder of this output with the schema of the rows that were written to it.
   *
   * <p>The path is literal: the option {@code __globPaths__} of Spark's own readers is off, because
   * Spark would otherwise parse {@code [ ] { } * ?} in it as a glob.
   */
  public Dataset<Row> read(SparkSession spark, Path folder, StructType schemaOfRows) {
    StructType nullable = new StructType();
    for (StructField field : schemaOfRows.fields()) {
      nullable = nullable.add(field.name(), field.dataType(), true, field.metadata());
    }
    return spark
        .read()
        .schema(nullable)
        .format(options.format())
        // Dates and line ends are read as they were written.
        .options(options.options().values())
        .option("__globPaths__", false)
        .load(folder.toString());
  }

  /** Writes the rows in one Spark job to {@link #scores}, from which the second pass reads them. */
  public void writeScores(Dataset<Row> rows) {
    boolean complete = false;
    try {
      write(rows, scores());
      complete = true;
    } finally {
      if (!complete) {
        discardScores();
      }
    }
  }

  /** Computes the summary. */
  public interface Summarizing<T> {
    T summarize() throws IOException;
  }

  /** Writes the summary next to the complete data, then moves both to their place. */
  public <T> T finish(Summarizing<T> summarize, Function<T, String> toJson) {
    T summary;
    try {
      summary = summarize.summarize();
      write(SUCCESS, "");
      // Write the summary last: an output that has one is complete.
      write(SUMMARY, toJson.apply(summary));
    } catch (IOException | RuntimeException e) {
      throw Refusal.because(
          e,
          "Cannot write the summary: %s; all scores are in %s%s",
          Failures.oneLine(e),
          target(),
          resumesOverAnother() ? ", the old output is still in " + path() : "");
    }
    if (placement.replaces()) {
      new Replacement(target(), path(), placement.old(), files).carryOut();
    }
    return summary;
  }

  /** Writes a file completely or not at all. */
  private void write(String name, String content) throws IOException {
    Path temporary = new Path(target(), name + ".part");
    try (OutputStream out = files.create(temporary, true)) {
      out.write(content.getBytes(StandardCharsets.UTF_8));
    }
    Path file = new Path(target(), name);
    files.delete(file, false);
    Replacement.move(temporary, file, files);
  }

  /** Removes a folder that contains only a ledger, so that a new run can begin. */
  public void clear() {
    try {
      if (files.exists(scores()) && isLedgerOnly(scores(), files)) {
        files.delete(scores(), true);
      }
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", target(), Failures.oneLine(e));
    }
  }

  /** Removes the files that mark an output as finished, before more units are added to it. */
  public void reopen() {
    try {
      files.delete(new Path(target(), SUMMARY), false);
      files.delete(new Path(target(), SUCCESS), false);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot continue output %s: %s", target(), Failures.oneLine(e));
    }
  }

  /** Removes the scores of a first pass that cannot be resumed, because it has no ledger. */
  public void discardWithoutLedger() {
    if (hasSecondPass() && records.latest().isEmpty()) {
      Replacement.remove(scores(), files);
    }
  }

  /** Removes the files of a failed first pass, unless the pass can be resumed. */
  public void discardScores() {
    if (!hasSecondPass()) {
      discard();
    } else if (earlier().isEmpty()) {
      Replacement.remove(scores(), files);
    }
  }

  /** Removes the files of a failed run, unless the run can be resumed. */
  void discard() {
    try {
      boolean own = placement.replaces() && (earlier().isEmpty() || hasSecondPass());
      if (own || (files.exists(target()) && isEmpty(target(), files))) {
        files.delete(target(), true);
      }
    } catch (IOException e) {
      LOG.warn("Cannot remove {}: {}", Refusal.redacted(target().toString()), Failures.oneLine(e));
    }
  }
}
