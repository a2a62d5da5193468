package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** Splits a pickle into its opcodes and creates new opcodes. */
final class PickleOps {
  private PickleOps() {}

  /** Returns a number in one of the opcodes for numbers. */
  static byte[] encoded(long number, SplittableRandom random) {
    List<byte[]> choices = new ArrayList<>();
    ByteBuffer wide =
        ByteBuffer.allocate(10).order(ByteOrder.LITTLE_ENDIAN).put((byte) 0x8a).put((byte) 8);
    choices.add(wide.putLong(number).array());
    if (number == (int) number) {
      choices.add(
          ByteBuffer.allocate(5)
              .order(ByteOrder.LITTLE_ENDIAN)
              .put((byte) 'J')
              .putInt((int) number)
              .array());
      choices.add(
          ByteBuffer.allocate(6)
              .order(ByteOrder.LITTLE_ENDIAN)
              .put((byte) 0x8a)
              .put((byte) 4)
              .putInt((int) number)
              .array());
    }
    if (number >= 0 && number <= 0xffff) {
      choices.add(bytes('M', (int) number & 0xff, (int) number >> 8));
    }
    if (number >= 0 && number <= 0xff) {
      choices.add(bytes('K', (int) number));
    }
    return pick(random, choices);
  }

  static byte[] encoded(String text, SplittableRandom random) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    ByteBuffer op = ByteBuffer.allocate(9 + utf8.length).order(ByteOrder.LITTLE_ENDIAN);
    switch (random.nextInt(utf8.length <= 0xff ? 3 : 2)) {
      case 0 -> op.put((byte) 'X').putInt(utf8.length);
      case 1 -> op.put((byte) 0x8d).putLong(utf8.length);
      default -> op.put((byte) 0x8c).put((byte) utf8.length);
    }
    op.put(utf8);
    return Arrays.copyOf(op.array(), op.position());
  }

  static long number(byte[] op) {
    int digits = (op[0] & 0xff) == 0x8a ? 2 : 1;
    boolean signed = digits == 2 || op[0] == 'J';
    long value = signed && op.length > digits && op[op.length - 1] < 0 ? -1 : 0;
    for (int i = op.length - 1; i >= digits; i--) {
      value = value << 8 | op[i] & 0xff;
    }
    return value;
  }

  static String text(byte[] op) {
    int begin = op[0] == 'X' ? 5 : (op[0] & 0xff) == 0x8c ? 2 : 9;
    return new String(op, begin, op.length - begin, StandardCharsets.UTF_8);
  }

  /** Splits a valid pickle into opcodes with their arguments. */
  static List<byte[]> ops(byte[] pickle) {
    ByteBuffer bytes = ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN);
    List<byte[]> ops = new ArrayList<>();
    for (int at = 0; at < pickle.length; ) {
      int length =
          switch (pickle[at] & 0xff) {
            case 0x80, 'q', 'h', 'K' -> 2;
            case 'M' -> 3;
            case 'r', 'j', 'J' -> 5;
            case 'G', 0x95 -> 9;
            case 'X' -> 5 + bytes.getInt(at + 1);
            case 0x8a, 0x8c -> 2 + (pickle[at + 1] & 0xff);
            case 0x8d -> 9 + (int) bytes.getLong(at + 1);
            case 'c' -> newline(pickle, newline(pickle, at + 1)) - at;
            default -> 1;
          };
      ops.add(Arrays.copyOfRange(pickle, at, at + length));
      at += length;
    }
    return ops;
  }

  static int newline(byte[] bytes, int from) {
    int at = from;
    while (bytes[at] != '\n') {
      at++;
    }
    return at + 1;
  }

  static byte[] joined(List<byte[]> parts) {
    ByteArrayOutputStream joined = new ByteArrayOutputStream();
    parts.forEach(joined::writeBytes);
    return joined.toByteArray();
  }

  static byte[] repeated(int times, String ops) {
    return bytes(ops.repeat(times));
  }

  static byte[] bytes(String latin1) {
    return latin1.getBytes(StandardCharsets.ISO_8859_1);
  }

  static byte[] bytes(int... bytes) {
    byte[] result = new byte[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      result[i] = (byte) bytes[i];
    }
    return result;
  }

  static String shown(byte[] op) {
    return new String(op, 0, Math.min(op.length, 60), StandardCharsets.ISO_8859_1);
  }
}
