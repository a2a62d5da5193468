package io.mambaspark.jobs.report;

import static io.mambaspark.jobs.report.Html.bdi;
import static io.mambaspark.jobs.report.Text.escaped;

import io.mambaspark.jobs.report.ReportData.Head;
import io.mambaspark.jobs.report.ReportData.Headline;
import io.mambaspark.jobs.report.ReportData.Origin;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Distributions.Document;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A report of a run in one HTML file. The file loads nothing, runs no script, and is well-formed
 * XML. Equal data give equal files.
 */
public final class Report {
  /** An element near the beginning of every report, which distinguishes it from other files. */
  public static final String GENERATOR = "<meta name=\"generator\" content=\"mamba-spark\"/>";

  private final ReportData data;
  private final Html html = new Html();

  private Report(ReportData data) {
    this.data = data;
  }

  /** Returns the complete file, which must be written as UTF-8. */
  public static String html(ReportData data) {
    return new Report(data).page();
  }

  private String page() {
    String title = data.head().title();
    html.add("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    html.add(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"
            + " style-src 'unsafe-inline'; img-src data:\"/>\n");
    html.add(GENERATOR + "\n");
    html.add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    html.add("<meta name=\"color-scheme\" content=\"light dark\"/>\n");
    html.add("<title>" + escaped(title) + "</title>\n<style>\n" + css() + "</style>\n");
    html.add("</head>\n<body>\n<header>\n<h1>" + bdi(title) + "</h1>\n");
    headlines(data.head());
    html.add("</header>\n<main>\n");
    sections();
    html.add("</main>\n</body>\n</html>\n");
    return html.text();
  }

  private static String css() {
    try (InputStream in = Report.class.getResourceAsStream("report.css")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void headlines(Head head) {
    if (!head.headlines().isEmpty()) {
      html.add("<dl class=\"headlines\">\n");
      for (Headline headline : head.headlines()) {
        html.add("<div><dt>" + bdi(headline.name()) + "</dt><dd>" + bdi(headline.value()));
        html.add("</dd></div>\n");
      }
      html.add("</dl>\n");
    }
    if (!head.notes().isEmpty()) {
      html.add("<ul class=\"notes\">\n");
      head.notes().forEach(note -> html.add("<li>" + bdi(note) + "</li>\n"));
      html.add("</ul>\n");
    }
  }

  private void sections() {
    Distributions all = data.distributions();
    boolean hasPerplexities = all != null && all.overall().documents() > 0;
    PerplexityCharts charts = new PerplexityCharts(html);
    if (hasPerplexities) {
      charts.histogram(all);
      charts.lengths(all.lengths());
    } else {
      charts.noHistogram();
    }
    charts.positions(data.sums().positions());
    if (hasPerplexities) {
      PercentileTable.add(all, html);
      charts.signals(all.signals());
    }
    GroupTable.add(data.sums().groups(), html);
    SpeedSection.add(data.timing(), html);
    errors(data.sums().errors());
    if (hasPerplexities) {
      documents(all.extremes());
    }
    origin(data.origin());
  }

  private void errors(Map<String, Long> all) {
    Map<String, Long> errors =
        all.entrySet().stream()
            .filter(error -> error.getValue() > 0)
            .collect(
                Collectors.toMap(
                    Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, LinkedHashMap::new));
    html.section("Errors", "");
    if (errors.isEmpty()) {
      html.placeholder("No document had an error.");
      return;
    }
    long most = errors.values().stream().mapToLong(Long::longValue).max().orElse(1);
    html.table(
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

  private void documents(Distributions.Extremes extremes) {
    html.section("Best and worst documents", "");
    if (extremes.columns().isEmpty()) {
      html.placeholder("No columns were selected to identify the documents.");
    }
    html.add("<div class=\"ends\">\n");
    documents("Lowest perplexity", extremes.columns(), extremes.best());
    documents("Highest perplexity", extremes.columns(), extremes.worst());
    html.add("</div>\n");
  }

  private void documents(String heading, List<String> columns, List<Document> documents) {
    html.add("<section><h3>" + heading + "</h3>\n<ol>\n");
    for (Document document : documents) {
      String tokens = Numbers.count(document.tokens(), "token", "tokens");
      html.add("<li><div class=\"value\">" + Numbers.perplexity(document.perplexity()));
      html.add("<small>" + tokens + "</small></div><dl>");
      for (int i = 0; i < document.shown().size(); i++) {
        String value = document.shown().get(i);
        // The style sheet places short values next to each other and text below them.
        String look = value.length() <= 40 ? " class=\"short\"" : "";
        html.add("<dt>" + bdi(columns.get(i)) + "</dt><dd" + look + ">" + bdi(value) + "</dd>");
      }
      html.add("</dl></li>\n");
    }
    html.add("</ol></section>\n");
  }

  private void origin(Origin origin) {
    html.section("Options and versions", "");
    if (origin.options().isEmpty() && origin.versions().isEmpty()) {
      html.placeholder("Options and versions were not recorded.");
    }
    pairs("Options", origin.options());
    pairs("Fingerprints and versions", origin.versions());
  }

  private void pairs(String heading, Map<String, String> pairs) {
    if (!pairs.isEmpty()) {
      html.fold(
          heading,
          () -> {
            html.add("<dl class=\"pairs\">\n");
            pairs.forEach(
                (name, value) ->
                    html.add("<dt>" + bdi(name) + "</dt><dd>" + bdi(value) + "</dd>\n"));
            html.add("</dl>\n");
          });
    }
  }
}
