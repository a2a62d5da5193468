package io.mambaspark.jobs.report;

import static io.mambaspark.jobs.report.Html.bdi;

import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Distributions.Group;
import io.mambaspark.jobs.stats.Distributions.Percentiles;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The section of percentiles: one row for all documents and one for each group. Each row has a
 * strip that shows its percentiles on a common logarithmic scale.
 *
 * @param low the logarithm of the lowest finite percentile that a strip shows
 * @param high the logarithm of the highest one
 */
record PercentileTable(double low, double high) {

  static void add(Distributions all, Html html) {
    List<Group> groups = all.grouping().groups();
    html.section(
        "Percentiles",
        "Percentiles of the documents' perplexity"
            + (all.exact()
                ? ", exact."
                : ". They are approximate: ranks are off by at most 1/10,000 of the documents.")
            + (groups.isEmpty() ? " The documents are not grouped." : "")
            + (all.grouping().count() > groups.size()
                ? " There are %s groups; the %s largest are listed."
                    .formatted(Numbers.count(all.grouping().count()), Numbers.count(groups.size()))
                : ""));
    List<Double> ends = new ArrayList<>(List.of(all.overall().at(1), all.overall().at(99)));
    for (Group group : groups) {
      ends.addAll(List.of(group.percentiles().at(5), group.percentiles().at(95)));
    }
    PercentileTable table = of(ends);
    html.groupTable(
        head(groups.isEmpty() ? "" : bdi(String.join(" · ", all.grouping().columns()))),
        table.row(" class=\"all\"", "all", all.overall()),
        groups.stream()
            .map(group -> table.row("", bdi(group.name()), group.percentiles()))
            .toList());
  }

  private static PercentileTable of(List<Double> perplexities) {
    DoubleSummaryStatistics finite =
        perplexities.stream()
            .mapToDouble(Charts::log10)
            .filter(Double::isFinite)
            .summaryStatistics();
    return new PercentileTable(finite.getMin(), finite.getMax());
  }

  private static String head(String groups) {
    return "<thead><tr><th scope=\"col\">"
        + groups
        + "</th><th scope=\"col\">documents</th>"
        + Percentiles.RANKS.stream()
            .map(rank -> "<th scope=\"col\">" + (rank == 50 ? "median" : rank + " %") + "</th>")
            .collect(Collectors.joining())
        + "<th class=\"strip\" scope=\"col\">5 % to 95 %, log scale</th></tr></thead>\n";
  }

  private String row(String attributes, String name, Percentiles percentiles) {
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
        + strip(percentiles)
        + "</td></tr>\n";
  }

  private String strip(Percentiles p) {
    return "<span class=\"range\">"
        + part("p5", at(p.at(5)), at(p.at(95)))
        + part("p25", at(p.at(25)), at(p.at(75)))
        + "<i class=\"p50\" style=\"left:"
        + at(p.at(50))
        + "%\"></i></span>";
  }

  /** Returns the position of a percentile in percent of the strip; an infinite one is at 100. */
  private double at(double perplexity) {
    double share = high > low ? (Charts.log10(perplexity) - low) / (high - low) : 0.5;
    return Math.round(1000 * Math.min(1, Math.max(0, share))) / 10.0;
  }

  private static String part(String name, double from, double to) {
    return "<i class=\"%s\" style=\"left:%s%%;width:%s%%\"></i>"
        .formatted(name, from, Math.round(10 * (to - from)) / 10.0);
  }
}
