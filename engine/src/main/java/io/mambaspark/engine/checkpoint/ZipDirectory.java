package io.mambaspark.engine.checkpoint;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The directory of a zip archive whose entries are uncompressed, as torch writes them, so that they
 * can be read directly from the mapped file. java.util.zip lists the entries of an archive but not
 * their offsets.
 *
 * <p>Compressed entries are refused. This also excludes zip bombs.
 */
final class ZipDirectory {
  static final int MAX_ENTRIES = 100_000;
  private static final int MAX_DIRECTORY = 64 << 20;

  private static final int LOCAL = 0x04034b50;
  private static final int CENTRAL = 0x02014b50;
  private static final int END = 0x06054b50;
  private static final int END64 = 0x06064b50;
  private static final int END64_LOCATOR = 0x07064b50;

  private static final int LOCAL_BYTES = 30;
  private static final int CENTRAL_BYTES = 46;
  private static final int END_BYTES = 22;
  private static final int END64_BYTES = 56;
  private static final int END64_LOCATOR_BYTES = 20;

  private static final int ENCRYPTED = 1;
  private static final int STORED = 0;
  private static final int ZIP64_EXTRA = 1;
  private static final int MAX_16 = 0xffff;
  private static final long MAX_32 = 0xffffffffL;

  private final MappedFile file;
  private final Map<String, Header> headers = new HashMap<>();

  /** The byte range of an entry in the file: its first byte and its length. */
  record Entry(long begin, long size) {}

  private record Header(int flags, int method, long compressed, long size, long local) {}

  private record End(long entries, long directorySize, long directory, long position) {}

  private ZipDirectory(MappedFile file) {
    this.file = file;
  }

  static ZipDirectory read(MappedFile file) {
    ZipDirectory zip = new ZipDirectory(file);
    zip.readHeaders(zip.end());
    return zip;
  }

  Iterable<String> names() {
    return headers.keySet();
  }

  /** Returns the entry of that name, or null if the archive has none. */
  Entry entry(String name) {
    Header header = headers.get(name);
    if (header == null) {
      return null;
    }
    if ((header.flags & ENCRYPTED) != 0) {
      throw refused(name, "it is encrypted");
    }
    if (header.method != STORED) {
      throw refused(
          name,
          "it is compressed (method %d), expected uncompressed, as torch.save writes it"
              .formatted(header.method));
    }
    if (header.compressed != header.size) {
      throw refused(
          name,
          "it is uncompressed, but has two sizes, %d and %d"
              .formatted(header.compressed, header.size));
    }
    byte[] nameBytes = name.getBytes(StandardCharsets.UTF_8);
    if (header.local > file.size() - LOCAL_BYTES - nameBytes.length) {
      throw refused(name, "its header is beyond the end of the file");
    }
    ByteBuffer local = file.slice(header.local, LOCAL_BYTES + nameBytes.length);
    int signature = local.getInt();
    local.position(8);
    int method = u16(local);
    local.position(18);
    long compressed = u32(local);
    long size = u32(local);
    int nameLength = u16(local);
    int extraLength = u16(local);
    byte[] localName = new byte[nameBytes.length];
    local.get(localName);
    // A size in a local header may be zero (it then follows the data) or saturated (zip64).
    if (signature != LOCAL
        || method != header.method
        || nameLength != nameBytes.length
        || !Arrays.equals(localName, nameBytes)
        || (compressed != 0 && compressed != MAX_32 && compressed != header.compressed)
        || (size != 0 && size != MAX_32 && size != header.size)) {
      throw refused(name, "its header differs from the archive's directory");
    }
    long begin = header.local + LOCAL_BYTES + nameLength + extraLength;
    if (begin > file.size() || header.size > file.size() - begin) {
      throw refused(
          name,
          "it is truncated: expected %d bytes from byte %d on, but the file has %d"
              .formatted(header.size, begin, file.size()));
    }
    return new Entry(begin, header.size);
  }

  private End end() {
    int length = (int) Math.min(file.size(), END_BYTES + MAX_16);
    long tailStart = file.size() - length;
    ByteBuffer tail = file.slice(tailStart, length);
    int at = length - END_BYTES;
    while (at >= 0
        && !(tail.getInt(at) == END
            && (tail.getShort(at + 20) & MAX_16) == length - END_BYTES - at)) {
      at--;
    }
    if (at < 0) {
      throw refused(
          "it is truncated: its zip directory is not at its end (%d bytes)".formatted(file.size()));
    }
    tail.position(at + 4);
    int disks = u16(tail) | u16(tail);
    int entriesHere = u16(tail);
    int entries = u16(tail);
    long directorySize = u32(tail);
    long directory = u32(tail);
    if (disks != 0 || entriesHere != entries) {
      throw refused("it is one part of a multi-part zip archive");
    }
    long position = tailStart + at;
    End end = new End(entries, directorySize, directory, position);
    if (position >= END64_LOCATOR_BYTES) {
      ByteBuffer locator = file.slice(position - END64_LOCATOR_BYTES, END64_LOCATOR_BYTES);
      if (locator.getInt() == END64_LOCATOR) {
        return end64(locator.getLong(8), position - END64_LOCATOR_BYTES, end);
      }
    }
    return end;
  }

