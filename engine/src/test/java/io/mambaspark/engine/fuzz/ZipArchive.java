package io.mambaspark.engine.fuzz;

import io.mambaspark.engine.checkpoint.TorchWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;

/** Parses a valid zip archive of stored entries, so that it can be written in another form. */
final class ZipArchive {
  static final int LOCAL_BYTES = 30;
  static final int CENTRAL_BYTES = 46;
  static final int END_BYTES = 22;
  static final int END64_BYTES = 56;
  static final int LOCATOR_BYTES = 20;

  /** An entry, and the offsets of its two headers. */
  record Part(String name, byte[] bytes, int central, int local) {}

  private final ByteBuffer file;
  private final List<Part> parts = new ArrayList<>();

  ZipArchive(byte[] bytes) {
    file = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int count = Short.toUnsignedInt(file.getShort(end() + 10));
    int at = file.getInt(end() + 16);
    if (count == 0xffff) {
      count = (int) file.getLong(end64() + 32);
      at = (int) file.getLong(end64() + 48);
    }
    for (int i = 0; i < count; i++) {
      int nameLength = Short.toUnsignedInt(file.getShort(at + 28));
      int extraLength = Short.toUnsignedInt(file.getShort(at + 30));
      boolean wide = file.getInt(at + 42) == -1;
      int extra = at + CENTRAL_BYTES + nameLength + 4;
      int size = wide ? (int) file.getLong(extra) : file.getInt(at + 24);
      int local = wide ? (int) file.getLong(extra + 16) : file.getInt(at + 42);
      int data = local + LOCAL_BYTES + nameLength + file.getShort(local + 28);
      parts.add(
          new Part(
              new String(bytes, at + CENTRAL_BYTES, nameLength, StandardCharsets.UTF_8),
              Arrays.copyOfRange(bytes, data, data + size),
              at,
              local));
      at += CENTRAL_BYTES + nameLength + extraLength;
    }
  }

  /** Returns the offset of the end record; the archive has no comment. */
  int end() {
    return file.capacity() - END_BYTES;
  }

  /** Returns the offset of the zip64 end record. */
  int end64() {
    return end() - LOCATOR_BYTES - END64_BYTES;
  }

  /** Whether sizes and offsets are only in zip64 fields. */
  boolean isWide() {
    return file.getInt(end() + 16) == -1;
  }

  /** Whether the archive has a zip64 end record, which may repeat the end record. */
  boolean isZip64() {
    return end() > LOCATOR_BYTES && file.getInt(end() - LOCATOR_BYTES) == 0x07064b50;
  }

  List<Part> parts() {
    return parts;
  }

  Part part(String name) {
    return first(part -> part.name.equals(name));
  }

  Part pickle() {
    return first(part -> part.name.endsWith("/data.pkl"));
  }

  /** Returns an entry with the bytes of a tensor. */
  Part storage() {
    return first(part -> part.name.contains("/data/"));
  }

  private Part first(Predicate<Part> condition) {
    return parts.stream().filter(condition).findFirst().orElseThrow();
  }

  String root() {
    String name = pickle().name();
    return name.substring(0, name.indexOf('/'));
  }

  /** Returns the archive with another pickle. */
  byte[] with(byte[] pickle, boolean zip64) {
    TorchWriter writer = zip64 ? new TorchWriter().zip64() : new TorchWriter();
    for (Part part : parts) {
      writer.entry(part.name, part == pickle() ? pickle : part.bytes);
    }
    return writer.bytes();
  }
}
