package io.mambaspark.jobs.job;

import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Groups;
import io.mambaspark.jobs.stats.Totals;
import java.util.Map;

/**
 * The sums over the scores of a run.
 *
 * @param totals the sums over all written rows
 * @param groups the sums of each group of {@code --group-by}; empty without that option
 * @param distributions the distributions of the perplexities and of the signals, overall and by
 *     group; null if there are neither groups nor a report
 * @param thresholds the values that separate the buckets; empty without buckets
 */
record CorpusScores(
    Totals totals,
    Groups<Totals> groups,
    Distributions distributions,
    Map<String, Double> thresholds) {}
