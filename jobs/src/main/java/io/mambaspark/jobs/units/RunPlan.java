package io.mambaspark.jobs.units;

import io.mambaspark.jobs.io.InputVersion;
import io.mambaspark.jobs.io.RunRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The units of a run, planned from its input and its ledger.
 *
 * @param run the record to write to the ledger
 * @param units all units of the run
 */
record RunPlan(RunRecord run, List<Unit> units) {
  static final String TARGET = "--target-unit-tokens";

  /** Plans a new run of all files. */
  static RunPlan ofNewRun(String runId, Map<String, String> settings, UnitPlan unitPlan) {
    return of(new RunRecord(runId, settings, List.of(unitPlan.inputs())), unitPlan);
  }

  /**
   * Plans the continuation of an earlier run.
   *
   * @param added the files that no earlier start has read
   * @param entries the entries of the units whose output files exist, by unit name
   */
  static RunPlan resumed(
      RunRecord earlier,
      Map<String, String> settings,
      List<InputVersion> added,
      UnitPlan unitPlan,
      Map<String, UnitEntry> entries) {
    List<List<InputVersion>> arrivals = new ArrayList<>(earlier.arrivals());
    if (!added.isEmpty()) {
      arrivals.add(added);
    }
    RunPlan plan = of(new RunRecord(earlier.id(), settings, arrivals), unitPlan);
    List<Unit> units = new ArrayList<>(plan.units());
    units.addAll(unreadableParts(plan.units(), entries));
    return new RunPlan(plan.run(), units);
  }

  private static RunPlan of(RunRecord run, UnitPlan unitPlan) {
    long target = Long.parseLong(run.settings().get(TARGET));
    return new RunPlan(run, unitPlan.units(target, run.arrivals()));
  }

  /**
   * Returns one unit for each unreadable part of a unit that several files share. The shared unit
   * keeps its rows, and only the unreadable parts are retried.
   */
  static List<Unit> unreadableParts(List<Unit> units, Map<String, UnitEntry> entries) {
    List<Unit> retried = new ArrayList<>();
    for (Unit unit : units) {
      UnitEntry entry = entries.get(unit.name());
      if (unit.isShared() && entry != null) {
        unit.parts().stream()
            .filter(part -> entry.errors().containsKey(part.input().path()))
            .forEach(part -> retried.add(Unit.of(List.of(part))));
      }
    }
    return retried;
  }

  /** Returns the entries of the units that are complete if their files are intact. */
  List<UnitEntry> entriesToVerify(Map<String, UnitEntry> entries) {
    return units.stream()
        .filter(unit -> entries.containsKey(unit.name()))
        .filter(unit -> !entries.get(unit.name()).hasSkippedParts() || unit.isShared())
        .map(unit -> entries.get(unit.name()))
        .toList();
  }

  /** Returns the units to score: all units without an intact file. */
  List<Unit> missing(Set<String> intact) {
    return units.stream().filter(unit -> !intact.contains(unit.name())).toList();
  }
}
