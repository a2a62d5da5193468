package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.mambaspark.jobs.Refusal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Decisions about an output folder, from its content and the folders next to it on a file system.
 * {@link OutputPlacementTest} and {@link OutputRepairTest} cover all cases.
 */
class OutputDecisionTest {
  private static final String A = "20260101-000000-0000000a";
  private static final String B = "20260102-000000-0000000b";
  private static final String C = "20260103-000000-0000000c";

  private enum Flag {
    OVERWRITE,
    RESUME,
    BUCKET,
    DRY_RUN
  }

  private static final Flag OVERWRITE = Flag.OVERWRITE;
  private static final Flag RESUME = Flag.RESUME;
  private static final Flag BUCKET = Flag.BUCKET;

  private final Configuration configuration = new Configuration();

  @TempDir Path folder;
  private Path scores;

  @BeforeEach
  void nameOutput() {
    scores = folder.resolve("scores");
  }

  private Output at(String path, Flag... flags) {
    Set<Flag> set = Set.of(flags);
    return Output.at(
        new OutputOptions(
            path,
            "parquet",
            SparkOptions.NONE,
            set.contains(Flag.OVERWRITE),
            set.contains(Flag.RESUME)),
        set.contains(Flag.BUCKET),
        !set.contains(Flag.DRY_RUN),
        configuration);
  }

  private Output at(Flag... flags) {
    return at(scores.toString(), flags);
  }

  /** Returns the message of the refusal, with F for the folder of the test. */
  private String refusal(Flag... flags) {
    return refusal(scores.toString(), flags);
  }

  private String refusal(String output, Flag... flags) {
    Throwable thrown = catchThrowable(() -> at(output, flags));
    assertThat(thrown).isInstanceOf(Refusal.class);
    assertThat(((Refusal) thrown).isWrongUsage()).isFalse();
    return thrown.getMessage().replace(folder.toString(), "F");
  }

  private Path runFolder(String kind, String run) {
    return folder.resolve("scores_" + kind + "-" + run);
  }

  private static org.apache.hadoop.fs.Path hadoop(Path path) {
    return new org.apache.hadoop.fs.Path("file:" + path);
  }

  /** Writes a folder with data of a run, but without a summary. */
  private static Path data(Path output, String run) throws IOException {
    Files.createDirectories(output);
    Files.writeString(output.resolve("part-0.parquet"), run);
    return output;
  }

  /** Writes a complete folder, with the data and the summary of a run. */
  private static Path complete(Path output, String run) throws IOException {
    data(output, run);
    Files.writeString(output.resolve("_SUCCESS"), "");
    Files.writeString(output.resolve("_mamba_summary.json"), "{\"run\": \"" + run + "\"}");
    return output;
  }

  /** Creates a ledger, as the first start of a run does. */
  private Path withLedger(Path output, String run, String... settings) {
    Map<String, String> map = settings.length == 0 ? Map.of() : Map.of(settings[0], settings[1]);
    new RunRecords(hadoop(output), configuration).add(new RunRecord(run, map, List.of()));
    return output;
  }

