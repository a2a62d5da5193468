package io.mambaspark.jobs.report;

import static io.mambaspark.jobs.report.Text.escaped;

import io.mambaspark.jobs.report.ReportData.GroupRow;
import io.mambaspark.jobs.report.ReportData.Headline;
import io.mambaspark.jobs.report.ReportData.Position;
import io.mambaspark.jobs.report.ReportData.Speed;
import io.mambaspark.jobs.report.ReportData.TaskTime;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Distributions.Document;
import io.mambaspark.jobs.stats.Distributions.Group;
import io.mambaspark.jobs.stats.Distributions.LengthClass;
import io.mambaspark.jobs.stats.Distributions.Percentiles;
import io.mambaspark.jobs.stats.Distributions.Series;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.Collectors;

/**
 * One HTML file that shows a run. It loads nothing, runs no script, and is well-formed XML. Equal
 * data make equal files.
 */
public final class Report {
  /** Stands near the beginning of every page, and tells it from other files. */
  public static final String GENERATOR = "<meta name=\"generator\" content=\"mamba-spark\"/>";

  private static final int WIDE = 960;
  private static final int NARROW = 350;

  /** Beside a name a row of the histogram is narrower. */
  private static final int WIDE_ROW = 760;

  /** So many groups can be told apart in one histogram. */
  private static final int MAX_OVERLAID = 4;

  private static final int MAX_BARS = 600;
  private static final int MAX_LANES = 64;
  private static final int MAX_OPEN_ROWS = 24;

  private final ReportData data;
  private final StringBuilder out = new StringBuilder(1 << 17);

  private Report(ReportData data) {
    this.data = data;
  }

  /** The whole file, to be written as UTF-8. */
  public static String html(ReportData data) {
    return new Report(data).page();
  }

  private String page() {
    add("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    add(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"
            + " style-src 'unsafe-inline'; img-src data:\"/>\n");
    add(GENERATOR + "\n");
    add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    add("<meta name=\"color-scheme\" content=\"light dark\"/>\n");
    add("<title>" + escaped(data.title()) + "</title>\n<style>\n" + css() + "</style>\n");
    add("</head>\n<body>\n<header>\n<h1><bdi>" + escaped(data.title()) + "</bdi></h1>\n");
    headlines();
    notes();
    add("</header>\n<main>\n");
    histogram();
    lengths();
    positions();
    percentiles();
    groups();
    speed();
    errors();
    documents();
    folded();
    add("</main>\n</body>\n</html>\n");
    return out.toString();
  }

