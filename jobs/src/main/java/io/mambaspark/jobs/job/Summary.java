package io.mambaspark.jobs.job;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.module.SimpleModule;
import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputFiles;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.report.ReportData;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.score.WindowOptions;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.stats.Buckets;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Distributions.Percentiles;
import io.mambaspark.jobs.stats.Groups;
import io.mambaspark.jobs.stats.Totals;
import io.mambaspark.jobs.stats.Totals.Count;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a finished job tells: printed, and written beside the data.
 *
 * @param run names the run; a resumed one has the name of its first start
 * @param units of work; 0 for a job without units
 * @param resumedUnits how many of them earlier starts had done
 * @param files of the input; those among the unread that could not be read to their end
 * @param notes what a user may not expect of the input's columns
 * @param documents rows of the input
 * @param filtered rows that were not written for their perplexity
 * @param seconds from the first task to the last row written
 * @param model name, fingerprint and size
 * @param tokenizer name and fingerprint; null where the input held tokens
 */
record Summary(
    String run,
    int units,
    int resumedUnits,
    InputFiles files,
    List<String> notes,
    CorpusScores corpus,
    JobOptions options,
    long documents,
    long filtered,
    double seconds,
    Map<String, Object> model,
    Map<String, Object> tokenizer) {

  /** Groups in what is printed. */
  private static final int PRINTED = 20;

  private Totals totals() {
    return corpus.totals();
  }

  private Emit emit() {
    return options.scoring().emit();
  }

  private boolean isPair() {
    return options.scoring().columns().isPair();
  }

  String toJson() {
    Totals totals = totals();
    ScoreOptions scoring = options.scoring();
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("run", run);
    json.put("documents", documents);
    json.put("scored_documents", knowsScoredDocuments() ? totals.scoredRows() : null);
    json.put("too_short_documents", knowsScoredDocuments() ? totals.tooShort() : null);
    json.put("null_documents", emit().logits() ? null : totals.nulls());
    json.put("filtered_documents", scoring.filters() ? filtered : null);
    json.put("tokens", knowsTokens() ? totals.tokens() : null);
    json.put("window", scoring.windows().described());
    json.put("nll", emit().nll() ? totals.nll() : null);
    json.putAll(numbers(totals));
    if (isPair()) {
      json.put("greedy_documents", totals.count(Count.GREEDY_ROWS));
    }
    json.put("position_curve", positions());
    json.put("error_documents", totals.errorRows());
    Map<String, Long> errors = new LinkedHashMap<>();
    for (RowError error : RowError.values()) {
      errors.put(error.kind(), totals.errors().getOrDefault(error, 0L));
    }
    json.put("errors", errors);
    json.putAll(files.json());
    json.put("input_notes", notes);
    json.put("truncated_documents", knowsTruncated() ? totals.count(Count.TRUNCATED) : null);
    if (corpus.distributions() != null) {
      json.put("perplexity_percentiles", percentiles(corpus.distributions().overall()));
      json.put("percentiles_are_exact", corpus.distributions().exact());
    }
    if (!options.groupBy().isEmpty()) {
      json.put("group_count", corpus.groups().number());
      json.put("groups", groups());
    }
    if (options.hasBuckets()) {
      json.put(Buckets.THRESHOLDS, corpus.thresholds());
    }
    json.put("units", units == 0 ? null : units);
    json.put("resumed_units", units == 0 ? null : resumedUnits);
    json.put("seconds", seconds);
    json.put("tokens_per_second", knowsSpeed() ? totals.tokens() / seconds : null);
    json.put("model", model);
    json.put("tokenizer", tokenizer);
    json.put("options", options.byName());
    json.put("versions", Versions.ofScores());
    return indented(json);
  }

  /** As every summary is written: a number that is not finite is null, as JSON has none such. */
  static String indented(Map<String, Object> json) {
    SimpleModule finite = new SimpleModule();
    finite.addSerializer(
        Double.class,
        new JsonSerializer<>() {
          @Override
          public void serialize(Double value, JsonGenerator out, SerializerProvider provider)
              throws IOException {
            if (Double.isFinite(value)) {
              out.writeNumber(value);
            } else {
              out.writeNull();
            }
          }
        });
    try {
      return new ObjectMapper()
              .registerModule(finite)
              .enable(SerializationFeature.INDENT_OUTPUT)
              .writeValueAsString(json)
          + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The perplexities of a set of rows, each under its own name. */
  private Map<String, Object> numbers(Totals totals) {
    boolean nll = emit().nll();
    boolean texts = nll && scoresWholeTexts();
    Map<String, Object> numbers = new LinkedHashMap<>();
    numbers.put("corpus_perplexity", nll ? totals.corpusPerplexity() : null);
    numbers.put("corpus_perplexity_error", nll ? error(totals) : null);
    numbers.put("mean_document_perplexity", nll ? totals.meanDocumentPerplexity() : null);
    numbers.put("word_perplexity", texts ? totals.wordPerplexity() : null);
    numbers.put("byte_perplexity", texts ? totals.bytePerplexity() : null);
    numbers.put("bits_per_byte", texts ? totals.bitsPerByte() : null);
    return numbers;
  }

  private Double error(Totals totals) {
    return isChunked() ? totals.errorOverTokens() : totals.errorOverDocuments();
  }

  private boolean isChunked() {
    return options.scoring().windows().policy() == Windows.Policy.CHUNKED;
  }

  /** Chunked windows leave out half of each text, so that its words and bytes are too many. */
  private boolean scoresWholeTexts() {
    return !isChunked();
  }

  private List<Map<String, Object>> positions() {
    List<Map<String, Object>> curve = new ArrayList<>();
    for (Totals.Position position : totals().positions()) {
      Map<String, Object> bucket = new LinkedHashMap<>();
      bucket.put("from", position.first());
      bucket.put("to", 2L * position.first() - 1);
      bucket.put("tokens", position.tokens());
      bucket.put("nll", position.nll());
      bucket.put("perplexity", position.perplexity());
      curve.add(bucket);
    }
    return curve.isEmpty() ? null : curve;
  }

  private static Map<String, Double> percentiles(Percentiles percentiles) {
    Map<String, Double> json = new LinkedHashMap<>();
    for (int i = 0; i < percentiles.values().size(); i++) {
      json.put("p" + Percentiles.RANKS.get(i), percentiles.values().get(i));
    }
    return json;
  }

  private List<Map<String, Object>> groups() {
    Map<List<String>, Percentiles> byKey = new LinkedHashMap<>();
    corpus
        .distributions()
        .grouping()
        .groups()
        .forEach(group -> byKey.put(group.values(), group.percentiles()));
    List<Map<String, Object>> groups = new ArrayList<>();
    for (Groups.Group<Totals> group : corpus.groups().largest()) {
      Map<String, Object> json = new LinkedHashMap<>();
      Map<String, String> key = new LinkedHashMap<>();
      for (int i = 0; i < options.groupBy().size(); i++) {
        key.put(options.groupBy().get(i), group.key().get(i));
      }
      json.put("group", key);
      json.put("documents", group.sums().rows());
      json.put("scored_documents", group.sums().scoredRows());
      json.put("null_documents", group.sums().nulls());
      json.put("error_documents", group.sums().errorRows());
      json.put("tokens", group.sums().tokens());
      json.put("nll", group.sums().nll());
      json.putAll(numbers(group.sums()));
      if (isPair()) {
        json.put("greedy_documents", group.sums().count(Count.GREEDY_ROWS));
      }
      Percentiles percentiles = byKey.get(group.key());
      json.put("perplexity_percentiles", percentiles == null ? Map.of() : percentiles(percentiles));
      groups.add(json);
    }
    return groups;
  }

  void print(PrintWriter out) {
    Totals totals = totals();
    line(out, "documents", "%,d", documents);
    if (knowsScoredDocuments()) {
      line(out, "  scored", "%,d", totals.scoredRows());
      if (totals.tooShort() > 0) {
        line(out, "  too short", "%,d", totals.tooShort());
      }
    }
    if (totals.nulls() > 0) {
      line(out, "  null", "%,d", totals.nulls());
    }
    if (filtered > 0) {
      line(out, "  left out by perplexity", "%,d", filtered);
    }
    if (knowsTruncated() && totals.count(Count.TRUNCATED) > 0) {
      line(out, "  truncated", "%,d", totals.count(Count.TRUNCATED));
    }
    if (totals.errorRows() > 0) {
      line(out, "  with errors", "%,d", totals.errorRows());
      totals.errors().forEach((error, count) -> line(out, "    " + error.kind(), "%,d", count));
    }
    if (isPair() && emit().nll()) {
      line(out, "  greedy", "%,d", totals.count(Count.GREEDY_ROWS));
    }
    if (knowsTokens()) {
      line(out, emit().logits() ? "positions" : "tokens scored", "%,d", totals.tokens());
    }
    if (options.scoring().windows().policy() != Windows.Policy.FULL) {
      line(out, "window", "%s", options.scoring().windows());
    }
    if (emit().nll() && totals.tokens() > 0) {
      numbers(totals).forEach((name, value) -> printNumber(out, name, (Double) value));
    }
    printGroups(out);
    corpus
        .thresholds()
        .forEach((name, value) -> line(out, "bucket " + name + " below", "%,.4f", value));
    print(files, out);
    notes.forEach(note -> line(out, "note", "%s", note));
    if (resumedUnits > 0) {
      line(out, "done before", "%s", "%,d of %,d units".formatted(resumedUnits, units));
    }
    line(out, "seconds", "%,.1f", seconds);
    if (knowsSpeed()) {
      line(out, "tokens per second", "%,.0f", totals.tokens() / seconds);
    }
    line(out, "model", "%s", model.get("fingerprint").toString().substring(0, 12));
    out.flush();
  }

  private void printNumber(PrintWriter out, String name, Double value) {
    if (value == null) {
      return;
    }
    String label = name.replace('_', ' ');
    line(out, name.endsWith("_error") ? "  ±" : label, "%,.4f", value);
  }

  private void printGroups(PrintWriter out) {
    if (corpus.groups().largest().isEmpty()) {
      return;
    }
    out.println();
    out.printf(
        Locale.ROOT,
        "  %-24s %10s %12s %18s %12s%n",
        String.join(", ", options.groupBy()),
        "documents",
        "tokens",
        "corpus perplexity",
        "±");
    List<Groups.Group<Totals>> groups = corpus.groups().largest();
    for (Groups.Group<Totals> group : groups.subList(0, Math.min(PRINTED, groups.size()))) {
      out.printf(
          Locale.ROOT,
          "  %-24s %,10d %,12d %18s %12s%n",
          group.name(),
          group.sums().rows(),
          group.sums().tokens(),
          shown(group.sums().corpusPerplexity()),
          shown(error(group.sums())));
    }
    if (corpus.groups().number() > PRINTED) {
      out.printf(Locale.ROOT, "  … and %,d more%n", corpus.groups().number() - PRINTED);
    }
    out.println();
  }

  private static String shown(Double number) {
    return number == null ? "" : String.format(Locale.ROOT, "%,.2f", number);
  }

  /** Prints what a summary says of the files. */
  static void print(InputFiles files, PrintWriter out) {
    if (files != InputFiles.NONE) {
      line(out, "files read", "%s", files.described());
    }
    printUnread(files, out);
  }

  /** Names the files that are not read. */
  static void printUnread(InputFiles files, PrintWriter out) {
    files.unread().forEach((file, why) -> line(out, "not read", "%s", file + ": " + why));
  }

  static void line(PrintWriter out, String name, String format, Object value) {
    out.println(
        String.format(Locale.ROOT, "  %-26s", name) + String.format(Locale.ROOT, format, value));
  }

  /** For the page of {@code --report}. */
  ReportData reportData(Timeline timeline) {
    Totals totals = totals();
    List<ReportData.Headline> headlines = new ArrayList<>();
    headlines.add(headline("documents", "%,d", documents));
    headlines.add(headline("tokens scored", "%,d", totals.tokens()));
    numbers(totals)
        .forEach(
            (name, value) -> {
              if (value != null && !name.endsWith("_error")) {
                headlines.add(
                    headline(
                        name.replace('_', ' '),
                        "%s",
                        number((Double) value)
                            + (name.startsWith("corpus") && error(totals) != null
                                ? " ± " + number(error(totals))
                                : "")));
              }
            });
    if (isPair()) {
      headlines.add(headline("greedy", "%,d", totals.count(Count.GREEDY_ROWS)));
    }
    List<ReportData.GroupRow> groups = new ArrayList<>();
    for (Groups.Group<Totals> group : corpus.groups().largest()) {
      groups.add(row(String.join(" · ", group.key()), group.sums()));
    }
    Map<String, Long> errors = new LinkedHashMap<>();
    totals.errors().forEach((error, count) -> errors.put(error.kind().replace('_', ' '), count));
    Map<String, String> shownOptions = new LinkedHashMap<>();
    options
        .byName()
        .forEach((name, value) -> shownOptions.put(name, value == null ? "" : value.toString()));
    shownOptions.values().removeIf(String::isEmpty);
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("run", run);
    versions.put("model", model.get("path") + ", " + model.get("fingerprint"));
    if (tokenizer != null) {
      versions.put("tokenizer", tokenizer.get("path") + ", " + tokenizer.get("fingerprint"));
    }
    Versions.ofScores().forEach((name, value) -> versions.put(name, String.valueOf(value)));
    return new ReportData(
        new ReportData.Head(title(), headlines, reportNotes()),
        corpus.distributions(),
        new ReportData.Sums(
            groups,
            totals.positions().stream()
                .map(p -> new ReportData.Position(p.first(), p.tokens(), p.nll()))
                .toList(),
            errors),
        new ReportData.Course(
            timeline.speed().stream()
                .map(s -> new ReportData.Speed(s.seconds(), s.tokens()))
                .toList(),
            timeline.tasks().stream()
                .map(t -> new ReportData.TaskTime(t.start(), t.end(), -1))
                .toList()),
        new ReportData.Origin(shownOptions, versions));
  }

  private String title() {
    String input =
        options.inputTable() != null
            ? options.inputTable()
            : options.input().size() == 1
                ? Refusal.redacted(options.input().get(0))
                : "%,d inputs".formatted(options.input().size());
    return options.demo() ? "Perplexity of the demo" : "Perplexity of " + input;
  }

  private ReportData.GroupRow row(String name, Totals totals) {
    Map<String, Object> numbers = numbers(totals);
    return new ReportData.GroupRow(
        name,
        totals.rows(),
        totals.tokens(),
        (Double) numbers.get("corpus_perplexity"),
        (Double) numbers.get("corpus_perplexity_error"),
        (Double) numbers.get("mean_document_perplexity"),
        (Double) numbers.get("word_perplexity"),
        (Double) numbers.get("byte_perplexity"),
        (Double) numbers.get("bits_per_byte"));
  }

  private static ReportData.Headline headline(String name, String format, Object value) {
    return new ReportData.Headline(name, String.format(Locale.ROOT, format, value));
  }

  private static String number(double value) {
    if (Double.isInfinite(value)) {
      return "∞";
    }
    return String.format(Locale.ROOT, value < 10 ? "%.3f" : value < 1000 ? "%.2f" : "%,.0f", value);
  }

  private List<String> reportNotes() {
    List<String> shown = new ArrayList<>(notes);
    WindowOptions windows = options.scoring().windows();
    shown.add(
        switch (windows.policy()) {
          case FULL -> "Every token was scored given its whole document (window full).";
          case ROLLING ->
              "Windows of %,d tokens as lm-evaluation-harness cuts them (window rolling)."
                  .formatted(windows.tokens());
          case STRIDED ->
              "Windows of %,d tokens every %,d, as Hugging Face's guide has it (window strided)."
                  .formatted(windows.tokens(), windows.stride());
          case CHUNKED ->
              ("Windows of %,d tokens of which the second half is scored, as llama.cpp does (window"
                      + " chunked).")
                  .formatted(windows.tokens());
        });
    shown.add(
        isChunked()
            ? "± is llama.cpp's error bar, of tokens drawn at random."
            : "± is the standard error of documents drawn at random.");
    if (totals().tooShort() > 0) {
      shown.add("%,d documents were too short to be scored.".formatted(totals().tooShort()));
    }
    if (totals().nulls() > 0) {
      shown.add("%,d documents were null and have no scores.".formatted(totals().nulls()));
    }
    if (totals().count(Count.INFINITE_ROWS) > 0) {
      shown.add(
          "%,d documents have an infinite perplexity: exp(nll / tokens) is too large for a double."
              .formatted(totals().count(Count.INFINITE_ROWS)));
    }
    if (filtered > 0) {
      shown.add("%,d documents were left out for their perplexity.".formatted(filtered));
    }
    if (totals().count(Count.TRUNCATED) > 0) {
      shown.add(
          "%,d documents were cut off at %,d tokens."
              .formatted(totals().count(Count.TRUNCATED), options.scoring().maxTokens()));
    }
    if (!files.unread().isEmpty()) {
      shown.add("%,d files could not be read.".formatted(files.unread().size()));
    }
    if (resumedUnits > 0) {
      shown.add(
          "%,d of %,d units were done by earlier starts; times are of the last."
              .formatted(resumedUnits, units));
    }
    Distributions distributions = corpus.distributions();
    if (distributions != null && !distributions.exact()) {
      shown.add("Percentiles are approximate, within a ten-thousandth of the documents.");
    }
    return shown;
  }

  /** The last logits alone do not tell how many tokens came before. */
  private boolean knowsTokens() {
    return emit().nll() || emit().topK() > 0 || emit().logits();
  }

  /** Not where a part of the work was done at another time. */
  private boolean knowsSpeed() {
    return knowsTokens() && resumedUnits == 0;
  }

  private boolean knowsScoredDocuments() {
    return emit().nll() || emit().topK() > 0;
  }

  private boolean knowsTruncated() {
    return !emit().logits() && !isPair();
  }
}
