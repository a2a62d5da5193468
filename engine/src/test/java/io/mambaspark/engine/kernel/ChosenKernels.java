package io.mambaspark.engine.kernel;

/** Prints the kernels that a JVM chooses. Tests run it in new JVMs with different options. */
final class ChosenKernels {
  private ChosenKernels() {}

  public static void main(String[] args) {
    System.out.println(Kernels.best().describe());
  }
}
