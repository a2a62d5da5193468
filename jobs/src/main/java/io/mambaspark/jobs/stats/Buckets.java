package io.mambaspark.jobs.stats;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.when;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.MetadataBuilder;

/**
 * Splits a corpus by perplexity, as CCNet does, or by a signal: {@code head}, {@code middle} and,
 * for the remaining documents, {@code tail}. A document belongs to the first bucket whose threshold
 * is above its value.
 *
 * @param percents the upper end of each named bucket, as a percentile of the documents' values,
 *     ascending
 */
public record Buckets(Map<String, Double> percents) {
  public static final String COLUMN = "bucket";
  static final String REST = "tail";

  /** The key of the thresholds in a summary. */
  public static final String THRESHOLDS = "bucket_thresholds";

  /** The key of the column of the thresholds in a summary. */
  public static final String BY = "bucket_by";

  /** The key of the percentage of tokens that this column is the mean of, in a summary. */
  public static final String PERCENT = "bucket_percent";

  /** Parses {@code head:30,middle:60}. */
  public static Buckets parse(String list) {
    Map<String, Double> percents = new LinkedHashMap<>();
    double before = 0;
    for (String part : list.split(",", -1)) {
      String[] words = part.strip().split(":", -1);
      Double percent = words.length == 2 ? number(words[1]) : null;
      String name = words[0].strip();
      if (percent == null || name.isEmpty()) {
        throw Refusal.wrongUsage(
            "--bucket %s: expected NAME:PERCENT,... such as head:30,middle:60", list);
      }
      if (!(percent > before && percent < 100)) {
        throw Refusal.wrongUsage(
            "--bucket %s: percentiles are cumulative; expected one above %s and below 100 for %s",
            list, plain(before), name);
      }
      if (name.equals(REST) || percents.put(name, percent) != null) {
        throw Refusal.wrongUsage(
            name.equals(REST)
                ? "--bucket %s: %s is reserved for the remaining documents; choose another name"
                : "--bucket %s names %s twice",
            list,
            name);
      }
      before = percent;
    }
    return new Buckets(percents);
  }

  private static Double number(String word) {
    return word.strip().matches("\\d{1,3}(\\.\\d+)?") ? Double.valueOf(word.strip()) : null;
  }

  private static String plain(double number) {
    return BigDecimal.valueOf(number).stripTrailingZeros().toPlainString();
  }

  /** Returns the list in the form that {@link #parse} reads. */
  @Override
  public String toString() {
    return percents.entrySet().stream()
        .map(bucket -> bucket.getKey() + ":" + plain(bucket.getValue()))
        .collect(Collectors.joining(","));
  }

  /**
   * Computes the values that separate the buckets.
   *
   * @param scored rows with the columns of {@link Distributions#perplexity}
   * @param by the column of the values
   * @param documents the number of documents with a value. Above {@link Distributions#MAX_EXACT},
   *     percentiles are approximate: the rank is off by at most 1/10,000 of this number
   * @return thresholds by bucket; empty without documents; infinite from the first infinite
   *     perplexity on
   */
  public Map<String, Double> thresholds(Dataset<Row> scored, String by, long documents) {
    String shares =
        percents.values().stream()
            .map(percent -> String.format(Locale.ROOT, "%.10fD", percent / 100))
            .collect(Collectors.joining(", ", "array(", ")"));
    String percentiles =
        documents <= Distributions.MAX_EXACT
            ? "percentile(p, %s)".formatted(shares)
            : "percentile_approx(p, %s, 10000)".formatted(shares);
    Row row = scored.select(value(by).as("p")).agg(expr(percentiles)).first();
    Map<String, Double> thresholds = new LinkedHashMap<>();
    if (!row.isNullAt(0)) {
      List<Double> values = row.getList(0);
      int i = 0;
      for (String name : percents.keySet()) {
        thresholds.put(name, values.get(i++));
      }
    }
    return thresholds;
  }

  private static Column value(String by) {
    return by.equals(Distributions.PERPLEXITY)
        ? Distributions.perplexity()
        : col(by).cast("double");
  }