  private List<String> names() throws IOException {
    try (Stream<Path> found = Files.list(folder)) {
      return found.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  /** Returns the run whose data is in a folder. */
  private static String dataOf(Path output) throws IOException {
    return Files.readString(output.resolve("part-0.parquet"));
  }

  private void assertFresh(Output output) {
    assertThat(output.path()).isEqualTo(hadoop(scores));
    assertThat(output.target()).isEqualTo(hadoop(scores));
    assertThat(output.scores()).isEqualTo(hadoop(scores));
    assertThat(output.runId()).matches("\\d{8}-\\d{6}-[0-9a-f]{8}").isNotIn(A, B, C);
    assertThat(output.earlier()).isEmpty();
    assertThat(output.hasSecondPass()).isFalse();
    assertThat(output.resumesOverAnother()).isFalse();
    assertThat(output.isComplete()).isFalse();
  }

  /** Asserts that the output is written in place and resumes a run. */
  private void assertResumes(Output output, String run) {
    assertThat(output.target()).isEqualTo(hadoop(scores));
    assertThat(output.scores()).isEqualTo(hadoop(scores));
    assertThat(output.runId()).isEqualTo(run);
    assertThat(output.earlier().map(RunRecord::id)).contains(run);
    assertThat(output.hasSecondPass()).isFalse();
    assertThat(output.resumesOverAnother()).isFalse();
  }

  /** Asserts that a new run writes a folder that replaces the output. */
  private void assertReplaces(Output output) {
    assertThat(output.runId()).isNotIn(A, B, C);
    assertReplaces(output, output.runId());
    assertThat(output.earlier()).isEmpty();
  }

  private void assertReplaces(Output output, String run) {
    assertThat(output.runId()).isEqualTo(run);
    assertThat(output.path()).isEqualTo(hadoop(scores));
    assertThat(output.target()).isEqualTo(hadoop(runFolder("new", run)));
    assertThat(output.scores()).isEqualTo(output.target());
    assertThat(output.hasSecondPass()).isFalse();
    assertThat(output.resumesOverAnother()).isTrue();
    assertThat(output.isComplete()).isFalse();
  }

  private void assertTwoPasses(Output output, String run) {
    assertThat(output.runId()).isEqualTo(run);
    assertThat(output.path()).isEqualTo(hadoop(scores));
    assertThat(output.target()).isEqualTo(hadoop(runFolder("new", run)));
    assertThat(output.scores()).isEqualTo(hadoop(runFolder("scores", run)));
    assertThat(output.hasSecondPass()).isTrue();
    assertThat(output.isComplete()).isFalse();
  }

  // No output exists.

  @ParameterizedTest
  @CsvSource({"false, false", "true, false", "false, true", "true, true"})
  void without_an_existing_output_a_run_writes_in_place(boolean overwrite, boolean resume)
      throws IOException {
    Flag[] flags =
        Stream.of(overwrite ? OVERWRITE : null, resume ? RESUME : null)
            .filter(flag -> flag != null)
            .toArray(Flag[]::new);
    assertFresh(at(flags));
    assertThat(names()).isEmpty();
    scores = folder.resolve("not/yet/scores");
    assertFresh(at(flags));
    assertThat(names()).isEmpty();
  }

  @Test
  void every_start_has_a_new_run_id() {
    assertThat(at().runId()).isNotEqualTo(at().runId());
  }

  @Test
  void the_root_of_a_file_system_is_refused() {
    String message =
        "Cannot write to output %s: it is the root of a file system; choose a folder in it";
    assertThat(refusal("/")).isEqualTo(message, "/");
    assertThat(refusal("file:///", OVERWRITE)).isEqualTo(message, "file:///");
  }

  // An output exists.

  @Test
  void an_existing_folder_and_an_existing_file_are_refused() throws IOException {
    String message = "Output F/scores exists; choose another, or replace it with --overwrite";
    Files.createDirectory(scores);
    assertThat(refusal()).isEqualTo(message);
    Files.delete(scores);
    Files.writeString(scores, "x");
    assertThat(refusal()).isEqualTo(message);
  }

  @Test
  void a_message_names_the_output_as_the_user_does() throws IOException {
    data(scores, A);
    assertThat(refusal("file://" + folder + "/x/../scores"))
        .isEqualTo(
            "Output file://F/x/../scores exists; choose another, or replace it with --overwrite");
  }

  @Test
  void a_folder_with_only_a_ledger_counts_as_no_output() throws IOException {
    Files.createDirectories(scores.resolve("_mamba/tmp"));
    assertFresh(at());
    assertFresh(at(OVERWRITE));
    assertFresh(at(RESUME));
    assertReplaces(at(OVERWRITE, RESUME));
    at().clear();
    assertThat(names()).isEmpty();
  }

  @Test
  void a_recorded_run_without_files_is_resumed_only_on_request() {
    withLedger(scores, A);
    assertFresh(at());
    assertFresh(at(OVERWRITE));
    assertResumes(at(RESUME), A);
    assertResumes(at(OVERWRITE, RESUME), A);
  }

  @Test
  void clearing_keeps_a_folder_with_a_file() throws IOException {
    withLedger(data(scores, A), A);
    at(RESUME).clear();
    assertThat(dataOf(scores)).isEqualTo(A);
  }

  // Resuming.

  @Test
  void a_finished_output_is_resumed_as_complete() throws IOException {
    withLedger(complete(scores, A), A);
    Output output = at(RESUME);
    assertResumes(output, A);
    assertThat(output.isComplete()).isTrue();
    output.reopen();
    assertThat(output.isComplete()).isFalse();
    assertThat(scores.resolve("_SUCCESS")).doesNotExist();
    assertThat(dataOf(scores)).isEqualTo(A);
  }

  @Test
  void a_summary_of_another_run_does_not_make_an_output_complete() throws IOException {
    withLedger(complete(scores, B), A);
    assertThat(at(RESUME).isComplete()).isFalse();
    Files.writeString(scores.resolve("_mamba_summary.json"), "{\"run\": \"" + A);
    assertThat(at(RESUME).isComplete()).isFalse();
  }

  // Overwriting.

  @Test
  void a_replacement_is_written_next_to_the_output() throws IOException {
    withLedger(complete(scores, A), A);
    assertReplaces(at(OVERWRITE));
    assertThat(names()).containsExactly("scores");
    assertThat(dataOf(scores)).isEqualTo(A);
  }

  @Test
  void an_unfinished_output_an_empty_folder_and_a_file_are_replaced_too() throws IOException {
    withLedger(data(scores, A), A);
    assertReplaces(at(OVERWRITE));
    scores = Files.createDirectory(folder.resolve("empty"));
    Output empty = at(OVERWRITE);
    assertThat(empty.target()).isEqualTo(hadoop(folder.resolve("empty_new-" + empty.runId())));
    scores = Files.writeString(folder.resolve("file"), "x");
    Output file = at(OVERWRITE);
    assertThat(file.target()).isEqualTo(hadoop(folder.resolve("file_new-" + file.runId())));
  }

  @Test
  void overwrite_with_resume_continues_the_latest_replacement() throws IOException {
    data(scores, "old");
    withLedger(data(runFolder("new", A), A), A);
    withLedger(data(runFolder("new", B), B), B);
    data(runFolder("new", C), C);
    Output output = at(OVERWRITE, RESUME);
    assertReplaces(output, B);
    assertThat(output.earlier().map(RunRecord::id)).contains(B);
    // Without --resume, a new run replaces the output.
    assertReplaces(at(OVERWRITE));
    assertThat(names())
        .containsExactly("scores", "scores_new-" + A, "scores_new-" + B, "scores_new-" + C);
  }

  // A stream's output.

  @Test
  void the_output_of_a_stream_is_replaced_but_not_resumed() throws IOException {
    withLedger(data(scores, A), A, "--stream from", "file:/in");
    String message =
        "Output F/scores was written by a stream; continue with --stream, choose another, or"
            + " replace it with --overwrite, without --resume";
    assertThat(refusal()).isEqualTo(message);
    assertThat(refusal(RESUME)).isEqualTo(message);
    assertThat(refusal(OVERWRITE, RESUME)).isEqualTo(message);
    assertThat(refusal(BUCKET)).isEqualTo(message);
    assertThat(refusal(BUCKET, OVERWRITE, RESUME)).isEqualTo(message);
    assertReplaces(at(OVERWRITE));
    assertThat(at(BUCKET, OVERWRITE).hasSecondPass()).isTrue();
  }

  // Two passes.

  @Test
  void buckets_are_written_in_two_passes_next_to_the_output() throws IOException {
    Output output = at(BUCKET);
    assertTwoPasses(output, output.runId());
    assertThat(output.earlier()).isEmpty();
    assertThat(output.resumesOverAnother()).isFalse();
    Files.createDirectories(scores.resolve("_mamba"));
    Output overLeftover = at(BUCKET);
    assertTwoPasses(overLeftover, overLeftover.runId());
  }

  @Test
  void a_finished_output_with_buckets_is_resumed_in_place() throws IOException {
    withLedger(complete(scores, A), A);
    Output output = at(BUCKET, RESUME);
    assertResumes(output, A);
    assertThat(output.isComplete()).isTrue();
  }

  @Test
  void the_latest_first_pass_with_a_ledger_is_resumed() throws IOException {
    withLedger(data(runFolder("scores", A), A), A);
    withLedger(data(runFolder("scores", B), B), B);
    data(runFolder("scores", C), C);
    Output output = at(BUCKET, RESUME);
    assertTwoPasses(output, B);
    assertThat(output.earlier().map(RunRecord::id)).contains(B);
    assertThat(output.resumesOverAnother()).isFalse();
    Output newRun = at(BUCKET);
    assertTwoPasses(newRun, newRun.runId());
    assertThat(newRun.runId()).isNotIn(A, B, C);
    assertThat(newRun.earlier()).isEmpty();
  }

  @Test
  void buckets_replace_an_output_and_a_first_pass_is_resumed_next_to_it() throws IOException {
    complete(scores, "old");
    Output newRun = at(BUCKET, OVERWRITE);
    assertTwoPasses(newRun, newRun.runId());
    assertThat(newRun.resumesOverAnother()).isTrue();
    withLedger(data(runFolder("scores", A), A), A);
    Output output = at(BUCKET, OVERWRITE, RESUME);
    assertTwoPasses(output, A);
    assertThat(output.resumesOverAnother()).isTrue();
    assertThat(dataOf(scores)).isEqualTo("old");
  }

  // The next start repairs an interrupted replacement.

  @Test
  void a_complete_new_output_is_moved_to_its_place() throws IOException {
    complete(runFolder("old", A), "old");
    withLedger(complete(runFolder("new", A), A), A);
    assertThat(refusal())
        .isEqualTo("Output F/scores exists; choose another, or replace it with --overwrite");
    assertThat(names()).containsExactly("scores");
    assertThat(dataOf(scores)).isEqualTo(A);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "{\"run\": \"" + B + "\"}", "{}"})
  void the_old_output_is_moved_back_if_the_new_one_is_not_complete(String summary)
      throws IOException {
    complete(runFolder("old", A), "old");
    data(runFolder("new", A), A);
    if (!summary.isEmpty()) {
      Files.writeString(runFolder("new", A).resolve("_mamba_summary.json"), summary);
    }
    assertReplaces(at(OVERWRITE));
    assertThat(names()).containsExactly("scores", "scores_new-" + A);
    assertThat(dataOf(scores)).isEqualTo("old");
  }

  @Test
  void an_old_output_is_removed_only_after_the_new_one_is_in_its_place() throws IOException {
    complete(scores, B);
    complete(runFolder("old", A), "older");
    complete(runFolder("old", B), "old");
    assertReplaces(at(OVERWRITE));
    assertThat(names()).containsExactly("scores", "scores_old-" + A);
    Files.delete(scores.resolve("_mamba_summary.json"));
    complete(runFolder("old", B), "old");
    assertReplaces(at(OVERWRITE));
    assertThat(names()).containsExactly("scores", "scores_old-" + A, "scores_old-" + B);
  }

  @Test
  void a_complete_second_pass_is_moved_to_its_place_and_its_scores_are_removed()
      throws IOException {
    withLedger(data(runFolder("scores", A), "scores"), A);
    withLedger(complete(runFolder("new", A), A), A);
    Output output = at(BUCKET, RESUME);
    assertResumes(output, A);
    assertThat(output.isComplete()).isTrue();
    assertThat(names()).containsExactly("scores");
    assertThat(dataOf(scores)).isEqualTo(A);
  }

  @Test
  void scores_are_removed_after_their_output_is_in_its_place() throws IOException {
    withLedger(complete(scores, A), A);
    withLedger(data(runFolder("scores", A), "scores"), A);
    withLedger(data(runFolder("scores", B), "scores"), B);
    at(BUCKET, RESUME);
    assertThat(names()).containsExactly("scores", "scores_scores-" + B);
  }

  @Test
  void a_dry_run_repairs_nothing() throws IOException {
    complete(runFolder("old", A), "old");
    complete(runFolder("new", A), A);
    assertFresh(at(Flag.DRY_RUN));
    assertThat(names()).containsExactly("scores_new-" + A, "scores_old-" + A);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "scores2_old-" + A,
        "other_old-" + A,
        "scores_old-2026",
        "scores_old-20260101-000000-0000000A",
        "scores_old-" + A + "x",
        "scores_kept-" + A,
        "xscores_old-" + A,
      })
  void folders_with_other_names_are_ignored(String name) throws IOException {
    complete(folder.resolve(name), "other");
    assertFresh(at());
    assertThat(names()).containsExactly(name);
  }

