package io.mambaspark.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Tests the report in a browser. {@code scripts/report.sh} runs this test, which writes pages and
 * their screenshots to {@code target/report}.
 */
@Tag("chromium")
class ReportInChromiumTest {
  private static final Path FOLDER = Path.of("target/report").toAbsolutePath();

  /** Returns the state of every chart, whether the style sheet shows or hides it on this screen. */
  private static final String CHARTS =
      """
      [...document.querySelectorAll('svg')].map(svg => {
        const box = svg.getBoundingClientRect();
        const page = document.documentElement;
        return {
          shown: svg.checkVisibility(),
          sized: box.width > 100 && box.height > 20,
          inside: box.left >= 0 && box.right <= page.clientWidth,
          drawn: [...svg.querySelectorAll('path, line, circle, rect, polygon')].filter(
              shape => getComputedStyle(shape).fill !== 'none'
                  || getComputedStyle(shape).stroke !== 'none').length > 0,
          label: svg.getAttribute('aria-label')};
      })""";

  @TempDir static Path profile;
  private static Chromium chromium;

  @BeforeAll
  static void start() throws Exception {
    Files.createDirectories(FOLDER);
    chromium = Chromium.start(profile);
  }

  @AfterAll
  static void end() throws Exception {
    if (chromium != null) {
      chromium.close();
    }
  }

  @Test
  void it_shows_all_charts_loads_nothing_and_logs_nothing() throws Exception {
    Map<String, ReportData> samples = new LinkedHashMap<>();
    samples.put("three", SampleReport.threeGroups());
    samples.put("twenty", SampleReport.twentyGroups());
    samples.put("empty", SampleReport.empty());
    for (Map.Entry<String, ReportData> sample : samples.entrySet()) {
      Path page = FOLDER.resolve(sample.getKey() + ".html");
      Files.writeString(page, Report.html(sample.getValue()));
      look(page, sample.getValue().distributions() != null);
    }
    for (String page : System.getProperty("mambaspark.reports", "").split(File.pathSeparator)) {
      if (!page.isEmpty()) {
        look(Path.of(page), true);
      }
    }
  }

  private static void look(Path page, boolean charts) throws Exception {
    String name = page.getFileName().toString().replace(".html", "");
    for (int width : new int[] {1280, 390}) {
      for (boolean dark : new boolean[] {false, true}) {
        look(page, name + "-" + width + (dark ? "-dark" : "-light"), width, dark, charts);
      }
    }
  }

  private static void look(Path page, String name, int width, boolean dark, boolean charts)
      throws Exception {
    chromium.screen(width, 800, dark);
    chromium.open(page.toUri());

    JsonNode boxes = chromium.evaluate(CHARTS);
    int shown = 0;
    for (JsonNode box : boxes) {
      if (box.get("shown").asBoolean()) {
        shown++;
        assertThat(box.get("sized").asBoolean()).as("%s has a size: %s", name, box).isTrue();
        assertThat(box.get("inside").asBoolean()).as("%s is on the page: %s", name, box).isTrue();
        assertThat(box.get("drawn").asBoolean()).as("%s has shapes: %s", name, box).isTrue();
      }
    }
    // The page has each chart for wide and for narrow screens and shows one of the two.
    assertThat(shown).as(name).isEqualTo(boxes.size() / 2);
    assertThat(shown > 4).as(name).isEqualTo(charts);
    assertThat(chromium.evaluate("document.documentElement.scrollWidth").asInt())
        .as("%s does not scroll sideways", name)
        .isLessThanOrEqualTo(width);
    assertThat(chromium.evaluate("getComputedStyle(document.body).backgroundColor").asText())
        .as(name)
        .isEqualTo(dark ? "rgb(21, 24, 27)" : "rgb(253, 253, 252)");

    chromium.screenshot(FOLDER.resolve(name + ".png"));

    assertThat(chromium.events("Network.requestWillBeSent"))
        .as(name)
        .extracting(event -> event.at("/request/url").asText())
        .containsExactly(page.toUri().toString());
    assertThat(chromium.events("Log.entryAdded")).as(name).isEmpty();
    assertThat(chromium.events("Runtime.consoleAPICalled")).as(name).isEmpty();
    assertThat(chromium.events("Runtime.exceptionThrown")).as(name).isEmpty();
  }

  @Test
  void the_browser_logs_errors_of_a_bad_page() throws Exception {
    // An empty log of the report proves something only if the browser logs errors.
    Path page = FOLDER.resolve("bad.html");
    Files.writeString(
        page,
        Report.html(SampleReport.empty())
            .replace("</main>", "<img alt='' src='other.png'/><script>1</script></main>"));
    chromium.screen(1280, 800, false);
    chromium.open(page.toUri());
    List<JsonNode> log = chromium.events("Log.entryAdded");
    assertThat(log)
        .extracting(event -> event.at("/entry/level").asText())
        .isNotEmpty()
        .containsOnly("error");
  }
}
