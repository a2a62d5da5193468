package io.mambaspark.jobs.units;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.io.InputVersion;
import io.mambaspark.jobs.io.RowGroups;
import io.mambaspark.jobs.io.RunRecord;
import io.mambaspark.jobs.stats.Totals;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Tests, without Spark, which units a resumed run has and which of them are missing. */
class RunPlanTest {
  private final Map<String, UnitEntry> entries = new HashMap<>();

  private static RowGroups part(String file) {
    return new RowGroups(new InputVersion(file, 1, 1), 0, 0, 0, 1, 0, 10, 10);
  }

  private static Unit unit(String... files) {
    return Unit.of(Arrays.stream(files).map(RunPlanTest::part).toList());
  }

  private static RunPlan plan(Unit... units) {
    return new RunPlan(new RunRecord("r", Map.of(), List.of()), List.of(units));
  }

  /** Adds the entry of a completed unit, which has skipped the given unreadable files. */
  private UnitEntry addEntry(Unit unit, int documents, String... unreadable) {
    Map<String, String> errors = new HashMap<>();
    for (String file : unreadable) {
      errors.put(file, "damaged");
    }
    UnitEntry entry =
        new UnitEntry(
            "r", unit.name(), unit.parts(), documents, new Totals().exact(), null, errors);
    entries.put(unit.name(), entry);
    return entry;
  }

  @Test
  void units_without_an_entry_are_missing() {
    RunPlan plan = plan(unit("a"), unit("b"));
    UnitEntry a = addEntry(unit("a"), 10);
    addEntry(unit("other"), 10);
    assertThat(plan.entriesToVerify(entries)).containsExactly(a);
    assertThat(plan.missing(Set.of(unit("a").name()))).containsExactly(unit("b"));
  }

  @Test
  void a_unit_whose_file_is_not_intact_is_missing() {
    RunPlan plan = plan(unit("a"), unit("b"));
    addEntry(unit("a"), 10);
    assertThat(plan.missing(Set.of())).containsExactly(unit("a"), unit("b"));
  }

  @Test
  void a_skipped_unit_is_retried_and_a_shared_unit_keeps_its_rows() {
    RunPlan plan = plan(unit("a"), unit("b", "c"));
    addEntry(unit("a"), 0, "a");
    UnitEntry shared = addEntry(unit("b", "c"), 10, "c");
    assertThat(plan.entriesToVerify(entries)).containsExactly(shared);
  }

  @Test
  void each_file_that_a_shared_unit_skipped_gets_a_separate_unit() {
    addEntry(unit("a"), 0, "a");
    addEntry(unit("b", "c", "d"), 10, "b", "d");
    List<Unit> units = List.of(unit("a"), unit("b", "c", "d"), unit("e", "f"));
    assertThat(RunPlan.unreadableParts(units, entries)).containsExactly(unit("b"), unit("d"));
  }

  @Test
  void an_error_of_a_shared_unit_counts_until_its_file_has_a_separate_unit() {
    UnitEntry shared = addEntry(unit("a", "b"), 10, "b");
    UnitRun.Result first = UnitRun.Result.of(List.of(unit("a", "b")), List.of(shared));
    assertThat(first.documents()).isEqualTo(10);
    assertThat(first.unreadable()).containsExactly(Map.entry("b", "damaged"));
    UnitRun.Result second =
        UnitRun.Result.of(
            List.of(unit("a", "b"), unit("b")), List.of(shared, addEntry(unit("b"), 5)));
    assertThat(second.documents()).isEqualTo(15);
    assertThat(second.unreadable()).isEmpty();
  }
}
