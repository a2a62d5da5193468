package io.mambaspark.engine.checkpoint;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Reads one safetensors file: eight bytes with the header's length, a JSON header {@code {name:
 * {dtype, shape, data_offsets: [begin, end)}}}, then the bytes of the tensors.
 *
 * <p>This reader is as strict as the reference implementation (github.com/huggingface/safetensors):
 * the tensors must cover the bytes without overlaps or gaps.
 */
final class Safetensors {
  /**
   * The maximum size of the header in bytes, equal to the reference implementation's limit. The
   * header is never copied.
   */
  static final int MAX_HEADER = 100_000_000;

  /** The maximum number of tensors in a file, and of entries in its metadata. */
  static final int MAX_ENTRIES = 100_000;

  private static final int LENGTH_BYTES = 8;

  private final MappedFile file;
  private final String source;
  private final long dataStart;
  private final List<Entry> entries = new ArrayList<>();

  private record Entry(String name, DType dtype, int[] shape, long begin, long end) {}

  private Safetensors(MappedFile file, long dataStart) {
    this.file = file;
    this.source = file.name();
    this.dataStart = dataStart;
  }

  static List<StoredTensor> read(MappedFile file) {
    if (file.size() < LENGTH_BYTES) {
      throw refused(
          file.name(),
          "expected a header's length in its first 8 bytes, found " + file.size() + " bytes");
    }
    long headerLength = file.slice(0, LENGTH_BYTES).getLong();
    if (headerLength < 0 || headerLength > MAX_HEADER) {
      throw refused(
          file.name(),
          "its header claims %s bytes, expected at most %d; it is not a safetensors file"
              .formatted(Long.toUnsignedString(headerLength), MAX_HEADER));
    }
    if (headerLength > file.size() - LENGTH_BYTES) {
      throw refused(
          file.name(),
          "it is truncated: expected a header of %d bytes, found %d"
              .formatted(headerLength, file.size() - LENGTH_BYTES));
    }
    Safetensors reader = new Safetensors(file, LENGTH_BYTES + headerLength);
    reader.readHeader(file.slice(LENGTH_BYTES, (int) headerLength));
    reader.checkCover();
    return reader.entries.stream()
        .map(e -> new StoredTensor(e.name, e.dtype, e.shape, file, reader.dataStart + e.begin))
        .toList();
  }

