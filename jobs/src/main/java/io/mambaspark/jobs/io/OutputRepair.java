package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.RunFolder.Kind;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finishes or rolls back a replacement that a crash interrupted, see {@link Replacement}. The steps
 * are planned from the state alone and then carried out.
 */
final class OutputRepair {
  private static final Logger LOG = LoggerFactory.getLogger(OutputRepair.class);

  /** One step of a repair. */
  sealed interface Step {}

  /** Moves a folder next to the output to the path of the output, which must not exist. */
  record Move(RunFolder folder) implements Step {}

  /** Removes a folder next to the output. */
  record Remove(RunFolder folder) implements Step {}

  /** Logs a completed step, or a step that is up to the user. */
  record Warn(String message) implements Step {}

  private final List<Step> steps = new ArrayList<>();

  /** The state after the steps planned so far. */
  private OutputState state;

  private OutputRepair(OutputState state) {
    this.state = state;
  }

  /** Plans the steps that repair an output; only warnings if nothing can be repaired. */
  static List<Step> plan(OutputState state) {
    OutputRepair repair = new OutputRepair(state);
    repair.restoreOutput();
    repair.removeOld();
    List<RunFolder> firstPasses = repair.state.all(Kind.SCORES);
    firstPasses.forEach(repair::finishSecondPass);
    repair.reportNew(firstPasses);
    return repair.steps;
  }

  /** Carries out the steps. Returns whether folders were moved or removed. */
  static boolean carryOut(List<Step> steps, Path output, FileSystem files) throws IOException {
    boolean changed = false;
    for (Step step : steps) {
      if (step instanceof Move move) {
        Replacement.move(move.folder().path(output), output, files);
        changed = true;
      } else if (step instanceof Remove remove) {
        Replacement.remove(remove.folder().path(output), files);
        changed = true;
      } else if (step instanceof Warn warning) {
        LOG.warn("{}", warning.message());
      }
    }
    return changed;
  }

  /** Finishes or rolls back a replacement that crashed between its two moves. */
  private void restoreOutput() {
    List<RunFolder> moved = state.all(Kind.OLD);
    if (state.content().isPresent() || moved.isEmpty()) {
      return;
    }
    RunFolder fresh = new RunFolder(Kind.NEW, moved.get(0).runId());
    if (state.isComplete(fresh)) {
      move(fresh);
      warn(
          "Finished the interrupted replacement of %s: it contains the new scores",
          shown(state.path()));
    } else {
      move(moved.get(0));
      warn(
          "Rolled back the interrupted replacement of %s: it contains the old scores",
          shown(state.path()));
    }
  }

  /** Finishes a replacement that crashed before it removed the old output. */
  private void removeOld() {
    for (RunFolder old : state.all(Kind.OLD)) {
      if (state.isCompleteOf(old.runId())) {
        remove(old);
        warn("Removed %s: %s has replaced it", shown(old), shown(state.path()));
      } else {
        warn(
            "%s contains an earlier output of %s; remove the folder if it is not needed",
            shown(old), shown(state.path()));
      }
    }
  }

  /** Finishes a run that crashed after its second pass, before it moved the output. */
  private void finishSecondPass(RunFolder scores) {
    RunFolder made = new RunFolder(Kind.NEW, scores.runId());
    if (state.content().isEmpty() && state.isComplete(made)) {
      move(made);
      warn(
          "Finished output %s: its run was interrupted after all data was written",
          shown(state.path()));
    }
    if (state.isCompleteOf(scores.runId())) {
      remove(scores);
    } else {
      warn(
          "%s contains scores of an interrupted run with --bucket; %sremove the folder if it is not"
              + " needed",
          shown(scores),
          state.resumable(scores).isPresent() ? "continue the run with --resume, or " : "");
    }
  }

  private void reportNew(List<RunFolder> firstPasses) {
    for (RunFolder fresh : state.all(Kind.NEW)) {
      boolean complete = state.isComplete(fresh);
      if (!complete && firstPasses.contains(new RunFolder(Kind.SCORES, fresh.runId()))) {
        // A resumed second pass writes it again from the scores.
        continue;
      }
      warn(
          "%s contains %s of an interrupted replacement of %s; %sremove the folder if it is not"
              + " needed",
          shown(fresh),
          complete ? "all scores" : "a part",
          shown(state.path()),
          state.resumable(fresh).isPresent()
              ? "continue the run with --overwrite --resume, or "
              : "");
    }
  }

  private void move(RunFolder folder) {
    steps.add(new Move(folder));
    state = state.moved(folder);
  }

  private void remove(RunFolder folder) {
    steps.add(new Remove(folder));
    state = state.removed(folder);
  }

  private void warn(String message, Object... args) {
    steps.add(new Warn(message.formatted(args)));
  }

  private String shown(RunFolder folder) {
    return shown(folder.path(state.path()));
  }

  private static String shown(Path path) {
    return Refusal.redacted(path.toString());
  }
}