  // The end of a run.

  private static String finish(Output output) {
    return output.finish(output::runId, run -> "{\"run\": \"" + run + "\"}");
  }

  @Test
  void a_finished_output_is_complete_in_its_place() throws IOException {
    Output output = at();
    data(scores, output.runId());
    assertThat(finish(output)).isEqualTo(output.runId());
    assertThat(output.isComplete()).isTrue();
    assertThat(scores.resolve("_SUCCESS")).isEmptyFile();
    assertThat(scores.resolve("_mamba_summary.json"))
        .hasContent("{\"run\": \"" + output.runId() + "\"}");
    assertThat(names()).containsExactly("scores");
  }

  @Test
  void a_finished_replacement_replaces_the_old_output() throws IOException {
    complete(scores, "old");
    Output output = at(OVERWRITE);
    data(runFolder("new", output.runId()), output.runId());
    finish(output);
    assertThat(names()).containsExactly("scores");
    assertThat(dataOf(scores)).isEqualTo(output.runId());
  }

  @Test
  void a_failed_replacement_is_removed_unless_it_can_be_resumed() throws IOException {
    complete(scores, "old");
    Output newRun = at(OVERWRITE);
    data(runFolder("new", newRun.runId()), "x");
    newRun.discard();
    assertThat(names()).containsExactly("scores");
    withLedger(data(runFolder("new", A), A), A);
    at(OVERWRITE, RESUME).discard();
    assertThat(names()).containsExactly("scores", "scores_new-" + A);
  }

