package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.OutputState.Content;
import io.mambaspark.jobs.io.RunFolder.Kind;
import java.util.Optional;
import org.apache.hadoop.fs.Path;

/**
 * The folders to which a run writes, decided from its options and the state of the output.
 *
 * @param path the path of the output
 * @param target the folder to which the run writes: the output, or a folder next to it that
 *     replaces the output
 * @param scores the folder of the first pass; the target if there is only one pass
 * @param runId the id of this run; a resumed run keeps its id
 * @param earlier the run that is resumed, as its ledger records it; empty if this run is new
 * @param afterSecondPass whether an earlier start has finished the second pass and has removed the
 *     scores of the first pass
 */
record OutputPlacement(
    Path path,
    Path target,
    Path scores,
    String runId,
    Optional<RunRecord> earlier,
    boolean afterSecondPass) {

  /**
   * Decides where a run writes.
   *
   * @param twoPasses whether a second pass makes the output from the scores
   * @param newRunId the id of the run if it is new
   * @throws Refusal if the output exists and may be neither replaced nor resumed
   */
  static OutputPlacement of(
      OutputOptions options, boolean twoPasses, OutputState state, String newRunId) {
    if ((!options.overwrite() || options.resume()) && state.isOfStream()) {
      throw Refusal.because(
          "Output %s was written by a stream; continue with --stream, choose another, or replace it"
              + " with --overwrite, without --resume",
          options.path());
    }
    return twoPasses ? inTwoPasses(options, state, newRunId) : inOnePass(options, state, newRunId);
  }

  private static OutputPlacement inOnePass(
      OutputOptions options, OutputState state, String newRunId) {
    Optional<Content> existing =
        state.content().filter(content -> options.resume() || !content.isLedgerOnly());
    if (existing.isEmpty()) {
      return inPlace(state.path(), newRunId);
    }
    Content content = existing.get();
    Optional<RunRecord> run = content.run();
    if (options.resume() && run.isPresent() && !(options.overwrite() && content.isSummarized())) {
      return resumed(state.path(), run.get(), false);
    }
    if (options.overwrite()) {
      return replacing(options, state, newRunId);
    }
    if (options.resume() && content.isEmpty()) {
      return inPlace(state.path(), newRunId);
    }
    throw existing(options, run.isPresent() && !content.isSummarized(), !state.isInObjectStore());
  }

  private static OutputPlacement replacing(
      OutputOptions options, OutputState state, String newRunId) {
    if (state.isInObjectStore()) {
      throw Refusal.because(
          "Output %s exists, and an object store cannot replace a folder atomically; choose a"
              + " new output path",
          options.path());
    }
    Optional<RunRecord> earlier =
        options.resume() ? state.latestResumable(Kind.NEW) : Optional.empty();
    String runId = earlier.map(RunRecord::id).orElse(newRunId);
    Path target = new RunFolder(Kind.NEW, runId).path(state.path());
    return new OutputPlacement(state.path(), target, target, runId, earlier, false);
  }

  /** The first pass writes a separate folder; the second writes the folder of the new output. */
  private static OutputPlacement inTwoPasses(
      OutputOptions options, OutputState state, String newRunId) {
    if (state.isInObjectStore()) {
      throw Refusal.because(
          "Cannot use --bucket for output %s: an object store cannot move a folder atomically; write"
              + " to another file system, or use the thresholds of an earlier run with"
              + " --bucket-thresholds",
          options.path());
    }
    Optional<Content> existing = state.content().filter(content -> !content.isLedgerOnly());
    if (existing.isPresent() && !options.overwrite()) {
      Optional<RunRecord> run = existing.get().run();
      if (!options.resume() || run.isEmpty()) {
        // Do not offer --resume for an unfinished output: it was started without a second pass.
        throw existing(options, false, true);
      }
      if (!existing.get().isSummarized()) {
        throw Refusal.because(
            "Cannot resume output %s: it was started without --bucket; resume it without --bucket,"
                + " or choose another output",
            options.path());
      }
      return resumed(state.path(), run.get(), true);
    }
    Optional<RunRecord> earlier =
        options.resume() ? state.latestResumable(Kind.SCORES) : Optional.empty();
    String runId = earlier.map(RunRecord::id).orElse(newRunId);
    return new OutputPlacement(
        state.path(),
        new RunFolder(Kind.NEW, runId).path(state.path()),
        new RunFolder(Kind.SCORES, runId).path(state.path()),
        runId,
        earlier,
        false);
  }

  private static OutputPlacement inPlace(Path path, String newRunId) {
    return new OutputPlacement(path, path, path, newRunId, Optional.empty(), false);
  }

  private static OutputPlacement resumed(Path path, RunRecord run, boolean afterSecondPass) {
    return new OutputPlacement(path, path, path, run.id(), Optional.of(run), afterSecondPass);
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
        unfinished ? "continue with --resume, or " : "",
        replaceable ? ", or replace it with --overwrite" : "");
  }

  /** Whether a second pass makes the output from the scores. */
  boolean hasSecondPass() {
    return !scores.equals(target);
  }

  /** Whether the target will replace the output. */
  boolean replaces() {
    return !target.equals(path);
  }

  /** The folder to which a replaced output is moved. */
  Path old() {
    return new RunFolder(Kind.OLD, runId).path(path);
  }
}
