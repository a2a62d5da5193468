package io.mambaspark.jobs.job;

import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.score.ScoreColumn;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.stats.Buckets;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Distributions.Percentiles;
import io.mambaspark.jobs.stats.Groups;
import io.mambaspark.jobs.stats.Totals;
import io.mambaspark.jobs.stats.Totals.Count;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/** Converts a summary to the JSON file in the output folder. */
final class SummaryJson {
  private final Summary summary;
  private final SummaryRequest request;
  private final Totals totals;
  private final Map<String, Object> json = new LinkedHashMap<>();

  private SummaryJson(Summary summary) {
    this.summary = summary;
    this.request = summary.request();
    this.totals = summary.totals();
  }

  /** Returns the text of the file. */
  static String text(Summary summary) {
    SummaryJson json = new SummaryJson(summary);
    json.documents();
    json.scores();
    json.failures();
    json.distributions();
    json.execution();
    return SummaryFile.text(json.json);
  }

  private void documents() {
    json.put("run", summary.execution().run());
    json.put("documents", summary.documents());
    json.put("scored_documents", request.countsScoredDocuments() ? totals.scoredRows() : null);
    json.put("too_short_documents", request.countsScoredDocuments() ? totals.tooShort() : null);
    json.put("null_documents", request.emit().logits() ? null : totals.nulls());
    json.put("filtered_documents", request.filters() ? summary.filtered() : null);
  }

  private void scores() {
    json.put("tokens", request.countsTokens() ? totals.tokens() : null);
    json.put("window", request.windows().described());
    json.put("nll", request.emit().nll() ? totals.nll() : null);
    json.putAll(summary.perplexities().byName());
    json.putAll(means(totals));
    if (request.isPair()) {
      json.put("greedy_documents", totals.count(Count.GREEDY_ROWS));
    }
    json.put("position_curve", positions());
  }

  /** Returns the mean of each signal over the scored documents. */
  private Map<String, Double> means(Totals sums) {
    Map<String, Double> means = new LinkedHashMap<>();
    for (ScoreColumn signal : request.emit().signals().columns()) {
      means.put("mean_document_" + signal.column(), sums.mean(signal));
    }
    return means;
  }

  private List<Map<String, Object>> positions() {
    List<Map<String, Object>> curve = new ArrayList<>();
    for (Totals.Position position : totals.positions()) {
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

  private void failures() {
    json.put("error_documents", totals.errorRows());
    Map<String, Long> errors = new LinkedHashMap<>();
    for (RowError.Kind error : RowError.Kind.values()) {
      errors.put(error.label(), totals.errors().getOrDefault(error, 0L));
    }
    json.put("errors", errors);
    json.putAll(summary.input().json());
    json.put(
        "truncated_documents", request.countsTruncated() ? totals.count(Count.TRUNCATED) : null);
    json.put(
        "truncated_contexts", request.isPair() ? totals.count(Count.TRUNCATED_CONTEXTS) : null);
  }

  private void distributions() {
    Distributions distributions = summary.corpus().distributions();
    if (distributions != null) {
      json.put("perplexity_percentiles", percentiles(distributions.overall()));
      distributions
          .signals()
          .forEach(
              (signal, all) -> json.put(signal + "_percentiles", percentiles(all.percentiles())));
      json.put("percentiles_are_exact", distributions.exact());
    }
    if (!request.groupBy().isEmpty()) {
      json.put("group_count", summary.corpus().groups().number());
      json.put("groups", groups(distributions));
    }
    if (request.bucketBy() != null) {
      json.put(Buckets.BY, request.bucketBy());
      int percent = request.emit().signals().percent(request.bucketBy());
      if (percent > 0) {
        json.put(Buckets.PERCENT, percent);
      }
      json.put(Buckets.THRESHOLDS, summary.corpus().thresholds());
    }
  }

  private static Map<String, Double> percentiles(Percentiles percentiles) {
    Map<String, Double> json = new LinkedHashMap<>();
    for (int i = 0; i < percentiles.values().size(); i++) {
      json.put("p" + Percentiles.RANKS.get(i), percentiles.values().get(i));
    }
    return json;
  }

  private List<Map<String, Object>> groups(Distributions distributions) {
    Map<List<String>, Distributions.Group> byKey = new LinkedHashMap<>();
    distributions.grouping().groups().forEach(group -> byKey.put(group.values(), group));
    List<Map<String, Object>> groups = new ArrayList<>();
    for (Groups.Group<Totals> group : summary.corpus().groups().largest()) {
      Totals sums = group.sums();
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("group", SummaryFile.group(request.groupBy(), group.key()));
      fields.put("documents", sums.rows());
      fields.put("scored_documents", sums.scoredRows());
      fields.put("null_documents", sums.nulls());
      fields.put("error_documents", sums.errorRows());
      fields.put("tokens", sums.tokens());
      fields.put("nll", sums.nll());
      fields.putAll(ShownPerplexities.of(sums, request).byName());
      fields.putAll(means(sums));
      if (request.isPair()) {
        fields.put("greedy_documents", sums.count(Count.GREEDY_ROWS));
      }
      Distributions.Group scored = byKey.get(group.key());
      fields.put(
          "perplexity_percentiles", scored == null ? Map.of() : percentiles(scored.percentiles()));
      for (ScoreColumn signal : request.emit().signals().columns()) {
        fields.put(
            signal.column() + "_percentiles",
            scored == null ? Map.of() : percentiles(scored.signals().get(signal.column())));
      }
      groups.add(fields);
    }
    return groups;
  }

  private void execution() {
    Summary.Execution execution = summary.execution();
    json.put("units", execution.units() == 0 ? null : execution.units());
    json.put("resumed_units", execution.units() == 0 ? null : execution.resumedUnits());
    json.put("seconds", execution.seconds());
    OptionalDouble speed = summary.tokensPerSecond();
    json.put("tokens_per_second", speed.isPresent() ? speed.getAsDouble() : null);
    json.put("model", model(summary.with().model()));
    json.put("tokenizer", summary.with().tokenizer().map(Artifact::json).orElse(null));
    json.put("options", request.options());
    json.put("versions", Versions.ofScores());
  }

  private static Map<String, Object> model(Summary.Model model) {
    Map<String, Object> json = model.artifact().json();
    json.put("weights", model.weights().toString());
    json.put("weights_rounded", model.rounded());
    json.put("parameters", model.parameters());
    return json;
  }
}
