package io.mambaspark.engine.checkpoint;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** The bytes of a pickle: its opcodes and their operands, read one after the other. */
final class PickleOperands {
  /** Characters of the longest line, which holds the module or the name of a global. */
  private static final int MAX_LINE = 200;

  private final ByteBuffer bytes;
  private final String source;

  /**
   * Reads from the start of a pickle.
   *
   * @param bytes little-endian
   * @param source the file that holds it, for messages
   */
  PickleOperands(ByteBuffer bytes, String source) {
    this.bytes = bytes;
    this.source = source;
  }

  /** Where the next byte lies. */
  int position() {
    return bytes.position();
  }

  /** Whether there is a next byte. */
  boolean hasRemaining() {
    return bytes.hasRemaining();
  }

  /** The next {@code count} bytes. */
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

  /** An unsigned byte. */
  int u8() {
    return take(1).get() & 0xff;
  }

  /** Four bytes, unsigned. */
  long u32() {
    return take(4).getInt() & 0xffffffffL;
  }

  /** A signed integer of {@code length} bytes. */
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

  /** A string of {@code length} bytes of UTF-8. */
  String text(long length) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(take(length)).toString();
    } catch (CharacterCodingException e) {
      throw refused("the string before byte " + bytes.position() + " is not UTF-8");
    }
  }

  /** The characters before the next line feed. */
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

  /** The refusal of this pickle. */
  CheckpointException refused(String why) {
    return new CheckpointException("Cannot read data.pkl of " + source + ": " + why);
  }
}
