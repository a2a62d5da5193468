package io.mambaspark.jobs.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FileUtil;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the scores go. What lies there already is never destroyed: without {@code --overwrite} it
 * is refused; with it the new data is written beside, and takes the place of the old when it is
 * whole: old → {@code OUTPUT_old-RUN}, {@code OUTPUT_new-RUN} → output, then the old is removed. A
 * crash between these is mended by the next start.
 *
 * <p>Where a second pass follows, the first one writes to {@code OUTPUT_scores-RUN}, which goes
 * when the output is in its place.
 */
public final class Output {
  private static final Logger LOG = LoggerFactory.getLogger(Output.class);

  /** Spark does not read files whose names begin with an underscore. */
  public static final String SUMMARY = "_mamba_summary.json";

  private static final String SUCCESS = "_SUCCESS";

  /** Of Parquet: a job that reads the output again cuts its units between row groups. */
  public static final long ROW_GROUP_BYTES = 16 << 20;

  private static final Pattern BESIDE =
      Pattern.compile("_(old|new|scores)-(\\d{8}-\\d{6}-[0-9a-f]{8})");

  /** A folder is no object there, so it cannot be renamed at once, and not every reader waits. */
  private static final Set<String> OBJECT_STORES =
      Set.of("s3", "s3a", "s3n", "gs", "abfs", "abfss", "wasb", "wasbs", "oss", "cosn", "obs");

  private final Path path;
  private final Path target;
  private final Path scores;
  private final String run;
  private final String format;
  private final RunRecords records;
  private final Optional<RunRecord> earlier;
  private final FileSystem files;

  private Output(
      Path path,
      Path target,
      Path scores,
      String run,
      String format,
      Optional<RunRecord> earlier,
      Configuration configuration) {
    this.path = path;
    this.target = target;
    this.scores = scores;
    this.run = run;
    this.format = format;
    this.earlier = earlier;
    this.records = new RunRecords(scores, configuration);
    this.files = HadoopFiles.fileSystem(path, configuration);
  }

  /**
   * Finishes what an earlier run has left half done, and refuses an existing output unless it may
   * be replaced or resumed. Needs no Spark session.
   *
   * @param secondPass whether a second pass makes the output of the scores
   * @param repairs whether what is half done may be finished
   */
  public static Output at(
      OutputOptions options, boolean secondPass, boolean repairs, Configuration configuration) {
    Path path = HadoopFiles.qualified(options.path(), configuration);
    if (path.getParent() == null) {
      throw Refusal.because("Output %s is the root of its file system", options.path());
    }
    FileSystem files = HadoopFiles.fileSystem(path, configuration);
    try {
      if (repairs) {
        repair(path, files, configuration);
      }
      if ((!options.overwrite() || options.resume()) && isOfStream(path, configuration)) {
        throw Refusal.because(
            "Output %s is that of a stream; go on with --stream, choose another, or replace it with"
                + " --overwrite alone",
            options.path());
      }
      if (secondPass) {
        return inTwoPasses(path, options, files, configuration);
      }
      String run = newRun();
      Path target = path;
      Optional<RunRecord> earlier = Optional.empty();
      if (files.exists(path) && (options.resume() || !isLeftover(path, files))) {
        earlier = new RunRecords(path, configuration).latest();
        boolean whole = files.exists(new Path(path, SUMMARY));
        boolean replaceable = !OBJECT_STORES.contains(path.toUri().getScheme());
        boolean resumes =
            options.resume() && earlier.isPresent() && !(whole && options.overwrite());
        if (!resumes && !options.overwrite() && !(options.resume() && isEmpty(path, files))) {
          throw existing(options, earlier.isPresent() && !whole, replaceable);
        }
        if (!resumes && options.overwrite()) {
          if (!replaceable) {
            throw Refusal.because(
                "Output %s exists, and an object store cannot replace a folder at once; choose a"
                    + " new output path",
                options.path());
          }
          Optional<Path> begun =
              options.resume() ? begun("new", path, files, configuration) : Optional.empty();
          target = begun.orElse(beside(path, "_new-" + run));
          earlier = new RunRecords(target, configuration).latest();
        }
        if (earlier.isPresent()) {
          run = earlier.get().run();
        }
      }
      return new Output(path, target, target, run, options.format(), earlier, configuration);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", options.path(), e.getMessage());
    }
  }

