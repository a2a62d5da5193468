package io.mambaspark.jobs;

import static org.apache.spark.sql.functions.col;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** The small model and the small corpus inside the jar, and what is told about them. */
final class Demo {
  /** The word that stands for a path. */
  static final String NAME = "demo";

  static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.StringType)
          .add("source", DataTypes.StringType)
          .add("kind", DataTypes.StringType)
          .add("text", DataTypes.StringType)
          .add("tokens", DataTypes.createArrayType(DataTypes.IntegerType, false));

  /** The column that is scored where none is named. */
  static final DocumentColumns COLUMNS = DocumentColumns.text("text");

  private static final String TOKENIZER = "tokenizer.json";
  private static final List<String> MODEL_FILES =
      List.of("config.json", "model.safetensors", TOKENIZER);
  private static final int SHOWN = 3;
  private static final int EXCERPT = 64;

  private Demo() {}

  private static InputStream resource(String name) throws IOException {
    InputStream in = Demo.class.getResourceAsStream("demo/" + name);
    if (in == null) {
      throw new FileNotFoundException("The jar lacks the demo's " + name);
    }
    return in;
  }

  static void unpackModel(Path folder) throws IOException {
    for (String file : MODEL_FILES) {
      try (InputStream in = resource("tiny-books/" + file)) {
        Files.copy(in, folder.resolve(file));
      }
    }
  }

  /** The tokenizer of the model. */
  static byte[] tokenizer() {
    try (InputStream in = resource("tiny-books/" + TOKENIZER)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What Parquet footers would tell of the corpus; its text counts for the size of all columns. */
  static Footers footers() {
    long rows = 0;
    long tokens = 0;
    long bytes = 0;
    for (Row row : rows()) {
      rows++;
      tokens += ((int[]) row.get(SCHEMA.fieldIndex("tokens"))).length;
      bytes += row.getString(SCHEMA.fieldIndex("text")).length();
    }
    return new Footers(rows, tokens, bytes);
  }

  /** The rows of the corpus, as {@link #SCHEMA}. */
  static List<Row> rows() {
    ObjectMapper json = new ObjectMapper();
    List<Row> rows = new ArrayList<>();
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(resource("corpus.jsonl"), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        JsonNode row = json.readTree(line);
        int[] tokens = new int[row.get("tokens").size()];
        Arrays.setAll(tokens, i -> row.get("tokens").get(i).asInt());
        rows.add(
            RowFactory.create(
                row.get("id").asText(),
                row.get("source").asText(),
                row.get("kind").asText(),
                row.get("text").asText(),
                tokens));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return rows;
  }

  /**
   * Prints perplexity per kind and the best and worst documents, where the scored rows have the
   * columns for it.
   *
   * @param kinds whether to print the kinds, which the summary does not
   */
  static void report(Dataset<Row> scored, boolean kinds, PrintWriter out) {
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
      scores.setError(row.getAs(6));
      kind.add(scores, Emit.PERPLEXITY);
      if (perplexity(row) > 0) {
        ranked.add(row);
      }
    }
    if (kinds) {
      print(byKind, out);
    }
    ranked.sort(
        Comparator.comparingDouble(Demo::perplexity).thenComparing(row -> row.getString(0)));
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
        .sorted(Comparator.comparingDouble(e -> e.getValue().corpusPerplexity()))
        .forEach(
            e ->
                out.printf(
                    Locale.ROOT,
                    "  %-12s %,10d %,10d %,18.2f %,18.2f%n",
                    e.getKey(),
                    e.getValue().rows(),
                    e.getValue().tokens(),
                    e.getValue().corpusPerplexity(),
                    e.getValue().meanDocumentPerplexity()));
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
