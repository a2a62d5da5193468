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
 * @param run as the ledger is to record it
 * @param units all units of the run
 */
record RunPlan(RunRecord run, List<Unit> units) {
  static final String TARGET = "--target-unit-tokens";

  /** Plans a new run of all files. */
  static RunPlan begun(String runId, Map<String, String> settings, UnitPlan cut) {
    return of(new RunRecord(runId, settings, List.of(cut.inputs())), cut);
  }

  /**
   * Plans a run that goes on.
   *
   * @param added files that no earlier start has seen
   * @param entries of the units whose files are there, by the names of the units
   */
  static RunPlan resumed(
      RunRecord earlier,
      Map<String, String> settings,
      List<InputVersion> added,
      UnitPlan cut,
      Map<String, UnitEntry> entries) {
    List<List<InputVersion>> arrivals = new ArrayList<>(earlier.arrivals());
    if (!added.isEmpty()) {
      arrivals.add(added);
    }
    RunPlan plan = of(new RunRecord(earlier.id(), settings, arrivals), cut);
    List<Unit> units = new ArrayList<>(plan.units());
    units.addAll(damaged(plan.units(), entries));
    return new RunPlan(plan.run(), units);
  }

  private static RunPlan of(RunRecord run, UnitPlan cut) {
    long target = Long.parseLong(run.settings().get(TARGET));
    return new RunPlan(run, cut.units(target, run.arrivals()));
  }

  /**
   * One unit for each part that could not be read in a unit that several files share. The shared
   * unit keeps what it has, and only these parts are tried again.
   */
  static List<Unit> damaged(List<Unit> units, Map<String, UnitEntry> entries) {
    List<Unit> alone = new ArrayList<>();
    for (Unit unit : units) {
      UnitEntry entry = entries.get(unit.name());
      if (unit.isShared() && entry != null) {
        unit.parts().stream()
            .filter(part -> entry.errors().containsKey(part.input().path()))
            .forEach(part -> alone.add(Unit.of(List.of(part))));
      }
    }
    return alone;
  }

  /** The entries of units that need not be scored again if their files are intact. */
  List<UnitEntry> done(Map<String, UnitEntry> entries) {
    return units.stream()
        .filter(unit -> entries.containsKey(unit.name()))
        .filter(unit -> !entries.get(unit.name()).isGivenUp() || unit.isShared())
        .map(unit -> entries.get(unit.name()))
        .toList();
  }

  /** The units to score: all but those whose files are intact. */
  List<Unit> missing(Set<String> intact) {
    return units.stream().filter(unit -> !intact.contains(unit.name())).toList();
  }
}
