package io.mambaspark.jobs.job;

import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.stats.ComparedNumbers;
import io.mambaspark.jobs.stats.ComparedTotals;
import io.mambaspark.jobs.stats.Groups;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The summary of a finished comparison.
 *
 * @param run the id of the run
 * @param all the numbers over all documents
 * @param seconds the time from the delivery of the models to the last written row
 * @param options the options, by their names on the command line
 */
record CompareSummary(
    String run,
    ComparedNumbers all,
    ByGroup byGroup,
    InputRead input,
    double seconds,
    Artifact modelA,
    Artifact modelB,
    Map<String, Object> options) {
  private static final int PRINTED_GROUPS = 20;

  /**
   * The numbers of each group of documents.
   *
   * @param columns the columns whose values define the groups; empty for no groups
   */
  record ByGroup(List<String> columns, Groups<ComparedTotals> groups) {
    List<Map<String, Object>> json() {
      List<Map<String, Object>> json = new ArrayList<>();
      for (Groups.Group<ComparedTotals> group : groups.largest()) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("group", SummaryFile.group(columns, group.key()));
        addNumbers(group.sums().numbers(), fields);
        json.add(fields);
      }
      return json;
    }
  }

  /** Returns the text of the summary file in the output folder. */
  String json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("run", run);
    addNumbers(all, json);
    if (!byGroup.columns().isEmpty()) {
      json.put("group_count", byGroup.groups().number());
      json.put("groups", byGroup.json());
    }
    json.putAll(input.json());
    json.put("seconds", seconds);
    json.put("model_a", modelA.json());
    json.put("model_b", modelB.json());
    json.put("options", options);
    json.put("versions", Versions.ofScores());
    return SummaryFile.text(json);
  }

  private static void addNumbers(ComparedNumbers numbers, Map<String, Object> json) {
    json.putAll(numbers.counts());
    json.putAll(numbers.measures());
  }

  void print(PrintWriter out) {
    SummaryLines lines = new SummaryLines(out);
    print(all, "  ", lines);
    if (!byGroup.columns().isEmpty()) {
      lines.line("group count", "%,d", byGroup.groups().number());
    }
    lines.line("seconds", "%,.4f", seconds);
    if (!byGroup.columns().isEmpty()) {
      printGroups(lines, out);
    }
    lines.input(input);
  }

  private void printGroups(SummaryLines lines, PrintWriter out) {
    List<Groups.Group<ComparedTotals>> groups = byGroup.groups().largest();
    for (Groups.Group<ComparedTotals> group :
        groups.subList(0, Math.min(PRINTED_GROUPS, groups.size()))) {
      out.println();
      out.println("  " + group.name());
      print(group.sums().numbers(), "    ", lines);
    }
    out.println();
  }

  private static void print(ComparedNumbers numbers, String indent, SummaryLines lines) {
    Map<String, Long> counts = numbers.counts();
    if (numbers.documents().nulls() == 0) {
      counts.remove("null_documents");
    }
    counts.forEach((name, value) -> print(indent, name, "%,d", value, lines));
    numbers.measures().forEach((name, value) -> print(indent, name, "%,.4f", value, lines));
  }

  private static void print(
      String indent, String name, String format, Number value, SummaryLines lines) {
    if (value != null) {
      lines.line(indent, name.replace('_', ' '), format, value);
    }
  }

  /** Returns the number of rows that could not be scored plus that of files that were not read. */
  long failures() {
    return all.documents().errors() + input.unread();
  }
}
