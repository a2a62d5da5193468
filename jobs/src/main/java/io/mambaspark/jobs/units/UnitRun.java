package io.mambaspark.jobs.units;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputVersion;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.io.RunRecord;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.SessionSettings;
import io.mambaspark.jobs.spark.Tasks;
import io.mambaspark.jobs.stats.Totals;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.util.SerializableConfiguration;

/** A job unit by unit, of which some may have been done by an earlier start of the same run. */
public final class UnitRun {
  private static final String TARGET = "--target-unit-tokens";
  private static final Map<String, String> COMMIT =
      Map.of("spark.sql.sources.commitProtocolClass", UnitCommit.class.getName());

  private final Output output;
  private final Ledger ledger;
  private final UnitPlan plan;
  private final RunRecord run;
  private final List<Unit> units;
  private final List<Unit> missing;

  /** Whether a second pass has made the output from the units' files. */
  private final boolean parted;

  private UnitRun(
      Output output,
      Ledger ledger,
      UnitPlan plan,
      RunRecord run,
      List<Unit> units,
      List<Unit> missing,
      boolean parted) {
    this.ledger = ledger;
    this.parted = parted;
    this.output = output;
    this.plan = plan;
    this.run = run;
    this.units = units;
    this.missing = missing;
  }

  /**
   * Plans a run, or what is left of an earlier one. Writes nothing.
   *
   * @param settings whatever the scores depend on but the input, see {@link RunIdentity}; the
   *     tokens of a unit are added
   * @param buckets whether the output names buckets that part the corpus of this run
   * @throws Refusal if the earlier run was another: of other weights, options or input
   */
  public static UnitRun plan(
      Output output,
      UnitPlan plan,
      UnitOptions options,
      Map<String, String> settings,
      boolean buckets,
      JavaSparkContext context) {
    Ledger ledger = new Ledger(output.scores(), context.hadoopConfiguration());
    RunRecord earlier = output.earlier().orElse(null);
    long target = options.targetTokens();
    if (target == 0 && earlier != null) {
      target = Long.parseLong(earlier.settings().get(TARGET));
    } else if (target == 0) {
      target = plan.targetTokens(context);
    }
    settings.put(TARGET, Long.toString(target));
    if (earlier == null) {
      List<List<InputVersion>> all = List.of(plan.inputs());
      List<Unit> units = plan.units(target, all);
      return new UnitRun(
          output, ledger, plan, new RunRecord(output.runId(), settings, all), units, units, false);
    }
    RunIdentity.check(earlier.settings(), settings, output.target());
    List<InputVersion> added = added(earlier, plan, output, options.allowNewInput());
    List<List<InputVersion>> arrivals = new ArrayList<>(earlier.arrivals());
    if (!added.isEmpty()) {
      arrivals.add(added);
    }
    RunRecord now = new RunRecord(output.runId(), settings, arrivals);
    List<Unit> units = new ArrayList<>(plan.units(target, arrivals));
    Map<String, UnitEntry> entries = ledger.entries(output.runId(), true);
    units.addAll(damaged(units, entries));
    if (buckets && output.isWhole()) {
      // All is done, and the scores of the first pass are gone.
      if (!added.isEmpty()) {
        throw Refusal.because(
            "Cannot take new input into output %s: its buckets part the documents that it has;"
                + " choose another output, or take its thresholds with --bucket-thresholds",
            output.path());
      }
      return new UnitRun(output, ledger, plan, now, units, List.of(), true);
    }
    return new UnitRun(
        output, ledger, plan, now, units, missing(units, entries, output, context), false);
  }

