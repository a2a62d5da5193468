package io.mambaspark.jobs.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.Refusal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {
  private static final String TEXT = "It was the best of times.";

  @TempDir Path folder;

  private record Answer(int code, List<String> lines, List<String> classes) {}

  /**
   * Runs {@link EncodeAlone} without a home folder and with an empty folder for temporary files.
   */
  private Answer encode(List<String> options, String... args) throws Exception {
    Path classes = folder.resolve("classes.log");
    Files.createDirectories(folder.resolve("tmp"));
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Duser.home=/nonexistent");
    command.add("-Djava.io.tmpdir=" + folder.resolve("tmp"));
    command.add("-Xlog:class+load:file=" + classes);
    command.add("-XX:-UsePerfData");
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(EncodeAlone.class.getName());
    command.addAll(Arrays.asList(args));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("HOME", "/nonexistent");
    Process process = builder.start();
    List<String> lines = new String(process.getInputStream().readAllBytes()).lines().toList();
    return new Answer(process.waitFor(), lines, Files.readAllLines(classes));
  }

  private static List<String> files(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).map(Path::toString).toList();
    }
  }

  /** Whether a class is one of those through which Java connects to the network. */
  private static boolean connects(String loadedClass) {
    return loadedClass.matches(
        ".* (java\\.net\\.Socket|sun\\.net\\.www\\.protocol\\.https?\\..*|sun\\.nio\\.ch\\.SocketChannelImpl) .*");
  }

  @Test
  void the_library_is_unpacked_into_the_given_folder_without_other_files_or_connections()
      throws Exception {
    Path natives = folder.resolve("made/natives");
    Answer answer = encode(List.of(), natives.toString(), TEXT);
    assertThat(answer.lines())
        .containsExactly(Arrays.toString(DemoTokenizer.tokenizer().encode(TEXT)), "false");
    // The library's file is deleted after loading.
    assertThat(files(natives)).isEmpty();
    assertThat(files(folder.resolve("tmp"))).isEmpty();
    assertThat(Path.of("/nonexistent")).doesNotExist();
    // Neither a class that connects to the network nor another class of DJL was loaded.
    assertThat(answer.classes())
        .anyMatch(line -> line.contains(" ai.djl.huggingface.tokenizers.jni.TokenizersLibrary "))
        .noneMatch(line -> line.contains(" ai.djl.util."))
        .noneMatch(line -> line.contains(" ai.djl.huggingface.tokenizers.HuggingFaceTokenizer "))
        .noneMatch(NativeLibraryTest::connects);
  }

  @Test
  void a_djl_of_the_parent_class_loader_loads_the_library_itself() throws Exception {
    Path natives = folder.resolve("natives");
    Answer answer = encode(List.of(), natives.toString(), TEXT, "child");
    // The last line shows that the system property is restored.
    assertThat(answer.lines())
        .contains(Arrays.toString(DemoTokenizer.tokenizer().encode(TEXT)))
        .endsWith("false");
    assertThat(files(natives)).hasSize(1);
    assertThat(files(folder.resolve("tmp"))).isEmpty();
    assertThat(answer.classes()).noneMatch(NativeLibraryTest::connects);
  }

  @Test
  void a_djl_of_the_parent_class_loader_uses_the_application_s_settings() throws Exception {
    Path cache = folder.resolve("cache");
    Path natives = folder.resolve("natives");
    encode(List.of("-DDJL_CACHE_DIR=" + cache), natives.toString(), TEXT, "child");
    assertThat(files(cache)).hasSize(1);
    assertThat(natives).doesNotExist();
  }

  @Test
  void a_folder_that_cannot_be_created_is_named_in_the_error() throws Exception {
    Path file = Files.createFile(folder.resolve("file"));
    Answer answer = encode(List.of(), file.resolve("natives").toString(), TEXT);
    assertThat(answer.code()).isEqualTo(1);
    assertThat(answer.lines().get(0))
        .contains("Refusal: Cannot unpack the tokenizers library into " + file + "/natives: ")
        .endsWith("; expected a local folder with 20 MB of space");
  }

  @Test
  void an_unsupported_platform_is_refused_with_the_list_of_supported_platforms() {
    assertThatThrownBy(() -> NativeLibrary.Platform.of("Mac OS X", "x86_64"))
        .isInstanceOf(Refusal.class)
        .hasMessage(
            "Cannot load the tokenizers library on Mac OS X x86_64: expected Linux x86-64 or"
                + " aarch64 with glibc 2.34 or newer, macOS arm64 or Windows x86-64. Run the"
                + " command tokenize on another machine and score the tokens");
    assertThatThrownBy(() -> NativeLibrary.Platform.of("Linux", "ppc64le"))
        .isInstanceOf(Refusal.class);
  }

  @Test
  void the_class_path_has_the_library_of_each_supported_platform() {
    for (NativeLibrary.Platform platform :
        List.of(
            NativeLibrary.Platform.of("Linux", "amd64"),
            NativeLibrary.Platform.of("Linux", "aarch64"),
            NativeLibrary.Platform.of("Mac OS X", "aarch64"),
            NativeLibrary.Platform.of("Windows 11", "amd64"))) {
      assertThat(getClass().getResource(platform.folder() + "/" + platform.file()))
          .as(platform.name())
          .isNotNull();
    }
  }

  @Test
  void the_linker_s_message_is_quoted_in_one_line() {
    Throwable linker =
        new UnsatisfiedLinkError(
            "/x/libtokenizers.so: version `GLIBC_2.34' not found\n (required)");
    assertThat(NativeLibrary.refused("Linux amd64", linker).getMessage())
        .startsWith(
            "Cannot load the tokenizers library on Linux amd64: /x/libtokenizers.so: version"
                + " `GLIBC_2.34' not found (required); expected Linux x86-64 or aarch64 with glibc")
        .endsWith(
            ", and a local folder that allows executable files. Run the command tokenize on another"
                + " machine and score the tokens")
        .doesNotContain("\n");
  }
}