  /** The first pass has a folder of its own, and the second writes what then takes its place. */
  private static Output inTwoPasses(
      Path path, OutputOptions options, FileSystem files, Configuration configuration)
      throws IOException {
    if (OBJECT_STORES.contains(path.toUri().getScheme())) {
      throw Refusal.because(
          "Output %s: an object store cannot move a folder at once, which --bucket needs; score"
              + " elsewhere, or take thresholds from an earlier run with --bucket-thresholds",
          options.path());
    }
    String run = newRun();
    boolean there = files.exists(path) && !isLeftover(path, files);
    if (there && !options.overwrite()) {
      Optional<RunRecord> finished = new RunRecords(path, configuration).latest();
      boolean whole = files.exists(new Path(path, SUMMARY));
      if (options.resume() && finished.isPresent() && !whole) {
        throw Refusal.because(
            "Cannot resume output %s: it was begun without --bucket; go on without it, or choose"
                + " another output",
            options.path());
      }
      if (!options.resume() || finished.isEmpty()) {
        throw existing(options, false, true);
      }
      return new Output(
          path, path, path, finished.get().run(), options.format(), finished, configuration);
    }
    Optional<RunRecord> earlier =
        options.resume()
            ? begun("scores", path, files, configuration)
                .flatMap(folder -> new RunRecords(folder, configuration).latest())
            : Optional.empty();
    run = earlier.map(RunRecord::run).orElse(run);
    return new Output(
        path,
        beside(path, "_new-" + run),
        beside(path, "_scores-" + run),
        run,
        options.format(),
        earlier,
        configuration);
  }

  private static Refusal existing(OutputOptions options, boolean unfinished, boolean replaceable) {
    if (options.resume()) {
      return Refusal.because(
          "Cannot resume output %s: it has no ledger (%s), so it was not written unit by unit;"
              + " choose another output",
          options.path(), LedgerFolder.NAME);
    }
    return Refusal.because(
        "Output %s exists%s; %schoose another%s",
        options.path(),
        unfinished ? " and is not finished" : "",
        unfinished ? "go on with --resume, or " : "",
        replaceable ? ", or replace it with --overwrite" : "");
  }

  private static boolean isOfStream(Path path, Configuration configuration) {
    return new RunRecords(path, configuration).latest().filter(RunRecord::isStream).isPresent();
  }

  /** What a run leaves that was killed before it could write its first file. */
  private static boolean isLeftover(Path folder, FileSystem files) throws IOException {
    return isEmpty(folder, files) && files.exists(new Path(folder, LedgerFolder.NAME));
  }

  /** Nothing in it, or no more than a leftover. */
  public static boolean isEmpty(Path folder, FileSystem files) throws IOException {
    for (FileStatus file : files.listStatus(folder)) {
      if (!file.getPath().getName().equals(LedgerFolder.NAME)) {
        return false;
      }
    }
    return true;
  }

  /** The latest folder of a kind beside an output in which units of it were begun. */
  private static Optional<Path> begun(
      String kind, Path path, FileSystem files, Configuration configuration) throws IOException {
    return runsBeside(kind, path, files).stream()
        .filter(run -> isResumable(kind, run, path, configuration))
        .map(run -> beside(path, "_" + kind + "-" + run))
        .findFirst();
  }

  /** Whether a folder beside an output holds a run that has the folder's name. */
  private static boolean isResumable(
      String kind, String run, Path path, Configuration configuration) {
    return new RunRecords(beside(path, "_" + kind + "-" + run), configuration)
        .latest()
        .filter(found -> found.run().equals(run))
        .isPresent();
  }

