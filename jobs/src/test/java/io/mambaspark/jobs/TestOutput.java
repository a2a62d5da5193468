package io.mambaspark.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.io.Output;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.Row;

/** The content of an output, for comparison with another output. */
public final class TestOutput {
  private TestOutput() {}

  public static JsonNode summary(Path output) throws IOException {
    return new ObjectMapper().readTree(output.resolve(Output.SUMMARY).toFile());
  }

  /** Returns the summary's fields that depend only on the input, the model and the options. */
  public static Map<String, String> lasting(JsonNode summary) {
    Map<String, String> fields = new TreeMap<>();
    for (String name :
        List.of(
            "documents",
            "scored_documents",
            "too_short_documents",
            "null_documents",
            "tokens",
            "nll",
            "corpus_perplexity",
            "mean_document_perplexity",
            "error_documents",
            "errors",
            "unreadable_files",
            "truncated_documents",
            "model")) {
      fields.put(name, summary.get(name).toString());
    }
    return fields;
  }

  /** Returns the rows by their ids, which must be unique. */
  public static Map<String, String> rows(Path output) {
    List<Row> rows = TestSpark.session().read().parquet(output.toString()).collectAsList();
    Map<String, String> byId =
        rows.stream()
            .collect(Collectors.toMap(row -> row.getString(row.fieldIndex("id")), Row::toString));
    assertThat(byId).hasSameSizeAs(rows);
    return byId;
  }
}
