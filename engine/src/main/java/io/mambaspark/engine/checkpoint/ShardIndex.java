package io.mambaspark.engine.checkpoint;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The {@code weight_map} of an index of shards.
 *
 * @param shardOf by tensor, the name of the file that holds it; not yet checked to be a plain name
 */
record ShardIndex(SortedMap<String, String> shardOf) {
  /** Bytes of the longest index: about 100 a tensor. */
  static final int MAX_BYTES = 8 << 20;

  /** The shards, in the order of their first tensors. */
  Set<String> shards() {
    return new LinkedHashSet<>(shardOf.values());
  }

  /**
   * Reads an index.
   *
   * @throws CheckpointException if it is longer than {@link #MAX_BYTES}, or not an index
   */
  static ShardIndex read(MappedFile file) {
    return read(file.name(), Json.bytes(file, MAX_BYTES));
  }

  /**
   * Reads an index.
   *
   * @param source its name, for messages
   * @throws CheckpointException if it is not one
   */
  static ShardIndex read(String source, ByteBuffer utf8) {
    SortedMap<String, String> shards = null;
    try (JsonParser parser = Json.parser(utf8)) {
      Json.expect(parser, JsonToken.START_OBJECT, source, "a JSON object");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        if (!parser.currentName().equals("weight_map")) {
          parser.nextToken();
          parser.skipChildren();
          continue;
        }
        shards = new TreeMap<>();
        Json.expect(parser, JsonToken.START_OBJECT, source, "weight_map as an object");
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String tensor = parser.currentName();
          Json.expect(parser, JsonToken.VALUE_STRING, source, "file names in weight_map");
          shards.put(tensor, parser.getText());
        }
      }
      Json.expectEnd(parser, source);
    } catch (IOException e) {
      throw Json.refused(source, e);
    }
    if (shards == null || shards.isEmpty()) {
      throw new CheckpointException("Cannot read " + source + ": its weight_map lists no tensor");
    }
    return new ShardIndex(shards);
  }
}
