package io.mambaspark.jobs.units;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.model.DemoModel;
import io.mambaspark.jobs.model.ModelOptions;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.DatasetScorer;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.spark.Demo;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.text.TokenizerFile;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.RuntimeConfig;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests the settings that identify a run and the differences that prevent resuming it. */
class RunIdentityTest {
  private static final StructType INPUT =
      new StructType()
          .add("id", DataTypes.StringType)
          .add("tokens", DataTypes.createArrayType(DataTypes.IntegerType))
          .add("at", DataTypes.TimestampType)
          .add("text", DataTypes.StringType)
          .add("continuation", DataTypes.StringType);

  @TempDir static Path shared;
  private static OpenModel model;

  @BeforeAll
  static void openModel() {
    model = new OpenModel(TestModels.write(shared.resolve("model")).toString());
  }

  @AfterAll
  static void closeModel() {
    model.close();
  }

  /** Returns a session's configuration without starting a session. */
  private static RuntimeConfig conf() {
    RuntimeConfig conf = new org.apache.spark.sql.classic.RuntimeConfig(new SQLConf());
    conf.set("spark.sql.session.timeZone", "Asia/Kolkata");
    conf.set("spark.sql.parquet.datetimeRebaseModeInRead", "EXCEPTION");
    conf.set("spark.sql.parquet.int96RebaseModeInRead", "EXCEPTION");
    conf.set("spark.sql.parquet.outputTimestampType", "INT96");
    return conf;
  }

  private static Map<String, String> settings(
      OptionValues given, TokenizerFile tokenizer, String buckets, RuntimeConfig conf) {
    ScoreOptions scoring = ScoreOptions.of(given);
    return RunIdentity.of(
        scoring.normalize(given),
        DatasetScorer.of(model, ModelOptions.of("model", given), scoring),
        ScoringSchema.of(INPUT, scoring),
        tokenizer,
        buckets,
        conf);
  }

  private static Map<String, String> settings(OptionValues given) {
    return settings(given, null, "none", conf());
  }

  private static Map<String, String> defaults() {
    return settings(OptionValues.NONE);
  }

  @Test
  void every_setting_has_a_fixed_name_and_position() {
    Map<String, String> expected = new LinkedHashMap<>();
    expected.put("the model's fingerprint", model.source().checkpoint().fingerprint());
    expected.put("the columns of the document", "--tokens-column tokens");
    expected.put("the kept columns", "id string, at timestamp, text string, continuation string");
    expected.put("--weights", "f32");
    expected.put("--input-option", "none");
    expected.put("--where", "none");
    expected.put("--add-special-tokens", "false");
    expected.put("--emit", "perplexity");
    expected.put("--segment-by", "null");
    expected.put("--max-tokens", "0");
    expected.put("--max-length", "0");
    expected.put("--window", "full");
    expected.put("--min-perplexity", "null");
    expected.put("--max-perplexity", "null");
    expected.put("--min", "none");
    expected.put("--max", "none");
    expected.put("--bucket-by", "perplexity");
    expected.put("--on-error", "quarantine");
    expected.put("--output-option", "none");
    expected.put("the prefix token", "-1");
    expected.put("the tokenizer's fingerprint", "none");
    expected.put("the buckets", "none");
    expected.put("the version of mamba-spark", Versions.mambaSpark());
    expected.put("spark.sql.caseSensitive", "false");
    expected.put("spark.sql.session.timeZone", "Asia/Kolkata");
    expected.put("spark.sql.parquet.datetimeRebaseModeInRead", "EXCEPTION");
    expected.put("spark.sql.parquet.int96RebaseModeInRead", "EXCEPTION");
    expected.put("spark.sql.parquet.outputTimestampType", "INT96");
    assertThat(List.copyOf(defaults().entrySet())).isEqualTo(List.copyOf(expected.entrySet()));
  }

  /** Returns the settings that differ from the defaults after a change of the options. */
  private static Map<String, String> changed(UnaryOperator<OptionValues> change) {
    return changed(settings(change.apply(OptionValues.NONE)));
  }

  private static Map<String, String> changed(Map<String, String> settings) {
    Map<String, String> changed = new LinkedHashMap<>(settings);
    changed.entrySet().removeAll(defaults().entrySet());
    return changed;
  }

