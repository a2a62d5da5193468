package io.mambaspark.engine.kernel;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Chooses the kernels of this JVM, as Lucene's {@code VectorizationProvider} does. The Vector API
 * is fast where C2 compiles it; in the interpreter, C1 and compilers that do not know it, each
 * operation allocates a vector, and plain loops are ten times faster (a forward pass under C1).
 */
final class BestKernels {
  /** Chosen when it is first asked for. */
  static final Kernels CHOSEN = choose();

  private static final String USE_JVMCI_COMPILER = "UseJVMCICompiler";
  private static final String USE_COMPILER = "UseCompiler";
  private static final String TIERED_COMPILATION = "TieredCompilation";
  private static final String TIERED_STOP_AT_LEVEL = "TieredStopAtLevel";
  private static final String COMPILATION_MODE = "CompilationMode";

  /** HotSpot's number for what C2 compiles. */
  private static final int C2_LEVEL = 4;

  private BestKernels() {}

  private static Kernels choose() {
    Logger log = LoggerFactory.getLogger(Kernels.class);
    Kernels kernels = select();
    // A warning, because notebooks and clusters show nothing below it: scalar kernels have about a
    // twentieth of the speed.
    if (kernels instanceof ScalarKernels) {
      log.warn("{}", kernels.describe());
    } else {
      log.info("{}", kernels.describe());
    }
    return kernels;
  }

  private static Kernels select() {
    String obstacle = obstacle(compilerOptions());
    if (obstacle != null) {
      return new ScalarKernels(obstacle);
    }
    if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      return new ScalarKernels(
          "for the fast ones start the JVM with --add-modules jdk.incubator.vector (on executors:"
              + " spark.executor.extraJavaOptions)");
    }
    try {
      // By name: nothing but the vector classes themselves may refer to the incubator module.
      return (Kernels)
          Class.forName("io.mambaspark.engine.kernel.VectorKernels")
              .getDeclaredConstructor()
              .newInstance();
    } catch (ReflectiveOperationException | LinkageError e) {
      return new ScalarKernels("the Vector API of this JDK cannot be used: " + e);
    }
  }

  /**
   * The options of HotSpot that say which compiler runs, by name. An option that this VM does not
   * have is missing; all are missing where the VM is not HotSpot.
   */
  private static Map<String, String> compilerOptions() {
    Map<String, String> options = new TreeMap<>();
    try {
      HotSpotDiagnosticMXBean vm =
          ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
      for (String name :
          new String[] {
            USE_JVMCI_COMPILER,
            USE_COMPILER,
            TIERED_COMPILATION,
            TIERED_STOP_AT_LEVEL,
            COMPILATION_MODE
          }) {
        try {
          options.put(name, vm.getVMOption(name).getValue());
        } catch (IllegalArgumentException e) {
          // Stays missing: experimental options are there only where they are unlocked.
        }
      }
    } catch (RuntimeException | LinkageError e) {
      LoggerFactory.getLogger(Kernels.class).debug("Not HotSpot", e);
    }
    return options;
  }

  /**
   * Why vectors would be slow under these options of the VM, and the remedy; null if C2 runs.
   *
   * @param options as {@link #compilerOptions} finds them
   */
  static String obstacle(Map<String, String> options) {
    if (!options.containsKey(USE_COMPILER)) {
      return "this JVM is not HotSpot, whose C2 compiler the fast ones require: run an OpenJDK";
    }
    if ("true".equals(options.get(USE_JVMCI_COMPILER))) {
      return "the fast ones require the C2 compiler, and this JVM compiles with another one: start"
          + " it with -XX:-UseJVMCICompiler";
    }
    if ("false".equals(options.get(USE_COMPILER))) {
      return "the fast ones require the C2 compiler, and this JVM only interprets: start it without"
          + " -Xint, -XX:-UseCompiler and -XX:TieredStopAtLevel=0";
    }
    if (options.getOrDefault(COMPILATION_MODE, "").equals("quick-only")) {
      return "the fast ones require the C2 compiler, and this JVM has only C1: start it without"
          + " -XX:CompilationMode=quick-only";
    }
    boolean tiered = "true".equals(options.get(TIERED_COMPILATION));
    String level = options.get(TIERED_STOP_AT_LEVEL);
    if (tiered && level != null && Integer.parseInt(level) < C2_LEVEL) {
      return "the fast ones require the C2 compiler, and this JVM has only C1: start it without"
          + " -XX:TieredStopAtLevel="
          + level;
    }
    return null;
  }
}
