package io.mambaspark.jobs.units;

import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.text.TokenizerFile;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.RuntimeConfig;

/**
 * Whatever the scores of a run depend on but its input, by name, as a {@link
 * io.mambaspark.jobs.io.RunRecord} keeps it.
 */
public final class RunIdentity {
  private static final String ON_ERROR = Options.ON_ERROR.flag();

  /** Scores of two versions must not lie in one output. */
  public static final String VERSION = "the version of mamba-spark";

  /** Settings of Spark that decide which columns are read and what kept ones look like. */
  private static final List<String> KEPT_VALUES =
      List.of(
          "spark.sql.caseSensitive",
          "spark.sql.session.timeZone",
          "spark.sql.parquet.datetimeRebaseModeInRead",
          "spark.sql.parquet.int96RebaseModeInRead",
          "spark.sql.parquet.outputTimestampType");

  private RunIdentity() {}

  /**
   * The settings of a run.
   *
   * @param values the options as they were decided
   * @param tokenizer null where the columns hold tokens
   * @param buckets names the buckets and how they part the corpus
   * @param conf of the session that reads the input
   */
  public static Map<String, String> of(
      OptionValues values,
      ScoreOptions scoring,
      ScoringSchema schema,
      MambaCheckpoint checkpoint,
      TokenizerFile tokenizer,
      String buckets,
      RuntimeConfig conf) {
    MambaConfig config = checkpoint.config();
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("the model's fingerprint", checkpoint.fingerprint());
    settings.put("the columns of the document", String.join(", ", scoring.columns().named()));
    settings.put(
        "the kept columns",
        schema.rows().kept().stream()
            .map(field -> field.name() + " " + field.dataType().catalogString())
            .collect(Collectors.joining(", ")));
    // A window is its policy and its lengths.
    OptionValues identifying = values.with(Options.WINDOW, scoring.windows().toString());
    for (Option<?> option : Options.IDENTITY) {
      settings.put(option.flag(), option.identity(identifying.get(option)));
    }
    settings.put("the prefix token", Integer.toString(scoring.prefixId(config)));
    if (scoring.columns().isPair()) {
      settings.put(
          "the token of an empty context",
          Integer.toString(scoring.tokens().emptyContextId(config)));
    }
    settings.put(
        "the tokenizer's fingerprint", tokenizer == null ? "none" : tokenizer.fingerprint());
    settings.put("the buckets", buckets);
    settings.put(VERSION, Versions.mambaSpark());
    for (String key : KEPT_VALUES) {
      settings.put(key, conf.get(key));
    }
    return settings;
  }

  /** Refuses to go on with a run whose settings were others. */
  public static void check(Map<String, String> earlier, Map<String, String> now, Path output) {
    List<String> differences = new ArrayList<>();
    now.forEach(
        (name, value) -> {
          String was = String.valueOf(earlier.get(name));
          // What was written under 'fail' has no errors in it.
          boolean relaxed = name.equals(ON_ERROR) && "fail".equals(was);
          if (!value.equals(was) && !relaxed) {
            differences.add("%s was %s and is %s".formatted(name, was, value));
          }
        });
    if (!differences.isEmpty()) {
      throw Refusal.because(
          "Cannot resume output %s: %s; start it as it was, or choose another output",
          output, String.join("; ", differences));
    }
  }
}