  @Test
  void a_failed_run_in_place_removes_only_an_empty_folder() throws IOException {
    Output output = at();
    data(scores, "x");
    output.discard();
    assertThat(names()).containsExactly("scores");
    Files.delete(scores.resolve("part-0.parquet"));
    withLedger(scores, output.runId());
    output.discard();
    assertThat(names()).isEmpty();
  }

  @Test
  void scores_of_a_failed_first_pass_are_kept_if_it_can_be_resumed() throws IOException {
    Output newRun = at(BUCKET);
    data(runFolder("scores", newRun.runId()), "x");
    newRun.discardScores();
    assertThat(names()).isEmpty();
    data(runFolder("scores", newRun.runId()), "x");
    newRun.discardWithoutLedger();
    assertThat(names()).isEmpty();
    withLedger(data(runFolder("scores", A), A), A);
    data(runFolder("new", A), "second pass");
    Output resumed = at(BUCKET, RESUME);
    resumed.discardScores();
    resumed.discardWithoutLedger();
    assertThat(names()).containsExactly("scores_new-" + A, "scores_scores-" + A);
    // The second pass is repeated from the scores.
    resumed.discard();
    assertThat(names()).containsExactly("scores_scores-" + A);
  }

  // Object stores.

  private String store() {
    configuration.set("fs.s3a.impl", OutputTest.Store.class.getName());
    return "s3a://bucket" + scores;
  }