  /** Reads thresholds like {@link #found}, for another run; refuses an empty result. */
  public static Map<String, Double> thresholds(
      String file, String by, int percent, Configuration configuration) {
    Map<String, Double> thresholds = found(file, by, percent, configuration);
    if (thresholds.isEmpty()) {
      throw Refusal.because(
          "Cannot use the thresholds of %s: no document of that run had a %s", file, by);
    }
    return thresholds;
  }

  /**
   * Reads the thresholds that an earlier run computed; empty if none of its documents had a value.
   *
   * @param file the summary of that run, or the folder of its output
   * @param by the column that the thresholds must divide
   * @param percent the percentage of tokens that this column is the mean of; 0 for others
   */
  public static Map<String, Double> found(
      String file, String by, int percent, Configuration configuration) {
    Path path = HadoopFiles.qualified(file, configuration);
    try {
      FileSystem files = path.getFileSystem(configuration);
      Path summary =
          files.getFileStatus(path).isDirectory() ? new Path(path, Output.SUMMARY) : path;
      HadoopFiles.checkName(summary, configuration);
      JsonNode json;
      try (InputStream in = files.open(summary)) {
        JsonNode found = new ObjectMapper().readTree(in);
        json = found.path(THRESHOLDS);
        if (!json.isObject()) {
          throw Refusal.because(
              "%s has no %s; expected the summary of a run with --bucket", file, THRESHOLDS);
        }
        checkColumn(file, found.path(BY).asText(Distributions.PERPLEXITY), by);
        checkPercent(file, by, found.path(PERCENT).asInt(0), percent);
      }
      Map<String, Double> thresholds = new LinkedHashMap<>();
      double before = by.equals(Distributions.PERPLEXITY) ? 0 : Double.NEGATIVE_INFINITY;
      List<String> names = new ArrayList<>();
      json.fieldNames().forEachRemaining(names::add);
      for (String name : names) {
        if (name.equals(REST)) {
          throw Refusal.because(
              "Cannot use the thresholds of %s: the name %s is reserved for the remaining"
                  + " documents",
              file, REST);
        }
        // JSON has no infinity, so a summary contains null instead.
        double threshold =
            json.get(name).isNull() ? Double.POSITIVE_INFINITY : json.get(name).asDouble();
        boolean isNumber = json.get(name).isNumber() || json.get(name).isNull();
        if (!isNumber || threshold < before) {
          throw Refusal.because(
              "Cannot use the thresholds of %s: %s is %s; expected ascending numbers",
              file, name, json.get(name));
        }
        before = threshold;
        thresholds.put(name, before);
      }
      return thresholds;
    } catch (FileNotFoundException e) {
      throw Refusal.because(
          "Cannot read --bucket-thresholds %s: no such file, or a folder without %s",
          file, Output.SUMMARY);
    } catch (JsonProcessingException e) {
      throw Refusal.because(
          "Cannot read --bucket-thresholds %s: it is not JSON; expected the summary of a run with"
              + " --bucket",
          file);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot read --bucket-thresholds %s: %s", file, Failures.oneLine(e));
    }
  }

  private static void checkColumn(String file, String found, String by) {
    if (!found.equals(by)) {
      throw Refusal.because(
          "Cannot use the thresholds of %s: they divide %s, expected %s; give --bucket-by %s",
          file, found, by, found);
    }
  }

  private static void checkPercent(String file, String by, int found, int percent) {
    if (found != percent) {
      throw Refusal.because(
          "Cannot use the thresholds of %s: they divide %s of %d %% of the tokens, expected %d %%;"
              + " give --emit %s=%d",
          file, by, found, percent, by.replace('_', '-'), found);
    }
  }

  /** Adds the column {@value #COLUMN}; null for a document without a value in column {@code by}. */
  public static Dataset<Row> add(Dataset<Row> scored, String by, Map<String, Double> thresholds) {
    Column value = value(by);
    Column bucket = when(value.isNull(), lit(null).cast("string"));
    for (Map.Entry<String, Double> threshold : thresholds.entrySet()) {
      bucket = bucket.when(value.lt(threshold.getValue()), threshold.getKey());
    }
    Column named =
        bucket
            .otherwise(REST)
            .as(
                COLUMN,
                new MetadataBuilder()
                    .putString("comment", "Bucket of the document; null if nothing was scored")
                    .build());
    return scored.select(col("*"), named);
  }
}
