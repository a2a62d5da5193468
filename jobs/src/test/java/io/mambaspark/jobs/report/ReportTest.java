package io.mambaspark.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.mambaspark.jobs.report.ReportData.GroupRow;
import io.mambaspark.jobs.report.ReportData.Head;
import io.mambaspark.jobs.report.ReportData.Headline;
import io.mambaspark.jobs.report.ReportData.Origin;
import io.mambaspark.jobs.report.ReportData.Position;
import io.mambaspark.jobs.report.ReportData.Speed;
import io.mambaspark.jobs.report.ReportData.Sums;
import io.mambaspark.jobs.report.ReportData.TaskTime;
import io.mambaspark.jobs.report.ReportData.Timing;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Distributions.Document;
import io.mambaspark.jobs.stats.Distributions.Extremes;
import io.mambaspark.jobs.stats.Distributions.Group;
import io.mambaspark.jobs.stats.Distributions.Grouping;
import io.mambaspark.jobs.stats.Distributions.Histogram;
import io.mambaspark.jobs.stats.Distributions.LengthClass;
import io.mambaspark.jobs.stats.Distributions.Percentiles;
import io.mambaspark.jobs.stats.Distributions.Series;
import io.mambaspark.jobs.stats.LogBins;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class ReportTest {
  private static final String HOSTILE =
      "</title></style><script>alert(1)</script>\"'&<!--\u0000\u0007\u202Egnp\u2066\uD800x\uDC00\uFFFE";

  private static org.w3c.dom.Document parsed(String html) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(html)));
  }

  private static List<Element> elements(org.w3c.dom.Document page, String name) {
    NodeList nodes = page.getElementsByTagName(name);
    return IntStream.range(0, nodes.getLength()).mapToObj(i -> (Element) nodes.item(i)).toList();
  }

  @Test
  void the_page_is_well_formed_and_loads_nothing() throws Exception {
    for (ReportData data :
        List.of(SampleReport.threeGroups(), SampleReport.twentyGroups(), SampleReport.empty())) {
      String html = Report.html(data);
      org.w3c.dom.Document page = parsed(html);
      List<Element> all = elements(page, "*");
      assertThat(all)
          .extracting(Element::getTagName)
          .doesNotContain("script", "link", "img", "iframe", "object", "use", "image");
      assertThat(all)
          .noneMatch(element -> element.hasAttribute("href") || element.hasAttribute("src"));
      assertThat(html).doesNotContain("url(", "@import", "http:", "https:", "javascript:");
      List<String> ids =
          all.stream().map(e -> e.getAttribute("id")).filter(id -> !id.isEmpty()).toList();
      assertThat(ids).doesNotHaveDuplicates();
      assertThat(elements(page, "meta").get(1).getAttribute("content"))
          .isEqualTo("default-src 'none'; style-src 'unsafe-inline'; img-src data:");
      assertThat(elements(page, "svg"))
          .allMatch(svg -> svg.getAttribute("role").equals("img"))
          .noneMatch(svg -> svg.getAttribute("aria-label").isEmpty());
    }
  }

  @Test
  void equal_data_make_equal_pages_of_modest_size() {
    String html = Report.html(SampleReport.twentyGroups());
    assertThat(Report.html(SampleReport.twentyGroups())).isEqualTo(html);
    assertThat(html.getBytes(StandardCharsets.UTF_8).length).isLessThan(200_000);
  }

  @Test
  void charts_take_their_colours_and_fonts_from_the_page() throws Exception {
    String html = Report.html(SampleReport.threeGroups());
    String charts =
        elements(parsed(html), "svg").stream()
            .flatMap(svg -> elementsOf(svg).stream())
            .flatMap(e -> List.of(e.getAttribute("fill"), e.getAttribute("stroke")).stream())
            .distinct()
            .collect(Collectors.joining(" "));
    assertThat(charts).contains("var(--s1)", "var(--s2)", "var(--s3)", "var(--s20)");
    assertThat(charts).doesNotContain("#", "rgb");
    // The page has one style sheet.
    assertThat(html.split("<style", -1)).hasSize(2);
    assertThat(html).doesNotContain("font-family=");
  }

  private static List<Element> elementsOf(Element element) {
    NodeList nodes = element.getElementsByTagName("*");
    return IntStream.range(0, nodes.getLength()).mapToObj(i -> (Element) nodes.item(i)).toList();
  }

  @Test
  void missing_parts_are_stated() throws Exception {
    String text = parsed(Report.html(SampleReport.empty())).getDocumentElement().getTextContent();
    assertThat(text)
        .contains(
            "No document has a perplexity.",
            "Perplexity by position in the document was not recorded.",
            "The scores were not summed by group.",
            "The speed over time is unknown: the run was too short or not observed.",
            "The times of the tasks are unknown.",
            "No document had an error.",
            "Options and versions were not recorded.");
    assertThat(Report.html(SampleReport.empty())).doesNotContain("<svg");
  }

  /** Returns a run of one document; an empty name gives neither groups nor shown columns. */
  private static ReportData small(String name, Map<String, String> options) {
    Percentiles one = new Percentiles(1, List.of(7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0));
    boolean named = !name.isEmpty();
    Document document = new Document(7, 20, named ? List.of(name, name) : List.of());
    return new ReportData(
        new Head(
            "Small " + name,
            named ? List.of(new Headline(name, name)) : List.of(),
            named ? List.of(name) : List.of()),
        new Distributions(
            true,
            one,
            new Grouping(
                named ? List.of(name) : List.of(),
                named ? 1 : 0,
                named ? List.of(new Group(List.of(name), one)) : List.of()),
            new Histogram(
                List.of(6.3, 7.1), List.of(new Series(named ? name : "all", false, List.of(1L)))),
            List.of(new LengthClass(16, one)),
            new Extremes(
                named ? List.of(name, "text") : List.of(), List.of(document), List.of(document))),
        new Sums(
            named
                ? List.of(new GroupRow(name, 1, 20, null, null, null, null, null, null))
                : List.of(),
            List.of(new Position(0, 20, 39)),
            named ? Map.of(name, 3L) : Map.of()),
        new Timing(List.of(new Speed(0, 0), new Speed(1, 20)), List.of(new TaskTime(0.5, 0.5, -1))),
        new Origin(options, options));
  }

  private static ReportData scored(Distributions all, Sums sums) {
    return new ReportData(new Head("t", List.of(), List.of()), all, sums, Timing.NONE, Origin.NONE);
  }

  @Test
  void a_run_of_one_document_has_sentences_in_place_of_charts() throws Exception {
    org.w3c.dom.Document page = parsed(Report.html(small("", Map.of())));
    assertThat(page.getDocumentElement().getTextContent())
        .contains(
            "All documents have between 16 and 31 tokens; their median is 7.00.",
            "All tokens are at the very beginning of their documents.",
            "The documents are not grouped.",
            "No columns were selected to identify the documents.",
            "one task of 0.0 s");
    assertThat(elements(page, "svg")).isNotEmpty();
  }

  @Test
  void strings_of_the_data_are_escaped() throws Exception {
    String html = Report.html(small(HOSTILE, Map.of(HOSTILE, HOSTILE)));
    assertThat(html)
        .contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;&lt;!--��" + "�gnp��x��")
        .doesNotContain("<script", "<!--", "\u202E", "\u2066", "\u0000");
    assertThat(elements(parsed(html), "title").get(0).getTextContent()).contains("<script>");
    // No surrogate is unpaired, so nothing is lost in UTF-8.
    assertThat(new String(html.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8))
        .isEqualTo(html);
  }

  @Test
  void many_groups_are_folded() throws Exception {
    ReportData data = SampleReport.threeGroups();
    List<Group> groups = new ArrayList<>();
    List<GroupRow> rows = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      groups.add(new Group(List.of("group " + i), data.distributions().overall()));
      rows.add(new GroupRow("group " + i, 5, 10, 3.0, null, null, null, null, null));
    }
    Distributions all = data.distributions();
    String html =
        Report.html(
            new ReportData(
                data.head(),
                new Distributions(
                    false,
                    all.overall(),
                    new Grouping(all.grouping().columns(), 5000, groups),
                    all.histogram(),
                    all.lengths(),
                    all.extremes()),
                new Sums(rows, data.sums().positions(), data.sums().errors()),
                data.timing(),
                data.origin()));
    assertThat(parsed(html).getDocumentElement().getTextContent())
        .contains("976 more groups", "There are 5,000 groups; the 1,000 largest are listed.");
    assertThat(html.length()).isLessThan(1_000_000);
    assertThat(Pattern.compile("<th scope=\"row\"><bdi>group \\d+<").matcher(html).results())
        .hasSize(2000);
  }

  @Test
  void perplexities_of_every_size_have_an_axis() throws Exception {
    for (double[] range :
        new double[][] {{1, 1.0000001}, {0.99, 1.2}, {40, 45}, {1, 1e9}, {5, 1e300}, {1e-9, 2}}) {
      List<Double> low =
          IntStream.range(0, 7)
              .mapToObj(i -> range[0] * Math.pow(range[1] / range[0], i / 6.0))
              .toList();
      Percentiles p = new Percentiles(7, low);
      LogBins bins =
          LogBins.of(low.stream().mapToInt(v -> (int) Math.floor(Math.log10(v) * 20)).toArray());
      List<Long> counts = IntStream.range(0, bins.count()).mapToObj(i -> i == 0 ? 7L : 0L).toList();
      Distributions all =
          new Distributions(
              true,
              p,
              new Grouping(List.of(), 0, List.of()),
              new Histogram(bins.edges(), List.of(new Series("all", false, counts))),
              List.of(new LengthClass(1, p), new LengthClass(1L << 40, p)),
              new Extremes(List.of(), List.of(), List.of()));
      String html = Report.html(scored(all, Sums.NONE));
      for (Element svg : elements(parsed(html), "svg")) {
        List<String> ticks =
            elementsOf(svg).stream()
                .filter(e -> e.getAttribute("class").startsWith("axis-text"))
                .map(Element::getTextContent)
                .toList();
        assertThat(ticks).hasSizeBetween(2, 40);
      }
      assertThat(html).doesNotContain("NaN");
    }
  }

  @Test
  void an_infinite_perplexity_is_shown_and_drawn_at_the_highest_finite_one() throws Exception {
    double infinity = Double.POSITIVE_INFINITY;
    Percentiles none = new Percentiles(2, Collections.nCopies(7, infinity));
    Percentiles some =
        new Percentiles(9, List.of(2.0, 3.0, 4.0, 5.0, infinity, infinity, infinity));
    for (Percentiles finite : List.of(some, none)) {
      Histogram histogram =
          finite == none
              ? new Histogram(List.of(), List.of())
              : new Histogram(
                  List.of(1.0, 10.0),
                  List.of(
                      new Series("a", false, List.of(4L)), new Series("b", false, List.of(0L))));
      Distributions all =
          new Distributions(
              true,
              finite,
              new Grouping(
                  List.of("kind"),
                  2,
                  List.of(new Group(List.of("a"), finite), new Group(List.of("b"), none))),
              histogram,
              List.of(new LengthClass(2, finite), new LengthClass(4, none)),
              new Extremes(List.of(), List.of(), List.of(new Document(infinity, 3, List.of()))));
      Sums sums =
          new Sums(
              List.of(new GroupRow("b", 2, 9, infinity, null, infinity, null, null, null)),
              List.of(new Position(1, 9, finite == none ? 1e6 : 20), new Position(2, 9, 1e30)),
              Map.of());
      String html = Report.html(scored(all, sums));
      assertThat(parsed(html).getDocumentElement().getTextContent())
          .contains("∞")
          .doesNotContain("Infinity");
      assertThat(html)
          .doesNotContain("NaN", "Infinity")
          .contains("Perplexity of documents by their length");
      if (finite == none) {
        assertThat(html)
            .contains("The perplexity of every document is infinite, so there is no histogram.");
      }
    }
  }

  @Test
  void contradictory_data_are_refused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TaskTime(2, 1, 5))
        .withMessage("A task ends at 1.0 s, before it starts at 2.0 s");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Speed(Double.NaN, 1))
        .withMessage("Expected a finite time of at least 0 s, found NaN s");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Position(-1, 1, 1))
        .withMessage("Position -1 is negative");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Position(2, -1, 1))
        .withMessage("Found -1 tokens at position 2");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Position(2, 1, Double.NaN))
        .withMessage("nll at position 2 is NaN");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Percentiles(3, List.of(1.0)))
        .withMessage("Found 1 percentiles of 3 documents, expected 7");
  }
}
