package io.mambaspark.jobs;

import io.mambaspark.engine.model.MambaConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;

/** A job unit by unit, of which some may have been done by an earlier start of the same run. */
final class UnitRun {
  private static final String TARGET = "--target-unit-tokens";
  private static final String ON_ERROR = "--on-error";
  private static final Map<String, String> COMMIT =
      Map.of("spark.sql.sources.commitProtocolClass", UnitCommit.class.getName());

  private final Output output;
  private final UnitPlan plan;
  private final List<Unit> units;
  private final List<Unit> missing;

  private UnitRun(Output output, UnitPlan plan, List<Unit> units, List<Unit> missing) {
    this.output = output;
    this.plan = plan;
    this.units = units;
    this.missing = missing;
  }

  /**
   * Begins a run, or takes up an earlier one.
   *
   * @throws Refusal if the earlier run was another: of other weights, options or input
   */
  static UnitRun start(
      Output output,
      UnitPlan plan,
      JobOptions options,
      ScoringSchema schema,
      ModelSource source,
      JavaSparkContext context) {
    Ledger.Run earlier = output.earlier().orElse(null);
    long target = options.targetUnitTokens();
    if (target == 0 && earlier != null) {
      target = Long.parseLong(earlier.settings().get(TARGET));
    } else if (target == 0) {
      long parameters = source.checkpoint().parameterCount();
      target = plan.targetTokens(parameters, context.defaultParallelism());
    }
    Map<String, String> settings = settings(options, schema, source, target);
    Ledger.Run now = new Ledger.Run(output.run(), settings, plan.inputs());
    List<Unit> units = plan.units(target);
    if (earlier == null) {
      output.ledger().record(now);
      return new UnitRun(output, plan, units, units);
    }
    compareSettings(earlier, now, output);
    if (compareInput(earlier, now, output, options.allowNewInput())) {
      output.ledger().record(now);
    }
    List<Unit> missing = missing(units, output, context);
    if (!missing.isEmpty()) {
      output.reopen();
    }
    return new UnitRun(output, plan, units, missing);
  }

  private static Map<String, String> settings(
      JobOptions options, ScoringSchema schema, ModelSource source, long target) {
    MambaConfig config = source.checkpoint().config();
    ScoreOptions scoring = options.scoring();
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("the model's fingerprint", source.checkpoint().fingerprint());
    settings.put("--weights", options.weights().name().toLowerCase(Locale.ROOT));
    settings.put("--tokens-column", scoring.tokensColumn());
    settings.put(
        "the kept columns",
        schema.kept().stream()
            .map(field -> field.name() + " " + field.dataType().catalogString())
            .collect(Collectors.joining(", ")));
    settings.put("--emit", scoring.emit().toString());
    settings.put("the prefix token", Integer.toString(scoring.prefixId(config)));
    settings.put("--max-tokens", Integer.toString(scoring.maxTokens()));
    settings.put(ON_ERROR, scoring.failOnError() ? "fail" : "quarantine");
    settings.put(TARGET, Long.toString(target));
    settings.put("the version of mamba-spark", Versions.mambaSpark());
    return settings;
  }

  private static void compareSettings(Ledger.Run earlier, Ledger.Run now, Output output) {
    List<String> differences = new ArrayList<>();
    now.settings()
        .forEach(
            (name, value) -> {
              String was = earlier.settings().get(name);
              // What was written under 'fail' has no errors in it.
              boolean relaxed = name.equals(ON_ERROR) && "fail".equals(was);
              if (!value.equals(was) && !relaxed) {
                differences.add("%s was %s and is %s".formatted(name, was, value));
              }
            });
    if (!differences.isEmpty()) {
      throw Refusal.because(
          "Cannot resume output %s: %s; start it as it was, or choose another output",
          output.path(), String.join("; ", differences));
    }
  }

  /** Returns whether there are new files. */
  private static boolean compareInput(
      Ledger.Run earlier, Ledger.Run now, Output output, boolean allowNew) {
    Map<String, Unit.Input> known = new HashMap<>();
    earlier.input().forEach(file -> known.put(file.path(), file));
    List<String> added = new ArrayList<>();
    for (Unit.Input file : now.input()) {
      Unit.Input was = known.remove(file.path());
      if (was == null) {
        added.add(file.path());
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
          output.path(), added.get(0), andMore(added.size()));
    }
    return !added.isEmpty();
  }

  private static String andMore(int files) {
    return files == 1 ? "" : " (and %d more)".formatted(files - 1);
  }

  private static java.time.ZonedDateTime utc(long millis) {
    return java.time.Instant.ofEpochMilli(millis).atZone(java.time.ZoneOffset.UTC);
  }

  /** Units without an entry, and those whose file is not what their entry says. */
  private static List<Unit> missing(List<Unit> units, Output output, JavaSparkContext context) {
    Map<String, UnitEntry> entries = output.ledger().entries();
    List<UnitEntry> done = new ArrayList<>();
    for (Unit unit : units) {
      if (entries.containsKey(unit.name())) {
        done.add(entries.get(unit.name()));
      }
    }
    Map<String, UnitEntry> intact = new TreeMap<>();
    if (!done.isEmpty()) {
      context.setJobDescription("Checking %d units that are done".formatted(done.size()));
      String target = output.target().toString();
      SerializableConfiguration hadoop =
          new SerializableConfiguration(context.hadoopConfiguration());
      int tasks = Math.min(done.size(), 4 * context.defaultParallelism());
      context
          .parallelize(done, tasks)
          .filter(entry -> holds(target, hadoop, entry))
          .collect()
          .forEach(entry -> intact.put(entry.unit(), entry));
    }
    List<Unit> missing = new ArrayList<>();
    for (Unit unit : units) {
      if (!intact.containsKey(unit.name())) {
        // Tasks take what they find for what another attempt has written.
        output.ledger().forget(unit.name());
        missing.add(unit);
      }
    }
    return missing;
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
  void write(SparkSession spark, Dataset<Row> scored) {
    try {
      SessionSettings.during(
          spark,
          COMMIT,
          () -> {
            scored
                .write()
                // A unit is one file.
                .option("maxRecordsPerFile", 0)
                .mode(SaveMode.Append)
                .parquet(output.target().toString());
            return null;
          });
    } catch (Exception e) {
      // Spark's own is a checked one, which Scala does not declare.
      int done = entries().size();
      if (done == 0) {
        output.discard();
        throw e;
      }
      throw Refusal.because(
          e,
          "%s; %d of %d units are whole and stay in %s, go on with --resume%s",
          Failures.oneLine(e),
          done,
          units.size(),
          output.target(),
          output.target().equals(output.path()) ? "" : " --overwrite");
    }
  }

  private List<UnitEntry> entries() {
    Map<String, UnitEntry> entries = output.ledger().entries();
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
  Result result() throws IOException {
    List<UnitEntry> entries = entries();
    if (entries.size() != units.size()) {
      throw new IllegalStateException(
          "The ledger has %d of %d units".formatted(entries.size(), units.size()));
    }
    Totals totals = new Totals();
    long documents = 0;
    Map<String, String> unreadable = new TreeMap<>();
    plan.unreadable().forEach(file -> unreadable.put(Unit.Input.of(file).path(), file.error()));
    for (UnitEntry entry : entries) {
      totals.add(entry);
      documents += entry.documents();
      if (entry.error() != null) {
        unreadable.merge(entry.input().path(), entry.error(), (a, b) -> a + "; " + b);
      }
    }
    output.ledger().sweep();
    return new Result(totals, documents, unreadable);
  }
}
