package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.network.util.JavaUtils;
import org.apache.spark.sql.streaming.Trigger;

/**
 * How a folder is scored whose files come in time.
 *
 * @param when {@value #AVAILABLE_NOW}, or the time from one look at the folder to the next
 * @param checkpointLocation where Spark keeps what it has taken; null for the output's ledger
 * @param maxFilesPerBatch 0 for what suits the cores
 */
public record StreamOptions(String when, String checkpointLocation, int maxFilesPerBatch) {
  public static final String AVAILABLE_NOW = "available-now";

  /** What Spark's file sources and its file sink both know. */
  private static final List<String> FORMATS = List.of("parquet", "json", "orc");

  /** Checks what can be checked without touching a file. */
  public StreamOptions {
    if (!when.equals(AVAILABLE_NOW) && !when.matches("[1-9]\\d{0,8}(ms|s|m|min|h|d)")) {
      throw Refusal.wrongUsage(
          "--stream %s: expected %s, or a time such as 30s, 5m or 1h", when, AVAILABLE_NOW);
    }
  }

  Trigger trigger() {
    return when.equals(AVAILABLE_NOW)
        ? Trigger.AvailableNow()
        : Trigger.ProcessingTime(JavaUtils.timeStringAsMs(when));
  }

  /** Refuses the options of a job that a stream has no place for. */
  void check(JobOptions options) {
    if (options.demo() || options.inputTable() != null || options.input().size() > 1) {
      throw Refusal.wrongUsage(
          "--stream watches a folder; give one --input, a path or a glob, found %s",
          options.inputTable() != null
              ? "--input-table " + options.inputTable()
              : String.join(" ", options.input()));
    }
    if (!FORMATS.contains(options.inputFormat())) {
      throw Refusal.wrongUsage(
          "--stream with --input-format %s: expected one of %s",
          options.inputFormat(), String.join(", ", FORMATS));
    }
    if (options.resume()) {
      throw Refusal.wrongUsage(
          "--resume does not go with --stream: started again, a stream goes on by itself");
    }
    Map<String, Boolean> given = new LinkedHashMap<>();
    given.put("--partitions", options.partitions() > 0);
    given.put("--limit", options.limit() > 0);
    given.put("--target-unit-tokens", options.targetUnitTokens() > 0);
    given.put("--overwrite", options.overwrite());
    given.put("--dry-run", options.dryRun());
    given.put("--group-by", !options.groupBy().isEmpty());
    given.put("--bucket", options.buckets() != null);
    given.put("--report", options.report() != null);
    given.forEach(
        (option, is) -> {
          if (is) {
            throw Refusal.wrongUsage(
                "%s does not go with --stream, which has no end and keeps what it has written",
                option);
          }
        });
  }
}
