package io.mambaspark.jobs.job;

import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Groups;
import io.mambaspark.jobs.stats.Totals;
import java.util.Map;

/**
 * The sums over the scores of a run.
 *
 * @param totals of all rows that were written
 * @param groups by {@code --group-by}; none without it
 * @param distributions of the perplexities, overall and by group; null without groups and without a
 *     report
 * @param thresholds perplexities that separate the buckets; empty without buckets
 */
record CorpusScores(
    Totals totals,
    Groups<Totals> groups,
    Distributions distributions,
    Map<String, Double> thresholds) {}
