package io.mambaspark.jobs;

import io.mambaspark.jobs.text.TokenizerFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RuntimeConfig;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.util.SerializableConfiguration;

/** A job unit by unit, of which some may have been done by an earlier start of the same run. */
final class UnitRun {
  private static final String TARGET = "--target-unit-tokens";
  private static final Map<String, String> COMMIT =
      Map.of("spark.sql.sources.commitProtocolClass", UnitCommit.class.getName());

  private final Output output;
  private final UnitPlan plan;
  private final Ledger.Run run;
  private final List<Unit> units;
  private final List<Unit> missing;

  /** Whether a second pass has made the output from the units' files. */
  private final boolean parted;

  private UnitRun(
      Output output,
      UnitPlan plan,
      Ledger.Run run,
      List<Unit> units,
      List<Unit> missing,
      boolean parted) {
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
   * @param tokenizer null where the columns hold tokens
   * @param buckets names the buckets and how they part the corpus
   * @param conf of the session that reads the input
   * @throws Refusal if the earlier run was another: of other weights, options or input
   */
  static UnitRun plan(
      Output output,
      UnitPlan plan,
      JobOptions options,
      ScoringSchema schema,
      ModelSource source,
      TokenizerFile tokenizer,
      String buckets,
      RuntimeConfig conf,
      JavaSparkContext context) {
    Ledger.Run earlier = output.earlier().orElse(null);
    long target = options.targetUnitTokens();
    if (target == 0 && earlier != null) {
      target = Long.parseLong(earlier.settings().get(TARGET));
    } else if (target == 0) {
      target = plan.targetTokens(options, source, context);
    }
    Map<String, String> settings =
        RunSettings.of(options, schema, source, tokenizer, buckets, conf);
    settings.put(TARGET, Long.toString(target));
    if (earlier == null) {
      List<List<Unit.Input>> all = List.of(plan.inputs());
      List<Unit> units = plan.units(target, all);
      return new UnitRun(
          output, plan, new Ledger.Run(output.run(), settings, all), units, units, false);
    }
    RunSettings.check(earlier.settings(), settings, output.target());
    List<Unit.Input> added = added(earlier, plan.inputs(), output, options.allowNewInput());
    List<List<Unit.Input>> arrivals = new ArrayList<>(earlier.arrivals());
    if (!added.isEmpty()) {
      arrivals.add(added);
    }
    Ledger.Run now = new Ledger.Run(output.run(), settings, arrivals);
    List<Unit> units = plan.units(target, arrivals);
    if (isParted(output, options)) {
      if (!added.isEmpty()) {
        throw Refusal.because(
            "Cannot take new input into output %s: its buckets part the documents that it has;"
                + " choose another output, or take its thresholds with --bucket-thresholds",
            output.path());
      }
      return new UnitRun(output, plan, now, units, List.of(), true);
    }
    return new UnitRun(output, plan, now, units, missing(units, output, context), false);
  }

  /** Whether all is done and the scores of the first pass are gone. */
  private static boolean isParted(Output output, JobOptions options) {
    return options.buckets() != null && output.isWhole();
  }

  /** Records the run and clears what is in the way of the missing units. */
  void begin() {
    Ledger ledger = output.ledger();
    if (output.earlier().isEmpty()) {
      output.clear();
      ledger.record(run);
      return;
    }
    if (!missing.isEmpty()) {
      // First of all, as it is not whole any more.
      output.reopen();
    }
    if (!output.earlier().get().equals(run)) {
      ledger.record(run);
    }
    // Tasks take what they find for what another attempt has written.
    ledger.forget(missing.stream().map(Unit::name).toList());
    ledger.sweep();
  }

  /** The files that an earlier start has not seen; refuses others than it has seen. */
  private static List<Unit.Input> added(
      Ledger.Run earlier, List<Unit.Input> now, Output output, boolean allowNew) {
    Map<String, Unit.Input> known = new HashMap<>();
    earlier.files().forEach(file -> known.put(file.path(), file));
    List<Unit.Input> added = new ArrayList<>();
    for (Unit.Input file : now) {
      Unit.Input was = known.remove(file.path());
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
   */
  private static List<Unit> missing(List<Unit> units, Output output, JavaSparkContext context) {
    Map<String, UnitEntry> entries = output.ledger().entries(output.run(), true);
    List<UnitEntry> done = new ArrayList<>();
    for (Unit unit : units) {
      UnitEntry entry = entries.get(unit.name());
      if (entry != null && !entry.isGivenUp()) {
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
      intact.addAll(
          context
              .parallelize(done, tasks)
              .filter(entry -> holds(target, hadoop, entry))
              .map(UnitEntry::unit)
              .collect());
    }
    return units.stream().filter(unit -> !intact.contains(unit.name())).toList();
  }

  private static boolean holds(String target, SerializableConfiguration hadoop, UnitEntry entry)
      throws IOException {
    Configuration configuration = hadoop.value();
    return new Ledger(new Path(target), configuration).holds(entry);
  }

  /** The units that are still to be scored. */
  List<Unit> missing() {
    return missing;
  }

  /** The tokens in them, at most. */
  long missingTokens() {
    return missing.stream().mapToLong(Unit::tokens).sum();
  }

  int units() {
    return units.size();
  }

  /** Writes the units that are missing, as they become whole. */
  void write(Dataset<Row> scored) {
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
  void end() {
    output.ledger().sweep();
  }

  private List<UnitEntry> entries() {
    Map<String, UnitEntry> entries = output.ledger().entries(output.run(), !parted);
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
  record Result(Totals totals, long documents, Map<String, String> unreadable) {}

  /** Adds up the ledger, when all units are done. */
  Result result() {
    List<UnitEntry> entries = entries();
    if (entries.size() != units.size()) {
      throw Refusal.because(
          "Output %s has %d of %d units, though all were done; go on with --resume",
          output.scores(), entries.size(), units.size());
    }
    List<String> strays = output.ledger().strays(units.stream().map(Unit::name).toList());
    if (!parted && !strays.isEmpty()) {
      throw Refusal.because(
          "Output %s holds %s%s, which is none of this run's; remove it and go on with --resume",
          output.scores(), strays.get(0), andMore(strays.size()));
    }
    Totals totals = new Totals();
    long documents = 0;
    Map<String, String> unreadable = new TreeMap<>();
    for (UnitEntry entry : entries) {
      totals.add(entry.totals());
      documents += entry.documents();
      entry.errors().forEach((file, why) -> unreadable.merge(file, why, (a, b) -> a + "; " + b));
    }
    return new Result(totals, documents, unreadable);
  }
}
