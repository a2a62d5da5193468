package io.mambaspark.jobs.report;

import static io.mambaspark.jobs.report.Html.bdi;

import io.mambaspark.jobs.report.ReportData.GroupRow;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The section of groups: a table with the sums of each group. */
final class GroupTable {
  private GroupTable() {}

  /** A column of the table. Its value is null for a group without such a number. */
  private record Column(String name, Function<GroupRow, String> value) {}

  private static final List<Column> COLUMNS =
      List.of(
          new Column("documents", row -> Numbers.count(row.documents())),
          new Column("tokens", row -> Numbers.count(row.tokens())),
          new Column("corpus perplexity", GroupTable::corpusPerplexity),
          new Column("mean of documents", row -> perplexity(row.meanDocumentPerplexity())),
          new Column("per word", row -> perplexity(row.wordPerplexity())),
          new Column("per byte", row -> perplexity(row.bytePerplexity())),
          new Column(
              "bits per byte",
              row -> row.bitsPerByte() == null ? null : Numbers.decimals(row.bitsPerByte(), 4)));

  static void add(List<GroupRow> groups, Html html) {
    html.section(
        "Groups",
        groups.isEmpty()
            ? ""
            : "In corpus perplexity every token has the same weight; in the mean of documents,"
                + " every document.");
    if (groups.isEmpty()) {
      html.placeholder("The scores were not summed by group.");
      return;
    }
    List<Column> columns =
        COLUMNS.stream()
            .filter(column -> groups.stream().map(column.value()).anyMatch(Objects::nonNull))
            .toList();
    String head =
        "<thead><tr><th scope=\"col\"></th>"
            + columns.stream()
                .map(column -> "<th scope=\"col\">" + column.name() + "</th>")
                .collect(Collectors.joining())
            + "</tr></thead>\n";
    html.groupTable(head, "", groups.stream().map(row -> row(row, columns)).toList());
  }

  private static String row(GroupRow row, List<Column> columns) {
    return "<tr><th scope=\"row\">"
        + bdi(row.name())
        + "</th>"
        + columns.stream()
            .map(column -> "<td>" + Objects.requireNonNullElse(column.value().apply(row), "–"))
            .collect(Collectors.joining("</td>"))
        + "</td></tr>\n";
  }

  private static String perplexity(Double value) {
    return value == null ? null : Numbers.perplexity(value);
  }

  private static String corpusPerplexity(GroupRow row) {
    if (row.corpusPerplexity() == null) {
      return null;
    }
    String value = Numbers.perplexity(row.corpusPerplexity());
    return row.error() == null ? value : value + " ± " + Numbers.perplexity(row.error());
  }
}
