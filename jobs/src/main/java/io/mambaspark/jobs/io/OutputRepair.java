package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.Beside.Kind;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finishes or takes back a replacement that a crash has interrupted, see {@link Replacement}. The
 * steps are planned from the state alone, then carried out.
 */
final class OutputRepair {
  private static final Logger LOG = LoggerFactory.getLogger(OutputRepair.class);

  /** One thing to do. */
  sealed interface Step {}

  /** Moves a folder beside the output to the output's path, which must not exist. */
  record Move(Beside folder) implements Step {}

  /** Removes a folder beside the output. */
  record Remove(Beside folder) implements Step {}

  /** Logs what was done, or what the user may do. */
  record Warn(String message) implements Step {}

  private final List<Step> steps = new ArrayList<>();

  /** The state after the steps. */
  private OutputState state;

  private OutputRepair(OutputState state) {
    this.state = state;
  }

  /** The steps that repair an output; only warnings if nothing can be repaired. */
  static List<Step> plan(OutputState state) {
    OutputRepair repair = new OutputRepair(state);
    repair.restoreOutput();
    repair.removeOld();
    List<Beside> firstPasses = repair.state.all(Kind.SCORES);
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

  /** The crash came after the old output was moved away and before the new one was moved in. */
  private void restoreOutput() {
    List<Beside> moved = state.all(Kind.OLD);
    if (state.content().isPresent() || moved.isEmpty()) {
      return;
    }
    Beside fresh = new Beside(Kind.NEW, moved.get(0).runId());
    if (state.isWhole(fresh)) {
      move(fresh);
      warn(
          "Finished the replacement of %s that was cut off: the new scores lie there now",
          shown(state.path()));
    } else {
      move(moved.get(0));
      warn(
          "Took back the replacement of %s that was cut off: the old scores lie there",
          shown(state.path()));
    }
  }

  /** The crash came after the new output was moved in and before the old one was removed. */
  private void removeOld() {
    for (Beside old : state.all(Kind.OLD)) {
      if (state.isWholeOf(old.runId())) {
        remove(old);
        warn("Removed %s, which %s has replaced", shown(old), shown(state.path()));
      } else {
        warn(
            "%s holds an earlier output of %s; remove it if it is not needed",
            shown(old), shown(state.path()));
      }
    }
  }

  /** The crash came after the second pass and before its output was moved in. */
  private void finishSecondPass(Beside scores) {
    Beside made = new Beside(Kind.NEW, scores.runId());
    if (state.content().isEmpty() && state.isWhole(made)) {
      move(made);
      warn("Finished output %s, which was cut off when it was whole", shown(state.path()));
    }
    if (state.isWholeOf(scores.runId())) {
      remove(scores);
    } else {
      warn(
          "%s holds scores of a run with --bucket that was cut off; %sremove it if it is not"
              + " needed",
          shown(scores),
          state.resumable(scores).isPresent() ? "go on with it by --resume, or " : "");
    }
  }

  private void reportNew(List<Beside> firstPasses) {
    for (Beside fresh : state.all(Kind.NEW)) {
      boolean whole = state.isWhole(fresh);
      if (!whole && firstPasses.contains(new Beside(Kind.SCORES, fresh.runId()))) {
        // The second pass makes it again from the scores.
        continue;
      }
      warn(
          "%s holds %s of a replacement of %s that was cut off; %sremove it if it is not needed",
          shown(fresh),
          whole ? "all scores" : "a part",
          shown(state.path()),
          state.resumable(fresh).isPresent() ? "go on with it by --overwrite --resume, or " : "");
    }
  }

  private void move(Beside folder) {
    steps.add(new Move(folder));
    state = state.moved(folder);
  }

  private void remove(Beside folder) {
    steps.add(new Remove(folder));
    state = state.removed(folder);
  }

  private void warn(String message, Object... args) {
    steps.add(new Warn(message.formatted(args)));
  }

  private String shown(Beside folder) {
    return shown(folder.path(state.path()));
  }

  private static String shown(Path path) {
    return Refusal.redacted(path.toString());
  }
}
