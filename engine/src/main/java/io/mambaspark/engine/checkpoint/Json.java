package io.mambaspark.engine.checkpoint;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.util.ByteBufferBackedInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Strict JSON of bounded size: UTF-8 only, no duplicate keys, no data after the end. */
final class Json {
  /** The maximum size of config.json in bytes. Real files have a few KB. */
  static final int MAX_CONFIG = 1 << 20;

  // Field names are neither interned nor cached, so a file cannot fill tables that outlive it.
  private static final JsonFactory STRICT =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .build();

  // Python writes Infinity and NaN into configs, for example in Mamba-2's time_step_limit.
  private static final ObjectMapper CONFIG =
      new ObjectMapper(
          JsonFactory.builder()
              .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
              .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
              .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
              .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
              .build());

  private Json() {}

  /** Reads the JSON object in {@code file}. */
  static JsonNode config(MappedFile file) {
    try (JsonParser parser = parser(CONFIG.getFactory(), bytes(file, MAX_CONFIG))) {
      JsonNode config = CONFIG.readTree(parser);
      if (config == null || !config.isObject()) {
        throw unexpected(
            file.name(), "a JSON object", config == null ? "nothing" : config.getNodeType().name());
      }
      expectEnd(parser, file.name());
      return config;
    } catch (IOException e) {
      throw refused(file.name(), e);
    }
  }

  /** Returns a parser over UTF-8 bytes, which it decodes as it reads. */
  static JsonParser parser(ByteBuffer utf8) throws IOException {
    return parser(STRICT, utf8);
  }

  static void expect(JsonParser parser, JsonToken token, String source, String what)
      throws IOException {
    JsonToken found = parser.nextToken();
    if (found != token) {
      throw unexpected(source, what, found == null ? "nothing" : found.name());
    }
  }

  static void expectEnd(JsonParser parser, String source) throws IOException {
    expect(parser, null, source, "the end of the file after its JSON object");
  }

  static CheckpointException refused(String source, IOException e) {
    String why;
    if (e instanceof JsonProcessingException json) {
      // Drops the text that Jackson appends to messages: places in Java objects, and settings to
      // change.
      why = json.getOriginalMessage().replaceFirst("(?s)( \\(start marker|\\n).*", "");
      if (json.getLocation() != null) {
        why +=
            " (line %d, column %d)"
                .formatted(json.getLocation().getLineNr(), json.getLocation().getColumnNr());
      }
    } else if (e instanceof CharacterCodingException) {
      why = "its JSON is not valid UTF-8";
    } else {
      why = e.toString();
    }
    return new CheckpointException("Cannot read " + source + ": " + truncate(why), e);
  }

  private static JsonParser parser(JsonFactory factory, ByteBuffer utf8) throws IOException {
    // A decoder reports malformed UTF-8. A reader that is given only the charset would replace it.
    return factory.createParser(
        new InputStreamReader(
            new ByteBufferBackedInputStream(utf8), StandardCharsets.UTF_8.newDecoder()));
  }

  /** Returns all bytes of a file, which may have at most {@code max} bytes. */
  static ByteBuffer bytes(MappedFile file, int max) {
    if (file.size() > max) {
      throw new CheckpointException(
          "Cannot read %s: found %d bytes, expected at most %d"
              .formatted(file.name(), file.size(), max));
    }
    return file.slice(0, (int) file.size());
  }

  private static CheckpointException unexpected(String source, String what, String found) {
    return new CheckpointException(
        "Cannot read %s: expected %s, found %s".formatted(source, what, found));
  }

  private static String truncate(String why) {
    return why.length() <= 300 ? why : why.substring(0, 300) + "…";
  }
}
