package io.mambaspark.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The functions of scripts/common.sh that run before Spark starts. */
class ScriptsTest {
  private static final String WARNING = "WARNING: Using incubator modules: jdk.incubator.vector\n";
  private static final Path COMMON =
      Path.of(System.getProperty("basedir", "."), "../scripts/common.sh");

  private record Result(int code, String out, String err) {}

  /** Starts a command that replaces Spark. */
  private static Process start(Map<String, String> locale, String command) throws IOException {
    // The filter may write its last output after the command has ended, so wait for both.
    String waiting =
        "exec 3>&1; bash -euc \"$1\" \"$0\" 2>&1 >&3 3>&- | cat >&2; exit ${PIPESTATUS[0]}";
    ProcessBuilder builder =
        new ProcessBuilder(
            List.of("bash", "-c", waiting, COMMON.toString(), "source \"$0\"\n" + command));
    builder.environment().keySet().removeIf(name -> name.matches("LANG|LC_.*"));
    builder.environment().putAll(locale);
    return builder.start();
  }

  private static Result run(Map<String, String> locale, String command)
      throws IOException, InterruptedException {
    Process process = start(locale, command);
    String out = text(process.getInputStream());
    return new Result(process.waitFor(), out, text(process.getErrorStream()));
  }

  private static String text(InputStream all) throws IOException {
    return new String(all.readAllBytes(), StandardCharsets.ISO_8859_1);
  }

  @ParameterizedTest
  @CsvSource(
      nullValues = "-",
      textBlock =
          """
          -,           -,           -,           '|C.UTF-8|'
          C,           -,           -,           'C.UTF-8||'
          POSIX,       C,           C,           'C.UTF-8|C|C'
          -,           POSIX,       C.UTF-8,     '|C.UTF-8|C.UTF-8'
          -,           -,           C,           '|C.UTF-8|C'
          -,           -,           C.UTF-8,     '||C.UTF-8'
          C.UTF-8,     C,           C,           'C.UTF-8|C|C'
          -,           C.UTF-8,     C,           '|C.UTF-8|C'
          """)
  void an_ascii_locale_is_replaced_by_utf_8_and_other_locales_are_kept(
      String all, String ctype, String lang, String expected) throws Exception {
    Map<String, String> locale = new HashMap<>();
    locale.put("LC_ALL", all);
    locale.put("LC_CTYPE", ctype);
    locale.put("LANG", lang);
    locale.values().removeIf(value -> value == null);
    Result run = run(locale, "exec sh -c 'printf %s \"$LC_ALL|$LC_CTYPE|$LANG\"'");
    assertThat(run.out()).isEqualTo(expected);
    assertThat(run.err()).isEmpty();
  }

  @Test
  void the_incubator_warning_is_dropped_and_other_output_is_kept() throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin/java").toString();
    Result run =
        run(
            Map.of("JDK_JAVA_OPTIONS", "--add-modules=jdk.incubator.vector"),
            "drop_incubator_warning; exec '%s' -version".formatted(java));
    assertThat(run.err())
        .startsWith("NOTE: Picked up JDK_JAVA_OPTIONS")
        .contains("Runtime Environment")
        .doesNotContain("incubator modules:");
    assertThat(run.code()).isZero();
  }

  @Test
  void only_the_first_such_line_is_dropped_and_the_exit_code_is_kept() throws Exception {
    Result run =
        run(
            Map.of(),
            """
            drop_incubator_warning
            exec bash -c 'printf "\\n a \\xff\\n%1$s%1$sx %1$sno end" >&2; echo out; exit 7'
            """
                .formatted(WARNING.replace("\n", "\\n")));
    assertThat(run.err()).isEqualTo("\n a \u00ff\n" + WARNING + "x " + WARNING + "no end");
    assertThat(run.out()).isEqualTo("out\n");
    assertThat(run.code()).isEqualTo(7);
  }

  @Test
  void a_progress_bar_without_a_line_end_is_written_at_once() throws Exception {
    Process process =
        start(
            Map.of(),
            """
            drop_incubator_warning
            exec bash -c 'printf "\\rbar 1" >&2; read -r go; printf "\\rbar 2" >&2'
            """);
    byte[] bar = process.getErrorStream().readNBytes(6);
    assertThat(new String(bar, StandardCharsets.ISO_8859_1)).isEqualTo("\rbar 1");
    process.outputWriter().append("go\n").close();
    assertThat(text(process.getErrorStream())).isEqualTo("\rbar 2");
    assertThat(process.waitFor()).isZero();
  }
}