  /** The runs that have left a folder beside an output, the latest first. */
  private static List<String> runsBeside(String kind, Path path, FileSystem files)
      throws IOException {
    List<String> runs = new ArrayList<>();
    try {
      for (FileStatus folder : files.listStatus(path.getParent())) {
        Matcher beside = matcher(path, folder.getPath().getName());
        if (beside.matches() && beside.group(1).equals(kind)) {
          runs.add(beside.group(2));
        }
      }
    } catch (FileNotFoundException e) {
      LOG.debug("{} is not there yet", path.getParent());
    }
    runs.sort(Comparator.reverseOrder());
    return runs;
  }

  private static Matcher matcher(Path path, String name) {
    boolean related = name.startsWith(path.getName());
    return BESIDE.matcher(related ? name.substring(path.getName().length()) : "");
  }

  private static Path beside(Path path, String suffix) {
    // As a whole: a name with a colon would be taken for one with a scheme.
    return new Path(path + suffix);
  }

  /** Mends a replacement that a crash has cut off between its renames. */
  private static void repair(Path path, FileSystem files, Configuration configuration)
      throws IOException {
    List<String> moved = runsBeside("old", path, files);
    if (!files.exists(path) && !moved.isEmpty()) {
      String latest = moved.get(0);
      Path fresh = beside(path, "_new-" + latest);
      if (isWhole(latest, fresh, files)) {
        move(fresh, path, files);
        LOG.warn(
            "Finished the replacement of {} that was cut off: the new scores lie there now",
            shown(path));
      } else {
        move(beside(path, "_old-" + latest), path, files);
        LOG.warn(
            "Took back the replacement of {} that was cut off: the old scores lie there",
            shown(path));
      }
    }
    for (String run : runsBeside("old", path, files)) {
      Path old = beside(path, "_old-" + run);
      if (isWhole(run, path, files)) {
        remove(old, files);
        LOG.warn("Removed {}, which {} has replaced", shown(old), shown(path));
      } else {
        LOG.warn(
            "{} holds an earlier output of {}; remove it if it is not needed",
            shown(old),
            shown(path));
      }
    }
    List<String> passes = runsBeside("scores", path, files);
    for (String run : passes) {
      Path scores = beside(path, "_scores-" + run);
      Path made = beside(path, "_new-" + run);
      if (!files.exists(path) && isWhole(run, made, files)) {
        move(made, path, files);
        LOG.warn("Finished output {}, which was cut off when it was whole", shown(path));
      }
      if (isWhole(run, path, files)) {
        remove(scores, files);
      } else {
        LOG.warn(
            "{} holds scores of a run with --bucket that was cut off; {}remove it if it is not"
                + " needed",
            shown(scores),
            isResumable("scores", run, path, configuration)
                ? "go on with it by --resume, or "
                : "");
      }
    }
    for (String run : runsBeside("new", path, files)) {
      Path fresh = beside(path, "_new-" + run);
      if (passes.contains(run) && !isWhole(run, fresh, files)) {
        // Made again from the scores, or removed with them.
        continue;
      }
      LOG.warn(
          "{} holds {} of a replacement of {} that was cut off; {}remove it if it is not needed",
          shown(fresh),
          isWhole(run, fresh, files) ? "all scores" : "a part",
          shown(path),
          isResumable("new", run, path, configuration)
              ? "go on with it by --overwrite --resume, or "
              : "");
    }
  }

  private static String shown(Path path) {
    return Refusal.redacted(path.toString());
  }

  /** Whether a folder holds the whole output of that run. */
  private static boolean isWhole(String run, Path folder, FileSystem files) throws IOException {
    try (InputStream in = files.open(new Path(folder, SUMMARY))) {
      return new ObjectMapper().readTree(in).path("run").asText().equals(run);
    } catch (FileNotFoundException | JsonProcessingException | ChecksumException e) {
      return false;
    }
  }

  /** Whether this run has been finished before. */
  public boolean isWhole() {
    try {
      return !replaces() && isWhole(run, target, files);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", target, Failures.oneLine(e));
    }
  }

  public static String newRun() {
    return DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss")
            .withZone(ZoneOffset.UTC)
            .format(Instant.now())
        + "-"
        + UUID.randomUUID().toString().substring(0, 8);
  }

