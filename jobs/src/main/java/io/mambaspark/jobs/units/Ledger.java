package io.mambaspark.jobs.units;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.LedgerFolder;
import io.mambaspark.jobs.io.RunRecords;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The completed units of a run: one {@link UnitEntry} for each, in the {@link LedgerFolder} of the
 * output.
 *
 * <p>A unit is complete when its entry exists and the output contains the file that the entry
 * describes. A task writes the entry first and then moves the file to its place, each by an atomic
 * rename. A task that is killed leaves neither, an entry alone, or both; an entry alone does not
 * count. A task never replaces or removes a file in its place, so a late attempt is harmless, even
 * after the end of the job. An attempt of a run that no longer owns the output is refused.
 */
final class Ledger {
  private static final int THREADS = 8;

  private final Path output;
  private final LedgerFolder folder;
  private final RunRecords records;
  private final FileSystem files;

  /** Creates the ledger of an output, which may not exist yet. */
  Ledger(Path output, Configuration configuration) {
    this.output = output;
    this.folder = new LedgerFolder(output, configuration);
    this.records = new RunRecords(output, configuration);
    this.files = HadoopFiles.fileSystem(output, configuration);
  }

  private Path entryFile(String unit) {
    return new Path(unitsFolder(), unit + ".json");
  }

  /**
   * Adds a unit's entry to the ledger and moves the unit's file to its place.
   *
   * @param file a complete file on the same file system, which is moved or deleted; null if the
   *     unit has no file
   */
  void commit(UnitEntry entry, Path file) throws IOException {
    records.checkOwner(entry.runId());
    Path entryFile = entryFile(entry.unit());
    Path place = new Path(output, entry.unit());
    if (files.exists(place)) {
      // Another attempt has committed.
      discard(file);
      return;
    }
    Optional<UnitEntry> other =
        files.exists(entryFile) ? folder.read(entryFile, UnitEntry.class) : Optional.empty();
    if (other.isPresent() && !other.get().hasSkippedParts() && entry.hasSkippedParts()) {
      discard(file);
      return;
    }
    // An attempt that was killed, or skipped the unit, may have left an entry without a file.
    files.delete(entryFile, false);
    folder.publish(entry, entryFile);
    if (entry.file() == null) {
      discard(file);
    } else if (!folder.move(file, place)) {
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

  /** Returns the size and the SHA-256 of a file. */
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

  /** Whether the file of an entry is in its place, with the same size and SHA-256. */
  boolean isIntact(UnitEntry entry) throws IOException {
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
   * Returns the entries of a run's units, by unit name.
   *
   * @param withFiles whether to exclude entries without a file of the right size
   */
  Map<String, UnitEntry> entries(String runId, boolean withFiles) {
    Map<String, Long> sizes = list(output);
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    try {
      List<Future<Optional<UnitEntry>>> reading = new ArrayList<>();
      for (String name : list(unitsFolder()).keySet()) {
        Path file = new Path(unitsFolder(), name);
        reading.add(threads.submit(() -> folder.read(file, UnitEntry.class)));
      }
      Map<String, UnitEntry> entries = new TreeMap<>();
      for (Future<Optional<UnitEntry>> read : reading) {
        read.get()
            .filter(entry -> runId.equals(entry.runId()))
            .filter(
                entry ->
                    !withFiles
                        || entry.file() == null
                        || Long.valueOf(entry.file().size()).equals(sizes.get(entry.unit())))
            .ifPresent(entry -> entries.put(entry.unit(), entry));
      }
      return entries;
    } catch (ExecutionException e) {
      throw Refusal.because(
          e, "Cannot read the ledger %s: %s", folder.shown(), Failures.oneLine(e));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Refusal.because(e, "Interrupted while reading the ledger %s", folder.shown());
    } finally {
      threads.shutdownNow();
    }
  }

  /** Returns the names of the output's Parquet files that are not among these units. */
  List<String> unlistedFiles(Collection<String> units) {
    return list(output).keySet().stream()
        .filter(name -> name.endsWith(".parquet") && !name.startsWith("_"))
        .filter(name -> !units.contains(name))
        .toList();
  }

  private Path unitsFolder() {
    return new Path(folder.path(), "units");
  }

  /** Returns the files of a folder with their sizes; empty if the folder does not exist. */
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

  /** Removes units, each file before its entry, so that no file is without an entry. */
  void remove(Collection<String> units) {
    Map<String, Long> written = list(output);
    Map<String, Long> recorded = list(unitsFolder());
    try {
      for (String unit : units) {
        if (written.containsKey(unit)) {
          files.delete(new Path(output, unit), false);
        }
        if (recorded.containsKey(entryFile(unit).getName())) {
          files.delete(entryFile(unit), false);
        }
      }
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot write the output %s: %s", output, Failures.oneLine(e));
    }
  }

  /** Removes the temporary files of failed tasks. Logs a failure instead of throwing it. */
  void removeTemporaryFiles() {
    folder.removeTemporaryFiles();
  }
}
