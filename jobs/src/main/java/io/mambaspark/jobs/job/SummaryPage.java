package io.mambaspark.jobs.job;

import io.mambaspark.jobs.report.ReportData;
import io.mambaspark.jobs.score.WindowOptions;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Groups;
import io.mambaspark.jobs.stats.Totals;
import io.mambaspark.jobs.stats.Totals.Count;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Converts a summary to the content of the page of {@code --report}. */
final class SummaryPage {
  private final Summary summary;
  private final SummaryRequest request;
  private final Totals totals;

  private SummaryPage(Summary summary) {
    this.summary = summary;
    this.request = summary.request();
    this.totals = summary.totals();
  }

  static ReportData of(Summary summary, Timeline timeline) {
    SummaryPage page = new SummaryPage(summary);
    return new ReportData(
        new ReportData.Head(
            "Perplexity of " + summary.request().input(), page.headlines(), page.notes()),
        summary.corpus().distributions(),
        page.sums(),
        timing(timeline),
        page.origin());
  }

  private List<ReportData.Headline> headlines() {
    List<ReportData.Headline> headlines = new ArrayList<>();
    headlines.add(count("documents", summary.documents()));
    headlines.add(count("tokens scored", totals.tokens()));
    ShownPerplexities perplexities = summary.perplexities();
    perplexities
        .byName()
        .forEach(
            (name, value) -> {
              if (value != null && !name.equals(ShownPerplexities.ERROR)) {
                boolean hasError =
                    name.equals(ShownPerplexities.CORPUS) && perplexities.error() != null;
                headlines.add(
                    new ReportData.Headline(
                        name.replace('_', ' '),
                        rounded(value) + (hasError ? " ± " + rounded(perplexities.error()) : "")));
              }
            });
    if (request.isPair()) {
      headlines.add(count("greedy", totals.count(Count.GREEDY_ROWS)));
    }
    return headlines;
  }

  private static ReportData.Headline count(String name, long value) {
    return new ReportData.Headline(name, String.format(Locale.ROOT, "%,d", value));
  }

  private static String rounded(double value) {
    if (Double.isInfinite(value)) {
      return "∞";
    }
    return String.format(Locale.ROOT, value < 10 ? "%.3f" : value < 1000 ? "%.2f" : "%,.0f", value);
  }

  private ReportData.Sums sums() {
    List<ReportData.GroupRow> groups = new ArrayList<>();
    for (Groups.Group<Totals> group : summary.corpus().groups().largest()) {
      groups.add(row(String.join(" · ", group.key()), group.sums()));
    }
    Map<String, Long> errors = new LinkedHashMap<>();
    totals.errors().forEach((error, count) -> errors.put(error.label().replace('_', ' '), count));
    return new ReportData.Sums(
        groups,
        totals.positions().stream()
            .map(p -> new ReportData.Position(p.first(), p.tokens(), p.nll()))
            .toList(),
        errors);
  }

  private ReportData.GroupRow row(String name, Totals sums) {
    ShownPerplexities perplexities = ShownPerplexities.of(sums, request);
    return new ReportData.GroupRow(
        name,
        sums.rows(),
        sums.tokens(),
        perplexities.corpus(),
        perplexities.error(),
        perplexities.meanDocument(),
        perplexities.word(),
        perplexities.perByte(),
        perplexities.bits());
  }

  private static ReportData.Timing timing(Timeline timeline) {
    return new ReportData.Timing(
        timeline.speed().stream().map(s -> new ReportData.Speed(s.seconds(), s.tokens())).toList(),
        timeline.tasks().stream()
            .map(t -> new ReportData.TaskTime(t.start(), t.end(), -1))
            .toList());
  }

  private ReportData.Origin origin() {
    Map<String, String> options = new LinkedHashMap<>();
    request
        .options()
        .forEach((name, value) -> options.put(name, value == null ? "" : value.toString()));
    options.values().removeIf(String::isEmpty);
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("run", summary.execution().run());
    versions.put("model", summary.with().model().artifact().toString());
    summary
        .with()
        .tokenizer()
        .ifPresent(tokenizer -> versions.put("tokenizer", tokenizer.toString()));
    Versions.ofScores().forEach((name, value) -> versions.put(name, String.valueOf(value)));
    return new ReportData.Origin(options, versions);
  }

  private List<String> notes() {
    List<String> notes = new ArrayList<>(summary.input().notes());
    notes.add(windows(request.windows()));
    notes.add(
        request.isChunked()
            ? "± is llama.cpp's error bar: the standard error if tokens are a random sample."
            : "± is the standard error if documents are a random sample.");
    noteIfAny(notes, totals.tooShort(), "%,d documents were too short to be scored.");
    noteIfAny(notes, totals.nulls(), "%,d documents were null and have no scores.");
    noteIfAny(
        notes,
        totals.count(Count.INFINITE_ROWS),
        "%,d documents have an infinite perplexity: exp(nll / tokens) is too large for a double.");
    noteIfAny(notes, summary.filtered(), "%,d documents were excluded by their scores.");
    if (totals.count(Count.TRUNCATED) > 0) {
      notes.add(
          "%,d documents were truncated to %,d tokens."
              .formatted(totals.count(Count.TRUNCATED), request.maxTokens()));
    }
    noteIfAny(
        notes,
        totals.count(Count.TRUNCATED_CONTEXTS),
        "%,d contexts lost their first tokens because of --max-length.");
    noteIfAny(notes, summary.input().unread(), "%,d files could not be read.");
    if (summary.execution().resumedUnits() > 0) {
      notes.add(
          "%,d of %,d units were scored by earlier starts; times cover only the last start."
              .formatted(summary.execution().resumedUnits(), summary.execution().units()));
    }
    Distributions distributions = summary.corpus().distributions();
    if (distributions != null && !distributions.exact()) {
      notes.add("Percentiles are approximate: their ranks are within 0.01 % of the documents.");
    }
    return notes;
  }

  private static void noteIfAny(List<String> notes, long count, String format) {
    if (count > 0) {
      notes.add(format.formatted(count));
    }
  }

  private static String windows(WindowOptions windows) {
    return switch (windows.policy()) {
      case FULL -> "Every token was scored given all earlier tokens of its document (window full).";
      case ROLLING ->
          "Documents were split into windows of %,d tokens, as in lm-evaluation-harness (window"
                  .formatted(windows.tokens())
              + " rolling).";
      case STRIDED ->
          "A window of %,d tokens started every %,d tokens, as in Hugging Face's guide (window"
                  .formatted(windows.tokens(), windows.stride())
              + " strided).";
      case CHUNKED ->
          "The second half of each window of %,d tokens was scored, as in llama.cpp (window"
                  .formatted(windows.tokens())
              + " chunked).";
    };
  }
}
