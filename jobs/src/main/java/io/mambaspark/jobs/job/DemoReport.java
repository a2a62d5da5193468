package io.mambaspark.jobs.job;

import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoredRow;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.stats.Totals;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Prints details of the scored demo that its summary does not show: perplexities by kind of text,
 * and the best and worst documents.
 */
final class DemoReport {
  private static final int SHOWN = 3;
  private static final int EXCERPT = 64;

  private static final List<String> COLUMNS =
      List.of("id", "kind", "text", "token_count", "nll", "perplexity", "error");

  private DemoReport() {}

  /** A scored document. Its numbers are null if it has an error. */
  private record Document(
      String id,
      String kind,
      String text,
      Long tokens,
      Double nll,
      Double storedPerplexity,
      String error) {

    static Document of(Row row) {
      return new Document(
          row.getAs("id"),
          row.getAs("kind"),
          row.getAs("text"),
          row.getAs("token_count"),
          row.getAs("nll"),
          row.getAs("perplexity"),
          row.getAs("error"));
    }

    /** Returns the perplexity: 0 if no token was scored, infinity if it is too large to store. */
    double perplexity() {
      if (storedPerplexity != null) {
        return storedPerplexity;
      }
      return tokens == null || tokens == 0 ? 0 : Double.POSITIVE_INFINITY;
    }

    void addTo(Totals totals) {
      ScoredRow row = new ScoredRow();
      // The corpus has no null document, and the printed sums do not show truncation.
      row.setTruncated(false);
      row.setTokenCount(tokens);
      row.setNll(nll);
      row.setPerplexity(storedPerplexity);
      row.fail(RowError.fromWritten(error));
      totals.add(row, Emit.PERPLEXITY);
    }
  }

  /**
   * Prints the perplexity of each kind and the best and worst documents. Prints nothing if the
   * scored rows lack a column that this requires.
   *
   * @param kinds whether to print the kinds; false if the summary already shows groups
   */
  static void print(Dataset<Row> scored, boolean kinds, PrintWriter out) {
    if (!Arrays.asList(scored.columns()).containsAll(COLUMNS)) {
      return;
    }
    List<Document> documents =
        scored
            .select(COLUMNS.stream().map(ColumnNames::quoted).toArray(Column[]::new))
            .collectAsList()
            .stream()
            .map(Document::of)
            .toList();
    if (kinds) {
      printKinds(documents, out);
    }
    List<Document> ranked =
        documents.stream()
            .filter(document -> document.perplexity() > 0)
            .sorted(Comparator.comparingDouble(Document::perplexity).thenComparing(Document::id))
            .toList();
    int shown = Math.min(SHOWN, ranked.size() / 2);
    print("Most like the books the model was trained on", ranked.subList(0, shown), out);
    print("Least like those books", ranked.subList(ranked.size() - shown, ranked.size()), out);
    out.flush();
  }

  private static void printKinds(List<Document> documents, PrintWriter out) {
    Map<String, Totals> kinds = new TreeMap<>();
    for (Document document : documents) {
      document.addTo(kinds.computeIfAbsent(document.kind(), kind -> new Totals()));
    }
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
        .filter(kind -> kind.getValue().tokens() > 0)
        .sorted(Comparator.comparingDouble(kind -> kind.getValue().perplexities().corpus()))
        .forEach(kind -> print(kind.getKey(), kind.getValue(), out));
  }

  private static void print(String kind, Totals totals, PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "  %-12s %,10d %,10d %,18.2f %,18.2f%n",
        kind,
        totals.rows(),
        totals.tokens(),
        totals.perplexities().corpus(),
        totals.perplexities().meanOfDocuments());
  }

  private static void print(String title, List<Document> documents, PrintWriter out) {
    out.println();
    out.println("  " + title);
    for (Document document : documents) {
      out.printf(
          Locale.ROOT,
          "  %,12.2f  %-9s %s%n",
          document.perplexity(),
          document.kind(),
          excerpt(document.text()));
    }
  }

  private static String excerpt(String text) {
    // Random tokens may decode to control characters, which would move a terminal's cursor.
    String line = text.replaceAll("[\\s\\p{Cntrl}]+", " ").strip();
    return line.length() <= EXCERPT ? line : line.substring(0, EXCERPT) + "…";
  }
}
