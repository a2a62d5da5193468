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
 * @param shardOf the name of the file that holds each tensor, by the tensor's name; not yet checked
 *     to be a plain file name
 */
record ShardIndex(SortedMap<String, String> shardOf) {
  /** The maximum size of an index in bytes. Real ones have about 100 bytes per tensor. */
  static final int MAX_BYTES = 8 << 20;

  /** The names of the shards, in the order of their first tensors. */
  Set<String> shards() {
    return new LinkedHashSet<>(shardOf.values());
  }

  /**
   * Reads an index.
   *
   * @throws CheckpointException if the file is longer than {@link #MAX_BYTES} or is not an index
   */
  static ShardIndex read(MappedFile file) {
    return read(file.name(), Json.bytes(file, MAX_BYTES));
  }

  /**
   * Reads an index.
   *
   * @param source the index's name, for messages
   * @throws CheckpointException if the bytes are not an index
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
