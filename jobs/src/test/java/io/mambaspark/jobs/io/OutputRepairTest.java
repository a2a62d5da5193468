package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.io.Beside.Kind;
import io.mambaspark.jobs.io.OutputRepair.Move;
import io.mambaspark.jobs.io.OutputRepair.Remove;
import io.mambaspark.jobs.io.OutputRepair.Step;
import io.mambaspark.jobs.io.OutputRepair.Warn;
import io.mambaspark.jobs.io.OutputState.Content;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;

/** What is done about an interrupted replacement, planned from hand-made states. */
class OutputRepairTest {
  private static final String A = "20260101-000000-0000000a";
  private static final String B = "20260102-000000-0000000b";

  private final Map<Beside, Content> beside = new HashMap<>();
  private Optional<Content> output = Optional.empty();

  private static Content content(String summarized, String run) {
    return new Content(
        true,
        run != null,
        Optional.ofNullable(summarized),
        Optional.ofNullable(run).map(id -> new RunRecord(id, Map.of(), List.of())));
  }

  private static final Content DATA = content(null, null);

  private static Beside old(String run) {
    return new Beside(Kind.OLD, run);
  }

  private static Beside fresh(String run) {
    return new Beside(Kind.NEW, run);
  }

  private static Beside scores(String run) {
    return new Beside(Kind.SCORES, run);
  }

  private List<Step> plan() {
    return OutputRepair.plan(new OutputState(new Path("file:/o"), output, beside));
  }

  private static Warn warn(String message) {
    return new Warn(message);
  }

  @Test
  void nothing_is_done_where_nothing_is_beside() {
    assertThat(plan()).isEmpty();
    output = Optional.of(DATA);
    assertThat(plan()).isEmpty();
  }

  @Test
  void a_whole_new_output_takes_the_place_that_the_old_one_has_left() {
    beside.put(old(A), content("x", null));
    beside.put(fresh(A), content(A, A));
    assertThat(plan())
        .containsExactly(
            new Move(fresh(A)),
            warn(
                "Finished the replacement of file:/o that was cut off: the new scores lie there now"),
            new Remove(old(A)),
            warn("Removed file:/o_old-" + A + ", which file:/o has replaced"));
  }

  @Test
  void the_old_output_returns_where_the_new_one_is_not_whole() {
    beside.put(old(A), content("x", null));
    Warn tookBack =
        warn("Took back the replacement of file:/o that was cut off: the old scores lie there");
    assertThat(plan()).containsExactly(new Move(old(A)), tookBack);
    for (String summarized : new String[] {null, "", B}) {
      beside.put(fresh(A), content(summarized, null));
      assertThat(plan())
          .containsExactly(
              new Move(old(A)),
              tookBack,
              warn(
                  "file:/o_new-"
                      + A
                      + " holds a part of a replacement of file:/o that was cut off; remove it if it"
                      + " is not needed"));
    }
  }

  @Test
  void the_latest_of_several_old_outputs_counts() {
    beside.put(old(A), DATA);
    beside.put(old(B), DATA);
    assertThat(plan())
        .startsWith(new Move(old(B)))
        .contains(
            warn(
                "file:/o_old-"
                    + A
                    + " holds an earlier output of file:/o; remove it if it is not needed"))
        .noneMatch(Remove.class::isInstance);
  }

  @Test
  void an_old_output_is_removed_once_the_new_one_is_whole_in_its_place() {
    beside.put(old(A), DATA);
    beside.put(old(B), DATA);
    output = Optional.of(content(B, B));
    assertThat(plan().stream().filter(step -> !(step instanceof Warn)))
        .containsExactly(new Remove(old(B)));
    output = Optional.of(content(null, B));
    assertThat(plan()).hasSize(2).allMatch(Warn.class::isInstance);
  }

  @Test
  void a_whole_second_pass_takes_its_place_and_its_scores_are_removed() {
    beside.put(scores(A), content(null, A));
    beside.put(fresh(A), content(A, A));
    assertThat(plan())
        .containsExactly(
            new Move(fresh(A)),
            warn("Finished output file:/o, which was cut off when it was whole"),
            new Remove(scores(A)));
    beside.put(old(A), DATA);
    assertThat(plan().stream().filter(step -> !(step instanceof Warn)))
        .containsExactly(new Move(fresh(A)), new Remove(old(A)), new Remove(scores(A)));
  }

  @Test
  void scores_stay_until_their_output_is_in_its_place() {
    String offer = " holds scores of a run with --bucket that was cut off; ";
    beside.put(scores(A), content(null, A));
    beside.put(scores(B), content(null, A));
    // A part of the second pass needs no word: it is made again.
    beside.put(fresh(A), DATA);
    assertThat(plan())
        .containsExactly(
            warn("file:/o_scores-" + B + offer + "remove it if it is not needed"),
            warn(
                "file:/o_scores-"
                    + A
                    + offer
                    + "go on with it by --resume, or remove it if it is not needed"));
    output = Optional.of(content(A, A));
    assertThat(plan()).contains(new Remove(scores(A))).doesNotContain(new Remove(scores(B)));
  }

  @Test
  void a_whole_second_pass_stays_beside_another_output() {
    output = Optional.of(DATA);
    beside.put(scores(A), content(null, A));
    beside.put(fresh(A), content(A, A));
    assertThat(plan())
        .hasSize(2)
        .contains(
            warn(
                "file:/o_new-"
                    + A
                    + " holds all scores of a replacement of file:/o that was cut off; go on with it"
                    + " by --overwrite --resume, or remove it if it is not needed"));
  }
}
