package io.mambaspark.jobs.job;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.size;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.when;

import io.mambaspark.jobs.spark.Versions;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** The summary of a finished {@code tokenize} job. */
record TokenizeSummary(String run, Counts counts, Artifact tokenizer, InputRead input) {

  /**
   * The sums over the documents.
   *
   * @param documents the number of documents of the input
   * @param nulls the number of documents that are null
   * @param errors the number of documents that could not be tokenized
   * @param tokens the number of tokens
   * @param bytes the length of all texts in bytes of UTF-8
   * @param words the number of words
   */
  record Counts(long documents, long nulls, long errors, long tokens, long bytes, long words) {

    /** Sums up the rows that {@code tokenize} wrote. */
    static Counts of(Dataset<Row> written) {
      Column isTokenized = col("token_error").isNull().and(col("tokens").isNotNull());
      Row sums =
          written
              .agg(
                  count(lit(1)).as("documents"),
                  count(when(col("tokens").isNull(), 1)).as("nulls"),
                  count(col("token_error")).as("errors"),
                  sumOrZero(when(isTokenized, size(col("tokens")).cast("bigint"))).as("tokens"),
                  sumOrZero(col("byte_count")).as("bytes"),
                  sumOrZero(col("word_count")).as("words"))
              .first();
      return new Counts(
          sums.<Long>getAs("documents"),
          sums.<Long>getAs("nulls"),
          sums.<Long>getAs("errors"),
          sums.<Long>getAs("tokens"),
          sums.<Long>getAs("bytes"),
          sums.<Long>getAs("words"));
    }

    private static Column sumOrZero(Column numbers) {
      return coalesce(sum(numbers), lit(0L));
    }
  }

  /** Returns the text of the summary file in the output folder. */
  String json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("run", run);
    json.put("documents", counts.documents());
    json.put("null_documents", counts.nulls());
    json.put("errors", counts.errors());
    json.put("tokens", counts.tokens());
    json.put("bytes", counts.bytes());
    json.put("words", counts.words());
    json.put("tokenizer", tokenizer.json());
    json.putAll(input.json());
    json.put("versions", Versions.all());
    return SummaryFile.text(json);
  }

  /**
   * Prints the summary.
   *
   * @param seconds the duration of the job, which the file does not contain
   */
  void print(double seconds, PrintWriter out) {
    SummaryLines lines = new SummaryLines(out);
    lines.line("documents", "%,d", counts.documents());
    if (counts.nulls() > 0) {
      lines.line("  null", "%,d", counts.nulls());
    }
    lines.line("errors", "%,d", counts.errors());
    lines.line("tokens", "%,d", counts.tokens());
    lines.line("bytes", "%,d", counts.bytes());
    lines.line("words", "%,d", counts.words());
    lines.line("seconds", "%.1f", seconds);
    lines.input(input);
  }

  /** Returns the number of texts plus the number of files that could not be read. */
  long failures() {
    return counts.errors() + input.unread();
  }
}