  @Test
  void an_existing_output_in_an_object_store_is_refused_without_an_offer_to_overwrite()
      throws IOException {
    String store = store();
    data(scores, A);
    assertThat(refusal(store)).isEqualTo("Output s3a://bucketF/scores exists; choose another");
    withLedger(scores, A);
    assertThat(refusal(store))
        .isEqualTo(
            "Output s3a://bucketF/scores exists and is not finished; continue with --resume, or"
                + " choose another");
    assertThat(refusal(store, OVERWRITE))
        .isEqualTo(
            "Output s3a://bucketF/scores exists, and an object store cannot replace a folder"
                + " atomically; choose a new output path");
  }

  @Test
  void two_passes_are_refused_in_an_object_store() {
    String message =
        "Cannot use --bucket for output s3a://bucketF/scores: an object store cannot move a folder"
            + " atomically; write to another file system, or use the thresholds of an earlier run"
            + " with --bucket-thresholds";
    String store = store();
    for (Flag[] flags :
        List.of(
            new Flag[] {BUCKET},
            new Flag[] {BUCKET, RESUME},
            new Flag[] {BUCKET, OVERWRITE},
            new Flag[] {BUCKET, OVERWRITE, RESUME})) {
      assertThat(refusal(store, flags)).as("%s", Arrays.toString(flags)).isEqualTo(message);
    }
  }

  @Test
  void an_output_in_an_object_store_is_started_and_resumed_as_elsewhere() throws IOException {
    String store = store();
    Output fresh = at(store);
    assertThat(fresh.target()).isEqualTo(new org.apache.hadoop.fs.Path(store));
    withLedger(data(scores, A), A);
    for (Flag[] flags : List.of(new Flag[] {RESUME}, new Flag[] {OVERWRITE, RESUME})) {
      Output output = at(store, flags);
      assertThat(output.runId()).isEqualTo(A);
      assertThat(output.target()).isEqualTo(new org.apache.hadoop.fs.Path(store));
    }
  }
}
