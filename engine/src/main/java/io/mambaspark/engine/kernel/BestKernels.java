package io.mambaspark.engine.kernel;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationTargetException;
import java.util.Map;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Chooses the kernels of this JVM, as Lucene's {@code VectorizationProvider} does. The Vector API
 * is fast if C2 compiles it. In the interpreter, in C1 and in compilers that do not support it,
 * each operation allocates a vector, and plain loops are ten times faster (measured on a forward
 * pass under C1).
 */
final class BestKernels {
  /** The kernels of this JVM, chosen on the first access; null if {@link #REFUSAL} is not. */
  private static final Kernels CHOSEN;

  /** Why this JVM has no kernels: native products were required. */
  private static final String REFUSAL;

  static {
    Kernels kernels = null;
    String refusal = null;
    try {
      kernels = choose();
    } catch (IllegalStateException e) {
      refusal = e.getMessage();
    }
    CHOSEN = kernels;
    REFUSAL = refusal;
  }

  private static final String USE_JVMCI_COMPILER = "UseJVMCICompiler";
  private static final String USE_COMPILER = "UseCompiler";
  private static final String TIERED_COMPILATION = "TieredCompilation";
  private static final String TIERED_STOP_AT_LEVEL = "TieredStopAtLevel";
  private static final String COMPILATION_MODE = "CompilationMode";

  /** HotSpot's number of the compilation level of C2. */
  private static final int C2_LEVEL = 4;

  private BestKernels() {}

  static Kernels chosen() {
    if (CHOSEN == null) {
      throw new IllegalStateException(REFUSAL);
    }
    return CHOSEN;
  }

  private static Kernels choose() {
    Logger log = LoggerFactory.getLogger(Kernels.class);
    Kernels kernels = select();
    // Scalar kernels have about a twentieth of the speed. This is a warning because notebooks and
    // clusters do not show lower log levels.
    if (kernels instanceof ScalarKernels) {
      log.warn("{}", kernels.describe());
    } else {
      log.info("{}", kernels.describe());
    }
    return kernels;
  }

  private static Kernels select() {
    String obstacle = obstacle(compilerOptions());
    if (obstacle == null && ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      obstacle =
          "for the fast kernels, start the JVM with --add-modules jdk.incubator.vector (on"
              + " executors: spark.executor.extraJavaOptions)";
    }
    Dnnl dnnl =
        NativeProducts.load(obstacle == null ? null : "they need the Vector API: " + obstacle);
    if (obstacle != null) {
      return new ScalarKernels(obstacle);
    }
    try {
      // Loaded by name, because only the vector classes may refer to the incubator module.
      return (Kernels)
          Class.forName("io.mambaspark.engine.kernel.VectorKernels")
              .getDeclaredConstructor(Dnnl.class)
              .newInstance(dnnl);
    } catch (ReflectiveOperationException | LinkageError e) {
      // InvocationTargetException only wraps the exception that the constructor threw.
      Throwable reason = e instanceof InvocationTargetException ? e.getCause() : e;
      String why = "the Vector API of this JVM cannot be used: " + reason;
      if (NativeProducts.required()) {
        throw NativeProducts.refusal("they need the Vector API: " + why);
      }
      return new ScalarKernels(why);
    }
  }

  /**
   * Reads the HotSpot options that select the compiler, by name. Omits options that this VM does
   * not have; the map is empty if the VM is not HotSpot.
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
          // Omitted: experimental options exist only if they are unlocked.
        }
      }
    } catch (RuntimeException | LinkageError e) {
      LoggerFactory.getLogger(Kernels.class).debug("Not HotSpot", e);
    }
    return options;
  }

  /**
   * Returns the reason why vectors would be slow under these VM options, with the remedy; null if
   * C2 compiles them.
   *
   * @param options the result of {@link #compilerOptions}
   */
  static String obstacle(Map<String, String> options) {
    if (!options.containsKey(USE_COMPILER)) {
      return "the fast kernels require HotSpot's C2 compiler, but this JVM is not HotSpot: use an"
          + " OpenJDK";
    }
    if ("true".equals(options.get(USE_JVMCI_COMPILER))) {
      return "the fast kernels require the C2 compiler, but this JVM uses another compiler: start"
          + " it with -XX:-UseJVMCICompiler";
    }
    if ("false".equals(options.get(USE_COMPILER))) {
      return "the fast kernels require the C2 compiler, but this JVM only interprets: start it"
          + " without -Xint, -XX:-UseCompiler and -XX:TieredStopAtLevel=0";
    }
    if (options.getOrDefault(COMPILATION_MODE, "").equals("quick-only")) {
      return "the fast kernels require the C2 compiler, but this JVM uses only C1: start it without"
          + " -XX:CompilationMode=quick-only";
    }
    boolean tiered = "true".equals(options.get(TIERED_COMPILATION));
    String level = options.get(TIERED_STOP_AT_LEVEL);
    if (tiered && level != null && Integer.parseInt(level) < C2_LEVEL) {
      return "the fast kernels require the C2 compiler, but this JVM uses only C1: start it without"
          + " -XX:TieredStopAtLevel="
          + level;
    }
    return null;
  }
}
