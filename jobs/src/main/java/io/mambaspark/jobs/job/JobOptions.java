package io.mambaspark.jobs.job;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.DocumentOptions;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputFiles;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.io.OutputOptions;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.model.ModelOptions;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.spark.Demo;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.stats.Buckets;
import io.mambaspark.jobs.units.Unit;
import io.mambaspark.jobs.units.UnitOptions;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;

/**
 * A whole scoring job: which model, which rows, scored how, written where.
 *
 * @param model a folder, any Hadoop URI, or {@code demo}
 * @param weights how the weights are kept in memory
 * @param modelDelivery how they get to the executors
 * @param input paths or globs, or the single word {@code demo}; empty if {@code inputTable} is
 *     given
 * @param inputFormat a Spark data source
 * @param inputTable a catalog table instead of {@code input}; may be null
 * @param tokenizer of texts, a file or the folder that holds it; null for the one beside the model
 * @param partitions 0 for as many as the input has
 * @param limit first rows of the input; 0 for all
 * @param output null for none, which only the demo and a dry run allow
 * @param outputFormat parquet, json or orc
 * @param resume whether to go on where an earlier start of the same job has stopped
 * @param allowNewInput whether that may take in files that were not there then
 * @param targetUnitTokens tokens of a unit of work; 0 for what suits model and cluster
 * @param groupBy kept columns whose values part the corpus into groups; empty for none
 * @param buckets parts of the corpus to name in a column of their own; null for none
 * @param bucketThresholds where an earlier run has left the thresholds of buckets; null for none
 * @param report where to write the page that shows the run; null for none
 */
