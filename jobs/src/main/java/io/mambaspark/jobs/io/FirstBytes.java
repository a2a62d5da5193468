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
 * Recognises the format of a file by its first bytes, and refuses a file that is not in the
 * requested format: all its rows would be errors, or be missing.
 */
final class FirstBytes {
  /** The number of bytes that are inspected. */
  static final int LENGTH = 1 << 16;

  private static final String JSON = "json";

  /**
   * A file format that magic bytes at an offset identify.
   *
   * @param name the format in messages
   * @param magic the bytes, in ISO 8859-1
   * @param suffix the file name ending under which Spark decompresses the format; null if Spark
   *     does not decompress it
   * @param remedy the remedy in messages
   * @param format the value of {@code --input-format} for the format; null if mamba-spark does not
   *     read it
   */
  private record Content(
      String name, int offset, String magic, String suffix, String remedy, String format) {
    static Content compressed(String name, String magic, String suffix, String command) {
      return new Content(name, 0, magic, suffix, "decompress it: " + command + " FILE", null);
    }

    static Content data(String name, String magic, String format) {
      return new Content(name, 0, magic, null, "give --input-format " + format, format);
    }

    static Content unsupported(String name, String magic) {
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
          Content.unsupported("Arrow", "ARROW1"),
          Content.unsupported("Feather", "FEA1"),
          Content.unsupported("HDF5", "\u0089HDF\r\n"),
          Content.unsupported("an SQLite database", "SQLite format 3\0"),
          Content.unsupported("a PDF document", "%PDF-"),
          new Content(
              "a Git LFS pointer, not the data",
              0,
              "version https://git-lfs.github.com/spec/",
              null,
              "fetch the data: git lfs pull",
              null));

  /**
   * The endings that Spark 4.1 and later decompress in addition to those of Hadoop's codecs, each
   * with the ending of the same codec in Hadoop.
   */
  private static final List<String[]> MORE_SUFFIXES =
      List.of(new String[] {".gzip", ".gz"}, new String[] {".zstd", ".zst"});

  /** The endings whose files always begin with magic bytes. */
  private static final Set<String> SIGNED_SUFFIXES = Set.of(".gz", ".bz2", ".zst");

  private static final String BZIP2 = ".bz2";

  /** The size of a bzip2 file without content, in bytes. */
  private static final int MIN_BZIP2 = 14;

  /** The endings of Hadoop's own block formats, which the programs snappy and lz4 do not write. */
  private static final Set<String> BLOCK_SUFFIXES = Set.of(".snappy", ".lz4");

  private static final Pattern MARKUP = Pattern.compile("(?i)<(!doctype\\s|html|\\?xml)");

  private final String format;
  private final Configuration configuration;
  private final CompressionCodecFactory codecs;

  /**
   * @param format the requested format: json, parquet, orc or avro
   */
  FirstBytes(String format, Configuration configuration) {
    this.format = format;
    this.configuration = configuration;
    this.codecs = new CompressionCodecFactory(configuration);
  }

  /**
   * Refuses a file that is recognised as another format than the requested one. A file that is
   * empty or not recognised passes.
   *
   * @throws Refusal if the file is refused
   * @throws IOException if the file cannot be read, or cannot be decompressed although its name has
   *     the right ending
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
   * Reads the complete lines among the first bytes of a file, after decompression. The result is
   * empty if the first line is longer.
   *
   * @param bytes the maximum size of the result
   * @throws IOException if the file cannot be read or decompressed
   */
  byte[] lines(Path path, int bytes) throws IOException {
    if (path.getFileSystem(configuration).getFileStatus(path).getLen() == 0) {
      // Some codecs fail if their header is missing.
      return new byte[0];
    }
    byte[] read;
    try (InputStream in = CodecStreams.createInputStream(configuration, path)) {
      read = in.readNBytes(bytes + 1);
    } catch (RuntimeException e) {
      throw decompressionFailure(e);
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
    // A character that is incomplete at the end of the bytes does not change the checks below.
    String text = new String(content, UTF_8);
    int start = firstCharacter(text);
    if (!json && isJson(text, start)) {
      throw refusal(path, "JSON", "add --input-format json");
    }
    // Spark does not decompress files of other formats than JSON.
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
          ? refusal(
              path,
              "one JSON list over many lines",
              "write each element on one line: jq -c '.[]' FILE")
          : refusal(
              path, "JSON objects over many lines", "write each object on one line: jq -c . FILE");
    }
  }

  private Refusal refusal(Path path, String what, String remedy) {
    return Refusal.because("Cannot read %s as %s: it is %s; %s", path, format, what, remedy);
  }

  /**
   * Returns the first bytes after decompression, as Spark's line reader would return them.
   *
   * @param content the recognised format of the stored bytes; may be null
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
          "not compressed as its ending %s indicates".formatted(ending(path)),
          "rename it without " + ending(path));
    }
    byte[] read;
    InputStream in = opened(path, content);
    try (in) {
      read = in.readNBytes(LENGTH);
    } catch (LinkageError e) {
      throw cannotDecompress(path, content, e);
    } catch (RuntimeException e) {
      throw decompressionFailure(e);
    }
    if (read.length == 0 && stored.length < MIN_BZIP2 && BZIP2.equals(suffix)) {
      // Hadoop reads it as an empty file.
      throw new IOException("It cannot be decompressed: it is truncated");
    }
    if (content != null && Arrays.equals(read, stored)) {
      // Spark 3.5 and 4.0 ignore some endings.
      throw refusal(
          path,
          "%s, which this Spark decompresses only under another ending".formatted(content.name),
          "rename it to end in %s".formatted(content.suffix));
    }
    return read;
  }

  /**
   * Opens a file as Spark's line reader does. Spark's version and native libraries decide which
   * files it can decompress.
   */
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

  private static IOException decompressionFailure(RuntimeException e) {
    return new IOException("It cannot be decompressed: " + Failures.oneLine(e), e);
  }

  private static String ending(Path path) {
    return path.getName().substring(path.getName().lastIndexOf('.'));
  }

  /** Whether Spark can start to read lines in the middle of the file. */
  boolean isSplittable(Path path) {
    return suffix(path) == null || codecs.getCodec(path) instanceof SplittableCompressionCodec;
  }

  /** Returns the ending by which Spark chooses a codec; null if it does not decompress the file. */
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

  /** Whether the first two bytes are a zlib header: RFC 1950 defines its method and checksum. */
  private static boolean isZlib(byte[] bytes) {
    return bytes.length >= 2
        && (bytes[0] & 0x0F) == 8
        && ((bytes[0] & 0xFF) << 8 | bytes[1] & 0xFF) % 31 == 0;
  }

  /**
   * Whether a file begins with a valid block of Hadoop. A block begins with two lengths, without
   * magic bytes. Hadoop's readers allocate that many bytes unchecked: for a text, hundreds of
   * megabytes.
   */
  private boolean isBlocks(Path path, byte[] bytes) throws IOException {
    if (bytes.length < 8) {
      return false;
    }
    ByteBuffer lengths = ByteBuffer.wrap(bytes);
    long size = path.getFileSystem(configuration).getFileStatus(path).getLen();
    int uncompressedLength = lengths.getInt();
    int compressedLength = lengths.getInt();
    return uncompressedLength >= 0 && compressedLength >= 0 && compressedLength <= size - 8;
  }

  /**
   * Detects JSON that is not UTF-8 by its byte order mark or its zero bytes.
   *
   * @return the name of the encoding; null if neither is found
   */
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

  /** Whether a text begins like an object, or like a list of lists, objects or strings. */
  private static boolean isJson(String text, int start) {
    return text.substring(start, Math.min(text.length(), start + 100))
        .matches("(?s)\\{\\s*[\"}].*|\\[\\s*[\\[{\"].*");
  }

  /**
   * Whether the first value is valid JSON beyond the end of its first line. A line with an
   * incomplete object does not count: the line after it is a separate value.
   *
   * @param complete whether the text is the complete file
   */
  private static boolean isOverManyLines(String text, int start, boolean complete) {
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
      boolean spansLines = read > lineEnd;
      boolean truncated = !complete && in.at() == text.length();
      // A truncated list may have a complete object on each of its lines.
      return spansLines
          && (truncated && text.charAt(start) == '['
              || !hasObjectLine(text, lineEnd, in.at(), truncated));
    }
  }

  /**
   * Whether one of the lines between two offsets is an object.
   *
   * @param truncated whether the text ends before the file does, so that an incomplete object on
   *     the last line counts
   */
  private static boolean hasObjectLine(String text, int from, int to, boolean truncated) {
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
          if (truncated && end == text.length()) {
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
