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
 * files, options and Maven profiles that exist. A failure lists every problem with its page and
 * line.
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

  /** Options of picocli, Spark, Java, the scripts, lm-evaluation-harness and llama.cpp. */
  private static final Set<String> OTHER_OPTIONS =
      Set.of(
          ("--help --version --conf --jars --py-files --packages --master --deploy-mode --class"
                  + " --driver-memory --executor-memory --driver-java-options --add-modules"
                  + " --short --shapes --repeats --kernels --native --spark --contexts --model_args"
                  + " --outtype --tasks --include_path --num_fewshot --log_samples"
                  + " --output_path --use_cache")
              .split(" "));

  private static final Pattern BLOCK = Pattern.compile("(?ms)^```(\\w*)\n(.*?)^```$");
  private static final Pattern LINK = Pattern.compile("\\[[^\\]]*\\]\\(([^)\\s]+)\\)");
  private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.*)$");
  private static final Pattern INLINE_CODE = Pattern.compile("`([^`]+)`");
  private static final Pattern NOT_CHECKED = Pattern.compile("```|(?m)^    ");
  private static final Pattern OPTION = Pattern.compile("(?<![\\w-])--[a-z][\\w-]*");
  private static final Pattern PROFILE = Pattern.compile("-P(\\w+)");
  private static final Pattern COMMAND = Pattern.compile(".+");
  private static final Pattern FILE =
      Pattern.compile(
          "(?<![\\w./-])(?:[$]PWD/)?((?:scripts|conf|jobs|engine|[.]ci|target)/[\\w./-]*)");
  private static final Pattern WRITTEN =
      Pattern.compile(
          "(?:--output|--report|--checkpoint-location|mkdir -p|make-outliers[.]py \\S+ \\d+|audit[.]py \\S+|>"
              + "|outputDirectory=\"[$]PWD/|--output-table \"delta[.]\\\\`[$]PWD/)"
              + " ?(target/[\\w./-]*)");
  private static final Pattern VERSION =
      Pattern.compile("mamba-spark-\\w+(?:[:-]|</artifactId>\\s*<version>)(\\d+[.]\\d+[.]\\d+)");

  /** A part of a page, such as a code block, and its offset in the page. */
  private record Part(int offset, String text) {
    static Part of(MatchResult match, int group) {
      return new Part(match.start(group), match.group(group));
    }

    /** The matches of one group of a pattern. */
    Stream<Part> all(Pattern pattern, int group) {
      return pattern
          .matcher(text)
          .results()
          .map(match -> new Part(offset + match.start(group), match.group(group)));
    }
  }

  /** A page and its problems. */
  private record Page(Path path, String text, List<String> problems) {
    static Page read(Path path) throws IOException {
      return new Page(path, DocsTest.read(path.toString()), new ArrayList<>());
    }

    void require(boolean holds, Part part, String problem) {
      if (!holds) {
        long line = 1 + text.substring(0, part.offset()).chars().filter(c -> c == '\n').count();
        problems.add("%s:%d: %s".formatted(path, line, problem));
      }
    }

    List<Part> blocks(String language) {
      return BLOCK
          .matcher(text)
          .results()
          .filter(block -> block.group(1).equals(language))
          .map(block -> Part.of(block, 2))
          .toList();
    }

    /** The page with dots instead of the code blocks. */
    Part prose() {
      return new Part(
          0, BLOCK.matcher(text).replaceAll(block -> block.group().replaceAll(".", ".")));
    }

    /** The commands of the shell blocks, each on one line. */
    List<Part> commands() {
      return blocks("sh").stream()
          .map(block -> new Part(block.offset(), block.text().replace("\\\n", "  ")))
          .flatMap(block -> block.all(COMMAND, 0))
          .toList();
    }

    List<Part> inlineCode() {
      return prose().all(INLINE_CODE, 1).toList();
    }
  }

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

  /** The lines without indentation, which differs between a page and a test. */
  private static String bare(String text) {
    return text.lines()
        .map(String::strip)
        .filter(line -> !line.isEmpty())
        .collect(Collectors.joining("\n", "\n", "\n"));
  }

  @ParameterizedTest
  @MethodSource("pages")
  void the_tests_run_every_example(Path path) throws IOException {
    Page page = Page.read(path);
    StringBuilder run = new StringBuilder();
    for (String file : RUN) {
      run.append(bare(read(file)));
    }
    for (String language : EXAMPLES) {
      for (Part example : page.blocks(language)) {
        page.require(
            run.indexOf(bare(example.text())) >= 0,
            example,
            "this %s example is in none of the files that tests run".formatted(language));
      }
    }
    new Part(0, page.text())
        .all(BLOCK, 1)
        .filter(language -> !EXAMPLES.contains(language.text()))
        .forEach(
            language ->
                page.require(
                    OTHER_BLOCKS.contains(language.text()),
                    language,
                    "unknown language of a code block: '" + language.text() + "'"));
    page.prose()
        .all(NOT_CHECKED, 0)
        .forEach(part -> page.require(false, part, "code that no check sees"));
    assertThat(page.problems()).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("pages")
  void every_link_resolves(Path path) throws IOException {
    Page page = Page.read(path);
    for (Part link : page.prose().all(LINK, 1).toList()) {
      String[] target = link.text().split("#", 2);
      if (target[0].matches("https?:.*")) {
        continue;
      }
      Path file = target[0].isEmpty() ? path : path.resolveSibling(target[0]).normalize();
      boolean exists = Files.exists(ROOT.resolve(file));
      page.require(exists, link, "link to %s, which does not exist".formatted(file));
      if (exists && target.length > 1) {
        page.require(
            anchors(Page.read(file)).contains(target[1]),
            link,
            "link to #%s, which is not a heading of %s".formatted(target[1], file));
      }
    }
    assertThat(page.problems()).isEmpty();
  }

  /** The anchors that GitHub gives to headings. */
  private static Set<String> anchors(Page page) {
    Set<String> anchors = new HashSet<>();
    Map<String, Integer> counts = new HashMap<>();
    for (Part heading : page.prose().all(HEADING, 1).toList()) {
      String words = heading.text().toLowerCase(Locale.ROOT).replaceAll("[^\\p{L}\\p{N} _-]", "");
      String anchor = words.replace(' ', '-');
      int count = counts.merge(anchor, 1, Integer::sum) - 1;
      anchors.add(count == 0 ? anchor : anchor + "-" + count);
    }
    return anchors;
  }

  @ParameterizedTest
  @MethodSource("pages")
  void every_named_file_exists_or_is_written_before(Path path) throws IOException {
    Page page = Page.read(path);
    String version = value("version");
    Set<String> written = new HashSet<>();
    for (Part command : page.commands()) {
      command.all(WRITTEN, 1).map(Part::text).forEach(written::add);
      command
          .all(FILE, 1)
          .forEach(
              file ->
                  page.require(
                      file.text().contains("target/")
                          ? written.stream().anyMatch(w -> isIn(w, file.text()))
                          : Files.exists(ROOT.resolve(file.text())),
                      file,
                      file.text() + " does not exist, and no command before writes it"));
      if (command.text().matches("(?s)mvn .*-Pnative package.*")) {
        written.add("engine/native/linux-x86_64/target");
      }
      if (command.text().matches(".*scripts/(submit|demo)[.]sh.*")) {
        written.add("jobs/target/mamba-spark-jobs-" + version + ".jar");
        written.add(
            "target/spark-home-" + value("spark.version") + "-" + value("scala.binary.version"));
      }
    }
    page.inlineCode().stream()
        .flatMap(code -> code.all(FILE, 1))
        .filter(file -> !file.text().contains("target/"))
        .forEach(
            file ->
                page.require(
                    Files.exists(ROOT.resolve(file.text())),
                    file,
                    file.text() + " does not exist"));
    new Part(0, page.text())
        .all(VERSION, 1)
        .forEach(
            found ->
                page.require(
                    found.text().equals(version),
                    found,
                    "version %s; the POM has %s".formatted(found.text(), version)));
    assertThat(page.problems()).isEmpty();
  }

  private static boolean isIn(String folder, String file) {
    return file.equals(folder) || file.startsWith(folder + "/");
  }

  /** The text of the first such element of the parent POM. */
  private static String value(String element) throws IOException {
    return Pattern.compile("<" + element + ">(.*)</")
        .matcher(read("pom.xml"))
        .results()
        .findFirst()
        .orElseThrow()
        .group(1);
  }

  @ParameterizedTest
  @MethodSource("pages")
  void every_option_and_profile_exists(Path path) throws IOException {
    Page page = Page.read(path);
    Set<String> options =
        Stream.of(Options.SCORE, Options.COMPARE, Options.TOKENIZE, Options.INSPECT)
            .flatMap(List::stream)
            .map(Option::flag)
            .collect(Collectors.toCollection(HashSet::new));
    options.addAll(OTHER_OPTIONS);
    String poms = read("pom.xml") + read("engine/pom.xml") + read("jobs/pom.xml");
    for (Part code : Stream.of(page.commands(), page.inlineCode()).flatMap(List::stream).toList()) {
      code.all(OPTION, 0)
          .forEach(
              option ->
                  page.require(
                      options.contains(option.text()),
                      option,
                      option.text() + " is not an option of any command"));
      code.all(PROFILE, 1)
          .filter(profile -> code.text().contains("mvn "))
          .forEach(
              profile ->
                  page.require(
                      Pattern.compile("<profile>\\s*<id>" + profile.text() + "</id>")
                          .matcher(poms)
                          .find(),
                      profile,
                      profile.text() + " is not a profile of any POM"));
    }
    assertThat(page.problems()).isEmpty();
  }
}