  public Path path() {
    return path;
  }

  /** The folder that is written: the output's own place, or one beside it. */
  public Path target() {
    return target;
  }

  /** The folder that scores are written to: {@link #target}, unless a second pass reads them. */
  public Path scores() {
    return scores;
  }

  /** Whether a second pass makes the output from the scores. */
  public boolean hasSecondPass() {
    return !scores.equals(target);
  }

  /**
   * Whether a start that goes on with this run needs {@code --overwrite}, as something is there.
   */
  public boolean resumesOverAnother() {
    try {
      return replaces() && (!hasSecondPass() || files.exists(path));
    } catch (IOException e) {
      LOG.debug("Cannot tell whether {} is there", path, e);
      return false;
    }
  }

  /** Names this run among those that write to the same place; a resumed one keeps its name. */
  public String run() {
    return run;
  }

  public RunRecords records() {
    return records;
  }

  /** What the ledger says of the run that is resumed; empty if this one is new. */
  public Optional<RunRecord> earlier() {
    return earlier;
  }

  /**
   * Writes the rows in one go, then the summary that {@code summarize} makes of the folder they
   * were written to, then puts both in place. Once the rows are whole they stay, whatever fails
   * after that.
   */
  public <T> T write(Dataset<Row> rows, Function<Path, T> summarize, Function<T, String> toJson) {
    clear();
    boolean whole = false;
    try {
      if (hasSecondPass()) {
        // What an earlier start has left of its second pass.
        files.delete(target, true);
      }
      write(rows, target);
      if (hasSecondPass() && records.latest().isPresent()) {
        // The run stays known when the scores are gone.
        FileUtil.copy(
            files,
            new Path(scores, LedgerFolder.NAME),
            files,
            new Path(target, LedgerFolder.NAME),
            false,
            files.getConf());
      }
      whole = true;
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot write the output %s: %s", path, Failures.oneLine(e));
    } catch (RuntimeException e) {
      if (!hasSecondPass() || records.latest().isEmpty()) {
        throw e;
      }
      throw Refusal.because(
          e,
          "%s; all scores lie in %s, go on with --resume%s",
          Failures.oneLine(e),
          scores,
          resumesOverAnother() ? " --overwrite" : "");
    } finally {
      if (!whole) {
        discard();
        discardWithoutLedger();
      }
    }
    T summary = finish(() -> summarize.apply(target), toJson);
    if (hasSecondPass()) {
      remove(scores, files);
    }
    return summary;
  }

  private void write(Dataset<Row> rows, Path folder) {
    rows.write()
        .format(format)
        // JSON leaves nulls out otherwise, and then a file without errors has no error column.
        .option("ignoreNullFields", false)
        .option("parquet.block.size", ROW_GROUP_BYTES)
        .mode(SaveMode.ErrorIfExists)
        .save(folder.toString());
  }

  /**
   * Reads what a folder of this output holds, by the schema that its rows were written with.
   *
   * <p>The folder's name is a name: Spark takes {@code [ ] { } * ?} in a path for a pattern unless
   * this option of its own readers says otherwise.
   */
  public Dataset<Row> read(SparkSession spark, Path folder, StructType schemaOfRows) {
    StructType nullable = new StructType();
    for (StructField field : schemaOfRows.fields()) {
      nullable = nullable.add(field.name(), field.dataType(), true, field.metadata());
    }
    return spark
        .read()
        .schema(nullable)
        .format(format)
        .option("__globPaths__", false)
        .load(folder.toString());
  }

  /** Writes the rows in one go to {@link #scores}, from where the second pass reads them. */
  public void writeScores(Dataset<Row> rows) {
    boolean whole = false;
    try {
      write(rows, scores);
      whole = true;
    } finally {
      if (!whole) {
        discardScores();
      }
    }
  }

  /** What makes the summary. */
  public interface Summarizing<T> {
    T summarize() throws IOException;
  }

