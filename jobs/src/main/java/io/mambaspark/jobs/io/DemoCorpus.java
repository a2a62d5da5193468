package io.mambaspark.jobs.io;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.spark.Demo;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** The demo corpus, a resource of the jar. */
public final class DemoCorpus {
  public static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.StringType)
          .add("source", DataTypes.StringType)
          .add("kind", DataTypes.StringType)
          .add("text", DataTypes.StringType)
          .add("tokens", DataTypes.createArrayType(DataTypes.IntegerType, false));

  /** The document column if the user names none. */
  public static final DocumentColumns COLUMNS = DocumentColumns.text("text");

  private DemoCorpus() {}

  /**
   * Returns the size of the corpus, as the footers of Parquet files would give it. The bytes are
   * the length of the column {@code text} only.
   */
  public static InputSize size() {
    long rows = 0;
    long tokens = 0;
    long bytes = 0;
    for (Row row : rows()) {
      rows++;
      tokens += ((int[]) row.get(SCHEMA.fieldIndex("tokens"))).length;
      bytes += row.getString(SCHEMA.fieldIndex("text")).length();
    }
    return new InputSize(rows, tokens, bytes);
  }

  /** Reads the rows of the corpus, which have the schema {@link #SCHEMA}. */
  public static List<Row> rows() {
    ObjectMapper json = new ObjectMapper();
    List<Row> rows = new ArrayList<>();
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(Demo.open("corpus.jsonl"), StandardCharsets.UTF_8))) {
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
}
