package io.mambaspark.jobs.text;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Strict UTF-8 decoding: a malformed sequence is an error, not a replacement character. */
public final class Utf8 {
  private static final char REPLACEMENT = '\uFFFD';

  private Utf8() {}

  /**
   * Returns the text of UTF-8 bytes.
   *
   * @throws Malformed if the bytes are not UTF-8
   */
  public static String decode(byte[] bytes) throws Malformed {
    String text = new String(bytes, StandardCharsets.UTF_8);
    int bad = firstBadByte(bytes, text);
    if (bad >= 0) {
      throw new Malformed(bytes[bad] & 0xFF, bad);
    }
    return text;
  }

  /**
   * Returns the offset of the first malformed sequence, or -1. The JDK's lenient decoding runs at
   * the speed of memory and replaces malformed sequences with a replacement character, so only a
   * text that contains this character is decoded again.
   */
  private static int firstBadByte(byte[] bytes, String decoded) {
    return decoded.indexOf(REPLACEMENT) < 0 ? -1 : firstMalformed(bytes);
  }

  private static int firstMalformed(byte[] bytes) {
    CharsetDecoder decoder =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
    ByteBuffer in = ByteBuffer.wrap(bytes);
    CharBuffer out = CharBuffer.allocate(8192);
    while (true) {
      CoderResult result = decoder.decode(in, out, true);
      if (result.isError()) {
        return in.position();
      }
      if (result.isUnderflow()) {
        return -1;
      }
      out.clear();
    }
  }

  /** Converts ascending positions in a text from code points to UTF-8 bytes, in one pass. */
  static final class Offsets {
    private final String text;
    private int chars;
    private int codePoints;
    private int bytes;

    /** Starts at the beginning of a text without half surrogate pairs. */
    Offsets(String text) {
      this.text = text;
    }

    /**
     * Returns the number of bytes before a code point; the previous result for a smaller position
     * than the previous one, and the length of the text for a position after its end.
     */
    int byteOffset(int codePoint) {
      while (codePoints < codePoint && chars < text.length()) {
        int c = text.codePointAt(chars);
        bytes += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        chars += Character.charCount(c);
        codePoints++;
      }
      return bytes;
    }
  }

  /** The error for bytes that are not UTF-8. */
  public static final class Malformed extends CharacterCodingException {
    private static final long serialVersionUID = 1;

    private final int value;
    private final int offset;

    private Malformed(int value, int offset) {
      this.value = value;
      this.offset = offset;
    }

    /** The offset of the first malformed sequence. */
    public int offset() {
      return offset;
    }

    @Override
    public String getMessage() {
      return String.format("Byte 0x%02x at offset %d is not UTF-8", value, offset);
    }
  }
}
