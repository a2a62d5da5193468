package io.mambaspark.jobs.units;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputVersion;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.io.RunRecord;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.SessionSettings;
import io.mambaspark.jobs.stats.Totals;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;

/** Executes a run unit by unit. An earlier start of the same run may have completed some units. */
public final class UnitRun {
  private static final Map<String, String> COMMIT =
      Map.of("spark.sql.sources.commitProtocolClass", UnitCommit.class.getName());

  private final Output output;
  private final Ledger ledger;
  private final RunPlan plan;
  private final List<Unit> missing;

  /** Whether a second pass completed the output and removed the units' files. */
  private final boolean filesRemoved;

  private UnitRun(
      Output output, Ledger ledger, RunPlan plan, List<Unit> missing, boolean filesRemoved) {
    this.output = output;
    this.ledger = ledger;
    this.plan = plan;
    this.missing = missing;
    this.filesRemoved = filesRemoved;
  }

  /**
   * Plans a new run, or the missing units of an earlier one. Writes nothing.
   *
   * @param settings the settings that determine the scores, see {@link RunIdentity}; the target
   *     size of a unit is added
   * @throws Refusal if the earlier run had other weights, options or input
   */
  public static UnitRun plan(
      Output output,
      UnitPlan unitPlan,
      UnitOptions options,
      Map<String, String> settings,
      JavaSparkContext context) {
    Ledger ledger = new Ledger(output.scores(), context.hadoopConfiguration());
    Map<String, String> now = new LinkedHashMap<>(settings);
    now.put(RunPlan.TARGET, targetTokens(options, output.earlier(), unitPlan, context));
    if (output.earlier().isEmpty()) {
      RunPlan plan = RunPlan.ofNewRun(output.runId(), now, unitPlan);
      return new UnitRun(output, ledger, plan, plan.units(), false);
    }
    RunRecord earlier = output.earlier().get();
    RunIdentity.check(earlier.settings(), now, output.target().toString());
    List<InputVersion> added =
        new ResumedInput(
                output.path(),
                earlier.files(),
                unitPlan.inputs(),
                unitPlan.input().files().unread())
            .added(options.allowNewInput());
    Map<String, UnitEntry> entries = ledger.entries(output.runId(), true);
    RunPlan plan = RunPlan.resumed(earlier, now, added, unitPlan, entries);
    if (output.isCompleteAfterSecondPass()) {
      if (!added.isEmpty()) {
        throw Refusal.because(
            "Cannot add new input to output %s: the thresholds of its buckets are computed from all"
                + " its documents; choose another output, and reuse the thresholds with"
                + " --bucket-thresholds",
            output.path());
      }
      return new UnitRun(output, ledger, plan, List.of(), true);
    }
    Set<String> intact = FileCheck.intact(plan.entriesToVerify(entries), output.scores(), context);
    return new UnitRun(output, ledger, plan, plan.missing(intact), false);
  }

  private static String targetTokens(
      UnitOptions options,
      Optional<RunRecord> earlier,
      UnitPlan unitPlan,
      JavaSparkContext context) {
    if (options.targetTokens() != 0) {
      return Long.toString(options.targetTokens());
    }
    return earlier
        .map(run -> run.settings().get(RunPlan.TARGET))
        .orElseGet(() -> Long.toString(unitPlan.targetTokens(context)));
  }

  /** Returns the units that remain to be scored. */
  public List<Unit> missing() {
    return missing;
  }

  /** Returns an upper bound of the number of tokens in the missing units. */
  public long missingTokens() {
    return missing.stream().mapToLong(Unit::tokens).sum();
  }

  public int units() {
    return plan.units().size();
  }

  /** Records the run and removes leftovers that would block the missing units. */
  public void begin() {
    if (output.earlier().isEmpty()) {
      output.clear();
      output.records().add(plan.run());
      return;
    }
    if (!missing.isEmpty()) {
      // Before any other change, because the output is no longer complete.
      output.reopen();
    }
    if (!output.earlier().get().equals(plan.run())) {
      output.records().add(plan.run());
    }
    // A task treats an existing file as committed by another attempt, so the files of missing units
    // are removed. So are entries of units that are no longer planned: new files with rows replace
    // the empty unit of an input without rows.
    Set<String> incomplete = new HashSet<>(ledger.entries(output.runId(), false).keySet());
    plan.units().forEach(unit -> incomplete.remove(unit.name()));
    missing.forEach(unit -> incomplete.add(unit.name()));
    ledger.remove(incomplete);
    ledger.removeTemporaryFiles();
  }

  /** Writes the missing units. Each appears in the output when it is complete. */
  public void write(Dataset<Row> scored) {
    try {
      SessionSettings.with(
          scored.sparkSession(),
          COMMIT,
          () -> {
            output
                .writer(scored)
                // Writes one file for each unit.
                .option("maxRecordsPerFile", 0)
                .mode(SaveMode.Append)
                .save(output.scores().toString());
            return null;
          });
    } catch (Exception e) {
      // Spark throws checked exceptions that its Scala signatures do not declare.
      int done = entries().size();
      if (done == 0) {
        output.discardScores();
        throw e;
      }
      throw Refusal.because(
          e,
          "%s; %d of %d units are complete in %s; continue with --resume%s",
          Failures.oneLine(e),
          done,
          units(),
          output.scores(),
          output.resumesOverAnother() ? " --overwrite" : "");
    }
  }

  /** Removes temporary files once all units are complete. */
  public void end() {
    ledger.removeTemporaryFiles();
  }

  private List<UnitEntry> entries() {
    Map<String, UnitEntry> entries = ledger.entries(output.runId(), !filesRemoved);
    return plan.units().stream()
        .filter(unit -> entries.containsKey(unit.name()))
        .map(unit -> entries.get(unit.name()))
        .toList();
  }

  /** Adds up the ledger, once all units are complete. */
  public Result result() {
    List<UnitEntry> entries = entries();
    if (entries.size() != units()) {
      throw Refusal.because(
          "Output %s has only %d of %d units after all were scored; continue with --resume",
          output.scores(), entries.size(), units());
    }
    List<String> unlisted = ledger.unlistedFiles(plan.units().stream().map(Unit::name).toList());
    if (!filesRemoved && !unlisted.isEmpty()) {
      throw Refusal.because(
          "Output %s contains %s%s, which this run did not write; remove it and continue with"
              + " --resume",
          output.scores(), unlisted.get(0), ResumedInput.andMore(unlisted.size()));
    }
    return Result.of(plan.units(), entries);
  }

  /**
   * The sums over the ledger.
   *
   * @param unreadable the files that were skipped completely or in part, by name, with the reasons
   */
  public record Result(Totals totals, long documents, Map<String, String> unreadable) {
    /** Adds up entries. Ignores an error of a shared unit if the file has a separate unit. */
    static Result of(List<Unit> units, List<UnitEntry> entries) {
      Set<String> separate = new HashSet<>();
      units.stream()
          .filter(unit -> !unit.isShared())
          .forEach(unit -> separate.add(unit.parts().get(0).input().path()));
      Totals totals = new Totals();
      long documents = 0;
      Map<String, String> unreadable = new TreeMap<>();
      for (UnitEntry entry : entries) {
        totals.add(entry.totals());
        documents += entry.documents();
        boolean shared = entry.parts().size() > 1;
        entry
            .errors()
            .forEach(
                (file, why) -> {
                  if (!shared || !separate.contains(file)) {
                    unreadable.merge(file, why, (a, b) -> a + "; " + b);
                  }
                });
      }
      return new Result(totals, documents, unreadable);
    }
  }
}
