package io.mambaspark.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.TestSpark;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class VectorModuleTest {
  private static final String DEFAULTS = "spark.executor.defaultJavaOptions";
  private static final String MODULE = "--add-modules=jdk.incubator.vector";

  private static SparkConf conf(String master) {
    return new SparkConf(false).set("spark.master", master);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"yarn", "spark://host:7077", "k8s://https://host:443", "local-cluster[1,1,1024]"})
  void executors_of_a_cluster_get_the_module(String master) {
    assertThat(VectorModule.executorOptions(conf(master))).contains(MODULE);
  }

  @Test
  void options_of_the_user_are_kept() {
    SparkConf given =
        conf("yarn").set(VectorModule.EXECUTOR_OPTIONS, "-Dlogs=/tmp -XX:+UseParallelGC");

    assertThat(VectorModule.executorOptions(given))
        .contains("-Dlogs=/tmp -XX:+UseParallelGC " + MODULE);
  }

  @Test
  void default_options_are_not_repeated_because_spark_prepends_them() {
    assertThat(VectorModule.executorOptions(conf("yarn").set(DEFAULTS, "-Xss2m"))).contains(MODULE);
  }

  @ParameterizedTest
  @CsvSource({
    "spark.executor.extraJavaOptions, --add-modules=jdk.incubator.vector",
    "spark.executor.extraJavaOptions, -Xss2m --add-modules jdk.incubator.vector -Dx=y",
    "spark.executor.extraJavaOptions, '--add-modules=jdk.jfr,jdk.incubator.vector'",
    "spark.executor.defaultJavaOptions, --add-modules=jdk.incubator.vector",
    "spark.executorEnv.JDK_JAVA_OPTIONS, --add-modules=jdk.incubator.vector"
  })
  void nothing_is_added_to_settings_that_name_the_module(String key, String options) {
    assertThat(VectorModule.executorOptions(conf("yarn").set(key, options))).isEmpty();
    assertThat(VectorModule.isGiven(conf("yarn").set(key, options))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"local", "local[*]", "local[4, 2]"})
  void local_mode_adds_no_options_for_executors(String master) {
    assertThat(VectorModule.executorOptions(conf(master))).isEmpty();
    assertThat(VectorModule.executorOptions(new SparkConf(false))).isEmpty();
  }

  @Test
  void the_driver_s_options_do_not_count_as_the_executors_options() {
    SparkConf given = conf("yarn").set("spark.driver.extraJavaOptions", MODULE);

    assertThat(VectorModule.isGiven(given)).isFalse();
    assertThat(VectorModule.executorOptions(given)).contains(MODULE);
  }

  @Test
  void spark_4_adds_the_module() {
    assertThat(VectorModule.isGiven(TestSpark.session().sparkContext().getConf())).isTrue();
  }

  @Test
  void the_warning_about_a_missing_module_names_the_remedy() {
    assertThat(VectorModule.warning("3.5.6"))
        .isEqualTo(
            "Spark 3.5.6 starts its executors without the module jdk.incubator.vector, so they run the"
                + " scalar kernels, about 20 times slower. Start the session with --conf"
                + " spark.executor.extraJavaOptions=--add-modules=jdk.incubator.vector");
  }
}
