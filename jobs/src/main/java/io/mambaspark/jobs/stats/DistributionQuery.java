package io.mambaspark.jobs.stats;

import static io.mambaspark.jobs.stats.Distributions.PERPLEXITY;
import static io.mambaspark.jobs.stats.Distributions.TOKENS;
import static org.apache.spark.sql.functions.broadcast;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.floor;
import static org.apache.spark.sql.functions.greatest;
import static org.apache.spark.sql.functions.least;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.when;

import io.mambaspark.jobs.stats.Distributions.Document;
import io.mambaspark.jobs.stats.Distributions.Extremes;
import io.mambaspark.jobs.stats.Distributions.Group;
import io.mambaspark.jobs.stats.Distributions.Grouping;
import io.mambaspark.jobs.stats.Distributions.Histogram;
import io.mambaspark.jobs.stats.Distributions.LengthClass;
import io.mambaspark.jobs.stats.Distributions.Percentiles;
import io.mambaspark.jobs.stats.Distributions.Series;
import io.mambaspark.jobs.stats.Distributions.Signal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;

/**
 * The queries of {@link Distributions}. One scan of the scores computes the numbers and caches the
 * narrow columns for them. Two more scans find the documents at either end; their filter allows
 * Parquet to skip nearly all pages of a wide text column.
 */
final class DistributionQuery {
  private static final String ERROR = "error";

  private final Dataset<Row> scores;
  private final List<String> groupBy;
  private final List<String> shown;
  private final List<String> signals;

  DistributionQuery(
      Dataset<Row> scores, List<String> groupBy, List<String> shown, List<String> signals) {
    // Spark orders NaN above infinity.
    Column valid =
        col(PERPLEXITY)
            .gt(0.0)
            .and(col(PERPLEXITY).leq(lit(Double.POSITIVE_INFINITY)))
            .or(Distributions.overflows());
    if (Arrays.asList(scores.columns()).contains(ERROR)) {
      valid = valid.and(col(ERROR).isNull());
    }
    require(scores, List.of(PERPLEXITY, TOKENS));
    require(scores, groupBy);
    require(scores, shown);
    require(scores, signals);
    this.scores = scores.filter(valid);
    this.groupBy = groupBy;
    this.shown = shown;
    this.signals = signals;
  }

  private static void require(Dataset<Row> scores, List<String> columns) {
    for (String column : columns) {
      if (Arrays.stream(scores.columns()).noneMatch(column::equalsIgnoreCase)) {
        throw new IllegalArgumentException(
            "Column %s is not in the scores; their columns are %s"
                .formatted(column, String.join(", ", scores.columns())));
      }
    }
  }

  Distributions run() {
    List<Column> values = new ArrayList<>();
    values.add(Distributions.perplexity().cast("double").as("p"));
    values.add(col(TOKENS).cast("bigint").as("n"));
    for (int i = 0; i < signals.size(); i++) {
      values.add(col(signals.get(i)).cast("double").as(signal(i)));
    }
    Dataset<Row> narrow =
        scores
            .select(
                groups(
                    i -> Distributions.group(groupBy.get(i)).as(group(i)),
                    values.toArray(Column[]::new)))
            .persist(StorageLevel.MEMORY_AND_DISK());
    try {
      return run(narrow);
    } finally {
      narrow.unpersist();
    }
  }

  private Distributions run(Dataset<Row> narrow) {
    long documents = narrow.count();
    if (documents == 0) {
      return new Distributions(
          true,
          new Percentiles(0, List.of()),
          new Grouping(groupBy, 0, List.of()),
          new Histogram(List.of(), List.of()),
          List.of(),
          new Extremes(shown, List.of(), List.of()));
    }
    boolean exact = documents <= Distributions.MAX_EXACT;
    List<Row> largest = groupBy.isEmpty() ? List.of() : largestGroups(narrow);
    long groupCount = largest.size();
    Dataset<Row> inLargest = narrow;
    if (groupCount > Distributions.MAX_GROUPS) {
      groupCount = narrow.select(groups(i -> col(group(i)))).distinct().count();
      largest = largest.subList(0, Distributions.MAX_GROUPS);
      inLargest = only(narrow, largest);
    }
    Row overall = narrow.agg(count(lit(1)), percentiles(exact)).collectAsList().get(0);
    Map<String, Signal> distributions = new LinkedHashMap<>();
    signals(overall, 0)
        .forEach(
            (name, all) -> distributions.put(name, new Signal(all, histogram(narrow, name, all))));
    return new Distributions(
        exact,
        percentiles(overall, 0),
        new Grouping(
            groupBy,
            groupCount,
            groupBy.isEmpty() ? List.of() : percentilesByGroup(inLargest, largest, exact)),
        histogram(narrow, largest),
        lengths(narrow, exact),
        new Extremes(shown, documents(narrow, true), documents(narrow, false)),
        distributions);
  }

