package io.mambaspark.jobs.report;

import static io.mambaspark.jobs.report.Html.bdi;

import io.mambaspark.jobs.report.ReportData.Position;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Distributions.LengthClass;
import io.mambaspark.jobs.stats.Distributions.Series;
import io.mambaspark.jobs.stats.Distributions.Signal;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The sections that draw perplexity, by document, by length and by position, and the signals. */
final class PerplexityCharts {
  /** The width of a row of the histogram: narrower, because its name is next to it. */
  private static final int WIDE_ROW = 760;

  /** The maximum number of groups that can be distinguished in one histogram. */
  private static final int MAX_OVERLAID = 4;

  private final Html html;

  PerplexityCharts(Html html) {
    this.html = html;
  }

  void noHistogram() {
    html.section("Perplexity", "");
    html.placeholder("No document has a perplexity.");
  }

  void histogram(Distributions all) {
    List<Double> edges = all.histogram().edges();
    if (edges.isEmpty()) {
      html.section("Perplexity", "");
      html.placeholder("The perplexity of every document is infinite, so there is no histogram.");
      return;
    }
    List<Series> series = all.histogram().series();
    html.section(
        "Perplexity",
        "The number of documents by perplexity, on a logarithmic scale."
            + (series.size() > MAX_OVERLAID ? " Each row has its own vertical scale." : ""));
    if (series.size() > MAX_OVERLAID) {
      rows(edges, series);
      return;
    }
    if (!all.grouping().groups().isEmpty()) {
      legend(series);
    }
    String names = series.stream().map(Series::name).collect(Collectors.joining(", "));
    html.figure(
        "documents",
        width ->
            Charts.histogram(
                edges, series, width, "Histogram of the perplexity of documents: " + names));
  }

  private void legend(List<Series> series) {
    html.add("<ul class=\"legend\">");
    for (int s = 0; s < series.size(); s++) {
      html.add("<li>" + key(series, s) + bdi(series.get(s).name()) + documents(series.get(s)));
      html.add("</li>");
    }
    html.add("</ul>\n");
  }

  private void rows(List<Double> edges, List<Series> series) {
    html.add("<figure class=\"rows\">\n");
    for (int s = 0; s < series.size(); s++) {
      Series one = series.get(s);
      int number = s + 1;
      boolean last = number == series.size();
      html.add("<div class=\"name\">" + key(series, s) + " " + bdi(one.name()) + documents(one));
      html.add("</div><div>");
      html.both(
          width ->
              Charts.row(edges, one, number, last, width, "Histogram of perplexity: " + one.name()),
          WIDE_ROW);
      html.add("</div>\n");
    }
    html.add("</figure>\n");
  }

  private static String key(List<Series> series, int s) {
    return "<span class=\"key k" + (series.get(s).rest() ? 9 : s + 1) + "\"></span>";
  }

  private static String documents(Series series) {
    return " <small>" + Numbers.count(series.documents(), "document", "documents") + "</small>";
  }

  void signals(Map<String, Signal> signals) {
    if (signals.isEmpty()) {
      return;
    }
    html.section(
        "Signals",
        "The number of documents by signal, from the 1st to the 99th percentile. The first and the"
            + " last bin also count the documents beyond.");
    signals.forEach(
        (name, signal) ->
            html.figure(
                "documents",
                width ->
                    Charts.linearHistogram(
                        name,
                        signal.histogram().edges(),
                        signal.histogram().series().get(0),
                        width,
                        "Histogram of " + name)));
  }

  void lengths(List<LengthClass> lengths) {
    html.section(
        "Perplexity and length",
        "Each point covers the documents with at least as many scored tokens as the axis shows,"
            + " and fewer than twice as many.");
    if (lengths.size() < 2) {
      html.placeholder(
          lengths.isEmpty()
              ? "The lengths of the documents are unknown."
              : "All documents have between %s and %s tokens; their median is %s."
                  .formatted(
                      Numbers.count(lengths.get(0).firstTokens()),
                      Numbers.count(2 * lengths.get(0).firstTokens() - 1),
                      Numbers.perplexity(lengths.get(0).percentiles().at(50))));
      return;
    }
    html.add("<ul class=\"legend\"><li><span class=\"key line k1\"></span>median</li>");
    html.add("<li><span class=\"key p25 k1\"></span>25th to 75th percentile</li>");
    html.add("<li><span class=\"key p5 k1\"></span>5th to 95th percentile</li></ul>\n");
    html.figure(
        "perplexity",
        width -> Charts.lengths(lengths, width, "Perplexity of documents by their length"));
  }

  void positions(List<Position> all) {
    List<Position> positions = all.stream().filter(position -> position.tokens() > 0).toList();
    html.section(
        "Perplexity by position in the document",
        positions.size() < 2 ? "" : "The perplexity of tokens by their position in the document.");
    if (positions.size() < 2) {
      html.placeholder(
          positions.isEmpty()
              ? "Perplexity by position in the document was not recorded."
              : "All tokens are at the very beginning of their documents.");
      return;
    }
    html.figure(
        "perplexity of the tokens",
        width ->
            Charts.positions(positions, width, "Perplexity by a token's position in its document"));
  }
}
