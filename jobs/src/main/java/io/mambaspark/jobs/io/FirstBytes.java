package io.mambaspark.jobs.io;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.hadoop.io.compress.SplittableCompressionCodec;
import org.apache.spark.sql.execution.datasources.CodecStreams;

/**
 * Recognises by its first bytes what a file is, and refuses one that would be read as something
 * else: its rows would all be errors, or be missing.
 */
final class FirstBytes {
  /** How many bytes are looked at. */
  static final int LENGTH = 1 << 16;

  private static final String JSON = "json";

  /**
   * A content that is known by bytes at an offset.
   *
   * @param magic the bytes, in ISO 8859-1
   * @param suffix the ending of the name under which Spark decompresses it; null if under none
   * @param remedy what to do
   * @param format the value of {@code --input-format} that reads it; null if none does
   */
  private record Content(
      String name, int offset, String magic, String suffix, String remedy, String format) {
    static Content compressed(String name, String magic, String suffix, String command) {
      return new Content(name, 0, magic, suffix, "decompress it: " + command + " FILE", null);
    }

    static Content data(String name, String magic, String format) {
      return new Content(name, 0, magic, null, "give --input-format " + format, format);
    }

    static Content foreign(String name, String magic) {
      return new Content(name, 0, magic, null, "convert it to JSON lines or Parquet", null);
    }

    boolean begins(byte[] bytes) {
      byte[] expected = magic.getBytes(ISO_8859_1);
      int end = offset + expected.length;
      return bytes.length >= end && Arrays.equals(bytes, offset, end, expected, 0, expected.length);
    }
  }

  private static final List<Content> KNOWN =
      List.of(
          Content.compressed("gzip", "\u001f\u008b", ".gz", "gunzip"),
          Content.compressed("bzip2", "BZh", ".bz2", "bunzip2"),
          Content.compressed("zstd", "\u0028\u00b5\u002f\u00fd", ".zst", "zstd -d"),
          Content.compressed("xz", "\u00fd7zXZ\0", null, "xz -d"),
          Content.compressed("lzma", "]\0\0", null, "xz -d -F lzma"),
          Content.compressed("lzip", "LZIP", null, "lzip -d"),
          Content.compressed("an lz4 frame", "\u0004\"M\u0018", null, "lz4 -d"),
          Content.compressed("a snappy frame", "\u00ff\u0006\0\0sNaPpY", null, "snzip -d"),
          Content.compressed("compress", "\u001f\u009d", null, "uncompress"),
          Content.compressed("a zip archive", "PK\u0003\u0004", null, "unzip"),
          Content.compressed("a zip archive", "PK\u0005\u0006", null, "unzip"),
          Content.compressed("a 7z archive", "7z\u00bc\u00af\u0027\u001c", null, "7z x"),
          Content.compressed("a rar archive", "Rar!\u001a\u0007", null, "unrar x"),
          new Content("a tar archive", 257, "ustar", null, "unpack it: tar -xf FILE", null),
          Content.data("Parquet", "PAR1", "parquet"),
          Content.data("encrypted Parquet", "PARE", "parquet"),
          Content.data("ORC", "ORC", "orc"),
          Content.data("Avro", "Obj\u0001", "avro"),
          Content.foreign("Arrow", "ARROW1"),
          Content.foreign("Feather", "FEA1"),
          Content.foreign("HDF5", "\u0089HDF\r\n"),
          Content.foreign("an SQLite database", "SQLite format 3\0"),
          Content.foreign("a PDF document", "%PDF-"),
          new Content(
              "a Git LFS pointer, not the data",
              0,
              "version https://git-lfs.github.com/spec/",
              null,
              "fetch the data: git lfs pull",
              null));

  /** Endings under which Spark 4.1 and later decompress, beside those of Hadoop's codecs. */
  private static final List<String[]> MORE_SUFFIXES =
      List.of(new String[] {".gzip", ".gz"}, new String[] {".zstd", ".zst"});

