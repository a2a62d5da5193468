package io.mambaspark.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.TestSpark;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The class path of these tests has no library of native products. */
class NativeProductsTest {
  private static final String PROPERTY = Kernels.NATIVE;

  private SparkConf conf;
  private String property;

  @BeforeEach
  void chooseKernels() {
    TestSpark.session();
    conf = SparkEnv.get().conf();
    property = System.getProperty(PROPERTY);
    // A JVM that first chooses its kernels under "require" would have none.
    assertThat(Kernels.best().hasNativeProducts()).isFalse();
  }

  @AfterEach
  void restoreSettings() {
    conf.remove(NativeProducts.SETTING);
    if (property == null) {
      System.clearProperty(PROPERTY);
    } else {
      System.setProperty(PROPERTY, property);
    }
  }

  @Test
  void without_a_setting_and_with_auto_or_off_the_chosen_kernels_are_used() {
    NativeProducts.configure();
    for (String mode : new String[] {"auto", "off"}) {
      conf.set(NativeProducts.SETTING, mode);
      NativeProducts.configure();
      assertThat(System.getProperty(PROPERTY)).isEqualTo(mode);
    }
  }

  @Test
  void an_unknown_mode_is_refused() {
    conf.set(NativeProducts.SETTING, "on");
    assertThatThrownBy(NativeProducts::configure)
        .isInstanceOf(Refusal.class)
        .hasMessage("spark.mambaspark.native=on: expected auto, off or require");
    assertThat(System.getProperty(PROPERTY)).isEqualTo(property);
  }

  @Test
  void another_mode_than_that_of_this_jvm_is_refused() {
    conf.set(NativeProducts.SETTING, "require");
    assertThatThrownBy(NativeProducts::configure)
        .isInstanceOf(Refusal.class)
        .hasMessage(
            "spark.mambaspark.native=require: this JVM has chosen its kernels before (%s); start a"
                + " new one",
            Kernels.best().describe());
  }
}