  @Test
  void each_option_that_affects_scores_changes_its_own_setting() {
    assertThat(changed(o -> o.with(Options.KEEP_COLUMNS, List.of("at", "id"))))
        .isEqualTo(Map.of("the kept columns", "at timestamp, id string"));
    assertThat(changed(o -> o.with(Options.KEEP_COLUMNS, List.of())))
        .isEqualTo(Map.of("the kept columns", ""));
    assertThat(changed(o -> o.with(Options.EMIT, "top-k=2,token-ranks")))
        .isEqualTo(Map.of("--emit", "token-ranks,top-k=2"));
    assertThat(changed(o -> o.with(Options.PREFIX_TOKEN, "bos")))
        .isEqualTo(Map.of("the prefix token", "3"));
    assertThat(changed(o -> o.with(Options.PREFIX_TOKEN, "7")))
        .isEqualTo(Map.of("the prefix token", "7"));
    assertThat(changed(o -> o.with(Options.MAX_TOKENS, 9))).isEqualTo(Map.of("--max-tokens", "9"));
    assertThat(changed(o -> o.with(Options.WINDOW, "strided").with(Options.WINDOW_TOKENS, 8)))
        .isEqualTo(Map.of("--window", "strided, 8 tokens, stride 4"));
    assertThat(changed(o -> o.with(Options.SEGMENT_BY, "tokens=4")))
        .isEqualTo(Map.of("--segment-by", "tokens=4"));
    assertThat(changed(o -> o.with(Options.MIN_PERPLEXITY, 1.5)))
        .isEqualTo(Map.of("--min-perplexity", "1.5"));
    assertThat(changed(o -> o.with(Options.MAX_PERPLEXITY, 20.0)))
        .isEqualTo(Map.of("--max-perplexity", "20.0"));
    assertThat(changed(o -> o.with(Options.ON_ERROR, "fail")))
        .isEqualTo(Map.of("--on-error", "fail"));
  }

  @Test
  void a_prefix_is_identified_by_its_token_id_and_not_by_its_name() {
    assertThat(settings(OptionValues.NONE.with(Options.PREFIX_TOKEN, "none")))
        .isEqualTo(defaults());
    assertThat(settings(OptionValues.NONE.with(Options.PREFIX_TOKEN, "3")))
        .isEqualTo(settings(OptionValues.NONE.with(Options.PREFIX_TOKEN, "bos")));
    // Rolling windows have a prefix by default.
    assertThat(changed(o -> o.with(Options.WINDOW, "rolling")))
        .isEqualTo(Map.of("the prefix token", "3", "--window", "rolling, 2048 tokens"));
  }

  @Test
  void weights_tokenizer_buckets_and_session_are_settings_too() {
    OptionValues given = OptionValues.NONE;
    assertThat(changed(settings(given.with(Options.WEIGHTS, "bf16"), null, "none", conf())))
        .isEqualTo(Map.of("--weights", "bf16"));
    TokenizerFile tokenizer = TokenizerFile.parse(Demo.NAME, DemoModel.tokenizer());
    assertThat(changed(settings(given, tokenizer, "none", conf())))
        .isEqualTo(Map.of("the tokenizer's fingerprint", tokenizer.fingerprint()));
    assertThat(changed(settings(given, null, "head:30", conf())))
        .isEqualTo(Map.of("the buckets", "head:30"));
    RuntimeConfig conf = conf();
    conf.set("spark.sql.caseSensitive", "true");
    conf.set("spark.sql.session.timeZone", "UTC");
    conf.set("spark.sql.parquet.datetimeRebaseModeInRead", "LEGACY");
    conf.set("spark.sql.parquet.int96RebaseModeInRead", "CORRECTED");
    conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS");
    conf.set("spark.sql.shuffle.partitions", "3");
    assertThat(changed(settings(given, null, "none", conf)))
        .isEqualTo(
            Map.of(
                "spark.sql.caseSensitive", "true",
                "spark.sql.session.timeZone", "UTC",
                "spark.sql.parquet.datetimeRebaseModeInRead", "LEGACY",
                "spark.sql.parquet.int96RebaseModeInRead", "CORRECTED",
                "spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS"));
  }

