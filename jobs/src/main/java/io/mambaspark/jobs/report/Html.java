package io.mambaspark.jobs.report;

import static io.mambaspark.jobs.report.Text.escaped;

import java.util.List;
import java.util.function.IntFunction;

/** A page under construction, with methods for the elements that several sections share. */
final class Html {
  private static final int WIDE = 960;
  private static final int NARROW = 350;
  private static final int MAX_OPEN_ROWS = 24;

  private final StringBuilder out = new StringBuilder(1 << 17);

  void add(String html) {
    out.append(html);
  }

  /** Returns the page as built so far. */
  String text() {
    return out.toString();
  }

  /** Escapes a string of the data and isolates its text direction. */
  static String bdi(String text) {
    return "<bdi>" + escaped(text) + "</bdi>";
  }

  void section(String heading, String lead) {
    add("<h2>" + heading + "</h2>\n");
    if (!lead.isEmpty()) {
      add("<p class=\"lead\">" + lead + "</p>\n");
    }
  }

  /** Adds a sentence that states why a section is empty. */
  void placeholder(String sentence) {
    add("<p class=\"none\">" + sentence + "</p>\n");
  }

  /** Adds a chart for wide and one for narrow screens; the style sheet shows one of them. */
  void figure(String unit, IntFunction<String> chart) {
    add("<figure>");
    if (!unit.isEmpty()) {
      add("<figcaption>" + unit + "</figcaption>");
    }
    both(chart, WIDE);
    add("</figure>\n");
  }

  void both(IntFunction<String> chart, int wide) {
    add("<div class=\"wide\">" + chart.apply(wide) + "</div>");
    add("<div class=\"narrow\">" + chart.apply(NARROW) + "</div>");
  }

  void table(String head, String first, List<String> rows) {
    add("<div class=\"scroll\" tabindex=\"0\"><table>\n" + head + "<tbody>\n" + first);
    rows.forEach(this::add);
    add("</tbody>\n</table></div>\n");
  }

  /**
   * Adds a table with one row for each group. Folds rows after the first {@value #MAX_OPEN_ROWS}.
   */
  void groupTable(String head, String first, List<String> rows) {
    int open = Math.min(rows.size(), MAX_OPEN_ROWS);
    table(head, first, rows.subList(0, open));
    if (rows.size() > open) {
      fold(
          Numbers.count(rows.size() - open, "more group", "more groups"),
          () -> table(head, "", rows.subList(open, rows.size())));
    }
  }

  void fold(String summary, Runnable content) {
    add("<details><summary>" + summary + "</summary>\n");
    content.run();
    add("</details>\n");
  }
}
