package io.mambaspark.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;

class SessionSettingsTest {
  private static final String PARQUET = "spark.sql.parquet.columnarReaderBatchSize";
  private static final String ORC = "spark.sql.orc.columnarReaderBatchSize";

  @Test
  void readers_hold_few_rows_while_a_job_runs_unless_the_user_decided() {
    SparkSession spark = TestSpark.session();
    spark.conf().set(ORC, "1000");
    List<String> during =
        SessionSettings.smallBatches(
            spark, () -> List.of(spark.conf().get(PARQUET), spark.conf().get(ORC)));
    assertThat(during).containsExactly("64", "1000");
    assertThat(spark.conf().contains(PARQUET)).isFalse();
    assertThat(spark.conf().get(ORC)).isEqualTo("1000");
    spark.conf().unset(ORC);
  }
}
