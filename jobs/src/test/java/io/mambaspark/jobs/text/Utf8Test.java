package io.mambaspark.jobs.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Utf8Test {
  @Test
  void valid_utf_8_is_decoded_including_the_replacement_character() throws Exception {
    for (String text :
        new String[] {"", "abc", "a\0b", "é 今 😀", "\ufffd", "x\ufffd" + "é".repeat(9000)}) {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      assertThat(Utf8.decode(bytes)).isEqualTo(text);
    }
  }

  /** Returns the offset in the error, or -1 if the bytes are decoded. */
  private static int firstBadByte(byte[] bytes) {
    Utf8.Malformed e = catchThrowableOfType(Utf8.Malformed.class, () -> Utf8.decode(bytes));
    return e == null ? -1 : e.offset();
  }

  /** The offsets are {@code UnicodeDecodeError.start} of Python 3.11. */
  @Test
  void the_error_has_the_offset_of_the_first_malformed_byte() {
    bad("80", 0);
    bad("61ff", 1);
    bad("c080", 0);
    bad("61c3", 1);
    bad("6162e4bb", 2);
    bad("eda080", 0);
    bad("f09f98", 0);
    bad("f0808080", 0);
    bad("f4908080", 0);
    bad("efbfbdc3a9fe", 5);
    bad("e282ac41e28241", 4);
  }

  private static void bad(String hex, int offset) {
    byte[] bytes = HexFormat.of().parseHex(hex);
    Utf8.Malformed e = catchThrowableOfType(Utf8.Malformed.class, () -> Utf8.decode(bytes));
    assertThat(e.offset()).isEqualTo(offset);
    assertThat(e).hasMessage("Byte 0x%02x at offset %d is not UTF-8", bytes[offset] & 0xFF, offset);
  }

  @Test
  void bytes_are_valid_if_decoding_and_encoding_returns_them() {
    int[] starts = {
      0, 0x41, 0x7F, 0x80, 0xBF, 0xC2, 0xDF, 0xE0, 0xA0, 0xED, 0x9F, 0xEF, 0xBD, 0xF0, 0x90, 0xF4
    };
    int valid = 0;
    for (long seed = 0; seed < 5000; seed++) {
      Random random = new Random(seed);
      byte[] bytes = new byte[random.nextInt(7)];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = (byte) starts[random.nextInt(starts.length)];
      }
      byte[] back = new String(bytes, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8);
      boolean same = java.util.Arrays.equals(back, bytes);
      valid += same ? 1 : 0;
      int bad = firstBadByte(bytes);
      assertThat(bad < 0).as("seed %d", seed).isEqualTo(same);
      if (bad >= 0) {
        byte[] before = java.util.Arrays.copyOf(bytes, bad);
        assertThat(firstBadByte(before)).as("seed %d", seed).isEqualTo(-1);
      }
    }
    assertThat(valid).isGreaterThan(500);
  }
}
