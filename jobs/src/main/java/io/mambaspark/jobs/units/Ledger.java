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
 * The units of a run that are done: one {@link UnitEntry} for each, in the {@link LedgerFolder} of
 * the output.
 *
 * <p>A unit is done when its entry exists and, beside the ledger, the file that the entry
 * describes. The entry is written before the file is moved to its place, each by an atomic rename.
 * A task that dies leaves neither, an entry alone, or both; an entry alone does not count. A task
 * never replaces or removes a file in its place, so a late attempt cannot do harm, even after the
 * end of the job. An attempt of a run that no longer owns the output is refused.
 */
final class Ledger {
  private static final int THREADS = 8;

  private final Path output;
  private final LedgerFolder folder;
  private final RunRecords records;
  private final FileSystem files;

  /** The ledger of an output, which may not exist yet. */
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
   * Puts a unit's file in its place and its entry into the ledger.
   *
   * @param file whole, on the same file system; null if there is none; does not exist afterwards
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
    if (other.isPresent() && !other.get().isGivenUp() && entry.isGivenUp()) {
      discard(file);
      return;
    }
    // An attempt that died, or gave up, has left an entry without its file.
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

  /** Whether the file that an entry describes is in its place, byte for byte. */
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
   * @param withFiles only entries whose files exist with the right size
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

  /** The Parquet files of the output that belong to none of these units. */
  List<String> strays(Collection<String> units) {
    return list(output).keySet().stream()
        .filter(name -> name.endsWith(".parquet") && !name.startsWith("_"))
        .filter(name -> !units.contains(name))
        .toList();
  }

  private Path unitsFolder() {
    return new Path(folder.path(), "units");
  }

  /** The files of a folder with their sizes; none if it does not exist. */
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

  /** Removes units. The file of each is removed first, so that no file is without an entry. */
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

  /** Removes the temporary files of dead tasks; logs a failure. */
  void sweep() {
    folder.sweep();
  }
}
