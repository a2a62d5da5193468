package io.mambaspark.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.Options;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Checks the documentation: the tests run its examples, its links resolve, and its commands name
 * files, options and Maven profiles that exist.
 */
class DocsTest {
  private static final Path ROOT = Path.of("").toAbsolutePath().getParent();

  /** Files that tests and {@code scripts/python.sh} run. */
  private static final List<String> RUN =
      List.of(
          "engine/src/test/java/io/mambaspark/engine/examples/ScoreTokens.java",
          "jobs/src/test/java/io/mambaspark/examples/ExamplesTest.java",
          "scripts/python/filter.py",
          "scripts/python/filter.sql");

  private static final Set<String> EXAMPLES = Set.of("java", "python", "sql");
  private static final Set<String> OTHER_BLOCKS = Set.of("sh", "text", "xml");

  /** Options of picocli, Spark, Java, the scripts and lm-evaluation-harness. */
  private static final Set<String> OTHER_OPTIONS =
      Set.of(
          ("--help --version --conf --jars --py-files --packages --master --deploy-mode --class"
                  + " --driver-memory --executor-memory --driver-java-options --add-modules"
                  + " --short --shapes --repeats --kernels --spark --contexts --model_args")
              .split(" "));

  private static final Pattern BLOCK = Pattern.compile("(?ms)^```(\\w*)\n(.*?)^```$");
  private static final Pattern LINK = Pattern.compile("\\[[^\\]]*\\]\\(([^)\\s]+)\\)");
  private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.*)$");
  private static final Pattern INLINE_CODE = Pattern.compile("`([^`]+)`");
  private static final Pattern OPTION = Pattern.compile("(?<![\\w-])--[a-z][\\w-]*");
  private static final Pattern PROFILE = Pattern.compile("-P(\\w+)");
  private static final Pattern FILE =
      Pattern.compile("(?<![\\w./-])(?:scripts|conf|jobs|engine|[.]ci|target)/[\\w./-]*");
  private static final Pattern WRITTEN =
      Pattern.compile(
          "(?:--output|--report|mkdir -p|>|[Dd]irectory=\"[$]PWD/) ?(target/[\\w./-]*)");
  private static final Pattern VERSION =
      Pattern.compile("mamba-spark-\\w+(?:[:-]|</artifactId>\\s*<version>)(\\d+[.]\\d+[.]\\d+)");

  static Stream<Path> pages() throws IOException {
    List<Path> pages = new ArrayList<>(List.of(Path.of("README.md"), Path.of("engine/README.md")));
    for (String folder : List.of("jobs/docs", ".github")) {
      try (Stream<Path> files = Files.list(ROOT.resolve(folder))) {
        files
            .filter(file -> file.toString().endsWith(".md"))
            .map(ROOT::relativize)
            .forEach(pages::add);
      }
    }
    return pages.stream().sorted();
  }

  private static String read(String file) throws IOException {
    return Files.readString(ROOT.resolve(file));
  }

  private static List<String> blocks(String page, String language) {
    return all(BLOCK, page).filter(b -> b.group(1).equals(language)).map(b -> b.group(2)).toList();
  }

  private static Stream<MatchResult> all(Pattern pattern, String text) {
    return pattern.matcher(text).results();
  }

  private static String prose(String page) {
    return BLOCK.matcher(page).replaceAll("");
  }

  /** The lines without indentation, which differs between a page and a test. */
  private static String bare(String text) {
    return text.lines()
        .map(String::strip)
        .filter(line -> !line.isEmpty())
        .collect(Collectors.joining("\n", "", "\n"));
  }

  @ParameterizedTest
  @MethodSource("pages")
  void the_tests_run_every_example(Path path) throws IOException {
    String page = read(path.toString());
    StringBuilder run = new StringBuilder();
    for (String file : RUN) {
      run.append(bare(read(file)));
    }
    for (String language : EXAMPLES) {
      for (String example : blocks(page, language)) {
        assertThat(run.toString()).contains(bare(example));
      }
    }
    all(BLOCK, page)
        .map(block -> block.group(1))
        .filter(language -> !EXAMPLES.contains(language))
        .forEach(language -> assertThat(OTHER_BLOCKS).contains(language));
    assertThat(prose(page)).doesNotContain("```", "\n    ");
  }

  @ParameterizedTest
  @MethodSource("pages")
  void every_link_resolves(Path path) throws IOException {
    for (MatchResult link : all(LINK, prose(read(path.toString()))).toList()) {
      String[] target = link.group(1).split("#", 2);
      if (target[0].matches("https?:.*")) {
        continue;
      }
      Path file = target[0].isEmpty() ? path : path.resolveSibling(target[0]).normalize();
      assertThat(ROOT.resolve(file)).exists();
      if (target.length > 1) {
        assertThat(anchors(read(file.toString()))).as(link.group()).contains(target[1]);
      }
    }
  }

  /** The anchors that GitHub gives to headings. */
  private static Set<String> anchors(String page) {
    Set<String> anchors = new HashSet<>();
    Map<String, Integer> counts = new HashMap<>();
    for (MatchResult heading : all(HEADING, prose(page)).toList()) {
      String words = heading.group(1).toLowerCase(Locale.ROOT).replaceAll("[^\\p{L}\\p{N} _-]", "");
      String anchor = words.replace(' ', '-');
      int count = counts.merge(anchor, 1, Integer::sum) - 1;
      anchors.add(count == 0 ? anchor : anchor + "-" + count);
    }
    return anchors;
  }

  @ParameterizedTest
  @MethodSource("pages")
  void every_named_file_exists_or_is_written_before(Path path) throws IOException {
    String page = read(path.toString());
    String version = value("version");
    Set<String> written = new HashSet<>();
    for (String block : blocks(page, "sh")) {
      for (String command : block.replace("\\\n", " ").split("\n")) {
        all(WRITTEN, command).forEach(file -> written.add(file.group(1)));
        for (MatchResult file : all(FILE, command).toList()) {
          String name = file.group();
          boolean isKnown =
              name.contains("target/")
                  ? written.stream().anyMatch(w -> name.equals(w) || name.startsWith(w + "/"))
                  : Files.exists(ROOT.resolve(name));
          assertThat(isKnown).as("%s in %s", name, command).isTrue();
        }
        if (command.matches(".*scripts/(submit|demo)[.]sh.*")) {
          written.add("jobs/target/mamba-spark-jobs-" + version + ".jar");
          written.add(
              "target/spark-home-" + value("spark.version") + "-" + value("scala.binary.version"));
        }
      }
    }
    for (MatchResult code : all(INLINE_CODE, prose(page)).toList()) {
      all(FILE, code.group(1))
          .map(MatchResult::group)
          .filter(name -> !name.contains("target/"))
          .forEach(name -> assertThat(ROOT.resolve(name)).exists());
    }
    all(VERSION, page).forEach(found -> assertThat(found.group(1)).isEqualTo(version));
  }

  /** The text of the first such element of the parent POM. */
  private static String value(String element) throws IOException {
    return all(Pattern.compile("<" + element + ">(.*)</"), read("pom.xml"))
        .findFirst()
        .orElseThrow()
        .group(1);
  }

  @ParameterizedTest
  @MethodSource("pages")
  void every_option_and_profile_exists(Path path) throws IOException {
    String page = read(path.toString());
    Set<String> options =
        Stream.of(Options.SCORE, Options.COMPARE, Options.TOKENIZE, Options.INSPECT)
            .flatMap(List::stream)
            .map(Option::flag)
            .collect(Collectors.toCollection(HashSet::new));
    options.addAll(OTHER_OPTIONS);
    String poms = read("pom.xml") + read("engine/pom.xml") + read("jobs/pom.xml");
    List<String> code = new ArrayList<>(blocks(page, "sh"));
    all(INLINE_CODE, prose(page)).map(inline -> inline.group(1)).forEach(code::add);
    for (String text : code) {
      if (text.startsWith("--") || text.contains("\n")) {
        all(OPTION, text).forEach(option -> assertThat(options).as(text).contains(option.group()));
      }
      if (text.contains("mvn ")) {
        all(PROFILE, text)
            .forEach(
                profile ->
                    assertThat(poms)
                        .containsPattern("<profile>\\s*<id>" + profile.group(1) + "</id>"));
      }
    }
  }
}
