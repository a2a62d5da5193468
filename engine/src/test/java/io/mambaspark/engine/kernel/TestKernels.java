package io.mambaspark.engine.kernel;

/** Kernels for the tests of other packages. */
public final class TestKernels {
  private TestKernels() {}

  /** The reference. */
  public static Kernels scalar() {
    return new ScalarKernels("for a test");
  }
}
