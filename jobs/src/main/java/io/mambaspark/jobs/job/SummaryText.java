package io.mambaspark.jobs.job;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.score.ScoreColumn;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Groups;
import io.mambaspark.jobs.stats.Totals;
import io.mambaspark.jobs.stats.Totals.Count;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Prints a summary as text. */
final class SummaryText {
  private static final int PRINTED_GROUPS = 20;

  private final Summary summary;
  private final SummaryRequest request;
  private final Totals totals;
  private final PrintWriter out;
  private final SummaryLines lines;

  private SummaryText(Summary summary, PrintWriter out) {
    this.summary = summary;
    this.request = summary.request();
    this.totals = summary.totals();
    this.out = out;
    this.lines = new SummaryLines(out);
  }

  static void print(Summary summary, PrintWriter out) {
    SummaryText text = new SummaryText(summary, out);
    text.documents();
    text.scores();
    text.groups();
    text.percentiles();
    text.thresholds();
    text.lines.input(summary.input());
    text.execution();
    out.flush();
  }

  private void documents() {
    lines.line("documents", "%,d", summary.documents());
    if (request.countsScoredDocuments()) {
      lines.line("  scored", "%,d", totals.scoredRows());
      lineIfAny("  too short", totals.tooShort());
    }
    lineIfAny("  null", totals.nulls());
    lineIfAny("  excluded", summary.filtered());
    if (request.countsTruncated()) {
      lineIfAny("  truncated", totals.count(Count.TRUNCATED));
    }
    lineIfAny("  contexts truncated", totals.count(Count.TRUNCATED_CONTEXTS));
    lineIfAny("  with errors", totals.errorRows());
    totals.errors().forEach((error, count) -> lines.line("    " + error.label(), "%,d", count));
    if (request.isPair() && request.emit().nll()) {
      lines.line("  greedy", "%,d", totals.count(Count.GREEDY_ROWS));
    }
  }

  private void lineIfAny(String name, long count) {
    if (count > 0) {
      lines.line(name, "%,d", count);
    }
  }

  private void scores() {
    if (request.countsTokens()) {
      lines.line(request.emit().logits() ? "positions" : "tokens scored", "%,d", totals.tokens());
    }
    if (request.windows().policy() != Windows.Policy.FULL) {
      lines.line("window", "%s", request.windows());
    }
    if (request.emit().nll() && totals.tokens() > 0) {
      summary.perplexities().byName().forEach(this::perplexity);
      for (ScoreColumn signal : request.emit().signals().columns()) {
        lines.line("mean " + signal.column(), "%,.4f", totals.mean(signal));
      }
    }
  }

  private void perplexity(String name, Double value) {
    if (value != null) {
      String label = name.equals(ShownPerplexities.ERROR) ? "  ±" : name.replace('_', ' ');
      lines.line(label, "%,.4f", value);
    }
  }

  private void groups() {
    List<Groups.Group<Totals>> groups = summary.corpus().groups().largest();
    if (groups.isEmpty()) {
      return;
    }
    out.println();
    out.printf(
        Locale.ROOT,
        "  %-24s %10s %12s %18s %12s%n",
        String.join(", ", request.groupBy()),
        "documents",
        "tokens",
        "corpus perplexity",
        "±");
    for (Groups.Group<Totals> group : groups.subList(0, Math.min(PRINTED_GROUPS, groups.size()))) {
      ShownPerplexities perplexities = ShownPerplexities.of(group.sums(), request);
      out.printf(
          Locale.ROOT,
          "  %-24s %,10d %,12d %18s %12s%n",
          group.name(),
          group.sums().rows(),
          group.sums().tokens(),
          rounded(perplexities.corpus()),
          rounded(perplexities.error()));
    }
    long more = summary.corpus().groups().number() - PRINTED_GROUPS;
    if (more > 0) {
      out.printf(Locale.ROOT, "  … and %,d more%n", more);
    }
    out.println();
  }

  /** Prints percentiles of each signal, of all documents and of the printed groups. */
  private void percentiles() {
    Distributions distributions = summary.corpus().distributions();
    if (distributions == null || distributions.signals().isEmpty()) {
      return;
    }
    List<Distributions.Group> groups = distributions.grouping().groups();
    for (Map.Entry<String, Distributions.Signal> signal : distributions.signals().entrySet()) {
      out.printf(Locale.ROOT, "  %-24s %12s %12s %12s%n", signal.getKey(), "5 %", "median", "95 %");
      percentiles("all", signal.getValue().percentiles());
      for (Distributions.Group group : groups.subList(0, Math.min(PRINTED_GROUPS, groups.size()))) {
        percentiles(group.name(), group.signals().get(signal.getKey()));
      }
      out.println();
    }
  }

  private void percentiles(String name, Distributions.Percentiles percentiles) {
    out.printf(
        Locale.ROOT,
        "  %-24s %,12.4f %,12.4f %,12.4f%n",
        name,
        percentiles.at(5),
        percentiles.at(50),
        percentiles.at(95));
  }

  private static String rounded(Double number) {
    return number == null ? "" : String.format(Locale.ROOT, "%,.2f", number);
  }

  private void thresholds() {
    summary
        .corpus()
        .thresholds()
        .forEach((name, value) -> lines.line("bucket " + name + " below", "%,.4f", value));
  }

  private void execution() {
    Summary.Execution execution = summary.execution();
    if (execution.resumedUnits() > 0) {
      lines.line(
          "done by earlier starts",
          "%s",
          "%,d of %,d units".formatted(execution.resumedUnits(), execution.units()));
    }
    lines.line("seconds", "%,.1f", execution.seconds());
    summary.tokensPerSecond().ifPresent(speed -> lines.line("tokens per second", "%,.0f", speed));
    Summary.Model model = summary.with().model();
    lines.line("model", "%s", model.artifact().fingerprint().substring(0, 12));
    if (model.weights() != WeightFormat.F32) {
      lines.line("weights", "%s", model.weights());
    }
  }
}
