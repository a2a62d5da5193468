package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.stats.Buckets;
import java.util.Collections;
import java.util.List;

/**
 * What is made of the scores of a whole corpus.
 *
 * @param groupBy kept columns whose values part the corpus into groups; empty for none
 * @param buckets parts of the corpus to name in a column of their own; null for none
 * @param bucketThresholds where an earlier run has left the thresholds of buckets; null for none
 * @param report where to write the page that shows the run; null for none
 */
record CorpusOptions(
    List<String> groupBy, Buckets buckets, String bucketThresholds, String report) {

  /** Checks what can be checked without touching a file. */
  CorpusOptions {
    if (buckets != null && bucketThresholds != null) {
      throw Refusal.wrongUsage(
          "Give either --bucket or --bucket-thresholds: the thresholds name their buckets");
    }
  }

  /** Reads these options from the values of a command. */
  static CorpusOptions of(OptionValues values) {
    String bucket = values.get(Options.BUCKET);
    return new CorpusOptions(
        groupBy(values),
        bucket == null ? null : Buckets.parse(bucket),
        values.get(Options.BUCKET_THRESHOLDS),
        values.get(Options.REPORT));
  }

  /** The columns to group by; none without the option. */
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
        throw Refusal.wrongUsage("--group-by names %s twice", column);
      }
    }
    return columns;
  }

  /** Refuses what needs perplexities where there are none. */
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
  }

  /** Whether the output has a column that names the bucket of a row. */
  boolean hasBuckets() {
    return buckets != null || bucketThresholds != null;
  }

  /** The values, each in one spelling. */
  OptionValues settle(OptionValues values) {
    return values.with(Options.BUCKET, buckets == null ? null : buckets.toString());
  }
}
