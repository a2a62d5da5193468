package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.OutputState.Content;
import io.mambaspark.jobs.io.RunFolder.Kind;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Decides where a run writes, from constructed states without a file system. */
class OutputPlacementTest {
  private static final String A = "20260101-000000-0000000a";
  private static final String B = "20260102-000000-0000000b";
  private static final String C = "20260103-000000-0000000c";
  private static final String NEW = "20260104-000000-0000000d";

  private static RunRecord run(String id) {
    return new RunRecord(id, Map.of(), List.of());
  }

  private static Content content(boolean data, boolean ledger, String summarized, RunRecord run) {
    return new Content(data, ledger, Optional.ofNullable(summarized), Optional.ofNullable(run));
  }

  /** Returns the content that a word of the tables below describes; its run is A. */
  private static Optional<Content> content(String word) {
    return switch (word) {
      case "nothing" -> Optional.empty();
      case "empty" -> Optional.of(content(false, false, null, null));
      case "leftover" -> Optional.of(content(false, true, null, null));
      case "recorded" -> Optional.of(content(false, true, null, run(A)));
      case "data" -> Optional.of(content(true, false, null, null));
      case "summarized-data" -> Optional.of(content(true, false, A, null));
      case "unfinished" -> Optional.of(content(true, true, null, run(A)));
      case "finished" -> Optional.of(content(true, true, A, run(A)));
      case "finished-damaged" -> Optional.of(content(true, true, "", run(A)));
      case "recorded-stream" -> Optional.of(content(false, true, null, stream()));
      case "stream" -> Optional.of(content(true, true, null, stream()));
      default -> throw new IllegalArgumentException(word);
    };
  }

  private static RunRecord stream() {
    return new RunRecord(A, Map.of(RunRecord.STREAM, "file:/in"), List.of());
  }

  private static Path output(String scheme) {
    return new Path(scheme.equals("file") ? "file:/out/scores" : scheme + "://bucket/scores");
  }

  private static OutputPlacement decide(
      OutputState state, boolean overwrite, boolean resume, boolean bucket) {
    return OutputPlacement.of(
        new OutputOptions("OUT", "parquet", SparkOptions.NONE, overwrite, resume),
        bucket,
        state,
        NEW);
  }

  private static OutputPlacement decide(OutputState state, String flags) {
    return decide(
        state, flags.contains("overwrite"), flags.contains("resume"), flags.contains("bucket"));
  }

  /** Returns the kind of the placement and its run, or the message of the refusal. */
  private static String outcome(OutputState state, String flags) {
    Path path = state.path();
    OutputPlacement[] found = new OutputPlacement[1];
    Throwable thrown = catchThrowable(() -> found[0] = decide(state, flags));
    if (thrown != null) {
      assertThat(thrown).isInstanceOf(Refusal.class);
      assertThat(((Refusal) thrown).isWrongUsage()).isFalse();
      return thrown.getMessage();
    }
    OutputPlacement placement = found[0];
    String id = placement.runId();
    assertThat(placement.path()).isEqualTo(path);
    assertThat(placement.old()).isEqualTo(new Path(path + "_old-" + id));
    // A resumed run keeps the id of the earlier run; a new run has no earlier run.
    assertThat(placement.earlier().map(RunRecord::id))
        .isEqualTo(id.equals(NEW) ? Optional.empty() : Optional.of(id));
    assertThat(placement.hasSecondPass()).isEqualTo(!placement.scores().equals(placement.target()));
    String run = id.equals(NEW) ? "new" : id;
    if (placement.target().equals(path)) {
      assertThat(placement.scores()).isEqualTo(path);
      assertThat(placement.replaces()).isFalse();
      return (placement.afterSecondPass() ? "after second pass " : "in place ") + run;
    }
    assertThat(placement.target()).isEqualTo(new Path(path + "_new-" + id));
    assertThat(placement.replaces()).isTrue();
    assertThat(placement.afterSecondPass()).isFalse();
    if (placement.hasSecondPass()) {
      assertThat(placement.scores()).isEqualTo(new Path(path + "_scores-" + id));
      return "two passes " + run;
    }
    return "replacing " + run;
  }