  private static String css() {
    try (InputStream in = Report.class.getResourceAsStream("report.css")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void add(String html) {
    out.append(html);
  }

  private void section(String heading, String lead) {
    add("<h2>" + heading + "</h2>\n");
    if (!lead.isEmpty()) {
      add("<p class=\"lead\">" + lead + "</p>\n");
    }
  }

  private void none(String sentence) {
    add("<p class=\"none\">" + sentence + "</p>\n");
  }

  private boolean hasDistributions() {
    return data.distributions() != null && data.distributions().overall().documents() > 0;
  }

  private static String bdi(String text) {
    return "<bdi>" + escaped(text) + "</bdi>";
  }

  private void headlines() {
    if (!data.headlines().isEmpty()) {
      add("<dl class=\"headlines\">\n");
      for (Headline headline : data.headlines()) {
        add("<div><dt>" + bdi(headline.name()) + "</dt><dd>" + bdi(headline.value()));
        add("</dd></div>\n");
      }
      add("</dl>\n");
    }
  }

  private void notes() {
    if (!data.notes().isEmpty()) {
      add("<ul class=\"notes\">\n");
      data.notes().forEach(note -> add("<li>" + bdi(note) + "</li>\n"));
      add("</ul>\n");
    }
  }

  /** A chart for wide screens and one for narrow ones, of which the style sheet shows one. */
  private void figure(String unit, IntFunction<String> chart) {
    add("<figure>");
    if (!unit.isEmpty()) {
      add("<figcaption>" + unit + "</figcaption>");
    }
    both(chart, WIDE);
    add("</figure>\n");
  }

  private void both(IntFunction<String> chart, int wide) {
    add("<div class=\"wide\">" + chart.apply(wide) + "</div>");
    add("<div class=\"narrow\">" + chart.apply(NARROW) + "</div>");
  }

  private void histogram() {
    if (!hasDistributions()) {
      section("Perplexity", "");
      none("No document has a perplexity, so there is nothing to show of it.");
      return;
    }
    List<Double> edges = data.distributions().histogram().edges();
    if (edges.isEmpty()) {
      section("Perplexity", "");
      none("The perplexity of every document is infinite, so there is nothing to draw.");
      return;
    }
    List<Series> series = data.distributions().histogram().series();
    boolean grouped = !data.distributions().groups().isEmpty();
    section(
        "Perplexity",
        "How many documents have which perplexity, on a logarithmic scale."
            + (series.size() > MAX_OVERLAID ? " Each row is drawn to its own height." : ""));
    if (series.size() > MAX_OVERLAID) {
      rows(edges, series);
      return;
    }
    String names = series.stream().map(Series::name).collect(Collectors.joining(", "));
    if (grouped) {
      add("<ul class=\"legend\">");
      for (int s = 0; s < series.size(); s++) {
        add("<li>" + key(series, s) + bdi(series.get(s).name()) + documents(series.get(s)));
        add("</li>");
      }
      add("</ul>\n");
    }
    figure(
        "documents",
        width ->
            Charts.histogram(
                edges, series, width, "Histogram of the perplexity of documents: " + names));
  }

  private void rows(List<Double> edges, List<Series> series) {
    add("<figure class=\"rows\">\n");
    for (int s = 0; s < series.size(); s++) {
      Series one = series.get(s);
      int number = s + 1;
      boolean last = number == series.size();
      add("<div class=\"name\">" + key(series, s) + " " + bdi(one.name()) + documents(one));
      add("</div><div>");
      both(
          width ->
              Charts.row(edges, one, number, last, width, "Histogram of perplexity: " + one.name()),
          WIDE_ROW);
      add("</div>\n");
    }
    add("</figure>\n");
  }

  private static String key(List<Series> series, int s) {
    return "<span class=\"key k" + (series.get(s).rest() ? 9 : s + 1) + "\"></span>";
  }

  private static String documents(Series series) {
    return " <small>" + Numbers.count(series.documents(), "document", "documents") + "</small>";
  }

  private void lengths() {
    if (!hasDistributions()) {
      return;
    }
    List<LengthClass> lengths = data.distributions().lengths();
    section(
        "Perplexity and length",
        "Documents with as many scored tokens as the axis says, or up to twice as many.");
    if (lengths.size() < 2) {
      none(
          lengths.isEmpty()
              ? "The lengths of the documents are not known."
              : "All documents have between %s and %s tokens; their median is %s."
                  .formatted(
                      Numbers.count(lengths.get(0).firstTokens()),
                      Numbers.count(2 * lengths.get(0).firstTokens() - 1),
                      Numbers.perplexity(lengths.get(0).percentiles().at(50))));
      return;
    }
    add("<ul class=\"legend\"><li><span class=\"key line k1\"></span>median</li>");
    add("<li><span class=\"key p25 k1\"></span>middle half</li>");
    add("<li><span class=\"key p5 k1\"></span>5th to 95th percentile</li></ul>\n");
    figure(
        "perplexity",
        width -> Charts.lengths(lengths, width, "Perplexity of documents by their length"));
  }

  private void positions() {
    List<Position> positions =
        data.positions().stream().filter(position -> position.tokens() > 0).toList();
    section(
        "Perplexity along the document",
        positions.size() < 2
            ? ""
            : "How well tokens are predicted, by their place in the document.");
    if (positions.size() < 2) {
      none(
          positions.isEmpty()
              ? "How perplexity changes along a document was not recorded."
              : "All tokens lie at the very beginning of their documents.");
      return;
    }
    figure(
        "perplexity of the tokens",
        width ->
            Charts.positions(positions, width, "Perplexity by a token's place in its document"));
  }

  private void percentiles() {
    if (!hasDistributions()) {
      return;
    }
    Distributions all = data.distributions();
    section(
        "Percentiles",
        "Of the perplexity of documents, "
            + (all.exact() ? "exact." : "each off by a ten-thousandth of the documents at most.")
            + (all.groups().isEmpty() ? " The documents are not grouped." : "")
            + (all.groupCount() > all.groups().size()
                ? " Of %s groups the largest %s are shown."
                    .formatted(Numbers.count(all.groupCount()), Numbers.count(all.groups().size()))
                : ""));
    List<Double> ends = new ArrayList<>(List.of(all.overall().at(1), all.overall().at(99)));
    for (Group group : all.groups()) {
      ends.addAll(List.of(group.percentiles().at(5), group.percentiles().at(95)));
    }
    Strip strip = Strip.of(ends);
    String head =
        "<thead><tr><th scope=\"col\">"
            + (all.groups().isEmpty() ? "" : bdi(String.join(" · ", all.groupColumns())))
            + "</th><th scope=\"col\">documents</th>"
            + Percentiles.RANKS.stream()
                .map(rank -> "<th scope=\"col\">" + (rank == 50 ? "median" : rank + " %") + "</th>")
                .collect(Collectors.joining())
            + "<th class=\"strip\" scope=\"col\">5 % to 95 %, log scale</th></tr></thead>\n";
    Function<Group, String> row = group -> row("", bdi(group.name()), group.percentiles(), strip);
    table(
        head,
        row(" class=\"all\"", "all", all.overall(), strip),
        all.groups().stream().limit(MAX_OPEN_ROWS).map(row).toList());
    if (all.groups().size() > MAX_OPEN_ROWS) {
      fold(
          Numbers.count(all.groups().size() - MAX_OPEN_ROWS, "more group", "more groups"),
          () -> table(head, "", all.groups().stream().skip(MAX_OPEN_ROWS).map(row).toList()));
    }
  }

  /**
   * Where a percentile stands between the lowest and the highest, in percent; an infinite one
   * stands at the end.
   */
  private record Strip(double low, double high) {
    static Strip of(List<Double> perplexities) {
      DoubleSummaryStatistics finite =
          perplexities.stream()
              .mapToDouble(Charts::log10)
              .filter(Double::isFinite)
              .summaryStatistics();
      return new Strip(finite.getMin(), finite.getMax());
    }

    double at(double perplexity) {
      double share = high > low ? (Charts.log10(perplexity) - low) / (high - low) : 0.5;
      return Math.round(1000 * Math.min(1, Math.max(0, share))) / 10.0;
    }

    String part(String name, double from, double to) {
      return "<i class=\"%s\" style=\"left:%s%%;width:%s%%\"></i>"
          .formatted(name, from, Math.round(10 * (to - from)) / 10.0);
    }

    String of(Percentiles p) {
      return "<span class=\"range\">"
          + part("p5", at(p.at(5)), at(p.at(95)))
          + part("p25", at(p.at(25)), at(p.at(75)))
          + "<i class=\"p50\" style=\"left:"
          + at(p.at(50))
          + "%\"></i></span>";
    }
  }

  private static String row(String attributes, String name, Percentiles percentiles, Strip strip) {
    return "<tr"
        + attributes
        + "><th scope=\"row\">"
        + name
        + "</th><td>"
        + Numbers.count(percentiles.documents())
        + percentiles.values().stream()
            .map(value -> "</td><td>" + Numbers.perplexity(value))
            .collect(Collectors.joining())
        + "</td><td class=\"strip\">"
        + strip.of(percentiles)
        + "</td></tr>\n";
  }

  private void table(String head, String first, List<String> rows) {
    add("<div class=\"scroll\" tabindex=\"0\"><table>\n" + head + "<tbody>\n" + first);
    rows.forEach(this::add);
    add("</tbody>\n</table></div>\n");
  }

  private void fold(String summary, Runnable content) {
    add("<details><summary>" + summary + "</summary>\n");
    content.run();
    add("</details>\n");
  }

  /** A column of the table of groups, shown if any group has a value in it. */
  private record Column(String name, Function<GroupRow, String> value) {}

  private void groups() {
    section(
        "Groups",
        data.groups().isEmpty()
            ? ""
            : "Corpus perplexity weighs tokens, the mean of documents weighs documents.");
    if (data.groups().isEmpty()) {
      none("The scores were not added up by group.");
      return;
    }
    List<Column> columns =
        List.of(
                new Column("documents", row -> Numbers.count(row.documents())),
                new Column("tokens", row -> Numbers.count(row.tokens())),
                new Column("corpus perplexity", Report::corpusPerplexity),
                new Column("mean of documents", row -> perplexity(row.meanDocumentPerplexity())),
                new Column("per word", row -> perplexity(row.wordPerplexity())),
                new Column("per byte", row -> perplexity(row.bytePerplexity())),
                new Column(
                    "bits per byte",
                    row ->
                        row.bitsPerByte() == null ? null : Numbers.decimals(row.bitsPerByte(), 4)))
            .stream()
            .filter(column -> data.groups().stream().map(column.value()).anyMatch(Objects::nonNull))
            .toList();
    String head =
        "<thead><tr><th scope=\"col\"></th>"
            + columns.stream()
                .map(column -> "<th scope=\"col\">" + column.name() + "</th>")
                .collect(Collectors.joining())
            + "</tr></thead>\n";
    List<String> rows = data.groups().stream().map(row -> row(row, columns)).toList();
    int open = Math.min(rows.size(), MAX_OPEN_ROWS);
    table(head, "", rows.subList(0, open));
    if (rows.size() > open) {
      fold(
          Numbers.count(rows.size() - open, "more group", "more groups"),
          () -> table(head, "", rows.subList(open, rows.size())));
    }
  }

  private static String row(GroupRow row, List<Column> columns) {
    return "<tr><th scope=\"row\">"
        + bdi(row.name())
        + "</th>"
        + columns.stream()
            .map(column -> "<td>" + Objects.requireNonNullElse(column.value().apply(row), "–"))
            .collect(Collectors.joining("</td>"))
        + "</td></tr>\n";
  }

  private static String perplexity(Double value) {
    return value == null ? null : Numbers.perplexity(value);
  }

  private static String corpusPerplexity(GroupRow row) {
    if (row.corpusPerplexity() == null) {
      return null;
    }
    String value = Numbers.perplexity(row.corpusPerplexity());
    return row.error() == null ? value : value + " ± " + Numbers.perplexity(row.error());
  }

  private void speed() {
    List<Speed> speed = data.speed();
    boolean moved =
        speed.size() > 2
            && speed.get(speed.size() - 1).seconds() > speed.get(0).seconds()
            && speed.get(speed.size() - 1).tokens() > speed.get(0).tokens();
    section("Speed", "");
    double end =
        Math.max(
            moved ? data.speed().get(data.speed().size() - 1).seconds() : 0,
            data.tasks().stream().mapToDouble(TaskTime::end).max().orElse(0));
    double scale = end > 0 ? end : 1;
    if (moved) {
      figure(
          "tokens per second",
          width -> Charts.speed(speed, scale, width, "Tokens per second over time"));
    } else {
      none("The run was too short, or not observed, so its speed over time is not known.");
    }
    if (data.tasks().isEmpty()) {
      none("The times of its tasks are not known.");
      return;
    }
    List<TaskTime> tasks = Charts.byStart(data.tasks());
    List<Integer> lanes = tasks.size() > MAX_BARS ? List.of() : Charts.lanes(tasks);
    String told = told(tasks);
    if (tasks.size() > MAX_BARS || lanes.stream().anyMatch(lane -> lane >= MAX_LANES)) {
      figure(told + "; how many took how long", width -> Charts.durations(tasks, width, told));
      return;
    }
    List<Speed> above = moved ? speed : List.of();
    figure(told, width -> Charts.tasks(tasks, lanes, above, scale, width, told));
  }

  /** What is to be seen of the tasks, in words. */
  private static String told(List<TaskTime> tasks) {
    double[] seconds =
        tasks.stream().mapToDouble(task -> task.end() - task.start()).sorted().toArray();
    String count = Numbers.count(tasks.size(), "task", "tasks");
    double shortest = seconds[0];
    double longest = seconds[seconds.length - 1];
    return seconds.length == 1
        ? "one task of " + Numbers.seconds(longest)
        : "%s of %s to %s, median %s"
            .formatted(
                count,
                Numbers.seconds(shortest),
                Numbers.seconds(longest),
                Numbers.seconds(seconds[seconds.length / 2]));
  }

  private void errors() {
    Map<String, Long> errors =
        data.errors().entrySet().stream()
            .filter(error -> error.getValue() > 0)
            .collect(
                Collectors.toMap(
                    Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, LinkedHashMap::new));
    section("Errors", "");
    if (errors.isEmpty()) {
      none("No document had an error.");
      return;
    }
    long most = errors.values().stream().mapToLong(Long::longValue).max().orElse(1);
    table(
        "<thead><tr><th scope=\"col\">kind</th><th scope=\"col\">documents</th>"
            + "<th class=\"strip\" scope=\"col\"></th></tr></thead>\n",
        "",
        errors.entrySet().stream()
            .map(
                error ->
                    "<tr><th scope=\"row\">%s</th><td>%s</td><td class=\"strip\">%s</td></tr>\n"
                        .formatted(
                            bdi(error.getKey()),
                            Numbers.count(error.getValue()),
                            "<span class=\"bar\" style=\"width:%s%%\"></span>"
                                .formatted(100 * error.getValue() / most)))
            .toList());
  }

  private void documents() {
    if (!hasDistributions()) {
      return;
    }
    Distributions all = data.distributions();
    section("Best and worst documents", "");
    if (all.shownColumns().isEmpty()) {
      none("No columns were named by which to tell the documents.");
    }
    add("<div class=\"ends\">\n");
    documents("Lowest perplexity", all.best());
    documents("Highest perplexity", all.worst());
    add("</div>\n");
  }

  private void documents(String heading, List<Document> documents) {
    add("<section><h3>" + heading + "</h3>\n<ol>\n");
    for (Document document : documents) {
      add("<li><div class=\"value\">" + Numbers.perplexity(document.perplexity()));
      add("<small>" + Numbers.count(document.tokens(), "token", "tokens") + "</small></div><dl>");
      for (int i = 0; i < document.shown().size(); i++) {
        String value = document.shown().get(i);
        // Names and numbers stand side by side, a text below them.
        add("<dt>" + bdi(data.distributions().shownColumns().get(i)) + "</dt>");
        add("<dd" + (value.length() <= 40 ? " class=\"short\"" : "") + ">" + bdi(value) + "</dd>");
      }
      add("</dl></li>\n");
    }
    add("</ol></section>\n");
  }

  private void folded() {
    section("How it was made", "");
    if (data.options().isEmpty() && data.versions().isEmpty()) {
      none("Options and versions were not recorded.");
    }
    pairs("Options", data.options());
    pairs("Fingerprints and versions", data.versions());
  }

  private void pairs(String heading, Map<String, String> pairs) {
    if (!pairs.isEmpty()) {
      fold(
          heading,
          () -> {
            add("<dl class=\"pairs\">\n");
            pairs.forEach(
                (name, value) -> add("<dt>" + bdi(name) + "</dt><dd>" + bdi(value) + "</dd>\n"));
            add("</dl>\n");
          });
    }
  }
}