  /** What every file with the ending begins with. */
  private static final Set<String> SIGNED_SUFFIXES = Set.of(".gz", ".bz2", ".zst");

  private static final String BZIP2 = ".bz2";

  /** The bytes of a bzip2 file of nothing. */
  private static final int LEAST_BZIP2 = 14;

  /** Endings of Hadoop's own format of blocks, which the programs of these names do not write. */
  private static final Set<String> BLOCK_SUFFIXES = Set.of(".snappy", ".lz4");

  private static final Pattern MARKUP = Pattern.compile("(?i)<(!doctype\\s|html|\\?xml)");

  private final String format;
  private final Configuration configuration;
  private final CompressionCodecFactory codecs;

  /**
   * @param format what files are read as: json, parquet, orc or avro
   */
  FirstBytes(String format, Configuration configuration) {
    this.format = format;
    this.configuration = configuration;
    this.codecs = new CompressionCodecFactory(configuration);
  }

  /**
   * Throws {@link Refusal} for a file that is recognised as something else than what it would be
   * read as. A file that is not recognised, or empty, passes.
   *
   * @throws IOException why the file cannot be read, or not decompressed though its name is right
   */
  void check(Path path) throws IOException {
    byte[] stored;
    try (FSDataInputStream in = path.getFileSystem(configuration).open(path)) {
      stored = in.readNBytes(LENGTH);
    }
    if (stored.length > 0) {
      check(path, stored);
    }
  }

  /**
   * The decompressed beginning of a file of lines: whole lines, at most so many bytes. It is empty
   * if the first line is longer.
   *
   * @throws IOException why the file cannot be read or not decompressed
   */
  byte[] lines(Path path, int bytes) throws IOException {
    if (path.getFileSystem(configuration).getFileStatus(path).getLen() == 0) {
      // Some codecs miss their header.
      return new byte[0];
    }
    byte[] read;
    try (InputStream in = CodecStreams.createInputStream(configuration, path)) {
      read = in.readNBytes(bytes + 1);
    } catch (RuntimeException e) {
      throw undecompressed(e);
    }
    int end = read.length;
    if (end > bytes) {
      end = bytes;
      while (end > 0 && read[end - 1] != '\n' && read[end - 1] != '\r') {
        end--;
      }
    }
    return Arrays.copyOf(read, end);
  }

  private void check(Path path, byte[] stored) throws IOException {
    boolean json = format.equals(JSON);
    Content outside = known(stored);
    byte[] content =
        json || outside != null && outside.suffix != null && outside.suffix.equals(suffix(path))
            ? decompressed(path, stored, outside)
            : stored;
    // A character that the last byte cuts in two makes no difference below.
    String text = new String(content, UTF_8);
    int start = firstCharacter(text);
    if (!json && isJson(text, start)) {
      throw refusal(path, "JSON", "add --input-format json");
    }
    // What Spark decompresses it does for lines only.
    Content known = json ? known(content) : outside;
    if (known != null && !format.equals(known.format)) {
      throw refusal(path, known.name, known.remedy);
    }
    String unicode = unicode(content);
    if (unicode != null) {
      throw refusal(path, unicode, "convert it: iconv -f %s -t UTF-8 FILE".formatted(unicode));
    }
    if (MARKUP.matcher(text).region(start, text.length()).lookingAt()) {
      throw refusal(path, "HTML or XML", "convert it to JSON lines or Parquet");
    }
    if (json && isOverManyLines(text, start, content.length < LENGTH)) {
      throw text.charAt(start) == '['
          ? refusal(path, "one JSON list over many lines", "make lines of it: jq -c '.[]' FILE")
          : refusal(path, "JSON objects over many lines", "make a line of each: jq -c . FILE");
    }
  }

  private Refusal refusal(Path path, String what, String remedy) {
    return Refusal.because("Cannot read %s as %s: it is %s; %s", path, format, what, remedy);
  }