  /** Returns values and counts of the largest groups, and of one more to detect further groups. */
  private List<Row> largestGroups(Dataset<Row> narrow) {
    Column[] byName = groups(i -> col(group(i)));
    List<Column> order = new ArrayList<>(List.of(col("documents").desc()));
    order.addAll(Arrays.asList(byName));
    return narrow
        .groupBy(byName)
        .agg(count(lit(1)).as("documents"))
        .orderBy(order.toArray(Column[]::new))
        .limit(Distributions.MAX_GROUPS + 1)
        .collectAsList();
  }

  private Dataset<Row> only(Dataset<Row> narrow, List<Row> groups) {
    StructType schema = new StructType();
    for (int i = 0; i < groupBy.size(); i++) {
      schema = schema.add("only" + i, "string");
    }
    List<Row> keys = groups.stream().map(row -> RowFactory.create(values(row).toArray())).toList();
    Column equal =
        IntStream.range(0, groupBy.size())
            .mapToObj(i -> col(group(i)).equalTo(col("only" + i)))
            .reduce(Column::and)
            .orElseThrow();
    return narrow.join(
        broadcast(narrow.sparkSession().createDataFrame(keys, schema)), equal, "left_semi");
  }

  private List<Group> percentilesByGroup(Dataset<Row> narrow, List<Row> groups, boolean exact) {
    Map<List<String>, Group> byValues = new HashMap<>();
    for (Row row :
        narrow
            .groupBy(groups(i -> col(group(i))))
            .agg(count(lit(1)), percentiles(exact))
            .collectAsList()) {
      Group group =
          new Group(values(row), percentiles(row, groupBy.size()), signals(row, groupBy.size()));
      byValues.put(group.values(), group);
    }
    return groups.stream().map(row -> byValues.get(values(row))).toList();
  }

  private Histogram histogram(Dataset<Row> narrow, List<Row> groups) {
    List<Row> own = groups.subList(0, Math.min(groups.size(), Distributions.MAX_SERIES));
    boolean rest = groups.size() > own.size();
    Column series = lit(groups.isEmpty() ? 0 : own.size());
    for (int s = own.size() - 1; s >= 0; s--) {
      series = when(equal(values(own.get(s))), lit(s)).otherwise(series);
    }
    List<Row> counts =
        narrow
            .filter(col("p").lt(lit(Double.POSITIVE_INFINITY)))
            .groupBy(
                series.as("series"),
                expr("cast(floor(log10(p) * " + LogBins.PER_DECADE + ") as int)").as("bin"))
            .agg(count(lit(1)))
            .collectAsList();
    if (counts.isEmpty()) {
      return new Histogram(List.of(), List.of());
    }
    LogBins bins = LogBins.of(counts.stream().mapToInt(row -> row.getInt(1)).toArray());
    long[][] table = new long[groups.isEmpty() ? 1 : own.size() + (rest ? 1 : 0)][bins.count()];
    for (Row row : counts) {
      table[row.getInt(0)][bins.of(row.getInt(1))] += row.getLong(2);
    }
    List<Series> all = new ArrayList<>();
    for (int s = 0; s < table.length; s++) {
      String name =
          s < own.size() ? String.join(" · ", values(own.get(s))) : rest ? "other" : "all";
      all.add(new Series(name, s >= own.size() && rest, Arrays.stream(table[s]).boxed().toList()));
    }
    return new Histogram(bins.edges(), all);
  }

  /** Returns the histogram of a signal, whose percentiles limit it. */
  private Histogram histogram(Dataset<Row> narrow, String signal, Percentiles percentiles) {
    boolean whole = scores.schema().apply(signal).dataType().equals(DataTypes.IntegerType);
    LinearBins bins = LinearBins.of(percentiles.at(1), percentiles.at(99), whole ? 1 : 0);
    long[] counts = new long[bins.count()];
    Column value = col(signal(signals.indexOf(signal)));
    for (Row row :
        narrow
            .groupBy(
                least(
                        lit((double) (bins.count() - 1)),
                        greatest(lit(0.0), floor(value.divide(bins.width()).minus(bins.first()))))
                    .cast("int")
                    .as("bin"))
            .agg(count(lit(1)))
            .collectAsList()) {
      counts[row.getInt(0)] = row.getLong(1);
    }
    Series all = new Series("all", false, Arrays.stream(counts).boxed().toList());
    return new Histogram(bins.edges(), List.of(all));
  }

