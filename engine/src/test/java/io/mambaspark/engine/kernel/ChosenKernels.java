package io.mambaspark.engine.kernel;

/** Prints the kernels that a JVM chooses; run in JVMs with options of their own. */
final class ChosenKernels {
  private ChosenKernels() {}

  public static void main(String[] args) {
    System.out.println(Kernels.best().describe());
  }
}