  /**
   * The beginning as Spark gives it to who reads lines.
   *
   * @param content what the stored bytes are known as; may be null
   */
  private byte[] decompressed(Path path, byte[] stored, Content content) throws IOException {
    String suffix = suffix(path);
    if (content != null && content.suffix != null && !content.suffix.equals(suffix)) {
      throw refusal(
          path,
          "%s, but its name does not end in %s".formatted(content.name, content.suffix),
          "rename it, or " + content.remedy);
    }
    if (suffix == null || content != null && content.suffix == null) {
      return stored;
    }
    if (content == null && SIGNED_SUFFIXES.contains(suffix)
        || suffix.equals(".deflate") && !isZlib(stored)
        || BLOCK_SUFFIXES.contains(suffix) && !isBlocks(path, stored)) {
      throw refusal(
          path,
          "not compressed as the ending %s of its name says".formatted(ending(path)),
          "rename it without " + ending(path));
    }
    byte[] read;
    InputStream in = opened(path, content);
    try (in) {
      read = in.readNBytes(LENGTH);
    } catch (LinkageError e) {
      throw cannotDecompress(path, content, e);
    } catch (RuntimeException e) {
      throw undecompressed(e);
    }
    if (read.length == 0 && stored.length < LEAST_BZIP2 && BZIP2.equals(suffix)) {
      // Hadoop takes it for an empty file.
      throw new IOException("It cannot be decompressed: it ends early");
    }
    if (content != null && Arrays.equals(read, stored)) {
      // Spark 3.5 and 4.0 take no notice of some endings.
      throw refusal(
          path,
          "%s, which this Spark decompresses only under another ending".formatted(content.name),
          "rename it to end in %s".formatted(content.suffix));
    }
    return read;
  }

  /** As Spark opens a file of lines: its version and its native libraries decide what it can. */
  private InputStream opened(Path path, Content content) throws IOException {
    try {
      return CodecStreams.createInputStream(configuration, path);
    } catch (RuntimeException | LinkageError e) {
      throw cannotDecompress(path, content, e);
    }
  }

  private Refusal cannotDecompress(Path path, Content content, Throwable why) {
    return Refusal.because(
        why,
        "Cannot read %s as %s: this Spark cannot decompress %s (%s); %s",
        path,
        format,
        ending(path),
        why.getMessage(),
        content == null ? "decompress it" : content.remedy);
  }

  private static IOException undecompressed(RuntimeException e) {
    return new IOException("It cannot be decompressed: " + Failures.oneLine(e), e);
  }

  private static String ending(Path path) {
    return path.getName().substring(path.getName().lastIndexOf('.'));
  }

  /** Whether lines can be read from the middle of a file on. */
  boolean isSplittable(Path path) {
    return suffix(path) == null || codecs.getCodec(path) instanceof SplittableCompressionCodec;
  }

  /** The ending that decides how Spark decompresses the file; null if it does not. */
  private String suffix(Path path) {
    CompressionCodec codec = codecs.getCodec(path);
    if (codec != null) {
      return codec.getDefaultExtension();
    }
    String name = path.getName().toLowerCase(Locale.ROOT);
    return MORE_SUFFIXES.stream()
        .filter(suffix -> name.endsWith(suffix[0]))
        .map(suffix -> suffix[1])
        .findFirst()
        .orElse(null);
  }

  private static Content known(byte[] bytes) {
    return KNOWN.stream().filter(content -> content.begins(bytes)).findFirst().orElse(null);
  }

  /** RFC 1950: the method, and a check over the first two bytes. */
  private static boolean isZlib(byte[] bytes) {
    return bytes.length >= 2
        && (bytes[0] & 0x0F) == 8
        && ((bytes[0] & 0xFF) << 8 | bytes[1] & 0xFF) % 31 == 0;
  }

