package io.mambaspark.engine.checkpoint;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads the bytes of a pickle in order: its opcodes and their operands. */
final class PickleOperands {
  /** The maximum length of a line in characters. A line holds the module or name of a global. */
  private static final int MAX_LINE = 200;

  private final ByteBuffer bytes;
  private final String source;

  /**
   * Starts at the first byte of a pickle.
   *
   * @param bytes the pickle, little-endian
   * @param source the name of the file that contains it, for messages
   */
  PickleOperands(ByteBuffer bytes, String source) {
    this.bytes = bytes;
    this.source = source;
  }

  /** The offset of the next byte. */
  int position() {
    return bytes.position();
  }

  /** Whether any bytes remain. */
  boolean hasRemaining() {
    return bytes.hasRemaining();
  }

  /** Reads the next {@code count} bytes, a view. */
  ByteBuffer take(long count) {
    if (count < 0 || count > bytes.remaining()) {
      throw refused(
          "it is truncated: expected %s bytes at byte %d, found %d"
              .formatted(Long.toUnsignedString(count), bytes.position(), bytes.remaining()));
    }
    ByteBuffer taken = bytes.slice(bytes.position(), (int) count).order(bytes.order());
    bytes.position(bytes.position() + (int) count);
    return taken;
  }

  /** Reads an unsigned byte. */
  int u8() {
    return take(1).get() & 0xff;
  }

  /** Reads an unsigned integer of four bytes. */
  long u32() {
    return take(4).getInt() & 0xffffffffL;
  }

  /** Reads a signed integer of {@code length} bytes, at most 8. */
  long longInteger(int length) {
    if (length > Long.BYTES) {
      throw refused("found an integer of " + length + " bytes, expected at most 8");
    }
    ByteBuffer digits = take(length);
    long value = length == 0 ? 0 : digits.get(length - 1) < 0 ? -1 : 0;
    for (int i = length - 1; i >= 0; i--) {
      value = value << 8 | digits.get(i) & 0xff;
    }
    return value;
  }

  /** Reads a string of {@code length} bytes of UTF-8. */
  String text(long length) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(take(length)).toString();
    } catch (CharacterCodingException e) {
      throw refused("the string before byte " + bytes.position() + " is not UTF-8");
    }
  }

  /** Reads the characters before the next line feed, and skips the line feed. */
  String line() {
    StringBuilder line = new StringBuilder();
    for (int c = u8(); c != '\n'; c = u8()) {
      if (line.length() == MAX_LINE) {
        throw refused("a global's name is longer than " + MAX_LINE + " bytes");
      }
      line.append((char) c);
    }
    return line.toString();
  }

  /** Returns the exception that refuses this pickle. */
  CheckpointException refused(String why) {
    return new CheckpointException("Cannot read data.pkl of " + source + ": " + why);
  }
}
