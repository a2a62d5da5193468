package io.mambaspark.jobs.spark;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.Refusal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VersionsTest {
  @ParameterizedTest
  @ValueSource(strings = {"3.4.1", "3.3.2-amzn-0", "3.4.1.3.3.7190.0-91", "3.0", "2.4.8", "1.6.3"})
  void a_spark_that_is_too_old_is_refused(String version) {
    assertThatThrownBy(() -> Versions.checkSpark(version))
        .isInstanceOf(Refusal.class)
        .hasMessage("Spark " + version + " is too old: mamba-spark requires 3.5 or newer");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "3.5.0", "3.5.6-amzn-0", "3.5.1.7.2.18.0-641", "3.10.0", "4.0.0.7-cdh", "4.2.0-SNAPSHOT",
        "4.1", "5.0.0-preview1", "10.0.0", "unknown", "", "next"
      })
  void newer_and_unknown_versions_are_accepted(String version) {
    assertThatCode(() -> Versions.checkSpark(version)).doesNotThrowAnyException();
  }

  @Test
  void the_spark_of_the_tests_is_accepted() {
    assertThatCode(Versions::checkSpark).doesNotThrowAnyException();
  }
}