  /**
   * Hadoop's blocks have no signature but two lengths, for which its readers allocate what they
   * say: those of a text are hundreds of megabytes.
   */
  private boolean isBlocks(Path path, byte[] bytes) throws IOException {
    if (bytes.length < 8) {
      return false;
    }
    ByteBuffer lengths = ByteBuffer.wrap(bytes);
    long size = path.getFileSystem(configuration).getFileStatus(path).getLen();
    int whole = lengths.getInt();
    int compressed = lengths.getInt();
    return whole >= 0 && compressed >= 0 && compressed <= size - 8;
  }

  /** The encoding of JSON that is not UTF-8, by its byte order mark or its zeros; null if none. */
  private static String unicode(byte[] bytes) {
    int[] b = new int[4];
    for (int i = 0; i < b.length; i++) {
      b[i] = i < bytes.length ? bytes[i] & 0xFF : -1;
    }
    if (b[0] == 0xFF && b[1] == 0xFE) {
      return b[2] == 0 && b[3] == 0 ? "UTF-32" : "UTF-16";
    } else if (b[0] == 0xFE && b[1] == 0xFF) {
      return "UTF-16";
    } else if (b[0] == 0 && b[1] == 0 && b[2] == 0xFE && b[3] == 0xFF) {
      return "UTF-32";
    } else if (b[1] == 0 && b[3] == 0 && beginsJson(b[0])) {
      return b[2] == 0 ? "UTF-32LE" : "UTF-16LE";
    } else if (b[0] == 0 && b[1] == 0 && b[2] == 0 && beginsJson(b[3])) {
      return "UTF-32BE";
    } else if (b[0] == 0 && b[2] == 0 && beginsJson(b[1])) {
      return "UTF-16BE";
    }
    return null;
  }

  private static boolean beginsJson(int c) {
    return c == '{' || c == '[' || isSpace(c);
  }

  private static boolean isSpace(int c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
  }

  private static int firstCharacter(String text) {
    int at = text.startsWith("\uFEFF") ? 1 : 0;
    while (at < text.length() && isSpace(text.charAt(at))) {
      at++;
    }
    return at;
  }

  /** Whether a text begins like an object, or like a list of values. */
  private static boolean isJson(String text, int start) {
    return text.substring(start, Math.min(text.length(), start + 100))
        .matches("(?s)\\{\\s*[\"}].*|\\[\\s*[\\[{\"].*");
  }

  /**
   * Whether the first value begins on one line and goes on validly on a later one. A line that is
   * cut short is none such: what follows it is a line of its own.
   *
   * @param whole whether the text ends with the file
   */
  private static boolean isOverManyLines(String text, int start, boolean whole) {
    int lineEnd = lineEnd(text, start);
    if (!isJson(text, start) || lineEnd == text.length()) {
      return false;
    }
    JsonReader in = new JsonReader(text, start);
    try {
      in.skip();
      return in.at() > lineEnd;
    } catch (JsonReader.Malformed e) {
      int read = in.at();
      while (isSpace(text.charAt(read - 1))) {
        read--;
      }
      boolean goesOn = read > lineEnd;
      boolean cut = !whole && in.at() == text.length();
      // A list that is cut by us may have an object on each of its lines.
      return goesOn
          && (cut && text.charAt(start) == '[' || !hasObjectLine(text, lineEnd, in.at(), cut));
    }
  }

  /** Whether one of the lines between two offsets is an object by itself. */
  private static boolean hasObjectLine(String text, int from, int to, boolean cut) {
    for (int begin = from; begin < to; ) {
      int end = lineEnd(text, begin);
      int first = begin;
      while (first < end && isSpace(text.charAt(first))) {
        first++;
      }
      if (first < end && text.charAt(first) == '{') {
        try {
          JsonReader in = new JsonReader(text.substring(first, end), 0);
          in.skip();
          in.end();
          return true;
        } catch (JsonReader.Malformed e) {
          if (cut && end == text.length()) {
            return true;
          }
        }
      }
      begin = end + 1;
    }
    return false;
  }

  private static int lineEnd(String text, int from) {
    int end = from;
    while (end < text.length() && text.charAt(end) != '\n' && text.charAt(end) != '\r') {
      end++;
    }
    return end;
  }
}
