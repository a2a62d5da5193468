package io.mambaspark.engine.fuzz;

import java.util.List;
import java.util.Set;

/**
 * A field in a header of a zip archive.
 *
 * @param at the field's offset in the header
 * @param bytes the field's length
 */
record ZipField(String name, int at, int bytes) {
  static final List<ZipField> LOCAL =
      List.of(
          new ZipField("signature", 0, 4),
          new ZipField("flags", 6, 2),
          new ZipField("method", 8, 2),
          new ZipField("compressed size", 18, 4),
          new ZipField("size", 22, 4),
          new ZipField("length of the name", 26, 2),
          new ZipField("length of the extra field", 28, 2),
          new ZipField("name", 30, 1));

  static final List<ZipField> CENTRAL =
      List.of(
          new ZipField("signature", 0, 4),
          new ZipField("version made by", 4, 2),
          new ZipField("version needed", 6, 2),
          new ZipField("flags", 8, 2),
          new ZipField("method", 10, 2),
          new ZipField("time", 12, 4),
          new ZipField("crc", 16, 4),
          new ZipField("compressed size", 20, 4),
          new ZipField("size", 24, 4),
          new ZipField("length of the name", 28, 2),
          new ZipField("length of the extra field", 30, 2),
          new ZipField("length of the comment", 32, 2),
          new ZipField("disk", 34, 2),
          new ZipField("attributes", 38, 4),
          new ZipField("place", 42, 4),
          new ZipField("name", 46, 1));

  static final List<ZipField> END =
      List.of(
          new ZipField("signature", 0, 4),
          new ZipField("disk", 4, 2),
          new ZipField("disk of the directory", 6, 2),
          new ZipField("entries here", 8, 2),
          new ZipField("entries", 10, 2),
          new ZipField("size of the directory", 12, 4),
          new ZipField("place of the directory", 16, 4),
          new ZipField("length of the comment", 20, 2));

  static final List<ZipField> END64 =
      List.of(
          new ZipField("signature", 0, 4),
          new ZipField("size", 4, 8),
          new ZipField("entries here", 24, 8),
          new ZipField("entries", 32, 8),
          new ZipField("size of the directory", 40, 8),
          new ZipField("place of the directory", 48, 8),
          new ZipField("signature of the locator", 56, 4),
          new ZipField("place of this record", 64, 8));

  /** The fields that do not describe the location or the format of the bytes. */
  static final Set<String> UNREAD =
      Set.of("version made by", "version needed", "time", "crc", "attributes");
}
