package io.mambaspark.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;

class FailuresTest {
  @Test
  void a_format_that_this_spark_does_not_have_is_named_not_its_class() {
    SparkSession spark = TestSpark.session();

    Throwable failure = catchThrowable(() -> spark.read().format("cuneiform").load("nowhere"));

    assertThat(Failures.oneLine(failure))
        .contains("ailed to find the data source: cuneiform.")
        .endsWith(" This is Spark " + spark.version() + ".");
  }
}
