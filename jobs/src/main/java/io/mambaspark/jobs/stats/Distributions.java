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
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.DataTypes;

/**
 * How the perplexities of a set of scored documents are distributed. A document counts if it has no
 * error and a positive {@link #perplexity}, which may be infinite.
 *
 * @param exact whether percentiles are exact (with linear interpolation); otherwise they are values
 *     whose rank is off by at most a ten-thousandth of the documents
 * @param overall percentiles of all documents; of none if there are no documents
 * @param histogram the largest {@link #MAX_SERIES} groups, and the rest in one
 * @param lengths by number of scored tokens, the shortest first
 */
public record Distributions(
    boolean exact,
    Percentiles overall,
    Grouping grouping,
    Histogram histogram,
    List<LengthClass> lengths,
    Ends ends) {
  /** Groups beyond these are counted but not told. */
  public static final int MAX_GROUPS = 1000;

  /** Groups with a series of their own in the histogram. */
  public static final int MAX_SERIES = 8;

  /** Documents shown at either end. */
  public static final int MAX_DOCUMENTS = 10;

  /** Up to so many documents percentiles are exact. */
  public static final long MAX_EXACT = 100_000;

  /** The columns of a scored row that are read here. */
  static final String PERPLEXITY = "perplexity";

  static final String TOKENS = "token_count";

  /** Characters of a digest that tell long values apart. */
  private static final int DIGEST = 16;

  /** Characters that are kept of a group's value and of what is shown of a document. */
  public static final int MAX_CHARACTERS = 300;

  public Distributions {
    lengths = List.copyOf(lengths);
  }

  /**
   * The percentiles of groups of documents.
   *
   * @param columns by whose values the groups are made; empty for no groups
   * @param count how many groups there are
   * @param groups those with the most documents, at most {@link #MAX_GROUPS}, the largest first
   */
  public record Grouping(List<String> columns, long count, List<Group> groups) {
    public Grouping {
      columns = List.copyOf(columns);
      groups = List.copyOf(groups);
    }
  }

  /**
   * The documents at either end.
   *
   * @param columns what is shown of each document
   * @param best documents with the lowest perplexity, at most {@link #MAX_DOCUMENTS}, the best
   *     first
   * @param worst those with the highest, the worst first
   */
  public record Ends(List<String> columns, List<Document> best, List<Document> worst) {
    public Ends {
      columns = List.copyOf(columns);
      best = List.copyOf(best);
      worst = List.copyOf(worst);
    }
  }

  /**
   * Percentiles of perplexity.
   *
   * @param documents how many there are
   * @param values at {@link #RANKS}; empty if there are no documents
   */
  public record Percentiles(long documents, List<Double> values) {
    /** In percent; {@code values} has one for each. */
    public static final List<Integer> RANKS = List.of(1, 5, 25, 50, 75, 95, 99);

    public Percentiles {
      values = List.copyOf(values);
      if (values.size() != (documents == 0 ? 0 : RANKS.size())) {
        throw new IllegalArgumentException(
            "Found %d percentiles of %d documents, expected %d"
                .formatted(values.size(), documents, documents == 0 ? 0 : RANKS.size()));
      }
    }

    /** The percentile of a rank in {@link #RANKS}. */
    public double at(int rank) {
      return values.get(RANKS.indexOf(rank));
    }
  }

  /**
   * Documents with equal values in the group columns; those are cut to {@link #MAX_CHARACTERS},
   * {@code "null"} for a null.
   */
  public record Group(List<String> values, Percentiles percentiles) {
    public Group {
      values = List.copyOf(values);
    }

    /** The values in one line. */
    public String name() {
      return String.join(" · ", values);
    }
  }

  /**
   * Counts on a logarithmic scale. Bin i holds the perplexities in {@code [edges[i], edges[i+1])};
   * infinite ones are in no bin.
   *
   * @param edges one more than there are bins; empty if no perplexity is finite
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
   * @param rest whether these are all the groups that have no series of their own
   * @param counts one for each bin
   */
  public record Series(String name, boolean rest, List<Long> counts) {
    public Series {
      counts = List.copyOf(counts);
    }

    /** The sum of the counts. */
    public long documents() {
      return counts.stream().mapToLong(Long::longValue).sum();
    }
  }

  /** Documents with {@code firstTokens} up to, without it, twice as many scored tokens. */
  public record LengthClass(long firstTokens, Percentiles percentiles) {}

  /**
   * One document.
   *
   * @param shown values of the shown columns, as they are in {@link Ends#columns}, cut to {@link
   *     #MAX_CHARACTERS}; {@code "null"} for a null
   */
  public record Document(double perplexity, long tokens, List<String> shown) {
    public Document {
      shown = List.copyOf(shown);
    }
  }

  /**
   * Computes all of it in Spark; only what is returned comes to the driver.
   *
   * @param scores with {@code perplexity}, {@code token_count} and, if there is one, {@code error}
   * @param groupBy columns of any type, by whose values as strings the documents are grouped
   * @param shown columns to show of single documents
   * @throws IllegalArgumentException if a column is not there
   */
  public static Distributions of(Dataset<Row> scores, List<String> groupBy, List<String> shown) {
    return new DistributionQuery(scores, groupBy, shown).run();
  }

  /**
   * The perplexity of a scored row: that of the column {@code perplexity}, and infinity where
   * tokens were scored and that column is null, because the number is too large for a double.
   */
  public static Column perplexity() {
    return coalesce(col(PERPLEXITY), when(overflows(), lit(Double.POSITIVE_INFINITY)));
  }

  /** Whether the perplexity of a scored row is too large for a double. */
  static Column overflows() {
    return col(PERPLEXITY).isNull().and(col(TOKENS).gt(0));
  }

  /** A column's value as a short string: what documents show of it. */
  public static Column text(String name) {
    Column value = value(name);
    Column cut = concat(substring(value, 1, MAX_CHARACTERS - 1), lit("…"));
    return coalesce(
        valid(when(length(value).gt(MAX_CHARACTERS), cut).otherwise(value)), lit("null"));
  }

  /**
   * A column's value as a short string that groups are made by: other values have other strings. A
   * long one ends with a part of its SHA-256, and the word null is quoted, as it stands for none.
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

  /** On its way through Java a string loses what is not UTF-8, and so is what it seems to be. */
  private static Column valid(Column text) {
    UDF1<String, String> same = string -> string;
    return udf(same, DataTypes.StringType).apply(text);
  }
}
