package io.mambaspark.jobs;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
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
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The record of a run, in the folder {@value #FOLDER} of its output:
 *
 * <pre>
 * run-00000.json     what the run is; a later one, of more input, has the next number
 * units/NAME.json    one {@link UnitEntry} for each unit that is done
 * tmp/               files of tasks that run, or of those that died
 * </pre>
 *
 * <p>A unit is done when its entry is there and, beside the ledger, the file that the entry tells
 * of. The entry is written before the file is moved to its place, and both by a rename that shows
 * them whole. A task that dies leaves neither, an entry alone, or both, and an entry alone counts
 * for nothing. Two attempts at a unit write the same bytes; tasks never replace or remove what
 * another has put in place, so a late one can do no harm, even after the end of the job.
 */
final class Ledger {
  static final String FOLDER = "_mamba";

  private static final Logger LOG = LoggerFactory.getLogger(Ledger.class);

  private static final int THREADS = 8;
  private static final ObjectMapper JSON =
      new ObjectMapper()
          .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
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
   * @param input the files that were there
   */
  record Run(String run, Map<String, String> settings, List<Unit.Input> input) {}

  /** The run as it was last recorded; empty if there is no ledger. */
  Optional<Run> run() {
    try {
      List<Path> found = new ArrayList<>();
      for (FileStatus file : files.listStatus(folder)) {
        if (file.getPath().getName().matches("run-\\d{5}\\.json")) {
          found.add(file.getPath());
        }
      }
      Optional<Path> last = found.stream().max(Comparator.comparing(Path::getName));
      return last.isEmpty() ? Optional.empty() : Optional.of(read(last.get(), Run.class));
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot read the ledger %s: %s", folder, Failures.oneLine(e));
    }
  }

  /** Records a run, or what it has become. */
  void record(Run run) {
    try {
      int number = 0;
      while (files.exists(runFile(number))) {
        number++;
      }
      publish(run, runFile(number));
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot write the ledger %s: %s", folder, Failures.oneLine(e));
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
    return new Path(new Path(folder, "units"), unit + ".json");
  }

  /**
   * Puts a unit's file in its place and its entry into the ledger.
   *
   * @param file whole, on the same file system; null if there is none. Gone afterwards
   */
  void commit(UnitEntry entry, Path file) throws IOException {
    Path entryFile = entryFile(entry.unit());
    if (!files.exists(entryFile)) {
      publish(entry, entryFile);
    }
    // Another attempt may have been first, and one that was given up has no file.
    UnitEntry committed = read(entryFile, UnitEntry.class);
    Path place = new Path(output, entry.unit());
    if (file != null) {
      boolean wanted = committed.file() != null && committed.file().equals(entry.file());
      if (!wanted || files.exists(place) || !moved(file, place)) {
        files.delete(file, false);
      }
    }
    if (committed.file() != null && !files.exists(place)) {
      throw new IOException("Cannot move %s to %s".formatted(file, place));
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

  private <T> T read(Path file, Class<T> type) throws IOException {
    try (InputStream in = files.open(file)) {
      return JSON.readValue(in, type);
    } catch (JsonProcessingException e) {
      throw new DamagedException(file + " is damaged: " + e.getOriginalMessage(), e);
    }
  }

  private static final class DamagedException extends IOException {
    private static final long serialVersionUID = 1;

    DamagedException(String message, Throwable cause) {
      super(message, cause);
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
    } catch (org.apache.hadoop.fs.ChecksumException e) {
      return false;
    }
  }

  /** All entries, by the names of their units. Whether their files are there is not looked at. */
  Map<String, UnitEntry> entries() {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    try {
      List<Future<Optional<UnitEntry>>> reading = new ArrayList<>();
      for (FileStatus file : files.listStatus(new Path(folder, "units"))) {
        reading.add(threads.submit(() -> entry(file.getPath())));
      }
      Map<String, UnitEntry> entries = new TreeMap<>();
      for (Future<Optional<UnitEntry>> entry : reading) {
        entry.get().ifPresent(known -> entries.put(known.unit(), known));
      }
      return entries;
    } catch (FileNotFoundException e) {
      return Map.of();
    } catch (IOException | ExecutionException e) {
      throw Refusal.because(e, "Cannot read the ledger %s: %s", folder, Failures.oneLine(e));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Refusal.because(e, "Interrupted while reading the ledger %s", folder);
    } finally {
      threads.shutdownNow();
    }
  }

  /** Empty for one that a crash of the machine has damaged: its unit is done again. */
  private Optional<UnitEntry> entry(Path file) throws IOException {
    try {
      return Optional.of(read(file, UnitEntry.class));
    } catch (DamagedException | org.apache.hadoop.fs.ChecksumException e) {
      LOG.warn("{}; its unit is scored again", e.getMessage());
      return Optional.empty();
    }
  }

  /** Makes a unit undone: its file goes first, so that no file is ever without an entry. */
  void forget(String unit) {
    try {
      files.delete(new Path(output, unit), false);
      files.delete(entryFile(unit), false);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Removes what tasks that died have left. */
  void sweep() throws IOException {
    files.delete(new Path(folder, "tmp"), true);
  }
}