  /**
   * Units of what could not be read in units that several files share: what could stays where it
   * is, and only the rest is tried again.
   */
  private static List<Unit> damaged(List<Unit> units, Map<String, UnitEntry> entries) {
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

  /** Records the run and clears what is in the way of the missing units. */
  public void begin() {
    if (output.earlier().isEmpty()) {
      output.clear();
      output.records().add(run);
      return;
    }
    if (!missing.isEmpty()) {
      // First of all, as it is not whole any more.
      output.reopen();
    }
    if (!output.earlier().get().equals(run)) {
      output.records().add(run);
    }
    // Tasks take what they find for what another attempt has written. No unit any more is the one
    // that stands for files without rows, once others have come.
    Set<String> undone = new HashSet<>(ledger.entries(output.runId(), false).keySet());
    units.forEach(unit -> undone.remove(unit.name()));
    missing.forEach(unit -> undone.add(unit.name()));
    ledger.forget(undone);
    ledger.sweep();
  }

  /** The files that an earlier start has not seen; refuses others than it has seen. */
  private static List<InputVersion> added(
      RunRecord earlier, UnitPlan plan, Output output, boolean allowNew) {
    Map<String, InputVersion> known = new HashMap<>();
    earlier.files().forEach(file -> known.put(file.path(), file));
    List<InputVersion> added = new ArrayList<>();
    for (InputVersion file : plan.inputs()) {
      InputVersion was = known.remove(file.path());
      if (was == null) {
        added.add(file);
      } else if (!was.equals(file)) {
        throw Refusal.because(
            "Cannot resume output %s: input %s has changed since (%d bytes of %tFT%<tTZ, now %d of"
                + " %tFT%<tTZ); choose another output",
            output.path(),
            file.path(),
            was.size(),
            utc(was.modified()),
            file.size(),
            utc(file.modified()));
      }
    }
    for (String path : known.keySet()) {
      String why = plan.input().listed().unread().get(path);
      if (why != null) {
        throw Refusal.because(
            "Cannot resume output %s: input %s could be read and cannot be any more: %s",
            output.path(), path, why);
      }
    }
    if (!known.isEmpty()) {
      throw Refusal.because(
          "Cannot resume output %s: input %s%s is gone; choose another output",
          output.path(), known.keySet().iterator().next(), andMore(known.size()));
    }
    if (!added.isEmpty() && !allowNew) {
      throw Refusal.because(
          "Cannot resume output %s: input %s%s is new; take new files in with --allow-new-input,"
              + " or choose another output",
          output.path(), added.get(0).path(), andMore(added.size()));
    }
    return added;
  }

  private static String andMore(int files) {
    return files == 1 ? "" : " (and %d more)".formatted(files - 1);
  }

  private static java.time.ZonedDateTime utc(long millis) {
    return java.time.Instant.ofEpochMilli(millis).atZone(java.time.ZoneOffset.UTC);
  }

  /**
   * Units without an entry, those that were given up, and those whose file is not what their entry
   * says.
   *
   * @param entries those of the run whose files are there
   */
  private static List<Unit> missing(
      List<Unit> units, Map<String, UnitEntry> entries, Output output, JavaSparkContext context) {
    List<UnitEntry> done = new ArrayList<>();
    for (Unit unit : units) {
      UnitEntry entry = entries.get(unit.name());
      if (entry != null && (!entry.isGivenUp() || unit.isShared())) {
        done.add(entry);
      }
    }
    Set<String> intact = new HashSet<>();
    if (!done.isEmpty()) {
      context.setJobDescription("Checking %,d units that are done".formatted(done.size()));
      String target = output.scores().toString();
      SerializableConfiguration hadoop =
          new SerializableConfiguration(context.hadoopConfiguration());
      int tasks = Math.min(done.size(), 4 * context.defaultParallelism());
      List<List<UnitEntry>> shares = new ArrayList<>();
      for (int i = 0; i < tasks; i++) {
        shares.add(
            new ArrayList<>(done.subList(i * done.size() / tasks, (i + 1) * done.size() / tasks)));
      }
      intact.addAll(
          Tasks.distribute(context, shares)
              .flatMap(sent -> intact(Tasks.<List<UnitEntry>>received(sent), target, hadoop))
              .collect());
    }
    return units.stream().filter(unit -> !intact.contains(unit.name())).toList();
  }

  private static Iterator<String> intact(
      List<UnitEntry> entries, String target, SerializableConfiguration hadoop) throws IOException {
    Ledger ledger = new Ledger(new Path(target), hadoop.value());
    List<String> intact = new ArrayList<>();
    for (UnitEntry entry : entries) {
      if (ledger.holds(entry)) {
        intact.add(entry.unit());
      }
    }
    return intact.iterator();
  }

  /** The units that are still to be scored. */
  public List<Unit> missing() {
    return missing;
  }

  /** The tokens in them, at most. */
  public long missingTokens() {
    return missing.stream().mapToLong(Unit::tokens).sum();
  }

  public int units() {
    return units.size();
  }

  /** Writes the units that are missing, as they become whole. */
  public void write(Dataset<Row> scored) {
    try {
      SessionSettings.during(
          scored.sparkSession(),
          COMMIT,
          () -> {
            scored
                .write()
                // A unit is one file.
                .option("maxRecordsPerFile", 0)
                .mode(SaveMode.Append)
                .parquet(output.scores().toString());
            return null;
          });
    } catch (Exception e) {
      // Spark's own is a checked one, which Scala does not declare.
      int done = entries().size();
      if (done == 0) {
        output.discardScores();
        throw e;
      }
      throw Refusal.because(
          e,
          "%s; %d of %d units are whole and stay in %s, go on with --resume%s",
          Failures.oneLine(e),
          done,
          units.size(),
          output.scores(),
          output.resumesOverAnother() ? " --overwrite" : "");
    }
  }

  /** Clears up when all is done. */
  public void end() {
    ledger.sweep();
  }

  private List<UnitEntry> entries() {
    Map<String, UnitEntry> entries = ledger.entries(output.runId(), !parted);
    return units.stream()
        .filter(unit -> entries.containsKey(unit.name()))
        .map(unit -> entries.get(unit.name()))
        .toList();
  }

  /**
   * What the ledger adds up to.
   *
   * @param unreadable files, or parts of them, that were left out, and why
   */
  public record Result(Totals totals, long documents, Map<String, String> unreadable) {}

  /** Adds up the ledger, when all units are done. */
  public Result result() {
    List<UnitEntry> entries = entries();
    if (entries.size() != units.size()) {
      throw Refusal.because(
          "Output %s has %d of %d units, though all were done; go on with --resume",
          output.scores(), entries.size(), units.size());
    }
    List<String> strays = ledger.strays(units.stream().map(Unit::name).toList());
    if (!parted && !strays.isEmpty()) {
      throw Refusal.because(
          "Output %s holds %s%s, which is none of this run's; remove it and go on with --resume",
          output.scores(), strays.get(0), andMore(strays.size()));
    }
    Set<String> alone = new HashSet<>();
    units.stream()
        .filter(unit -> !unit.isShared())
        .forEach(unit -> alone.add(unit.parts().get(0).input().path()));
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
                if (!shared || !alone.contains(file)) {
                  unreadable.merge(file, why, (a, b) -> a + "; " + b);
                }
              });
    }
    return new Result(totals, documents, unreadable);
  }
}