  /** Writes the summary beside data that is whole, and puts both in place. */
  public <T> T finish(Summarizing<T> summarize, Function<T, String> toJson) {
    T summary;
    try {
      summary = summarize.summarize();
      write(SUCCESS, "");
      // Last: it is what tells a whole output.
      write(SUMMARY, toJson.apply(summary));
    } catch (IOException | RuntimeException e) {
      throw Refusal.because(
          e,
          "Cannot write the summary: %s; all scores lie in %s%s",
          Failures.oneLine(e),
          target,
          resumesOverAnother() ? ", the old output still in " + path : "");
    }
    if (replaces()) {
      swap(target, beside(path, "_old-" + run));
    }
    return summary;
  }

  /** A whole file or none. */
  private void write(String name, String content) throws IOException {
    Path temporary = new Path(target, name + ".part");
    try (OutputStream out = files.create(temporary, true)) {
      out.write(content.getBytes(StandardCharsets.UTF_8));
    }
    Path file = new Path(target, name);
    files.delete(file, false);
    move(temporary, file, files);
  }

  /** Removes a leftover, to begin anew. */
  public void clear() {
    try {
      if (files.exists(scores) && isLeftover(scores, files)) {
        files.delete(scores, true);
      }
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", target, Failures.oneLine(e));
    }
  }

  /** Takes back the marks of a finished output, which is to be continued. */
  public void reopen() {
    try {
      files.delete(new Path(target, SUMMARY), false);
      files.delete(new Path(target, SUCCESS), false);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot continue output %s: %s", target, Failures.oneLine(e));
    }
  }

  private boolean replaces() {
    return !target.equals(path);
  }

  private void swap(Path fresh, Path old) {
    boolean replaced;
    try {
      replaced = files.exists(path);
      if (replaced) {
        move(path, old, files);
      }
    } catch (IOException e) {
      throw Refusal.because(
          e,
          "Cannot move the old output %s aside to %s: %s; the new one lies in %s",
          path,
          old,
          e.getMessage(),
          fresh);
    }
    try {
      move(fresh, path, files);
    } catch (IOException e) {
      throw Refusal.because(
          e,
          "Cannot move the new output to %s: %s; it lies in %s%s",
          path,
          e.getMessage(),
          fresh,
          replaced ? ", the old one in " + (movedBack(old) ? path : old) : "");
    }
    if (replaced) {
      remove(old, files);
    }
  }

  private boolean movedBack(Path old) {
    try {
      move(old, path, files);
      return true;
    } catch (IOException e) {
      LOG.warn("The old output could not be moved back: {}", Failures.oneLine(e));
      return false;
    }
  }

  /** A file system may refuse a rename by an answer or by an exception. */
  private static void move(Path from, Path to, FileSystem files) throws IOException {
    // Onto a folder that exists Hadoop moves into it.
    if (files.exists(to)) {
      throw new IOException(to + " exists");
    }
    if (!files.rename(from, to)) {
      throw new IOException("the file system refused the rename");
    }
  }

  private static void remove(Path old, FileSystem files) {
    try {
      if (!files.delete(old, true)) {
        LOG.warn("The old output could not be removed from {}", shown(old));
      }
    } catch (IOException e) {
      LOG.warn("The old output could not be removed from {}: {}", shown(old), Failures.oneLine(e));
    }
  }

  /** Removes the scores of a first pass that nobody can go on with. */
  public void discardWithoutLedger() {
    if (hasSecondPass() && records.latest().isEmpty()) {
      remove(scores, files);
    }
  }

  /** Removes what a failed first pass left that had not been there before. */
  public void discardScores() {
    if (!hasSecondPass()) {
      discard();
    } else if (earlier.isEmpty()) {
      remove(scores, files);
    }
  }

  /** Removes what a failed run left that had not been there before. */
  void discard() {
    try {
      boolean own = replaces() && (earlier.isEmpty() || hasSecondPass());
      if (own || (files.exists(target) && isEmpty(target, files))) {
        files.delete(target, true);
      }
    } catch (IOException e) {
      LOG.warn("Could not remove {}: {}", shown(target), Failures.oneLine(e));
    }
  }
}