  private void readHeader(ByteBuffer header) {
    if (!header.hasRemaining() || header.get(0) != '{') {
      throw refused(source, "expected its header to begin with {; it is not a safetensors file");
    }
    try (JsonParser parser = Json.parser(header)) {
      Json.expect(parser, JsonToken.START_OBJECT, source, "a JSON object");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        if (name.equals("__metadata__")) {
          skipMetadata(parser);
        } else {
          if (entries.size() == MAX_ENTRIES) {
            throw refused(source, "it has more than " + MAX_ENTRIES + " tensors");
          }
          entries.add(readEntry(name, parser));
        }
      }
      Json.expectEnd(parser, source);
    } catch (IOException e) {
      throw Json.refused(source, e);
    }
  }

  private void skipMetadata(JsonParser parser) throws IOException {
    Json.expect(parser, JsonToken.START_OBJECT, source, "__metadata__ as an object");
    for (int n = 0; parser.nextToken() != JsonToken.END_OBJECT; n++) {
      Json.expect(parser, JsonToken.VALUE_STRING, source, "strings in __metadata__");
      if (n == MAX_ENTRIES) {
        throw refused(source, "its __metadata__ has more than " + MAX_ENTRIES + " entries");
      }
    }
  }

  private Entry readEntry(String name, JsonParser parser) throws IOException {
    String dtypeName = null;
    List<Long> claimed = null;
    List<Long> offsets = null;
    if (parser.nextToken() != JsonToken.START_OBJECT) {
      throw StoredTensor.refused(name, source, "expected an object with its dtype and shape");
    }
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String key = parser.currentName();
      parser.nextToken();
      switch (key) {
        case "dtype" -> {
          if (parser.currentToken() != JsonToken.VALUE_STRING) {
            throw StoredTensor.refused(name, source, "expected its dtype as a string");
          }
          dtypeName = parser.getText();
        }
        case "shape" -> claimed = readIntegers(name, key, StoredTensor.MAX_RANK, parser);
        case "data_offsets" -> offsets = readIntegers(name, key, 2, parser);
        default ->
            throw StoredTensor.refused(
                name,
                source,
                "found "
                    + CheckpointException.shown(key)
                    + ", expected only dtype, shape and data_offsets");
      }
    }
    if (dtypeName == null || claimed == null || offsets == null || offsets.size() != 2) {
      throw StoredTensor.refused(name, source, "expected a dtype, a shape and two data_offsets");
    }
    DType dtype = dtype(name, dtypeName);
    int[] shape = StoredTensor.checkedShape(name, claimed, source);
    long expected = dtype.bytes();
    for (int dimension : shape) {
      expected *= dimension;
    }
    long begin = offsets.get(0);
    long end = offsets.get(1);
    if (begin < 0 || begin > end) {
      throw StoredTensor.refused(
          name, source, "found data_offsets %s, expected 0 ≤ begin ≤ end".formatted(offsets));
    }
    if (end - begin != expected) {
      throw StoredTensor.refused(
          name,
          source,
          "dtype %s and shape %s require %d bytes, but its data_offsets %s span %d"
              .formatted(dtype, claimed, expected, offsets, end - begin));
    }
    return new Entry(name, dtype, shape, begin, end);
  }

  /** Parses a dtype. The constants of {@link DType} have the names of the file format. */
  private DType dtype(String tensor, String dtype) {
    for (DType known : DType.values()) {
      if (known.name().equals(dtype)) {
        return known;
      }
    }
    throw StoredTensor.refused(
        tensor,
        source,
        "found dtype " + CheckpointException.shown(dtype) + ", expected F32, F16, BF16 or F64");
  }

  private List<Long> readIntegers(String name, String key, int max, JsonParser parser)
      throws IOException {
    if (parser.currentToken() != JsonToken.START_ARRAY) {
      throw StoredTensor.refused(name, source, "expected its " + key + " as a list of integers");
    }
    List<Long> integers = new ArrayList<>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT
          || parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
        throw StoredTensor.refused(
            name, source, "expected its " + key + " as a list of 64-bit integers");
      }
      if (integers.size() == max) {
        throw StoredTensor.refused(
            name, source, "its " + key + " has more than " + max + " numbers");
      }
      integers.add(parser.getLongValue());
    }
    return integers;
  }

  /** Checks that the tensors cover all bytes after the header, without overlaps or gaps. */
  private void checkCover() {
    long found = file.size() - dataStart;
    Entry last = null;
    for (Entry entry : entries) {
      last = last == null || entry.end > last.end ? entry : last;
    }
    if (last != null && last.end > found) {
      throw refused(
          source,
          "it is truncated, or its header is wrong: tensor %s ends at byte %s, found %d bytes"
              .formatted(
                  CheckpointException.shown(last.name),
                  Long.toUnsignedString(dataStart + last.end),
                  file.size()));
    }
    entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    long covered = 0;
    for (Entry entry : entries) {
      if (entry.begin != covered) {
        throw StoredTensor.refused(
            entry.name,
            source,
            entry.begin < covered
                ? "its data_offsets [%d, %d) overlap another tensor, which ends at %d"
                    .formatted(entry.begin, entry.end, covered)
                : "its data_offsets [%d, %d) leave a gap after %d"
                    .formatted(entry.begin, entry.end, covered));
      }
      covered = entry.end;
    }
    if (covered != found) {
      throw refused(
          source,
          "its tensors end at byte %d, found %d bytes".formatted(dataStart + covered, file.size()));
    }
  }

  private static CheckpointException refused(String source, String why) {
    return new CheckpointException("Cannot read " + source + ": " + why);
  }
}