  private static String outcome(String content, String flags) {
    return outcome(new OutputState(output("file"), content(content), Map.of()), flags);
  }

  private static void assertOutcome(String found, String expected) {
    String message =
        switch (expected) {
          case "exists" -> "Output OUT exists; choose another, or replace it with --overwrite";
          case "exists unfinished" ->
              "Output OUT exists and is not finished; continue with --resume, or choose another, or"
                  + " replace it with --overwrite";
          case "no ledger" ->
              "Cannot resume output OUT: it has no ledger (_mamba), so it was not written unit by"
                  + " unit; choose another output";
          case "without bucket" ->
              "Cannot resume output OUT: it was started without --bucket; resume it without"
                  + " --bucket, or choose another output";
          case "stream" ->
              "Output OUT was written by a stream; continue with --stream, choose another, or"
                  + " replace it with --overwrite, without --resume";
          default -> expected.replaceAll("\\bA$", A).replaceAll("\\bB$", B);
        };
    assertThat(found).isEqualTo(message);
  }

  /** Columns: no flag, overwrite, resume, both. */
  @ParameterizedTest
  @CsvSource({
    "nothing,          in place new,      in place new, in place new, in place new",
    "empty,            exists, replacing new, in place new, replacing new",
    "leftover,         in place new,      in place new, in place new, replacing new",
    "recorded,         in place new,      in place new, in place A,   in place A",
    "data,             exists, replacing new, no ledger,    replacing new",
    "summarized-data,  exists, replacing new, no ledger,    replacing new",
    "unfinished,       exists unfinished, replacing new, in place A,   in place A",
    "finished,         exists, replacing new, in place A,   replacing new",
    "finished-damaged, exists, replacing new, in place A,   replacing new",
    "recorded-stream,  stream,            in place new, stream,       stream",
    "stream,           stream, replacing new, stream,       stream",
  })
  void the_placement_in_one_pass(
      String content, String none, String overwrite, String resume, String both) {
    assertOutcome(outcome(content, ""), none);
    assertOutcome(outcome(content, "overwrite"), overwrite);
    assertOutcome(outcome(content, "resume"), resume);
    assertOutcome(outcome(content, "overwrite resume"), both);
  }

  /** Columns: no flag, overwrite, resume, both. */
  @ParameterizedTest
  @CsvSource({
    "nothing,          two passes new, two passes new, two passes new,      two passes new",
    "empty,            exists,         two passes new, no ledger,           two passes new",
    "leftover,         two passes new, two passes new, two passes new,      two passes new",
    "recorded,         two passes new, two passes new, two passes new,      two passes new",
    "data,             exists,         two passes new, no ledger,           two passes new",
    "summarized-data,  exists,         two passes new, no ledger,           two passes new",
    "unfinished,       exists,         two passes new, without bucket,      two passes new",
    "finished,         exists,         two passes new, after second pass A, two passes new",
    "finished-damaged, exists,         two passes new, after second pass A, two passes new",
    "recorded-stream,  stream,         two passes new, stream,              stream",
    "stream,           stream,         two passes new, stream,              stream",
  })
  void the_placement_in_two_passes(
      String content, String none, String overwrite, String resume, String both) {
    assertOutcome(outcome(content, "bucket"), none);
    assertOutcome(outcome(content, "bucket overwrite"), overwrite);
    assertOutcome(outcome(content, "bucket resume"), resume);
    assertOutcome(outcome(content, "bucket overwrite resume"), both);
  }

  /**
   * An output with four folders next to it: A and B can be resumed, C contains only data, and the
   * ledger of the fourth records another run.
   */
  private static OutputState withRunFolders(String content, Kind kind) {
    Map<RunFolder, Content> runFolders = new HashMap<>();
    for (String id : List.of(A, B)) {
      runFolders.put(new RunFolder(kind, id), content(true, true, null, run(id)));
    }
    runFolders.put(new RunFolder(kind, C), content(true, false, null, null));
    runFolders.put(
        new RunFolder(kind, "20260103-000001-0000000c"), content(true, true, null, run(A)));
    return new OutputState(output("file"), content(content), runFolders);
  }

