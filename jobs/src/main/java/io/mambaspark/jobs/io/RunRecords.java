package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** The records of the run that owns an output, in its {@link LedgerFolder}. */
public final class RunRecords {
  private final LedgerFolder folder;
  private final FileSystem files;

  /** Opens the records of an output, which may not exist yet. */
  public RunRecords(Path output, Configuration configuration) {
    this.folder = new LedgerFolder(output, configuration);
    this.files = HadoopFiles.fileSystem(output, configuration);
  }

  /** Reads the latest record of the run; empty if there is no ledger. */
  public Optional<RunRecord> latest() {
    try {
      List<Path> found = new ArrayList<>();
      for (FileStatus file : files.listStatus(folder.path())) {
        if (file.getPath().getName().matches("run-\\d{5}\\.json")) {
          found.add(file.getPath());
        }
      }
      found.sort(Comparator.comparing(Path::getName).reversed());
      for (Path file : found) {
        Optional<RunRecord> run = folder.read(file, RunRecord.class);
        if (run.isPresent()) {
          return run;
        }
      }
      return Optional.empty();
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw Refusal.because(
          e, "Cannot read the ledger %s: %s", folder.shown(), Failures.oneLine(e));
    }
  }

  /**
   * Records a run, or a change to it.
   *
   * @throws Refusal if the output belongs to another run
   */
  public void add(RunRecord run) {
    try {
      int number = 0;
      while (files.exists(file(number))) {
        number++;
      }
      folder.publish(run, file(number));
      checkOwner(run.id());
    } catch (IOException e) {
      throw Refusal.because(
          e, "Cannot write the ledger %s: %s", folder.shown(), Failures.oneLine(e));
    }
  }

  /** Fails if the output belongs to another run. */
  public void checkOwner(String runId) throws IOException {
    String owner = latest().map(RunRecord::id).orElse("none");
    if (!owner.equals(runId)) {
      throw new IOException(
          "the output belongs to another run, %s; this one is %s".formatted(owner, runId));
    }
  }

  private Path file(int number) {
    return new Path(folder.path(), String.format(Locale.ROOT, "run-%05d.json", number));
  }
}
