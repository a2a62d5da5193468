package io.mambaspark.jobs.stats;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoreColumn;
import io.mambaspark.jobs.score.ScoredRow;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

class TotalsTest {
  private static final StructType SCHEMA =
      new StructType()
          .add("nll", "double")
          .add("token_count", "bigint")
          .add("perplexity", "double")
          .add("truncated", "boolean")
          .add("error", "string");

  private static final List<ScoreColumn> COLUMNS =
      List.of(
          ScoreColumn.NLL,
          ScoreColumn.TOKEN_COUNT,
          ScoreColumn.PERPLEXITY,
          ScoreColumn.TRUNCATED,
          ScoreColumn.ERROR);

  private static ScoredRow row(double nll, long tokens) {
    ScoredRow row = new ScoredRow();
    row.setNll(nll);
    row.setTokenCount(tokens);
    row.setPerplexity(1.0);
    row.setTruncated(false);
    return row;
  }

  @Test
  void sums_are_exact() {
    Totals totals = new Totals();
    for (double nll : new double[] {1e16, 1, 1}) {
      totals.add(row(nll, 1), Emit.PERPLEXITY);
    }
    // Adding the doubles from left to right would lose both 1s.
    assertThat(totals.nll()).isEqualTo(1e16 + 2);
  }

  @Test
  void sums_do_not_depend_on_order_or_partitions() {
    Random random = new Random(11);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      double nll = Math.exp(10 * random.nextGaussian());
      rows.add(RowFactory.create(nll, 10L, Math.exp(random.nextGaussian() * 20), i % 5 == 0, null));
    }
    List<List<Object>> results = new ArrayList<>();
    for (int partitions : new int[] {1, 2, 7}) {
      Collections.shuffle(rows, random);
      Dataset<Row> data = TestSpark.session().createDataFrame(rows, SCHEMA).repartition(partitions);
      Totals totals = Totals.of(data, Emit.PERPLEXITY, COLUMNS);
      results.add(
          List.of(
              totals.nll(),
              totals.perplexities().corpus(),
              totals.perplexities().meanOfDocuments(),
              totals.tokens(),
              totals.count(Totals.Count.TRUNCATED)));
    }
    assertThat(results.get(1)).isEqualTo(results.get(0));
    assertThat(results.get(2)).isEqualTo(results.get(0));
    assertThat(results.get(0)).endsWith(5000L, 100L);
  }

  @Test
  void rows_with_errors_are_counted_by_kind_and_added_to_no_sum() {
    List<Row> rows =
        List.of(
            RowFactory.create(6.0, 2L, 20.0, false, null),
            RowFactory.create(2.0, 2L, 3.0, false, null),
            RowFactory.create(0.0, 0L, null, false, null),
            RowFactory.create(null, null, null, null, null),
            RowFactory.create(null, null, null, true, RowError.nullElement(1).message()),
            RowFactory.create(null, null, null, false, RowError.outside(99, 0, 24).message()),
            RowFactory.create(null, null, null, false, RowError.outside(98, 5, 24).message()));
    Totals totals =
        Totals.of(TestSpark.session().createDataFrame(rows, SCHEMA), Emit.PERPLEXITY, COLUMNS);
    assertThat(totals.rows()).isEqualTo(7);
    assertThat(totals.nulls()).isEqualTo(1);
    assertThat(totals.tooShort()).isEqualTo(1);
    assertThat(totals.scoredRows()).isEqualTo(2);
    assertThat(totals.tokens()).isEqualTo(4);
    assertThat(totals.perplexities().corpus()).isEqualTo(StrictMath.exp(2));
    assertThat(totals.perplexities().meanOfDocuments()).isEqualTo(11.5);
    assertThat(totals.errorRows()).isEqualTo(3);
    assertThat(totals.errors())
        .containsEntry(RowError.Kind.NULL_ELEMENT, 1L)
        .containsEntry(RowError.Kind.ID_OUTSIDE_VOCABULARY, 2L)
        .hasSize(2);
  }

  @Test
  void an_infinite_perplexity_makes_only_the_mean_infinite() {
    ScoredRow infinite = row(1000, 1);
    infinite.setPerplexity(null);
    Totals totals = new Totals();
    totals.add(row(6, 2), Emit.PERPLEXITY);
    totals.add(infinite, Emit.PERPLEXITY);
    assertThat(totals.scoredRows()).isEqualTo(2);
    assertThat(totals.count(Totals.Count.INFINITE_ROWS)).isEqualTo(1);
    assertThat(totals.perplexities().meanOfDocuments()).isInfinite();
    assertThat(totals.perplexities().corpus()).isEqualTo(StrictMath.exp(1006 / 3.0));
    assertThat(totals.perplexities().errorOverDocuments()).isNotNull();
    Totals read = new Totals();
    read.add(totals.exact());
    assertThat(read.perplexities().meanOfDocuments()).isInfinite();
    totals.add(row(1e6, 1), Emit.PERPLEXITY);
    assertThat(totals.perplexities().corpus()).isInfinite();
    assertThat(totals.perplexities().errorOverDocuments()).isNull();
    assertThat(totals.perplexities().errorOverTokens()).isNull();
  }

  @Test
  void totals_of_no_rows_have_no_perplexity() {
    assertThat(new Totals().perplexities().corpus()).isNull();
    assertThat(new Totals().perplexities().meanOfDocuments()).isNull();
  }
}
