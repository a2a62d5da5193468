package io.mambaspark.jobs;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The record of a run, in the folder {@value #FOLDER} of its output:
 *
 * <pre>
 * run-00000.json     what the run is; as it has become later, with the next number
 * units/NAME.json    one {@link UnitEntry} for each unit that is done
 * tmp/               files of tasks that run, or of those that died
 * checkpoint/        of a stream: what Spark has taken from its folder
 * </pre>
 *
 * <p>A unit is done when its entry is there and, beside the ledger, the file that the entry tells
 * of. The entry is written before the file is moved to its place, and both by a rename that shows
 * them whole. A task that dies leaves neither, an entry alone, or both, and an entry alone counts
 * for nothing. A file that is in its place is never replaced or removed by a task, so an attempt
 * that comes late can do no harm, even after the end of the job; one of a run that this output does
 * not belong to any more is refused.
 */
final class Ledger {
  static final String FOLDER = "_mamba";

  private static final Logger LOG = LoggerFactory.getLogger(Ledger.class);

  private static final int THREADS = 8;
  private static final ObjectMapper JSON =
      new ObjectMapper()
          .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(SerializationFeature.INDENT_OUTPUT);

  private final Path output;
  private final Path folder;
  private final FileSystem files;

  /** The ledger of an output, which may not be there yet. */
  Ledger(Path output, Configuration configuration) {
    this.output = output;
    this.folder = new Path(output, FOLDER);
    this.files = HadoopFiles.fileSystem(output, configuration);
  }

  /**
   * What identifies a run.
   *
   * @param run names it
   * @param settings whatever the scores depend on but the input, by the name of the option
   * @param arrivals the files that were there at the first start, then those that each later start
   *     has taken in; none for a stream
   */
  record Run(String run, Map<String, String> settings, List<List<Unit.Input>> arrivals) {
    static final String STREAM = "--stream from";

    /** Version 0.1.0, whose runs are not resumed, has no arrivals. */
    Run {
      arrivals = arrivals == null ? List.of() : arrivals;
    }

    /** All files. */
    List<Unit.Input> files() {
      return arrivals.stream().flatMap(List::stream).toList();
    }

    /** Whether {@link StreamJob} has begun it, which keeps its input in Spark's checkpoint. */
    boolean isStream() {
      return settings.containsKey(STREAM);
    }
  }

  /** The run as it was last recorded; empty if there is no ledger. */
  Optional<Run> run() {
    try {
      List<Path> found = new ArrayList<>();
      for (FileStatus file : files.listStatus(folder)) {
        if (file.getPath().getName().matches("run-\\d{5}\\.json")) {
          found.add(file.getPath());
        }
      }
      found.sort(Comparator.comparing(Path::getName).reversed());
      for (Path file : found) {
        Optional<Run> run = whole(file, Run.class);
        if (run.isPresent()) {
          return run;
        }
      }
      return Optional.empty();
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot read the ledger %s: %s", shown(), Failures.oneLine(e));
    }
  }

  private String shown() {
    return HadoopFiles.redacted(folder.toString());
  }

  /** Records a run, or what it has become; refuses where another has begun meanwhile. */
  void record(Run run) {
    try {
      int number = 0;
      while (files.exists(runFile(number))) {
        number++;
      }
      publish(run, runFile(number));
      checkOwner(run.run());
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot write the ledger %s: %s", shown(), Failures.oneLine(e));
    }
  }

  private void checkOwner(String run) throws IOException {
    String owner = run().map(Run::run).orElse("none");
    if (!owner.equals(run)) {
      throw new IOException(
          "the output belongs to another run, %s; this one is %s".formatted(owner, run));
    }
  }

  private Path runFile(int number) {
    return new Path(folder, String.format(Locale.ROOT, "run-%05d.json", number));
  }

  /** A new file for a task to write. Its name does not end as that of a Parquet file does. */
  Path temporary(String name) {
    return new Path(new Path(folder, "tmp"), name + "-" + UUID.randomUUID() + ".part");
  }

  private Path entryFile(String unit) {
    return new Path(unitsFolder(), unit + ".json");
  }

  /**
   * Puts a unit's file in its place and its entry into the ledger.
   *
   * @param file whole, on the same file system; null if there is none. Gone afterwards
   */
  void commit(UnitEntry entry, Path file) throws IOException {
    checkOwner(entry.run());
    Path entryFile = entryFile(entry.unit());
    Path place = new Path(output, entry.unit());
    if (files.exists(place)) {
      // Another attempt was first.
      discard(file);
      return;
    }
    Optional<UnitEntry> other =
        files.exists(entryFile) ? whole(entryFile, UnitEntry.class) : Optional.empty();
    if (other.isPresent() && !other.get().isGivenUp() && entry.isGivenUp()) {
      discard(file);
      return;
    }
    // An entry without its file is that of an attempt that died, or that has given up.
    files.delete(entryFile, false);
    publish(entry, entryFile);
    if (entry.file() == null) {
      discard(file);
    } else if (!moved(file, place)) {
      discard(file);
      if (!files.exists(place)) {
        throw new IOException("Cannot move %s to %s".formatted(file, place));
      }
    }
  }

  private void discard(Path file) throws IOException {
    if (file != null) {
      files.delete(file, false);
    }
  }

  /** Writes a whole file or none. One that is there already stays. */
  private void publish(Object content, Path file) throws IOException {
    Path temporary = temporary(file.getName());
    try (OutputStream out = files.create(temporary, false)) {
      out.write(JSON.writeValueAsBytes(content));
    }
    if (files.exists(file) || !moved(temporary, file)) {
      files.delete(temporary, false);
    }
    if (!files.exists(file)) {
      throw new IOException("Cannot move %s to %s".formatted(temporary, file));
    }
  }

  private boolean moved(Path from, Path to) throws IOException {
    files.mkdirs(to.getParent());
    return files.rename(from, to);
  }

  /** What a file says; empty for one that a crash of the machine has damaged. */
  private <T> Optional<T> whole(Path file, Class<T> type) throws IOException {
    try (InputStream in = files.open(file)) {
      return Optional.of(JSON.readValue(in, type));
    } catch (JsonProcessingException | ChecksumException e) {
      LOG.warn("{} is damaged and does not count", HadoopFiles.redacted(file.toString()));
      return Optional.empty();
    }
  }

  /** The size and the SHA-256 of a file. */
  UnitEntry.OutputFile measure(Path file) throws IOException {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      long size;
      try (InputStream in = new DigestInputStream(files.open(file), digest)) {
        size = in.transferTo(OutputStream.nullOutputStream());
      }
      return new UnitEntry.OutputFile(size, HexFormat.of().formatHex(digest.digest()));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** Whether the file that an entry tells of lies there, byte for byte. */
  boolean holds(UnitEntry entry) throws IOException {
    if (entry.file() == null) {
      return true;
    }
    try {
      return measure(new Path(output, entry.unit())).equals(entry.file());
    } catch (FileNotFoundException e) {
      return false;
    } catch (ChecksumException e) {
      return false;
    }
  }

  /**
   * The entries of a run's units, by the names of the units.
   *
   * @param withFiles only those whose files are there, of the right size
   */
  Map<String, UnitEntry> entries(String run, boolean withFiles) {
    Map<String, Long> sizes = list(output);
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    try {
      List<Future<Optional<UnitEntry>>> reading = new ArrayList<>();
      for (String name : list(unitsFolder()).keySet()) {
        Path file = new Path(unitsFolder(), name);
        reading.add(threads.submit(() -> whole(file, UnitEntry.class)));
      }
      Map<String, UnitEntry> entries = new TreeMap<>();
      for (Future<Optional<UnitEntry>> read : reading) {
        read.get()
            .filter(entry -> run.equals(entry.run()))
            .filter(
                entry ->
                    !withFiles
                        || entry.file() == null
                        || Long.valueOf(entry.file().size()).equals(sizes.get(entry.unit())))
            .ifPresent(entry -> entries.put(entry.unit(), entry));
      }
      return entries;
    } catch (ExecutionException e) {
      throw Refusal.because(e, "Cannot read the ledger %s: %s", shown(), Failures.oneLine(e));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Refusal.because(e, "Interrupted while reading the ledger %s", shown());
    } finally {
      threads.shutdownNow();
    }
  }

  /** The Parquet files of the output that are not these units'. */
  List<String> strays(Collection<String> units) {
    return list(output).keySet().stream()
        .filter(name -> name.endsWith(".parquet") && !name.startsWith("_"))
        .filter(name -> !units.contains(name))
        .toList();
  }

  private Path unitsFolder() {
    return new Path(folder, "units");
  }

  /** The files of a folder with their sizes; none if it is not there. */
  private Map<String, Long> list(Path of) {
    try {
      Map<String, Long> sizes = new TreeMap<>();
      for (FileStatus file : files.listStatus(of)) {
        sizes.put(file.getPath().getName(), file.getLen());
      }
      return sizes;
    } catch (FileNotFoundException e) {
      return Map.of();
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot read the output %s: %s", of, Failures.oneLine(e));
    }
  }

  /** Makes units undone. The file of each goes first, so that none is ever without an entry. */
  void forget(Collection<String> units) {
    Map<String, Long> written = list(output);
    Map<String, Long> entered = list(unitsFolder());
    try {
      for (String unit : units) {
        if (written.containsKey(unit)) {
          files.delete(new Path(output, unit), false);
        }
        if (entered.containsKey(entryFile(unit).getName())) {
          files.delete(entryFile(unit), false);
        }
      }
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot write the output %s: %s", output, Failures.oneLine(e));
    }
  }

  /** Removes what tasks that died have left, if that can be done. */
  void sweep() {
    try {
      files.delete(new Path(folder, "tmp"), true);
    } catch (IOException e) {
      LOG.warn("Could not remove {}/tmp: {}", shown(), Failures.oneLine(e));
    }
  }
}
