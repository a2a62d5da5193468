package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Checks that each test run uses the kernels that it should use. The build runs the tests tagged
 * {@code kernels} on vectors of 16, 8 and 4 lanes, and all tests except those tagged {@code vector}
 * without the Vector API.
 */
@Tag("kernels")
class KernelsTest {
  private final String expected = System.getProperty("mambaspark.test.kernels");

  @Test
  void thisRunUsesTheKernelsThatItShouldUse() {
    assertThat(expected)
        .as("start tests with -Dmambaspark.test.kernels=vector or scalar, as the build does")
        .isIn("vector", "scalar");
    assertThat(Kernels.best().getClass().getSimpleName())
        .isEqualTo(expected.equals("vector") ? "VectorKernels" : "ScalarKernels");
  }

  @Test
  void theDescriptionNamesTheRemedyIfTheVectorModuleIsMissing() {
    boolean module = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
    assertThat(module).isEqualTo("vector".equals(expected));
    if (!module) {
      assertThat(Kernels.best().describe())
          .isEqualTo(
              "scalar kernels; for the fast kernels, start the JVM with --add-modules"
                  + " jdk.incubator.vector (on executors: spark.executor.extraJavaOptions)");
    }
  }

  @Test
  @Tag("vector")
  void vectorsHaveTheLanesOfThisRunOrAsManyAsTheMachineSupports() {
    // The effective value: that of the command line, limited to the machine's vector size.
    int bytes =
        Integer.parseInt(
            ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
                .getVMOption("MaxVectorSize")
                .getValue());
    int lanes = Math.min(Integer.getInteger("mambaspark.test.lanes"), bytes / Float.BYTES);

    String vectors = "Vector API kernels, " + lanes + " lanes";
    if ("require".equals(System.getProperty(Kernels.NATIVE))) {
      assertThat(Kernels.best().describe())
          .matches(vectors + ", products of integers by oneDNN \\(brg_matmul:\\S+\\)");
    } else {
      assertThat(Kernels.best().describe()).isEqualTo(vectors);
    }
  }
}
