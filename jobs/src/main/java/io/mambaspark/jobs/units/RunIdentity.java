package io.mambaspark.jobs.units;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.model.ModelConventions;
import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.DatasetScorer;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.text.TokenizerFile;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.spark.sql.RuntimeConfig;

/**
 * The settings that determine the scores of a run, apart from its input: names and values, as a
 * {@link io.mambaspark.jobs.io.RunRecord} stores them.
 */
public final class RunIdentity {
  private static final String ON_ERROR = Options.ON_ERROR.flag();

  /** The setting of the version: one output must not mix scores of two versions. */
  public static final String VERSION = "the version of mamba-spark";

  /** Spark settings that determine which columns are read and how kept values are written. */
  private static final List<String> KEPT_VALUES =
      List.of(
          "spark.sql.caseSensitive",
          "spark.sql.session.timeZone",
          "spark.sql.parquet.datetimeRebaseModeInRead",
          "spark.sql.parquet.int96RebaseModeInRead",
          "spark.sql.parquet.outputTimestampType");

  /** The number of hexadecimal digits of an id: 128 bits. */
  private static final int ID_LENGTH = 32;

  private RunIdentity() {}

  /**
   * Returns the settings of a run.
   *
   * @param values the options after defaults were resolved
   * @param scorer the model and the options of scoring
   * @param tokenizer null if the columns hold token ids
   * @param buckets the names of the buckets and their percentiles or thresholds
   * @param conf the configuration of the session that reads the input
   */
  public static Map<String, String> of(
      OptionValues values,
      DatasetScorer scorer,
      ScoringSchema schema,
      TokenizerFile tokenizer,
      String buckets,
      RuntimeConfig conf) {
    ScoreOptions scoring = scorer.options();
    ModelConventions conventions = scorer.conventions();
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("the model's fingerprint", scorer.model().source().checkpoint().fingerprint());
    settings.put("the columns of the document", String.join(", ", scoring.columns().named()));
    settings.put(
        "the kept columns",
        schema.rows().kept().stream()
            .map(field -> field.name() + " " + field.dataType().catalogString())
            .collect(Collectors.joining(", ")));
    // A window is identified by its policy and its lengths.
    OptionValues identifying = values.with(Options.WINDOW, scoring.windows().toString());
    for (Option<?> option : Options.IDENTITY) {
      settings.put(option.flag(), option.identity(identifying.get(option)));
    }
    settings.put("the prefix token", Integer.toString(scoring.prefixId(conventions)));
    if (scoring.columns().isPair()) {
      settings.put(
          "the token of an empty context",
          Integer.toString(scoring.tokens().emptyContextId(conventions)));
    }
    settings.put(
        "the tokenizer's fingerprint", tokenizer == null ? "none" : tokenizer.fingerprint());
    if (scoring.tokens().addSpecialTokens()) {
      settings.put("the special tokens", scorer.specialTokens().toString());
    }
    settings.put("the buckets", buckets);
    settings.put(VERSION, Versions.mambaSpark());
    for (String key : KEPT_VALUES) {
      settings.put(key, conf.get(key));
    }
    return settings;
  }

  /**
   * Returns an id that is equal for runs with the same settings and the same input.
   *
   * @param input see {@link io.mambaspark.jobs.io.Input#identity}; if it is empty, the id is new
   */
  public static String id(Map<String, String> settings, Optional<String> input) {
    if (input.isEmpty()) {
      return Output.newRunId();
    }
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(settings.toString().getBytes(StandardCharsets.UTF_8));
      digest.update((byte) 0);
      digest.update(input.get().getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest.digest()).substring(0, ID_LENGTH);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Refuses to resume a run whose settings differ. */
  public static void check(Map<String, String> earlier, Map<String, String> now, String output) {
    List<String> differences = new ArrayList<>();
    now.forEach(
        (name, value) -> {
          String was = String.valueOf(earlier.get(name));
          // Rows written under 'fail' contain no errors, so another policy may continue the run.
          boolean relaxed = name.equals(ON_ERROR) && "fail".equals(was);
          if (!value.equals(was) && !relaxed) {
            differences.add("%s was %s and is %s".formatted(name, was, value));
          }
        });
    if (!differences.isEmpty()) {
      throw Refusal.because(
          "Cannot resume output %s: %s; restore the earlier settings, or choose another output",
          output, String.join("; ", differences));
    }
  }
}
