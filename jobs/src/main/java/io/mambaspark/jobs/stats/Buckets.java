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
 * Parts of a corpus by perplexity, as CCNet cuts it: {@code head}, {@code middle}, and the rest,
 * {@code tail}. A document belongs to the first bucket whose threshold is above its perplexity.
 *
 * @param percents up to which percentile of the documents' perplexities a bucket goes, ascending
 */
public record Buckets(Map<String, Double> percents) {
  public static final String COLUMN = "bucket";
  static final String REST = "tail";

  /** In the summary; {@link #thresholds} reads it there. */
  public static final String THRESHOLDS = "bucket_thresholds";

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
                ? "--bucket %s: %s is the name of the rest"
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

  /** The list that {@link #parse} reads. */
  @Override
  public String toString() {
    return percents.entrySet().stream()
        .map(bucket -> bucket.getKey() + ":" + plain(bucket.getValue()))
        .collect(Collectors.joining(","));
  }

  /**
   * The perplexities at which a corpus parts.
   *
   * @param scored with {@link Distributions#perplexity}
   * @param documents how many have one: percentiles of many are approximate, within a ten
   *     thousandth of their number
   * @return empty if there are none; infinite from the first infinite perplexity on
   */
  public Map<String, Double> thresholds(Dataset<Row> scored, long documents) {
    String shares =
        percents.values().stream()
            .map(percent -> String.format(Locale.ROOT, "%.10fD", percent / 100))
            .collect(Collectors.joining(", ", "array(", ")"));
    String percentiles =
        documents <= Distributions.MAX_EXACT
            ? "percentile(p, %s)".formatted(shares)
            : "percentile_approx(p, %s, 10000)".formatted(shares);
    Row row = scored.select(Distributions.perplexity().as("p")).agg(expr(percentiles)).first();
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

  /** As {@link #found}, for use by another run: there must be some. */
  public static Map<String, Double> thresholds(String file, Configuration configuration) {
    Map<String, Double> thresholds = found(file, configuration);
    if (thresholds.isEmpty()) {
      throw Refusal.because(
          "Cannot use the thresholds of %s: there are none, as no document of that run had a"
              + " perplexity",
          file);
    }
    return thresholds;
  }

  /**
   * Reads thresholds that an earlier run has found: its summary, or its output's folder. None where
   * none of its documents had a perplexity.
   */
  public static Map<String, Double> found(String file, Configuration configuration) {
    Path path = HadoopFiles.qualified(file, configuration);
    try {
      FileSystem files = path.getFileSystem(configuration);
      Path summary =
          files.getFileStatus(path).isDirectory() ? new Path(path, Output.SUMMARY) : path;
      HadoopFiles.checkName(summary, configuration);
      JsonNode json;
      try (InputStream in = files.open(summary)) {
        json = new ObjectMapper().readTree(in).path(THRESHOLDS);
      }
      Map<String, Double> thresholds = new LinkedHashMap<>();
      double before = 0;
      List<String> names = new ArrayList<>();
      json.fieldNames().forEachRemaining(names::add);
      for (String name : names) {
        if (name.equals(REST)) {
          throw Refusal.because(
              "Cannot use the thresholds of %s: %s is the name of the rest", file, REST);
        }
        // JSON has no infinity, so a summary has null for it.
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
      if (!json.isObject()) {
        throw Refusal.because(
            "%s has no %s; expected the summary of a run with --bucket", file, THRESHOLDS);
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

  /** Adds the column; null for a document without a perplexity. */
  public static Dataset<Row> add(Dataset<Row> scored, Map<String, Double> thresholds) {
    Column perplexity = Distributions.perplexity();
    Column bucket = when(perplexity.isNull(), lit(null).cast("string"));
    for (Map.Entry<String, Double> threshold : thresholds.entrySet()) {
      bucket = bucket.when(perplexity.lt(threshold.getValue()), threshold.getKey());
    }
    Column named =
        bucket
            .otherwise(REST)
            .as(
                COLUMN,
                new MetadataBuilder()
                    .putString("comment", "Part of the corpus by perplexity; null without one")
                    .build());
    return scored.select(col("*"), named);
  }
}
