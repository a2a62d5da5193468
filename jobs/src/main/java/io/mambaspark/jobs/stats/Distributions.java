package io.mambaspark.jobs.stats;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.length;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sha2;
import static org.apache.spark.sql.functions.substring;
import static org.apache.spark.sql.functions.udf;
import static org.apache.spark.sql.functions.when;

import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.DataTypes;

/**
 * The distributions of the perplexities and of the signals of scored documents. A document counts
 * if it has no error and a positive {@link #perplexity}, which may be infinite.
 *
 * @param exact whether percentiles are exact (with linear interpolation); otherwise the rank of
 *     each value is off by at most 1/10,000 of the number of documents
 * @param overall percentiles of all documents, without values if there are no documents
 * @param grouping percentiles of groups of documents
 * @param histogram one series for each of the largest {@link #MAX_SERIES} groups, and one for the
 *     remaining groups
 * @param lengths percentiles by number of scored tokens, the shortest class first
 * @param extremes the documents with the lowest and the highest perplexity
 * @param signals the distribution of each signal, by its column
 */
public record Distributions(
    boolean exact,
    Percentiles overall,
    Grouping grouping,
    Histogram histogram,
    List<LengthClass> lengths,
    Extremes extremes,
    Map<String, Signal> signals) {
  /** The maximum number of groups that are listed; further groups are only counted. */
  public static final int MAX_GROUPS = 1000;

  /** The maximum number of groups with a separate series in the histogram. */
  public static final int MAX_SERIES = 8;

  /** The maximum number of documents shown at either end. */
  public static final int MAX_DOCUMENTS = 10;

  /** The largest number of documents for which percentiles are exact. */
  public static final long MAX_EXACT = 100_000;

  /** A column that is read from a scored row. */
  static final String PERPLEXITY = "perplexity";

  /** A column that is read from a scored row. */
  static final String TOKENS = "token_count";

  /** The number of digest characters that distinguish long values. */
  private static final int DIGEST = 16;

  /** The maximum length, in characters, of a group's value and of a document's shown value. */
  public static final int MAX_CHARACTERS = 300;

  public Distributions {
    lengths = List.copyOf(lengths);
  }

  /** Creates distributions without signals. */
  public Distributions(
      boolean exact,
      Percentiles overall,
      Grouping grouping,
      Histogram histogram,
      List<LengthClass> lengths,
      Extremes extremes) {
    this(exact, overall, grouping, histogram, lengths, extremes, Map.of());
  }

  /**
   * The distribution of a signal.
   *
   * @param histogram one series on a linear scale, from about the 1st to about the 99th percentile;
   *     the first and the last bin also hold all values beyond
   */
  public record Signal(Percentiles percentiles, Histogram histogram) {}

  /**
   * The percentiles of groups of documents.
   *
   * @param columns the columns whose values define the groups; empty for no groups
   * @param count the number of groups
   * @param groups the groups with the most documents, at most {@link #MAX_GROUPS}, the largest
   *     first
   */
  public record Grouping(List<String> columns, long count, List<Group> groups) {
    public Grouping {
      columns = List.copyOf(columns);
      groups = List.copyOf(groups);
    }
  }

  /**
   * The documents with the lowest and the highest perplexity.
   *
   * @param columns the columns shown for each document
   * @param best documents with the lowest perplexity, at most {@link #MAX_DOCUMENTS}, the best
   *     first
   * @param worst documents with the highest perplexity, at most {@link #MAX_DOCUMENTS}, the worst
   *     first
   */
  public record Extremes(List<String> columns, List<Document> best, List<Document> worst) {
    public Extremes {
      columns = List.copyOf(columns);
      best = List.copyOf(best);
      worst = List.copyOf(worst);
    }
  }

  /**
   * Percentiles of perplexity or of a signal.
   *
   * @param documents the number of documents
   * @param values at {@link #RANKS}; empty if there are no documents
   */
  public record Percentiles(long documents, List<Double> values) {
    /** Ranks in percent, one for each of {@code values}. */
    public static final List<Integer> RANKS = List.of(1, 5, 25, 50, 75, 95, 99);

    public Percentiles {
      values = List.copyOf(values);
      if (values.size() != (documents == 0 ? 0 : RANKS.size())) {
        throw new IllegalArgumentException(
            "Found %d percentiles of %d documents, expected %d"
                .formatted(values.size(), documents, documents == 0 ? 0 : RANKS.size()));
      }
    }

    /** Returns the percentile of a rank in {@link #RANKS}. */
    public double at(int rank) {
      return values.get(RANKS.indexOf(rank));
    }
  }

  /**
   * Documents with equal values in the group columns. A value is truncated to {@link
   * #MAX_CHARACTERS}; a null becomes {@code "null"}.
   *
   * @param signals the percentiles of each signal, by its column
   */
  public record Group(
      List<String> values, Percentiles percentiles, Map<String, Percentiles> signals) {
    public Group {
      values = List.copyOf(values);
    }

    /** Creates a group without signals. */
    public Group(List<String> values, Percentiles percentiles) {
      this(values, percentiles, Map.of());
    }

    /** Returns the values in one line. */
    public String name() {
      return String.join(" · ", values);
    }
  }

  /**
   * Counts on a logarithmic scale. Bin i holds the perplexities in {@code [edges[i], edges[i+1])};
   * infinite perplexities are in no bin.
   *
   * @param edges the bin edges, one more than bins; empty if no perplexity is finite
   */
  public record Histogram(List<Double> edges, List<Series> series) {
    public Histogram {
      edges = List.copyOf(edges);
      series = List.copyOf(series);
    }
  }

  /**
   * The counts of a group.
   *
   * @param rest whether the series combines all groups without a separate series
   * @param counts one count for each bin
   */
  public record Series(String name, boolean rest, List<Long> counts) {
    public Series {
      counts = List.copyOf(counts);
    }

    /** Returns the sum of the counts. */
    public long documents() {
      return counts.stream().mapToLong(Long::longValue).sum();
    }
  }

  /** Documents with at least {@code firstTokens} and less than twice as many scored tokens. */
  public record LengthClass(long firstTokens, Percentiles percentiles) {}

  /**
   * One document.
   *
   * @param shown the values of {@link Extremes#columns}, in that order, truncated to {@link
   *     #MAX_CHARACTERS}; {@code "null"} for a null
   */
  public record Document(double perplexity, long tokens, List<String> shown) {
    public Document {
      shown = List.copyOf(shown);
    }
  }

  /**
   * Computes the distributions in Spark. Only the result is collected to the driver.
   *
   * @param scores rows with {@code perplexity}, {@code token_count} and, optionally, {@code error}
   * @param groupBy columns of any type; their values as strings define the groups
   * @param shown columns to show for single documents
   * @throws IllegalArgumentException if a column does not exist
   */
  public static Distributions of(Dataset<Row> scores, List<String> groupBy, List<String> shown) {
    return of(scores, groupBy, shown, List.of());
  }

  /**
   * Computes the distributions, as above.
   *
   * @param signals columns of numbers; each has a value wherever the perplexity has one
   */
  public static Distributions of(
      Dataset<Row> scores, List<String> groupBy, List<String> shown, List<String> signals) {
    return new DistributionQuery(scores, groupBy, shown, signals).run();
  }

  /**
   * Returns the perplexity of a scored row: the column {@code perplexity}, or infinity if tokens
   * were scored and that column is null because the number is too large for a double.
   */
  public static Column perplexity() {
    return coalesce(col(PERPLEXITY), when(overflows(), lit(Double.POSITIVE_INFINITY)));
  }

  /** Whether the perplexity of a scored row is too large for a double. */
  static Column overflows() {
    return col(PERPLEXITY).isNull().and(col(TOKENS).gt(0));
  }

  /** Returns a column's value as a short string to show for a document. */
  public static Column text(String name) {
    Column value = value(name);
    Column cut = concat(substring(value, 1, MAX_CHARACTERS - 1), lit("…"));
    return coalesce(
        valid(when(length(value).gt(MAX_CHARACTERS), cut).otherwise(value)), lit("null"));
  }

  /**
   * Returns a column's value as a short string that identifies its group: different values have
   * different strings. A long string ends with a part of its SHA-256. The word null is quoted to
   * distinguish it from a null.
   */
  public static Column group(String name) {
    Column value = value(name);
    Column digest = substring(sha2(value.cast("binary"), 256), 1, DIGEST);
    Column cut = concat(substring(value, 1, MAX_CHARACTERS - DIGEST - 1), lit("…"), digest);
    Column word = when(value.equalTo("null"), lit("\"null\"")).otherwise(value);
    return coalesce(
        valid(when(length(value).gt(MAX_CHARACTERS), cut).otherwise(word)), lit("null"));
  }

  private static Column value(String name) {
    return col("`" + name.replace("`", "``") + "`").cast("string");
  }

  /** Replaces bytes that are not UTF-8 by converting a string to Java's form and back. */
  private static Column valid(Column text) {
    UDF1<String, String> same = string -> string;
    return udf(same, DataTypes.StringType).apply(text);
  }
}