  @Test
  void texts_and_pairs_are_named_with_their_options() {
    assertThat(changed(o -> o.with(Options.TEXT_COLUMN, "text")))
        .isEqualTo(
            Map.of(
                "the columns of the document",
                "--text-column text",
                "the kept columns",
                "id string, tokens array<int>, at timestamp, text string, continuation string"));
    Map<String, String> pair =
        settings(
            OptionValues.NONE
                .with(Options.KEEP_COLUMNS, List.of())
                .with(Options.CONTEXT_COLUMN, "text")
                .with(Options.CONTINUATION_COLUMN, "continuation"));
    assertThat(pair)
        .containsEntry(
            "the columns of the document",
            "--context-column text, --continuation-column continuation")
        .containsEntry("the prefix token", "-1")
        .containsEntry("the token of an empty context", "3");
    // It follows the prefix token, because differences are listed in the order of the settings.
    assertThat(List.copyOf(pair.keySet()))
        .containsSubsequence("the prefix token", "the token of an empty context", "the buckets");
    assertThat(
            settings(
                OptionValues.NONE
                    .with(Options.KEEP_COLUMNS, List.of())
                    .with(Options.PREFIX_TOKEN, "7")
                    .with(Options.CONTEXT_COLUMN, "text")
                    .with(Options.CONTINUATION_COLUMN, "continuation")))
        .containsEntry("the prefix token", "7")
        .containsEntry("the token of an empty context", "7");
  }

  private static Map<String, String> with(Map<String, String> settings, String... changes) {
    Map<String, String> changed = new LinkedHashMap<>(settings);
    for (int i = 0; i < changes.length; i += 2) {
      changed.put(changes[i], changes[i + 1]);
    }
    return changed;
  }

  private static void check(Map<String, String> earlier, Map<String, String> now) {
    RunIdentity.check(earlier, now, "file:/out");
  }

  private static Refusal refusal(Map<String, String> earlier, Map<String, String> now) {
    return catchThrowableOfType(Refusal.class, () -> check(earlier, now));
  }

  @Test
  void a_run_is_resumed_under_its_own_settings() {
    assertThatCode(() -> check(defaults(), defaults())).doesNotThrowAnyException();
    assertThatCode(() -> check(Map.of(), Map.of())).doesNotThrowAnyException();
  }

  @Test
  void a_difference_is_named_with_both_values() {
    Refusal refusal = refusal(defaults(), with(defaults(), "--max-tokens", "9"));
    assertThat(refusal)
        .hasMessage(
            "Cannot resume output file:/out: --max-tokens was 0 and is 9; restore the earlier"
                + " settings, or choose another output");
    assertThat(refusal.isWrongUsage()).isFalse();
  }

  @Test
  void differences_are_named_in_the_order_of_the_new_settings() {
    Map<String, String> now = with(defaults(), "the buckets", "head:30", "--weights", "bf16");
    assertThat(refusal(defaults(), now))
        .hasMessage(
            "Cannot resume output file:/out: --weights was f32 and is bf16; the buckets was none"
                + " and is head:30; restore the earlier settings, or choose another output");
  }

  @Test
  void a_new_setting_counts_as_a_difference_and_a_removed_one_does_not() {
    assertThat(refusal(Map.of("a", "1"), with(Map.of("a", "1"), "--new", "x")))
        .hasMessage(
            "Cannot resume output file:/out: --new was null and is x; restore the earlier settings,"
                + " or choose another output");
    assertThatCode(() -> check(with(defaults(), "--gone", "x"), defaults()))
        .doesNotThrowAnyException();
  }

  @Test
  void a_run_under_fail_may_resume_under_quarantine_but_not_the_reverse() {
    Map<String, String> fail = with(defaults(), "--on-error", "fail");
    assertThatCode(() -> check(fail, defaults())).doesNotThrowAnyException();
    assertThatCode(() -> check(fail, fail)).doesNotThrowAnyException();
    assertThat(refusal(defaults(), fail))
        .hasMessage(
            "Cannot resume output file:/out: --on-error was quarantine and is fail; restore the"
                + " earlier settings, or choose another output");
    // Any other difference is still refused.
    assertThat(refusal(fail, with(defaults(), "--emit", "token-ranks")))
        .hasMessage(
            "Cannot resume output file:/out: --emit was perplexity and is token-ranks; restore the"
                + " earlier settings, or choose another output");
    assertThat(refusal(with(fail, "--emit", "fail"), fail))
        .hasMessageContaining("--emit was fail and is perplexity");
  }

  @Test
  void a_password_in_the_output_is_not_shown() {
    Refusal refusal =
        catchThrowableOfType(
            Refusal.class,
            () -> RunIdentity.check(Map.of("a", "1"), Map.of("a", "2"), "x://me:hunter2@h/out"));
    assertThat(refusal)
        .hasMessage(
            "Cannot resume output x://***@h/out: a was 1 and is 2; restore the earlier settings, or"
                + " choose another output");
  }
}
