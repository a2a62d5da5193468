package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BestKernelsTest {
  private static final Map<String, String> C2 =
      Map.of(
          "UseCompiler", "true",
          "TieredCompilation", "true",
          "TieredStopAtLevel", "4",
          "CompilationMode", "default");

  @TempDir Path folder;

  /** The kernels that a new JVM chooses, and the lines that it logs about them. */
  private record Choice(String kernels, List<String> log) {}

  private Choice choice(String... options) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--add-modules=jdk.incubator.vector");
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(ChosenKernels.class.getName());
    Path stderr = folder.resolve("stderr");
    Process process = new ProcessBuilder(command).redirectError(stderr.toFile()).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as("%s", Files.readString(stderr)).isZero();
    return new Choice(
        out.strip(),
        Files.readAllLines(stderr).stream().filter(line -> line.contains("Kernels")).toList());
  }

  @ParameterizedTest
  @Tag("vector")
  @ValueSource(
      strings = {
        "-XX:+TieredCompilation",
        "-XX:-TieredCompilation",
        // To compile the JDK, too, would take a minute.
        "-Xcomp -XX:CompileCommand=quiet -XX:CompileOnly=io.mambaspark"
      })
  void vectorKernelsAreChosenIfC2Compiles(String options) throws Exception {
    Choice choice = choice(options.split(" "));

    assertThat(choice.kernels).startsWith("Vector API kernels, ");
    assertThat(choice.log).singleElement().asString().contains("INFO", choice.kernels);
  }

  @ParameterizedTest
  @Tag("vector")
  @CsvSource({
    "-XX:TieredStopAtLevel=1, uses only C1: start it without -XX:TieredStopAtLevel=1",
    "-XX:TieredStopAtLevel=3, uses only C1: start it without -XX:TieredStopAtLevel=3",
    "-XX:CompilationMode=quick-only, uses only C1: start it without -XX:CompilationMode=quick-only",
    "-Xint, only interprets: start it without -Xint"
  })
  void scalarKernelsAreChosenWithoutC2AndOneLineSaysWhy(String option, String why)
      throws Exception {
    Choice choice = choice(option);

    assertThat(choice.kernels)
        .startsWith(
            "scalar kernels; the fast kernels require the C2 compiler, but this JVM " + why);
    assertThat(choice.log).singleElement().asString().contains("WARN", choice.kernels);
  }

  @Test
  @Tag("vector")
  void scalarKernelsAreChosenIfVectorsAreTooShort() throws Exception {
    Choice choice = choice("-XX:MaxVectorSize=8");

    assertThat(choice.kernels)
        .isEqualTo(
            "scalar kernels; the Vector API of this JVM cannot be used: java.lang.LinkageError:"
                + " vectors of 2 floats are too short; expected at least 4");
  }

  @Test
  void aCompilerOtherThanC2IsAnObstacle() {
    assertThat(BestKernels.obstacle(with("UseJVMCICompiler", "true")))
        .endsWith("uses another compiler: start it with -XX:-UseJVMCICompiler");
    assertThat(BestKernels.obstacle(with("UseJVMCICompiler", "false"))).isNull();
    assertThat(BestKernels.obstacle(C2)).isNull();
  }

  @Test
  void aVirtualMachineOtherThanHotSpotIsAnObstacle() {
    assertThat(BestKernels.obstacle(Map.of()))
        .isEqualTo(
            "the fast kernels require HotSpot's C2 compiler, but this JVM is not HotSpot: use an"
                + " OpenJDK");
  }

  @Test
  void theLastLevelMattersOnlyWithTieredCompilation() {
    Map<String, String> options = new HashMap<>(with("TieredStopAtLevel", "1"));
    assertThat(BestKernels.obstacle(options)).contains("TieredStopAtLevel=1");

    options.put("TieredCompilation", "false");

    assertThat(BestKernels.obstacle(options)).isNull();
  }

  private static Map<String, String> with(String option, String value) {
    Map<String, String> options = new HashMap<>(C2);
    options.put(option, value);
    return options;
  }
}