public record JobOptions(
    String model,
    WeightFormat weights,
    ModelDelivery.Mode modelDelivery,
    List<String> input,
    String inputFormat,
    String inputTable,
    ScoreOptions scoring,
    String tokenizer,
    int partitions,
    int limit,
    String output,
    String outputFormat,
    boolean overwrite,
    boolean resume,
    boolean allowNewInput,
    long targetUnitTokens,
    List<String> groupBy,
    Buckets buckets,
    String bucketThresholds,
    String report,
    boolean strict,
    boolean dryRun) {

  private static final List<String> OUTPUT_FORMATS = List.of("parquet", "json", "orc");

  /** Checks what can be checked without touching a file. */
  public JobOptions {
    input = List.copyOf(input);
    groupBy = List.copyOf(groupBy);
    for (String column : groupBy) {
      if (Collections.frequency(groupBy, column) > 1) {
        throw Refusal.wrongUsage("--group-by names %s twice", column);
      }
    }
    // Spark does not mind capitals in the names of its sources; names of classes have them.
    String lowerCase = inputFormat.toLowerCase(Locale.ROOT);
    inputFormat = Input.FILE_FORMATS.contains(lowerCase) ? lowerCase : inputFormat;
    if (input.isEmpty() == (inputTable == null)) {
      throw Refusal.wrongUsage(
          input.isEmpty()
              ? "Give --input or --input-table"
              : "Give either --input or --input-table, not both");
    }
    if (input.size() > 1 && input.contains(Demo.NAME)) {
      throw Refusal.wrongUsage("--input demo stands alone");
    }
    if (partitions < 0) {
      throw Refusal.wrongUsage("--partitions %d: expected at least 1", partitions);
    }
    if (limit < 0) {
      throw Refusal.wrongUsage("--limit %d: expected at least 1", limit);
    }
    if (!OUTPUT_FORMATS.contains(outputFormat)) {
      throw Refusal.wrongUsage(
          "--output-format %s: expected one of %s",
          outputFormat, String.join(", ", OUTPUT_FORMATS));
    }
    boolean demo = input.contains(Demo.NAME);
    if (output == null && !dryRun && !demo) {
      throw Refusal.wrongUsage("Give --output: where to write");
    }
    if (output == null && !dryRun && scoring.emit().logits()) {
      throw Refusal.wrongUsage("--emit logits needs --output: it is too much to hold in memory");
    }
    if (output == null && (overwrite || resume)) {
      throw Refusal.wrongUsage("%s needs --output", overwrite ? "--overwrite" : "--resume");
    }
    if (targetUnitTokens < 0) {
      throw Refusal.wrongUsage("--target-unit-tokens %d: expected at least 1", targetUnitTokens);
    }
    if (allowNewInput && !resume) {
      throw Refusal.wrongUsage("--allow-new-input needs --resume");
    }
    DocumentColumns columns = scoring.columns();
    if (tokenizer != null && columns.tokens() != null) {
      throw Refusal.wrongUsage("--tokenizer needs texts: --text-column, or a context of text");
    }
    if (buckets != null && bucketThresholds != null) {
      throw Refusal.wrongUsage(
          "Give either --bucket or --bucket-thresholds: the thresholds name their buckets");
    }
    checkNeedsPerplexities(scoring, buckets, bucketThresholds, !groupBy.isEmpty(), report);
    boolean units = byUnits(input, inputTable, inputFormat, outputFormat, limit, partitions);
    if (report != null && !units) {
      // The ledger of units knows the nll by position; here only the rows can tell it.
      scoring = scoring.withEmit(scoring.emit().withPositionNll());
    }
    if ((resume || targetUnitTokens > 0) && !units) {
      throw Refusal.wrongUsage(
          "%s needs work that can be cut into units: Parquet files as input and Parquet as output,"
              + " without --limit and --partitions",
          resume ? "--resume" : "--target-unit-tokens");
    }
  }

  private static void checkNeedsPerplexities(
      ScoreOptions scoring,
      Buckets buckets,
      String bucketThresholds,
      boolean groups,
      String report) {
    String option =
        buckets != null
            ? "--bucket"
            : bucketThresholds != null
                ? "--bucket-thresholds"
                : groups ? "--group-by" : report != null ? "--report" : null;
    if (option != null && !scoring.emit().nll()) {
      throw Refusal.wrongUsage("%s needs perplexities; --emit %s has none", option, scoring.emit());
    }
  }

  private static boolean byUnits(
      List<String> input,
      String inputTable,
      String inputFormat,
      String outputFormat,
      int limit,
      int partitions) {
    return !input.contains(Demo.NAME)
        && inputTable == null
        && inputFormat.equals("parquet")
        && outputFormat.equals("parquet")
        && limit == 0
        && partitions == 0;
  }

  InputOptions inputOptions() {
    return new InputOptions(input, inputFormat, inputTable, partitions, limit);
  }

  DocumentOptions documents() {
    return new DocumentOptions(scoring.columns(), scoring.keepColumns());
  }

  OutputOptions outputOptions() {
    return new OutputOptions(output, outputFormat, overwrite, resume);
  }

  UnitOptions unitOptions() {
    return new UnitOptions(targetUnitTokens, allowNewInput);
  }

  /** Refuses an output among the input's files. */
  void checkApart(Configuration configuration) {
    if (output != null) {
      Input.checkApart(
          "Output", HadoopFiles.qualified(output, configuration), inputOptions(), configuration);
    }
  }

  /** Opens the input. */
  Input open(SparkSession spark, InputFiles files) {
    Input opened = Input.open(spark, inputOptions(), documents(), files);
    if (output != null) {
      opened.checkApart(HadoopFiles.qualified(output, spark.sparkContext().hadoopConfiguration()));
    }
    if (scoring.failOnError()) {
      opened.refuseUnread();
    }
    return opened;
  }

  ModelOptions modelOptions() {
    return new ModelOptions(model, weights, modelDelivery, tokenizer);
  }

  /** Whether the job reads and writes what can be cut into {@link Unit}s. */
  boolean byUnits() {
    return byUnits(input, inputTable, inputFormat, outputFormat, limit, partitions);
  }

  /** Whether the output has a column that names the bucket of a row. */
  boolean hasBuckets() {
    return buckets != null || bucketThresholds != null;
  }

  /** Whether the rows are those inside the jar. */
  boolean demo() {
    return input.contains(Demo.NAME);
  }

  /** Every option by its name on the command line, for the summary. */
  Map<String, Object> byName() {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("model", Refusal.redacted(model));
    options.put("weights", weights.name().toLowerCase(Locale.ROOT));
    options.put("model-delivery", modelDelivery.option());
    options.put("input", input.stream().map(Refusal::redacted).toList());
    options.put("input-format", inputFormat);
    options.put("input-table", inputTable);
    DocumentColumns columns = scoring.columns();
    options.put("tokens-column", columns.tokens());
    options.put("text-column", columns.text());
    options.put("context-column", columns.context());
    options.put("continuation-column", columns.continuation());
    options.put("byte-count-column", columns.byteCount());
    options.put("word-count-column", columns.wordCount());
    options.put("tokenizer", Refusal.redacted(tokenizer));
    options.put("keep-columns", scoring.keepColumns());
    options.put("emit", scoring.emit().toString());
    options.put("prefix-token", scoring.prefixToken());
    options.put("max-tokens", orNull(scoring.maxTokens()));
    options.put("window", scoring.windows().name());
    options.put("window-tokens", orNull(scoring.windows().tokens()));
    options.put("stride", orNull(scoring.windows().stride()));
    options.put("min-perplexity", scoring.minPerplexity());
    options.put("max-perplexity", scoring.maxPerplexity());
    options.put("group-by", groupBy.isEmpty() ? null : groupBy);
    options.put("bucket", buckets == null ? null : buckets.toString());
    options.put("bucket-thresholds", Refusal.redacted(bucketThresholds));
    options.put("partitions", orNull(partitions));
    options.put("limit", orNull(limit));
    options.put("on-error", scoring.failOnError() ? "fail" : "quarantine");
    options.put("output", Refusal.redacted(output));
    options.put("output-format", outputFormat);
    options.put("overwrite", overwrite);
    options.put("resume", resume);
    options.put("allow-new-input", allowNewInput);
    options.put("target-unit-tokens", targetUnitTokens == 0 ? null : targetUnitTokens);
    options.put("report", Refusal.redacted(report));
    options.put("strict", strict);
    return options;
  }

  private static Integer orNull(int number) {
    return number == 0 ? null : number;
  }
}
