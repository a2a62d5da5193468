package io.mambaspark.jobs.job;

import static org.apache.spark.sql.functions.col;

import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoredRow;
import io.mambaspark.jobs.stats.Totals;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** What is printed of the demo besides its summary. */
final class DemoReport {
  private static final int SHOWN = 3;
  private static final int EXCERPT = 64;

  private DemoReport() {}

  /**
   * Prints perplexity per kind and the best and worst documents, where the scored rows have the
   * columns for it.
   *
   * @param kinds whether to print the kinds, which the summary does not
   */
  static void print(Dataset<Row> scored, boolean kinds, PrintWriter out) {
    List<String> columns = Arrays.asList(scored.columns());
    List<String> needed =
        List.of("id", "kind", "text", "token_count", "nll", "perplexity", "error");
    if (!columns.containsAll(needed)) {
      return;
    }
    List<Row> rows =
        scored
            .select(
                col("id"),
                col("kind"),
                col("text"),
                col("token_count"),
                col("nll"),
                col("perplexity"),
                col("error"))
            .collectAsList();
    Map<String, Totals> byKind = new TreeMap<>();
    List<Row> ranked = new ArrayList<>();
    for (Row row : rows) {
      Totals kind = byKind.computeIfAbsent(row.getString(1), k -> new Totals());
      ScoredRow scores = new ScoredRow();
      // The corpus has no null document, and the sums do not show what was truncated.
      scores.setTruncated(false);
      scores.setTokenCount(row.getAs(3));
      scores.setNll(row.getAs(4));
      scores.setPerplexity(row.getAs(5));
      scores.fail(RowError.fromWritten(row.getAs(6)));
      kind.add(scores, Emit.PERPLEXITY);
      if (perplexity(row) > 0) {
        ranked.add(row);
      }
    }
    if (kinds) {
      print(byKind, out);
    }
    ranked.sort(
        Comparator.comparingDouble(DemoReport::perplexity).thenComparing(row -> row.getString(0)));
    int shown = Math.min(SHOWN, ranked.size() / 2);
    print("Most like the books the model has read", ranked.subList(0, shown), out);
    print("Least like them", ranked.subList(ranked.size() - shown, ranked.size()), out);
    out.flush();
  }

  private static void print(Map<String, Totals> kinds, PrintWriter out) {
    out.println();
    out.printf(
        Locale.ROOT,
        "  %-12s %10s %10s %18s %18s%n",
        "kind",
        "documents",
        "tokens",
        "corpus perplexity",
        "mean of documents");
    kinds.entrySet().stream()
        .filter(e -> e.getValue().tokens() > 0)
        .sorted(Comparator.comparingDouble(e -> e.getValue().perplexities().corpus()))
        .forEach(
            e ->
                out.printf(
                    Locale.ROOT,
                    "  %-12s %,10d %,10d %,18.2f %,18.2f%n",
                    e.getKey(),
                    e.getValue().rows(),
                    e.getValue().tokens(),
                    e.getValue().perplexities().corpus(),
                    e.getValue().perplexities().meanOfDocuments()));
  }

  private static void print(String title, List<Row> rows, PrintWriter out) {
    out.println();
    out.println("  " + title);
    for (Row row : rows) {
      out.printf(
          Locale.ROOT,
          "  %,12.2f  %-9s %s%n",
          perplexity(row),
          row.getString(1),
          excerpt(row.getString(2)));
    }
  }

  /** 0 where nothing was scored. */
  private static double perplexity(Row row) {
    if (!row.isNullAt(5)) {
      return row.getDouble(5);
    }
    return row.isNullAt(3) || row.getLong(3) == 0 ? 0 : Double.POSITIVE_INFINITY;
  }

  private static String excerpt(String text) {
    // Random tokens decode to anything, also to what would move a terminal's cursor.
    String line = text.replaceAll("[\\s\\p{Cntrl}]+", " ").strip();
    return line.length() <= EXCERPT ? line : line.substring(0, EXCERPT) + "…";
  }
}