  /** Columns: no flag, overwrite, resume, both. */
  @ParameterizedTest
  @CsvSource({
    "nothing,    in place new,      in place new, in place new, in place new",
    "empty,      exists, replacing new, in place new, replacing B",
    "leftover,   in place new,      in place new, in place new, replacing B",
    "data,       exists, replacing new, no ledger,    replacing B",
    "unfinished, exists unfinished, replacing new, in place A,   in place A",
    "finished,   exists, replacing new, in place A,   replacing B",
  })
  void the_latest_replacement_with_a_ledger_is_resumed(
      String content, String none, String overwrite, String resume, String both) {
    OutputState state = withRunFolders(content, Kind.NEW);
    assertOutcome(outcome(state, ""), none);
    assertOutcome(outcome(state, "overwrite"), overwrite);
    assertOutcome(outcome(state, "resume"), resume);
    assertOutcome(outcome(state, "overwrite resume"), both);
    // Scores of a first pass are not a replacement.
    assertOutcome(
        outcome(withRunFolders("finished", Kind.SCORES), "overwrite resume"), "replacing new");
  }

  /** Columns: no flag, overwrite, resume, both. */
  @ParameterizedTest
  @CsvSource({
    "nothing,    two passes new, two passes new, two passes B,        two passes B",
    "leftover,   two passes new, two passes new, two passes B,        two passes B",
    "recorded,   two passes new, two passes new, two passes B,        two passes B",
    "data,       exists,         two passes new, no ledger,           two passes B",
    "unfinished, exists,         two passes new, without bucket,      two passes B",
    "finished,   exists,         two passes new, after second pass A, two passes B",
  })
  void the_latest_first_pass_with_a_ledger_is_resumed(
      String content, String none, String overwrite, String resume, String both) {
    OutputState state = withRunFolders(content, Kind.SCORES);
    assertOutcome(outcome(state, "bucket"), none);
    assertOutcome(outcome(state, "bucket overwrite"), overwrite);
    assertOutcome(outcome(state, "bucket resume"), resume);
    assertOutcome(outcome(state, "bucket overwrite resume"), both);
    // A replacement is not a first pass.
    assertOutcome(outcome(withRunFolders("nothing", Kind.NEW), "bucket resume"), "two passes new");
  }

  @ParameterizedTest
  @CsvSource({
    "nothing,    '',               in place new",
    "nothing,    overwrite,        in place new",
    "leftover,   '',               in place new",
    "empty,      resume,           in place new",
    "unfinished, resume,           in place A",
    "unfinished, overwrite resume, in place A",
    "finished,   resume,           in place A",
    "data,       resume,           no ledger",
    "data,       '',               Output OUT exists; choose another",
    "unfinished, '',               Output OUT exists and is not finished; continue with --resume§",
    "data,       overwrite,        Output OUT exists§ and an object store cannot replace§",
    "finished,   overwrite resume, Output OUT exists§ and an object store cannot replace§",
    "nothing,    bucket,           Cannot use --bucket for output OUT: an object store cannot§",
    "finished,   bucket resume,    Cannot use --bucket for output OUT: an object store cannot§",
    "data,       bucket overwrite, Cannot use --bucket for output OUT: an object store cannot§",
  })
  void in_an_object_store_nothing_is_replaced(String content, String flags, String expected) {
    for (String scheme : List.of("s3a", "gs", "abfss")) {
      String found = outcome(new OutputState(output(scheme), content(content), Map.of()), flags);
      if (expected.endsWith("§")) {
        assertThat(found)
            .startsWith(expected.substring(0, expected.indexOf('§')))
            .contains(expected.substring(expected.indexOf('§') + 1).replace("§", "").strip());
        assertThat(found).doesNotContain("--overwrite");
      } else {
        assertOutcome(found, expected);
      }
    }
  }
}
