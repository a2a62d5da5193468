package io.mambaspark.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import org.apache.spark.SparkUserAppException;
import org.apache.spark.deploy.SparkSubmit;
import org.junit.jupiter.api.Test;

class MainTest {
  /** Runs spark-submit's code, except that it throws an exception instead of ending the JVM. */
  private static void submit(String... args) throws InterruptedException {
    List<String> all = new ArrayList<>(List.of("--class", Main.class.getName()));
    all.addAll(List.of("--master", "local[1]", "spark-internal"));
    all.addAll(Arrays.asList(args));
    Properties before = (Properties) System.getProperties().clone();
    ClassLoader loader = Thread.currentThread().getContextClassLoader();
    try {
      new SparkSubmit().doSubmit(all.toArray(String[]::new));
    } finally {
      Thread.currentThread().setContextClassLoader(loader);
      System.setProperties(before);
    }
  }

  @Test
  void spark_submit_gets_a_normal_end_for_exit_code_0() {
    assertThatCode(() -> submit("--version")).doesNotThrowAnyException();
  }

  @Test
  void spark_submit_gets_any_other_exit_code() {
    Throwable usage = catchThrowable(() -> submit("scroe"));
    assertThat(usage).isInstanceOf(SparkUserAppException.class);
    assertThat(((SparkUserAppException) usage).exitCode()).isEqualTo(2);
    Throwable failure = catchThrowable(() -> submit("inspect", "--model", "/no/where"));
    assertThat(((SparkUserAppException) failure).exitCode()).isEqualTo(1);
  }
}
