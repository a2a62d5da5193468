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

  /** What a new JVM chooses, and the lines that it logs about it. */
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
  @ValueSource(strings = {"-XX:+TieredCompilation", "-XX:-TieredCompilation", "-Xcomp"})
  void vectorsRunWhereC2Compiles(String option) throws Exception {
    Choice choice = choice(option);

    assertThat(choice.kernels).startsWith("Vector API kernels, ");
    assertThat(choice.log).singleElement().asString().contains("INFO", choice.kernels);
  }

  @ParameterizedTest
  @Tag("vector")
  @CsvSource({
    "-XX:TieredStopAtLevel=1, has only C1: start it without -XX:TieredStopAtLevel=1",
    "-XX:TieredStopAtLevel=3, has only C1: start it without -XX:TieredStopAtLevel=3",
    "-XX:CompilationMode=quick-only, has only C1: start it without -XX:CompilationMode=quick-only",
    "-Xint, only interprets: start it without -Xint"
  })
  void scalarKernelsRunWhereC2DoesNotAndOneLineSaysWhy(String option, String why) throws Exception {
    Choice choice = choice(option);

    assertThat(choice.kernels)
        .startsWith("scalar kernels; the fast ones require the C2 compiler, and this JVM " + why);
    assertThat(choice.log).singleElement().asString().contains("WARN", choice.kernels);
  }

  @Test
  void anotherCompilerThanC2IsAnObstacle() {
    assertThat(BestKernels.obstacle(with("UseJVMCICompiler", "true")))
        .endsWith("compiles with another one: start it with -XX:-UseJVMCICompiler");
    assertThat(BestKernels.obstacle(with("UseJVMCICompiler", "false"))).isNull();
    assertThat(BestKernels.obstacle(C2)).isNull();
  }

  @Test
  void anotherVirtualMachineThanHotSpotIsAnObstacle() {
    assertThat(BestKernels.obstacle(Map.of())).startsWith("this JVM is not HotSpot");
  }

  @Test
  void theLastLevelCountsOnlyWhereThereAreLevels() {
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