  private End end64(long position, long limit, End end) {
    if (position < 0 || position > limit - END64_BYTES) {
      throw refused("its zip64 directory is outside the file");
    }
    ByteBuffer record = file.slice(position, END64_BYTES);
    End end64 = new End(record.getLong(32), record.getLong(40), record.getLong(48), position);
    // The two records must agree on every value that fits in the older one: some readers use the
    // older record, others the newer.
    if (record.getInt(0) != END64
        || record.getLong(24) != end64.entries
        || (end.entries != MAX_16 && end.entries != end64.entries)
        || (end.directorySize != MAX_32 && end.directorySize != end64.directorySize)
        || (end.directory != MAX_32 && end.directory != end64.directory)) {
      throw refused("its two zip directories differ");
    }
    return end64;
  }

  private void readHeaders(End end) {
    if (end.entries < 0 || end.entries > MAX_ENTRIES) {
      throw refused(
          "its zip directory claims %s entries, expected at most %d"
              .formatted(Long.toUnsignedString(end.entries), MAX_ENTRIES));
    }
    if (end.directorySize < 0
        || end.directorySize > Math.min(MAX_DIRECTORY, end.position)
        || end.directory < 0
        || end.directory > end.position - end.directorySize) {
      throw refused("its zip directory is outside the file");
    }
    ByteBuffer directory = file.slice(end.directory, (int) end.directorySize);
    for (long i = 0; i < end.entries; i++) {
      if (directory.remaining() < CENTRAL_BYTES
          || directory.getInt(directory.position()) != CENTRAL) {
        throw refused(
            "its zip directory is malformed at entry %d of %d".formatted(i + 1, end.entries));
      }
      readHeader(directory);
    }
    if (directory.hasRemaining()) {
      throw refused(
          "its zip directory has %d bytes after its last entry".formatted(directory.remaining()));
    }
  }

  private void readHeader(ByteBuffer directory) {
    int start = directory.position();
    directory.position(start + 8);
    int flags = u16(directory);
    int method = u16(directory);
    directory.position(start + 20);
    long compressed = u32(directory);
    long size = u32(directory);
    int nameLength = u16(directory);
    int extraLength = u16(directory);
    int commentLength = u16(directory);
    directory.position(start + 42);
    long local = u32(directory);
    if (directory.remaining() < nameLength + extraLength + commentLength) {
      throw refused("its zip directory is truncated");
    }
    byte[] nameBytes = new byte[nameLength];
    directory.get(nameBytes);
    String name = new String(nameBytes, StandardCharsets.UTF_8);
    int afterExtra = directory.position() + extraLength;
    while (afterExtra - directory.position() >= 4) {
      int id = u16(directory);
      int length = u16(directory);
      int next = directory.position() + length;
      if (next > afterExtra) {
        throw refused(name, "its extra field is malformed");
      }
      if (id == ZIP64_EXTRA) {
        // The field holds, in this order, only the values that do not fit in the fixed part.
        ByteBuffer wide = directory.slice(directory.position(), length).order(directory.order());
        size = size == MAX_32 ? u64(name, wide) : size;
        compressed = compressed == MAX_32 ? u64(name, wide) : compressed;
        local = local == MAX_32 ? u64(name, wide) : local;
      }
      directory.position(next);
    }
    directory.position(afterExtra + commentLength);
    if (size < 0 || compressed < 0 || local < 0) {
      throw refused(name, "its size or offset is negative");
    }
    if (headers.put(name, new Header(flags, method, compressed, size, local)) != null) {
      throw refused(name, "the archive contains it twice");
    }
  }

  private long u64(String entry, ByteBuffer buffer) {
    if (buffer.remaining() < Long.BYTES) {
      throw refused(entry, "its zip64 field is too short");
    }
    return buffer.getLong();
  }

  private CheckpointException refused(String why) {
    return new CheckpointException("Cannot read " + file.name() + ": " + why);
  }

  private CheckpointException refused(String entry, String why) {
    return new CheckpointException(
        "Cannot read entry %s of %s: %s"
            .formatted(CheckpointException.shown(entry), file.name(), why));
  }

  private static int u16(ByteBuffer buffer) {
    return buffer.getShort() & MAX_16;
  }

  private static long u32(ByteBuffer buffer) {
    return buffer.getInt() & MAX_32;
  }
}
