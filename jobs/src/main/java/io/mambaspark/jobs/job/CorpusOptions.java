package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.stats.Buckets;
import java.util.Collections;
import java.util.List;

/**
 * The options for groups, buckets and the report of a corpus.
 *
 * @param groupBy kept columns whose values divide the corpus into groups; empty for no groups
 * @param buckets the buckets to compute, whose names are written to a column; null for none
 * @param bucketBy the column whose values divide the corpus into buckets
 * @param bucketThresholds the path of an earlier run's bucket thresholds; null for none
 * @param report the path of the report page; null for no report
 */
record CorpusOptions(
    List<String> groupBy,
    Buckets buckets,
    String bucketBy,
    String bucketThresholds,
    String report) {

  /** Validates the options, without accessing any file. */
  CorpusOptions {
    if (buckets != null && bucketThresholds != null) {
      throw Refusal.wrongUsage(
          "Cannot combine --bucket with --bucket-thresholds: the thresholds define the buckets;"
              + " remove --bucket");
    }
  }

  /** Reads the options from the values of a command. */
  static CorpusOptions of(OptionValues values) {
    String bucket = values.get(Options.BUCKET);
    return new CorpusOptions(
        groupBy(values),
        bucket == null ? null : Buckets.parse(bucket),
        values.get(Options.BUCKET_BY),
        values.get(Options.BUCKET_THRESHOLDS),
        values.get(Options.REPORT));
  }

  /** Returns the columns of {@code --group-by}; an empty list without the option. */
  static List<String> groupBy(OptionValues values) {
    List<String> columns = values.get(Options.GROUP_BY);
    if (columns == null) {
      return List.of();
    }
    if (columns.isEmpty()) {
      throw Refusal.wrongUsage("--group-by is empty; expected columns to group by");
    }
    for (String column : columns) {
      if (Collections.frequency(columns, column) > 1) {
        throw Refusal.wrongUsage("--group-by lists column %s twice; list it once", column);
      }
    }
    return columns;
  }

  /** Refuses options that need perplexities if {@code --emit} excludes them. */
  void check(Emit emit) {
    String option =
        buckets != null
            ? "--bucket"
            : bucketThresholds != null
                ? "--bucket-thresholds"
                : !groupBy.isEmpty() ? "--group-by" : report != null ? "--report" : null;
    if (option != null && !emit.nll()) {
      throw Refusal.wrongUsage("%s needs perplexities; --emit %s has none", option, emit);
    }
    if (!bucketBy.equals(Options.BUCKET_BY.defaultValue())) {
      if (!hasBuckets()) {
        throw Refusal.wrongUsage("--bucket-by needs --bucket or --bucket-thresholds");
      }
      emit.signal(bucketBy, "--bucket-by " + bucketBy);
    }
  }

  /** Whether the output has a column with each row's bucket. */
  boolean hasBuckets() {
    return buckets != null || bucketThresholds != null;
  }

  /** Returns the values with {@code --bucket} in its normal form. */
  OptionValues normalize(OptionValues values) {
    return values.with(Options.BUCKET, buckets == null ? null : buckets.toString());
  }
}
