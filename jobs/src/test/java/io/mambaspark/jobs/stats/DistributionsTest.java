package io.mambaspark.jobs.stats;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.offset;

import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.stats.Distributions.Group;
import io.mambaspark.jobs.stats.Distributions.LengthClass;
import io.mambaspark.jobs.stats.Distributions.Series;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

class DistributionsTest {
  private static final StructType SCHEMA =
      new StructType()
          .add("id", "int")
          .add("kind", "string")
          .add("text", "string")
          .add("token_count", "bigint")
          .add("perplexity", "double")
          .add("error", "string");

  private static Dataset<Row> rows(Row... rows) {
    return TestSpark.session().createDataFrame(List.of(rows), SCHEMA);
  }

  @Test
  void percentiles_of_few_documents_are_exact() {
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i <= 100; i++) {
      rows.add(RowFactory.create(i, "a", "text", 8L, 100.0 + (i * 37) % 101, null));
    }
    Distributions all =
        Distributions.of(
            TestSpark.session().createDataFrame(rows, SCHEMA), List.of(), List.of("id"));
    assertThat(all.exact()).isTrue();
    assertThat(all.overall().documents()).isEqualTo(101);
    assertThat(all.overall().values())
        .containsExactly(101.0, 105.0, 125.0, 150.0, 175.0, 195.0, 199.0);
    assertThat(all.grouping().groups()).isEmpty();
    assertThat(all.histogram().series()).extracting(Series::name).containsExactly("all");
    assertThat(all.histogram().series().get(0).documents()).isEqualTo(101);
  }

  @Test
  void documents_without_a_perplexity_do_not_count() {
    Distributions some =
        Distributions.of(
            rows(
                RowFactory.create(1, "a", "x", 4L, 10.0, null),
                RowFactory.create(2, "a", "x", 0L, null, null),
                RowFactory.create(3, "a", "x", null, null, "null_token"),
                RowFactory.create(4, "a", "x", 4L, 20.0, "not_finite"),
                RowFactory.create(5, "a", "x", 4L, Double.NaN, null),
                RowFactory.create(6, "a", "x", 4L, Double.POSITIVE_INFINITY, null),
                RowFactory.create(7, null, "x", 4L, 30.0, null)),
            List.of("kind"),
            List.of("id"));
    assertThat(some.overall().documents()).isEqualTo(3);
    assertThat(some.grouping().groups()).extracting(Group::name).containsExactly("a", "null");
    assertThat(some.extremes().best())
        .extracting(document -> document.shown().get(0))
        .containsExactly("1", "7", "6");
  }

  @Test
  void a_null_perplexity_of_scored_tokens_is_infinite() {
    Distributions some =
        Distributions.of(
            rows(
                RowFactory.create(1, "a", "x", 4L, 10.0, null),
                RowFactory.create(2, "a", "x", 8L, 30.0, null),
                RowFactory.create(3, "b", "x", 9L, null, null),
                RowFactory.create(4, "b", "x", 4L, null, null),
                RowFactory.create(5, "a", "x", 4L, 20.0, null)),
            List.of("kind"),
            List.of("id"));
    double infinity = Double.POSITIVE_INFINITY;
    assertThat(some.overall().documents()).isEqualTo(5);
    assertThat(some.overall().at(25)).isEqualTo(20);
    assertThat(some.overall().at(50)).isEqualTo(30);
    assertThat(some.overall().at(75)).isEqualTo(infinity);
    assertThat(some.grouping().groups().get(1).percentiles().values()).containsOnly(infinity);
    assertThat(some.histogram().series()).extracting(Series::documents).containsExactly(3L, 0L);
    assertThat(some.extremes().best())
        .extracting(d -> d.shown().get(0))
        .containsExactly("1", "5", "2", "3", "4");
    assertThat(some.extremes().worst())
        .extracting(d -> d.shown().get(0))
        .containsExactly("3", "4", "2", "5", "1");
    assertThat(some.extremes().worst().get(0))
        .isEqualTo(new Distributions.Document(infinity, 9, List.of("3")));
    Distributions all =
        Distributions.of(
            rows(RowFactory.create(1, "a", "x", 4L, null, null)), List.of(), List.of("id"));
    assertThat(all.overall().values()).containsOnly(infinity);
    assertThat(all.histogram().edges()).isEmpty();
    assertThat(all.extremes().best()).isEqualTo(all.extremes().worst()).hasSize(1);
  }

  @Test
  void scores_without_a_perplexity_have_no_distribution() {
    Distributions none =
        Distributions.of(
            rows(RowFactory.create(1, "a", "x", 0L, null, null)), List.of("kind"), List.of("id"));
    assertThat(none.overall().documents()).isZero();
    assertThat(none.histogram().edges()).isEmpty();
    assertThat(none.extremes().best()).isEmpty();
  }

  @Test
  void length_classes_begin_at_powers_of_two() {
    List<Row> rows = new ArrayList<>();
    long[] tokens = {1, 2, 3, 4, 7, 8, (1L << 47) - 1, 1L << 47};
    for (long count : tokens) {
      rows.add(RowFactory.create(1, "a", "x", count, 10.0, null));
    }
    Distributions all =
        Distributions.of(TestSpark.session().createDataFrame(rows, SCHEMA), List.of(), List.of());
    assertThat(all.lengths())
        .extracting(LengthClass::firstTokens)
        .containsExactly(1L, 2L, 4L, 8L, 1L << 46, 1L << 47);
    assertThat(all.lengths())
        .extracting(length -> length.percentiles().documents())
        .containsExactly(1L, 2L, 2L, 1L, 1L, 1L);
  }

  @Test
  void best_and_worst_are_ordered_and_their_text_is_truncated() {
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      // Twenty documents share the lowest perplexity: the shown columns decide.
      double perplexity = i < 20 ? 5.0 : i;
      rows.add(RowFactory.create(i, "a", "é".repeat(1000) + i, 3L, perplexity, null));
    }
    Distributions all =
        Distributions.of(
            TestSpark.session().createDataFrame(rows, SCHEMA).repartition(5),
            List.of("kind"),
            List.of("id", "text"));
    assertThat(all.extremes().best())
        .extracting(document -> document.shown().get(0))
        .containsExactly("0", "1", "10", "11", "12", "13", "14", "15", "16", "17");
    assertThat(all.extremes().worst())
        .extracting(document -> document.shown().get(0))
        .containsExactly("39", "38", "37", "36", "35", "34", "33", "32", "31", "30");
    assertThat(all.extremes().best().get(0).shown().get(1)).isEqualTo("é".repeat(299) + "…");
  }

  @Test
  void groups_may_use_several_columns_of_any_type() {
    Dataset<Row> scores =
        TestSpark.session()
            .range(12)
            .select(
                col("id"),
                expr("date_add(date'2026-01-01', cast(id % 2 as int))").as("a day"),
                expr("id % 3 = 0").as("dotted.name"),
                expr("exp(id)").as("perplexity"),
                expr("id + 1").as("token_count"));
    Distributions all =
        Distributions.of(scores, List.of("a day", "dotted.name"), List.of("dotted.name"));
    assertThat(all.grouping().groups())
        .extracting(Group::values)
        .containsExactly(
            List.of("2026-01-01", "false"),
            List.of("2026-01-02", "false"),
            List.of("2026-01-01", "true"),
            List.of("2026-01-02", "true"));
  }

  @Test
  void only_the_largest_groups_are_listed() {
    // Group g, from 0 to 1199, has g + 1 documents, so the largest group is the last.
    Dataset<Row> scores =
        TestSpark.session()
            .range(1200)
            .selectExpr("id as kind", "explode(sequence(0, id)) as row")
            .selectExpr(
                "kind", "row", "cast(10 + kind % 7 as double) as perplexity", "16L as token_count");
    Distributions all = Distributions.of(scores, List.of("kind"), List.of("kind", "row"));
    assertThat(all.exact()).isFalse();
    assertThat(all.grouping().count()).isEqualTo(1200);
    assertThat(all.grouping().groups()).hasSize(1000);
    assertThat(all.grouping().groups().get(0).name()).isEqualTo("1199");
    assertThat(all.grouping().groups().get(0).percentiles().documents()).isEqualTo(1200);
    assertThat(all.grouping().groups().get(999).name()).isEqualTo("200");
    List<Series> series = all.histogram().series();
    assertThat(series)
        .extracting(Series::name)
        .containsExactly("1199", "1198", "1197", "1196", "1195", "1194", "1193", "1192", "other");
    assertThat(series.get(8).rest()).isTrue();
    assertThat(series.stream().mapToLong(Series::documents).sum()).isEqualTo(1200L * 1201 / 2);
  }

  @Test
  void a_missing_column_is_named() {
    Dataset<Row> scores = rows(RowFactory.create(1, "a", "x", 0L, null, null));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Distributions.of(scores, List.of("kinds"), List.of()))
        .withMessage(
            "Column kinds is not in the scores; their columns are id, kind, text, token_count,"
                + " perplexity, error");
  }

  @Test
  void a_million_documents_are_summarised() {
    int rows = 1_000_000;
    // Perplexities are uniform over the decade of their group, so their percentiles are known:
    // within group g they are 10^(g % 4) · (1 + 9·u), and u takes equal steps in a shuffled order.
    Dataset<Row> scores =
        TestSpark.session()
            .range(0, rows, 1, 4)
            .selectExpr(
                "id",
                // Group g has about half the documents of group g - 1; 20 groups.
                "cast(least(19, floor(-log2(1 - (id * 7919 % 1000000 + 0.5) / 1000000))) as int)"
                    + " as kind",
                "(id * 611953 % 1000000 + 0.5) / 1000000 as u",
                "cast(pow(2, rand(7) * 14) as bigint) as token_count",
                "repeat('some words ', 40) as text")
            .selectExpr(
                "id",
                "kind",
                "token_count",
                "text",
                "pow(10, kind % 4) * (1 + 9 * u) as perplexity");
    Map<String, Long> documents =
        IntStream.range(0, rows)
            .mapToObj(i -> Math.min(19, (int) (-Math.log(1 - (i + 0.5) / rows) / Math.log(2))))
            .collect(Collectors.groupingBy(String::valueOf, Collectors.counting()));

    long begin = System.nanoTime();
    Distributions all = Distributions.of(scores, List.of("kind"), List.of("id", "kind", "text"));
    System.out.printf("A million documents in %.1f s%n", (System.nanoTime() - begin) / 1e9);

    assertThat(all.exact()).isFalse();
    assertThat(all.overall().documents()).isEqualTo(rows);
    assertThat(all.grouping().groups()).hasSize(documents.size());
    for (Group group : all.grouping().groups()) {
      assertThat(group.percentiles().documents()).isEqualTo(documents.get(group.name()));
    }
    for (Group group : all.grouping().groups().subList(0, 4)) {
      double decade = Math.pow(10, Integer.parseInt(group.name()) % 4);
      // Steps of u are even overall but not within a group, so allow for a sampling error.
      double bound = 9e-4 + 4 * Math.sqrt(0.25 / group.percentiles().documents());
      assertThat(group.percentiles().at(50) / decade).isEqualTo(5.5, offset(9 * bound));
      assertThat(group.percentiles().at(1) / decade).isEqualTo(1.09, offset(9 * bound));
      assertThat(group.percentiles().at(99) / decade).isEqualTo(9.91, offset(9 * bound));
    }
    assertThat(all.histogram().series().stream().mapToLong(Series::documents).sum())
        .isEqualTo(rows);
    assertThat(all.histogram().series()).hasSize(9);
    assertThat(all.lengths().stream().mapToLong(length -> length.percentiles().documents()).sum())
        .isEqualTo(rows);
    assertThat(all.lengths()).hasSize(14);
    assertThat(all.extremes().best().get(0).perplexity()).isEqualTo(1, offset(0.01));
    assertThat(all.extremes().worst().get(0).perplexity()).isEqualTo(10_000, offset(150.0));
  }
}
