package io.mambaspark.jobs.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.io.RunFolder.Kind;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The state of an output and of the folders next to it, read once at the start of a run.
 *
 * @param path the path of the output
 * @param content the content of the output; empty if it does not exist
 * @param runFolders the folders of earlier runs next to the output
 */
record OutputState(Path path, Optional<Content> content, Map<RunFolder, Content> runFolders) {
  /** The schemes of object stores, which cannot rename a folder atomically. */
  private static final Set<String> OBJECT_STORES =
      Set.of("s3", "s3a", "s3n", "gs", "abfs", "abfss", "wasb", "wasbs", "oss", "cosn", "obs");

  /**
   * The content of a folder.
   *
   * @param hasData whether it contains anything except a ledger
   * @param hasLedger whether it contains the folder of a ledger, which may not record a run yet
   * @param summarized the id of the run in the summary, "" if the summary is damaged; empty if
   *     there is no summary
   * @param run the run in the ledger; empty if no run is recorded
   */
  record Content(
      boolean hasData, boolean hasLedger, Optional<String> summarized, Optional<RunRecord> run) {
    private static final Content FILE =
        new Content(true, false, Optional.empty(), Optional.empty());

    boolean isEmpty() {
      return !hasData;
    }

    /** Whether the folder contains only a ledger: its run was killed before it wrote a file. */
    boolean isLedgerOnly() {
      return hasLedger && !hasData;
    }

    /** Whether a run has finished in this folder. */
    boolean isSummarized() {
      return summarized.isPresent();
    }

    /** Whether this is the complete output of that run. */
    boolean isCompleteOf(String runId) {
      return summarized.filter(runId::equals).isPresent();
    }
  }

  /**
   * Reads the state.
   *
   * @param neighbours whether to read the folders next to the output, too
   */
  static OutputState read(
      Path path, boolean neighbours, FileSystem files, Configuration configuration)
      throws IOException {
    Map<RunFolder, Content> runFolders = new HashMap<>();
    for (FileStatus file : neighbours ? list(path.getParent(), files) : new FileStatus[0]) {
      Optional<RunFolder> found = RunFolder.named(file.getPath().getName(), path);
      if (found.isPresent()) {
        content(found.get().path(path), files, configuration)
            .ifPresent(content -> runFolders.put(found.get(), content));
      }
    }
    return new OutputState(path, content(path, files, configuration), runFolders);
  }

  private static FileStatus[] list(Path folder, FileSystem files) throws IOException {
    try {
      return files.listStatus(folder);
    } catch (FileNotFoundException e) {
      return new FileStatus[0];
    }
  }

  private static Optional<Content> content(
      Path folder, FileSystem files, Configuration configuration) throws IOException {
    try {
      if (!files.getFileStatus(folder).isDirectory()) {
        return Optional.of(Content.FILE);
      }
    } catch (FileNotFoundException e) {
      return Optional.empty();
    }
    Set<String> names =
        Arrays.stream(list(folder, files))
            .map(file -> file.getPath().getName())
            .collect(Collectors.toSet());
    boolean hasLedger = names.remove(LedgerFolder.NAME);
    return Optional.of(
        new Content(
            !names.isEmpty(),
            hasLedger,
            names.contains(Output.SUMMARY) ? summarized(folder, files) : Optional.empty(),
            hasLedger ? new RunRecords(folder, configuration).latest() : Optional.empty()));
  }

  /** Reads the id of the run from a folder's summary, see {@link Content#summarized}. */
  static Optional<String> summarized(Path folder, FileSystem files) throws IOException {
    try (InputStream in = files.open(new Path(folder, Output.SUMMARY))) {
      return Optional.of(new ObjectMapper().readTree(in).path("run").asText());
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (JsonProcessingException | ChecksumException e) {
      return Optional.of("");
    }
  }

  boolean isInObjectStore() {
    return OBJECT_STORES.contains(path.toUri().getScheme());
  }

  boolean isOfStream() {
    return content.flatMap(Content::run).filter(RunRecord::isStream).isPresent();
  }

  /** Whether the output is complete and belongs to that run. */
  boolean isCompleteOf(String runId) {
    return content.filter(found -> found.isCompleteOf(runId)).isPresent();
  }

  /** Whether the folder next to the output is complete and belongs to the run in its name. */
  boolean isComplete(RunFolder folder) {
    return runFolders.containsKey(folder) && runFolders.get(folder).isCompleteOf(folder.runId());
  }

  /**
   * The run that can be resumed in a folder next to the output. The folder's ledger must record the
   * id that is in the folder's name.
   */
  Optional<RunRecord> resumable(RunFolder folder) {
    return Optional.ofNullable(runFolders.get(folder))
        .flatMap(Content::run)
        .filter(run -> run.id().equals(folder.runId()));
  }

  /** The folders of a kind next to the output, latest first. */
  List<RunFolder> all(Kind kind) {
    return runFolders.keySet().stream()
        .filter(folder -> folder.kind() == kind)
        .sorted(Comparator.comparing(RunFolder::runId).reversed())
        .toList();
  }

  /** The latest run that can be resumed in a folder of a kind next to the output. */
  Optional<RunRecord> latestResumable(Kind kind) {
    return all(kind).stream().flatMap(folder -> resumable(folder).stream()).findFirst();
  }

  /** The state after a folder next to the output has been moved to the path of the output. */
  OutputState moved(RunFolder folder) {
    return new OutputState(path, Optional.of(runFolders.get(folder)), removed(folder).runFolders());
  }

  /** The state after a folder next to the output has been removed. */
  OutputState removed(RunFolder folder) {
    Map<RunFolder, Content> left = new HashMap<>(runFolders);
    left.remove(folder);
    return new OutputState(path, content, left);
  }
}
