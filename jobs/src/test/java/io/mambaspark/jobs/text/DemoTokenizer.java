package io.mambaspark.jobs.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.jobs.Main;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** The demo's tokenizer and texts, and tokenizers derived from it. */
final class DemoTokenizer {
  static final ObjectMapper JSON = new ObjectMapper();
  static final Path FOLDER = Path.of("target", "tokenizers");

  private DemoTokenizer() {}

  static byte[] json() {
    try (InputStream in = Main.class.getResourceAsStream("demo/tiny-books/tokenizer.json")) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Tokenizer tokenizer() {
    return TokenizerFile.parse("demo", json()).tokenizer(FOLDER);
  }

  /** Returns a copy of the demo's tokenizer with one change. */
  static TokenizerFile with(Consumer<ObjectNode> change) {
    try {
      ObjectNode tokenizer = (ObjectNode) JSON.readTree(json());
      change.accept(tokenizer);
      return TokenizerFile.parse("changed", JSON.writeValueAsBytes(tokenizer));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static List<JsonNode> corpus() {
    return lines(Main.class.getResourceAsStream("demo/corpus.jsonl"));
  }

  /** Returns all texts of the corpus, each followed by a line feed. */
  static String prose() {
    StringBuilder prose = new StringBuilder();
    corpus().forEach(row -> prose.append(row.path("text").asText()).append('\n'));
    return prose.toString();
  }

  static List<JsonNode> lines(InputStream jsonl) {
    List<JsonNode> rows = new ArrayList<>();
    try (BufferedReader reader =
        new BufferedReader(new InputStreamReader(jsonl, StandardCharsets.UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        rows.add(JSON.readTree(line));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return rows;
  }

  static int[] ints(JsonNode array) {
    int[] ints = new int[array.size()];
    for (int i = 0; i < ints.length; i++) {
      ints[i] = array.get(i).intValue();
    }
    return ints;
  }
}