  private Column equal(List<String> values) {
    return IntStream.range(0, values.size())
        .mapToObj(i -> col(group(i)).equalTo(values.get(i)))
        .reduce(Column::and)
        .orElseThrow();
  }

  private static List<LengthClass> lengths(Dataset<Row> narrow, boolean exact) {
    return narrow
        .filter(col("n").gt(0))
        // Count binary digits: a logarithm may round to the wrong side of a power of two.
        .groupBy(expr("length(bin(n))").as("digits"))
        .agg(count(lit(1)), percentiles(exact, "p"))
        .orderBy("digits")
        .collectAsList()
        .stream()
        .map(row -> new LengthClass(1L << (row.getInt(0) - 1), percentiles(row, 1)))
        .toList();
  }

  private List<Document> documents(Dataset<Row> narrow, boolean best) {
    List<Row> ends =
        narrow
            .select("p")
            .orderBy(best ? col("p").asc() : col("p").desc())
            .limit(Distributions.MAX_DOCUMENTS)
            .collectAsList();
    double last = ends.get(ends.size() - 1).getDouble(0);
    Column[] columns = new Column[2 + shown.size()];
    columns[0] = Distributions.perplexity().cast("double").as("p");
    columns[1] = coalesce(col(TOKENS).cast("bigint"), lit(0L)).as("n");
    Column[] order = new Column[1 + shown.size()];
    order[0] = best ? col("p").asc() : col("p").desc();
    for (int i = 0; i < shown.size(); i++) {
      columns[2 + i] = Distributions.text(shown.get(i)).as("s" + i);
      order[1 + i] = col("s" + i).asc();
    }
    Column end = best ? col(PERPLEXITY).leq(last) : col(PERPLEXITY).geq(last);
    return scores
        .filter(best && last < Double.POSITIVE_INFINITY ? end : end.or(Distributions.overflows()))
        .select(columns)
        .orderBy(order)
        .limit(Distributions.MAX_DOCUMENTS)
        .collectAsList()
        .stream()
        .map(
            row ->
                new Document(
                    row.getDouble(0),
                    row.getLong(1),
                    IntStream.range(2, row.size()).mapToObj(row::getString).toList()))
        .toList();
  }

  private static String signal(int i) {
    return "v" + i;
  }

  private static String group(int i) {
    return "g" + i;
  }

  private Column[] groups(IntFunction<Column> column, Column... more) {
    List<Column> columns =
        IntStream.range(0, groupBy.size())
            .mapToObj(column)
            .collect(Collectors.toCollection(ArrayList::new));
    columns.addAll(Arrays.asList(more));
    return columns.toArray(Column[]::new);
  }

  private List<String> values(Row row) {
    return IntStream.range(0, groupBy.size()).mapToObj(row::getString).toList();
  }

  /** Returns the percentiles of the perplexity and then of each signal. */
  private Column[] percentiles(boolean exact) {
    Column[] all = new Column[1 + signals.size()];
    all[0] = percentiles(exact, "p");
    for (int i = 0; i < signals.size(); i++) {
      all[1 + i] = percentiles(exact, signal(i));
    }
    return all;
  }

  private static Column percentiles(boolean exact, String column) {
    String ranks =
        Percentiles.RANKS.stream()
            .map(rank -> rank / 100.0 + "D")
            .collect(Collectors.joining(", ", "array(", ")"));
    return expr((exact ? "percentile" : "percentile_approx") + "(" + column + ", " + ranks + ")");
  }

  private static Percentiles percentiles(Row row, int count) {
    return percentiles(row, count, 0);
  }

  /** Reads a row's count, and column {@code i} of the percentiles that follow it. */
  private static Percentiles percentiles(Row row, int count, int i) {
    return new Percentiles(row.getLong(count), row.getList(count + 1 + i));
  }

  private Map<String, Percentiles> signals(Row row, int count) {
    Map<String, Percentiles> all = new LinkedHashMap<>();
    for (int i = 0; i < signals.size(); i++) {
      all.put(signals.get(i), percentiles(row, count, i + 1));
    }
    return all;
  }
}
