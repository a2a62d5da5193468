package io.mambaspark.jobs.options;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.ml.MambaPerplexity;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.spark.ml.param.Param;
import org.junit.jupiter.api.Test;

/** Compares the table of options with the typed APIs and the documentation. */
class OptionsTest {
  private static final Path ROOT = Path.of("").toAbsolutePath().getParent();

  /** The options that one method of the scorer sets together. */
  private static final Map<String, List<String>> TOGETHER =
      Map.of(
          "contextAndContinuationColumns", List.of("contextColumn", "continuationColumn"),
          "window", List.of("window", "windowTokens", "stride"));

  private static TreeSet<String> properties(List<Option<?>> options) {
    return options.stream().map(Option::property).collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void the_scorer_has_a_method_for_each_of_its_options() {
    TreeSet<String> methods = new TreeSet<>();
    for (Method method : MambaScorer.class.getMethods()) {
      if (method.getReturnType() == MambaScorer.class
          && !List.of("load", "options").contains(method.getName())) {
        methods.addAll(TOGETHER.getOrDefault(method.getName(), List.of(method.getName())));
      }
    }
    assertThat(methods).isEqualTo(properties(Options.SCORER));
  }

  @Test
  void the_stage_has_a_parameter_with_accessors_for_each_of_its_options() throws Exception {
    MambaPerplexity stage = new MambaPerplexity();
    TreeSet<String> params =
        Arrays.stream(stage.params())
            .map(Param::name)
            .collect(Collectors.toCollection(TreeSet::new));
    params.removeAll(List.of("fingerprint", "saveModel"));
    assertThat(params).isEqualTo(properties(Options.STAGE));
    for (Option<?> option : Options.STAGE) {
      String property = option.property();
      Param<?> param = (Param<?>) MambaPerplexity.class.getMethod(property).invoke(stage);
      assertThat(param.name()).isEqualTo(property);
      assertThat(param.doc()).as(property).isEqualTo(option.brief());
      assertThat(stage.hasDefault(param)).as(property).isEqualTo(option.defaultValue() != null);
      String setter = "set" + property.substring(0, 1).toUpperCase() + property.substring(1);
      assertThat(MambaPerplexity.class.getMethods())
          .anySatisfy(
              method -> {
                assertThat(method.getName()).isEqualTo(setter);
                assertThat(method.getReturnType()).isAssignableFrom(MambaPerplexity.class);
              });
    }
  }

  @Test
  void the_stage_in_python_has_the_same_parameters_and_defaults() throws IOException {
    String python = Files.readString(Path.of("src/main/resources/mambaspark/__init__.py"));
    Map<String, String> expected = new LinkedHashMap<>();
    for (Option<?> option : Options.STAGE) {
      String make =
          Map.of(Integer.class, "_number", Boolean.class, "_boolean")
              .getOrDefault(option.kind().type(), "_string");
      expected.put(option.property(), make + " " + option.brief());
    }
    Map<String, String> declared = new LinkedHashMap<>();
    Matcher params =
        Pattern.compile("(?m)^    (\\w+) = (_\\w+)\\(\"(\\w+)\", \"(.*)\"\\)$").matcher(python);
    while (params.find()) {
      assertThat(params.group(3)).isEqualTo(params.group(1));
      declared.put(params.group(1), params.group(2) + " " + params.group(4));
    }
    declared.keySet().removeAll(List.of("fingerprint", "saveModel"));
    assertThat(declared).containsExactlyInAnyOrderEntriesOf(expected);
    for (Option<?> option : Options.STAGE) {
      String type =
          Map.of(Integer.class, "int", Boolean.class, "bool")
              .getOrDefault(option.kind().type(), "str");
      Object value = option.defaultValue();
      String literal = Boolean.FALSE.equals(value) ? "False" : "\"%s\"".formatted(value);
      assertThat(python)
          .contains(
              value == null
                  ? "        %s: Optional[%s] = None,\n".formatted(option.property(), type)
                  : "        %s: %s = %s,\n".formatted(option.property(), type, literal));
      if (value != null) {
        assertThat(python).contains("            %s=%s,\n".formatted(option.property(), literal));
      }
    }
  }

  /** Returns the expected lines of the table of options in {@code jobs/docs/options.md}. */
  private static List<String> documented() {
    List<String> lines = new ArrayList<>();
    for (Option<?> option : Options.SCORE) {
      String label =
          switch (option.kind()) {
            case FLAG -> "";
            case OPTIONAL_TEXT -> " [" + option.label() + "]";
            case WORDS -> " " + option.label() + "...";
            default -> " " + option.label();
          };
      lines.add(
          "| `%s%s` | %s | %s |"
              .formatted(option.flag(), label, option.text(), option.defaultWords())
              .replaceAll(" +\\|", " |"));
    }
    return lines;
  }

  @Test
  void the_documentation_lists_each_option_as_declared() throws IOException {
    String page = Files.readString(ROOT.resolve("jobs/docs/options.md"));
    String section = page.substring(page.indexOf("## Options of `score`"));
    List<String> table =
        section
            .lines()
            .dropWhile(line -> !line.startsWith("|---"))
            .skip(1)
            .takeWhile(line -> line.startsWith("|"))
            .toList();
    // To regenerate the table, copy the expected lines from the failure message.
    assertThat(table).isEqualTo(documented());
  }

  @Test
  void a_count_below_one_is_refused() {
    assertThatThrownBy(() -> OptionValues.NONE.with(Options.LIMIT, 0))
        .hasMessage("--limit 0: expected at least 1");
    assertThatThrownBy(() -> OptionValues.NONE.with(Options.TARGET_UNIT_TOKENS, -3L))
        .hasMessage("--target-unit-tokens -3: expected at least 1");
  }

  @Test
  void a_value_of_the_wrong_type_is_refused() {
    assertThatThrownBy(() -> OptionValues.NONE.withUnchecked(Options.MAX_TOKENS, "many"))
        .hasMessage("--max-tokens is many; expected a value of type Integer");
  }

  @Test
  void recorded_values_have_no_passwords() {
    OptionValues values = OptionValues.NONE.with(Options.INPUT, List.of("s3a://me:secret@b/in"));
    assertThat(values.recorded(Options.SCORE).get("input")).isEqualTo(List.of("s3a://***@b/in"));
    assertThat(values.recorded(Options.SCORE)).doesNotContainKeys("verbose", "dry-run", "stream");
  }
}
