package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Native products are used only if they are exact, and the reason is one line if they are not. The
 * profile {@code native} of the build runs these tests, and those tagged {@code kernels}, with the
 * library on the class path.
 */
@Tag("native")
class NativeProductsTest {
  private static final String NOT_NATIVE = "Products of integers are not native: ";

  /** The class path of this JVM, which contains the library. */
  private static final List<String> WITH =
      List.of(System.getProperty("java.class.path").split(System.getProperty("path.separator")));

  @TempDir Path folder;

  private record Run(int code, String output) {}

  /** Prints the kernels of a new JVM. */
  private Run chosen(List<String> classPath, Map<String, String> environment, String... options)
      throws IOException, InterruptedException {
    return run(ChosenKernels.class, classPath, environment, options);
  }

  private Run run(
      Class<?> main, List<String> classPath, Map<String, String> environment, String... options)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("java.home") + "/bin/java");
    command.add("--add-modules=jdk.incubator.vector");
    command.addAll(List.of("-Xmx300m", "-D" + Kernels.NATIVE_FOLDER + "=" + folder));
    command.addAll(Arrays.asList(options));
    command.addAll(List.of("-cp", String.join(System.getProperty("path.separator"), classPath)));
    command.add(main.getName());
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().keySet().removeIf(name -> name.startsWith("OMP_"));
    builder.environment().remove(NativeProducts.VARIABLE);
    builder.environment().putAll(environment);
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes());
    return new Run(process.waitFor(), output);
  }

  /** Returns the class path without the entries that contain all of these words. */
  private static List<String> without(String... words) {
    return WITH.stream().filter(entry -> !Arrays.stream(words).allMatch(entry::contains)).toList();
  }

  private static String line(Run run) {
    assertThat(run.output).contains("Vector API kernels");
    List<String> lines = run.output.lines().filter(line -> line.contains(NOT_NATIVE)).toList();
    assertThat(lines).as(run.output).hasSize(1);
    return lines.get(0).substring(lines.get(0).indexOf(NOT_NATIVE));
  }

  /** Whether the CPU has instructions, by their name in Linux. */
  private static boolean has(String instructions) throws IOException {
    return Pattern.compile("(?m)^flags.* " + instructions + "( |$)")
        .matcher(Files.readString(Path.of("/proc/cpuinfo")))
        .find();
  }

  private static void assertNotExact(Run run) {
    assertThat(line(run))
        .matches(
            NOT_NATIVE
                + "oneDNN's products are not exact on this CPU \\(\\S+, k \\d+: expected -?\\d+,"
                + " found -?\\d+\\)");
    assertThat(run.output).doesNotContain("by oneDNN");
  }

  /** Pairs of products saturate in 16 bits without VNNI. */
  @ParameterizedTest
  @ValueSource(strings = {"AVX2", "AVX512_CORE"})
  void productsThatSaturateAreNotUsed(String isa) throws Exception {
    assertNotExact(chosen(WITH, Map.of("ONEDNN_MAX_CPU_ISA", isa)));
  }

  @ParameterizedTest
  @CsvSource({
    "AVX2_VNNI, avx_vnni",
    "AVX512_CORE_VNNI, avx512_vnni",
    "DEFAULT, (avx_vnni|avx512_vnni)"
  })
  void exactProductsAreUsedWithoutFurtherThreads(String isa, String instructions) throws Exception {
    Run run =
        run(
            ThreadsOfProducts.class,
            WITH,
            Map.of("ONEDNN_MAX_CPU_ISA", isa, "OMP_NUM_THREADS", "8", "OMP_DYNAMIC", "false"));
    if (has(instructions)) {
      assertThat(run.output)
          .contains(", products of integers by oneDNN (brg_matmul:")
          .doesNotContain(NOT_NATIVE)
          .contains("threads of products: 0");
    } else {
      assertNotExact(run);
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).as("unpacked files").isEmpty();
    }
  }

  @Test
  void aClassPathWithoutALibraryNeedsNoWords() throws Exception {
    Run run = chosen(without("dnnl-", "linux"), Map.of());
    assertThat(run.output).doesNotContain(NOT_NATIVE, "oneDNN").contains("Vector API kernels");
    Run bare = chosen(without("bytedeco"), Map.of());
    assertThat(bare.output).doesNotContain(NOT_NATIVE, "oneDNN").contains("Vector API kernels");
  }

  @Test
  void nativeProductsAreSwitchedOffByTheEnvironmentOrAProperty() throws Exception {
    Run off = chosen(WITH, Map.of(NativeProducts.VARIABLE, "off"));
    assertThat(off.output).doesNotContain(NOT_NATIVE, "oneDNN").contains("Vector API kernels");
    Run property = chosen(WITH, Map.of(), "-D" + Kernels.NATIVE + "=off");
    assertThat(property.output).doesNotContain(NOT_NATIVE, "oneDNN");
    Run unknown = chosen(WITH, Map.of(NativeProducts.VARIABLE, "on"));
    assertThat(unknown.code).isNotZero();
    assertThat(unknown.output)
        .contains("IllegalStateException: MAMBASPARK_NATIVE on: expected auto, off or require");
  }

  @Test
  void aRequirementThatCannotBeMetIsRefused() throws Exception {
    Map<String, String> required = Map.of(NativeProducts.VARIABLE, "require");
    Run missing = chosen(without("bytedeco"), required);
    assertThat(missing.code).isNotZero();
    assertThat(missing.output)
        .containsPattern(
            "IllegalStateException: Native products of integers are required, but the class path has"
                + " no library for linux-x86_64\\R");
    Run scalar = chosen(WITH, required, "-XX:TieredStopAtLevel=1");
    assertThat(scalar.output)
        .contains("required, but they need the Vector API: the fast kernels require the C2");
    Run inexact =
        chosen(WITH, Map.of(NativeProducts.VARIABLE, "require", "ONEDNN_MAX_CPU_ISA", "AVX2"));
    assertThat(inexact.output).contains("required, but oneDNN's products are not exact");
  }

  @Test
  void aLibraryForAnotherPlatformIsNotUsed() throws Exception {
    Path other = Files.createDirectories(folder.resolve("other/org/bytedeco/dnnl/linux-arm64"));
    Files.write(other.resolve("libjnidnnl.so"), new byte[9]);
    List<String> classPath = new ArrayList<>(without("dnnl-", "linux"));
    classPath.add(folder.resolve("other").toString());
    assertThat(line(chosen(classPath, Map.of())))
        .isEqualTo(NOT_NATIVE + "the class path has no library for linux-x86_64");
  }

  @Test
  void twoLibrariesAreNotUsed() throws Exception {
    Path second = Files.createDirectories(folder.resolve("two/org/bytedeco/dnnl/linux-x86_64"));
    Files.write(second.resolve("libjnidnnl.so"), new byte[9]);
    List<String> classPath = new ArrayList<>(WITH);
    classPath.add(folder.resolve("two").toString());
    assertThat(line(chosen(classPath, Map.of())))
        .startsWith(NOT_NATIVE + "the class path has more than one library: [")
        .contains("two/org/bytedeco");
  }

  @Test
  void aBrokenLibraryIsNotUsed() throws Exception {
    Path broken = Files.createDirectories(folder.resolve("broken/org/bytedeco/dnnl/linux-x86_64"));
    for (String name : List.of("libjnidnnl.so", "libdnnl.so.3", "libgomp.so.1")) {
      Files.writeString(broken.resolve(name), "not a library");
    }
    List<String> classPath = new ArrayList<>(without("dnnl-", "linux"));
    classPath.add(folder.resolve("broken").toString());
    assertThat(line(chosen(classPath, Map.of()))).startsWith(NOT_NATIVE).contains("libjnidnnl.so");
  }

  @Test
  void aFolderThatCannotBeWrittenIsNamed() throws Exception {
    Path file = Files.createFile(folder.resolve("file"));
    Run run = chosen(WITH, Map.of(), "-D" + Kernels.NATIVE_FOLDER + "=" + file);
    assertThat(line(run))
        .startsWith(NOT_NATIVE + "the library cannot be unpacked into " + file + ": ");
  }
}
