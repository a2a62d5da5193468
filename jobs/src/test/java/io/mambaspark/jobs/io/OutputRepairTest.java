package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.io.OutputRepair.Move;
import io.mambaspark.jobs.io.OutputRepair.Remove;
import io.mambaspark.jobs.io.OutputRepair.Step;
import io.mambaspark.jobs.io.OutputRepair.Warn;
import io.mambaspark.jobs.io.OutputState.Content;
import io.mambaspark.jobs.io.RunFolder.Kind;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;

/** Plans the repair of interrupted replacements from constructed states. */
class OutputRepairTest {
  private static final String A = "20260101-000000-0000000a";
  private static final String B = "20260102-000000-0000000b";

  private final Map<RunFolder, Content> runFolders = new HashMap<>();
  private Optional<Content> output = Optional.empty();

  private static Content content(String summarized, String run) {
    return new Content(
        true,
        run != null,
        Optional.ofNullable(summarized),
        Optional.ofNullable(run).map(id -> new RunRecord(id, Map.of(), List.of())));
  }

  private static final Content DATA = content(null, null);

  private static RunFolder old(String run) {
    return new RunFolder(Kind.OLD, run);
  }

  private static RunFolder fresh(String run) {
    return new RunFolder(Kind.NEW, run);
  }

  private static RunFolder scores(String run) {
    return new RunFolder(Kind.SCORES, run);
  }

  private List<Step> plan() {
    return OutputRepair.plan(new OutputState(new Path("file:/o"), output, runFolders));
  }

  private static Warn warn(String message) {
    return new Warn(message);
  }

  @Test
  void nothing_is_planned_without_folders_next_to_the_output() {
    assertThat(plan()).isEmpty();
    output = Optional.of(DATA);
    assertThat(plan()).isEmpty();
  }

  @Test
  void a_complete_new_output_is_moved_to_its_place() {
    runFolders.put(old(A), content("x", null));
    runFolders.put(fresh(A), content(A, A));
    assertThat(plan())
        .containsExactly(
            new Move(fresh(A)),
            warn("Finished the interrupted replacement of file:/o: it contains the new scores"),
            new Remove(old(A)),
            warn("Removed file:/o_old-" + A + ": file:/o has replaced it"));
  }

  @Test
  void the_old_output_is_moved_back_if_the_new_one_is_not_complete() {
    runFolders.put(old(A), content("x", null));
    Warn rolledBack =
        warn("Rolled back the interrupted replacement of file:/o: it contains the old scores");
    assertThat(plan()).containsExactly(new Move(old(A)), rolledBack);
    for (String summarized : new String[] {null, "", B}) {
      runFolders.put(fresh(A), content(summarized, null));
      assertThat(plan())
          .containsExactly(
              new Move(old(A)),
              rolledBack,
              warn(
                  "file:/o_new-"
                      + A
                      + " contains a part of an interrupted replacement of file:/o; remove the"
                      + " folder if it is not needed"));
    }
  }

  @Test
  void the_latest_of_several_old_outputs_is_moved_back() {
    runFolders.put(old(A), DATA);
    runFolders.put(old(B), DATA);
    assertThat(plan())
        .startsWith(new Move(old(B)))
        .contains(
            warn(
                "file:/o_old-"
                    + A
                    + " contains an earlier output of file:/o; remove the folder if it is not"
                    + " needed"))
        .noneMatch(Remove.class::isInstance);
  }

  @Test
  void an_old_output_is_removed_only_after_the_new_one_is_complete_in_its_place() {
    runFolders.put(old(A), DATA);
    runFolders.put(old(B), DATA);
    output = Optional.of(content(B, B));
    assertThat(plan().stream().filter(step -> !(step instanceof Warn)))
        .containsExactly(new Remove(old(B)));
    output = Optional.of(content(null, B));
    assertThat(plan()).hasSize(2).allMatch(Warn.class::isInstance);
  }

  @Test
  void a_complete_second_pass_is_moved_to_its_place_and_its_scores_are_removed() {
    runFolders.put(scores(A), content(null, A));
    runFolders.put(fresh(A), content(A, A));
    assertThat(plan())
        .containsExactly(
            new Move(fresh(A)),
            warn("Finished output file:/o: its run was interrupted after all data was written"),
            new Remove(scores(A)));
    runFolders.put(old(A), DATA);
    assertThat(plan().stream().filter(step -> !(step instanceof Warn)))
        .containsExactly(new Move(fresh(A)), new Remove(old(A)), new Remove(scores(A)));
  }

  @Test
  void scores_are_kept_until_their_output_is_in_its_place() {
    String scores = " contains scores of an interrupted run with --bucket; ";
    runFolders.put(scores(A), content(null, A));
    runFolders.put(scores(B), content(null, A));
    // An incomplete second pass is not reported, because it is repeated.
    runFolders.put(fresh(A), DATA);
    assertThat(plan())
        .containsExactly(
            warn("file:/o_scores-" + B + scores + "remove the folder if it is not needed"),
            warn(
                "file:/o_scores-"
                    + A
                    + scores
                    + "continue the run with --resume, or remove the folder if it is not needed"));
    output = Optional.of(content(A, A));
    assertThat(plan()).contains(new Remove(scores(A))).doesNotContain(new Remove(scores(B)));
  }

  @Test
  void a_complete_second_pass_is_kept_next_to_another_output() {
    output = Optional.of(DATA);
    runFolders.put(scores(A), content(null, A));
    runFolders.put(fresh(A), content(A, A));
    assertThat(plan())
        .hasSize(2)
        .contains(
            warn(
                "file:/o_new-"
                    + A
                    + " contains all scores of an interrupted replacement of file:/o; continue the"
                    + " run with --overwrite --resume, or remove the folder if it is not needed"));
  }
}
