package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.Beside.Kind;
import io.mambaspark.jobs.io.OutputState.Content;
import java.util.Optional;
import org.apache.hadoop.fs.Path;

/**
 * Where a run writes, decided from its options and from what is there.
 *
 * @param path of the output
 * @param target the folder that is written: the output's own, or one beside it that replaces it
 * @param scores the folder of the first pass; the target if there is one pass
 * @param runId of this run; a resumed run keeps its id
 * @param earlier the run that is resumed, as its ledger records it; empty if this run is new
 * @param afterSecondPass whether a second pass has put the output in its place before, after which
 *     the scores of its first pass are removed
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
          "Output %s is that of a stream; go on with --stream, choose another, or replace it with"
              + " --overwrite alone",
          options.path());
    }
    return twoPasses ? inTwoPasses(options, state, newRunId) : inOnePass(options, state, newRunId);
  }

  private static OutputPlacement inOnePass(
      OutputOptions options, OutputState state, String newRunId) {
    Optional<Content> existing =
        state.content().filter(content -> options.resume() || !content.isLeftover());
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
          "Output %s exists, and an object store cannot replace a folder at once; choose a"
              + " new output path",
          options.path());
    }
    Optional<RunRecord> earlier =
        options.resume() ? state.latestResumable(Kind.NEW) : Optional.empty();
    String runId = earlier.map(RunRecord::id).orElse(newRunId);
    Path target = new Beside(Kind.NEW, runId).path(state.path());
    return new OutputPlacement(state.path(), target, target, runId, earlier, false);
  }

  /**
   * The first pass has a folder of its own. The second writes the folder that becomes the output.
   */
  private static OutputPlacement inTwoPasses(
      OutputOptions options, OutputState state, String newRunId) {
    if (state.isInObjectStore()) {
      throw Refusal.because(
          "Output %s: an object store cannot move a folder at once, which --bucket needs; score"
              + " elsewhere, or take thresholds from an earlier run with --bucket-thresholds",
          options.path());
    }
    Optional<Content> existing = state.content().filter(content -> !content.isLeftover());
    if (existing.isPresent() && !options.overwrite()) {
      Optional<RunRecord> run = existing.get().run();
      if (!options.resume() || run.isEmpty()) {
        // Do not offer --resume for an unfinished output: it was begun without a second pass.
        throw existing(options, false, true);
      }
      if (!existing.get().isSummarized()) {
        throw Refusal.because(
            "Cannot resume output %s: it was begun without --bucket; go on without it, or choose"
                + " another output",
            options.path());
      }
      return resumed(state.path(), run.get(), true);
    }
    Optional<RunRecord> earlier =
        options.resume() ? state.latestResumable(Kind.SCORES) : Optional.empty();
    String runId = earlier.map(RunRecord::id).orElse(newRunId);
    return new OutputPlacement(
        state.path(),
        new Beside(Kind.NEW, runId).path(state.path()),
        new Beside(Kind.SCORES, runId).path(state.path()),
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
        unfinished ? "go on with --resume, or " : "",
        replaceable ? ", or replace it with --overwrite" : "");
  }

  /** Whether a second pass makes the output from the scores. */
  boolean hasSecondPass() {
    return !scores.equals(target);
  }

  /** Whether the target is to take the place of the output. */
  boolean replaces() {
    return !target.equals(path);
  }

  /** Where the output goes that the target replaces. */
  Path old() {
    return new Beside(Kind.OLD, runId).path(path);
  }
}
