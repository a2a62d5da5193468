package io.mambaspark.jobs.io;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.github.luben.zstd.Zstd;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FirstBytesTest {
  private static final Configuration HADOOP = new Configuration();
  private static final String LINES = "{\"id\":1,\"text\":\"The sea\"}\n{\"id\":2}\n";

  @TempDir Path folder;

  private Path write(String name, byte[] content) throws IOException {
    return Files.write(folder.resolve(name), content);
  }

  private Path write(String name, String content) throws IOException {
    return write(name, content.getBytes(UTF_8));
  }

  private static org.apache.hadoop.fs.Path hadoop(Path path) {
    return new org.apache.hadoop.fs.Path(path.toUri());
  }

  private static void check(Path path, String format) throws IOException {
    new FirstBytes(format, HADOOP).check(hadoop(path));
  }

  private static byte[] lines(org.apache.hadoop.fs.Path path, int bytes) throws IOException {
    return new FirstBytes("json", HADOOP).lines(path, bytes);
  }

  private static void passes(Path path, String format) {
    assertThatCode(() -> check(path, format)).as(path.toString()).doesNotThrowAnyException();
  }

  /** Returns the message of the refusal after "it is". */
  private static String refusal(Path path, String format) {
    Refusal refusal = catchThrowableOfType(Refusal.class, () -> check(path, format));
    assertThat(refusal).as(path.toString()).isNotNull();
    String start = "Cannot read %s as %s: it is ".formatted(hadoop(path), format);
    assertThat(refusal.getMessage()).startsWith(start);
    return refusal.getMessage().substring(start.length());
  }

  private static byte[] gzip(byte[] content) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(bytes)) {
      out.write(content);
    }
    return bytes.toByteArray();
  }

  /** Compresses content with Hadoop's codec for the suffix of a name. */
  private static byte[] compressed(String suffix, byte[] content) throws IOException {
    CompressionCodec codec =
        new CompressionCodecFactory(HADOOP).getCodec(new org.apache.hadoop.fs.Path("a" + suffix));
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream out = codec.createOutputStream(bytes)) {
      out.write(content);
    }
    return bytes.toByteArray();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "\n",
        "{",
        "x",
        "\0",
        "null\n",
        LINES,
        "\uFEFF" + LINES,
        "\n\n" + LINES,
        "not json at all\n{\"id\":1}\n",
        "[{\"id\":1},{\"id\":2}]\n",
        // Truncated lines whose value could continue on the next line.
        "{\"id\":\"cut\",\"text\":\"The captain\n" + LINES,
        "{\"id\":\"cut\",\n" + LINES,
        "{\"id\":\n" + LINES,
        "{\"id\"\n" + LINES,
        "{\n" + LINES,
        "{\"tokens\":[1,2,\n" + LINES,
        "{\"tokens\":[1,2\n" + LINES,
        "{\"tokens\":[\r\n{\"tokens\":[1]}\r\n",
        "{\"id\":1}\n{\n\"id\":2\n}\n",
      })
  void lines_of_json_pass_whatever_errors_they_have(String lines) throws IOException {
    passes(write("a.jsonl", lines), "json");
  }

  @Test
  void a_first_line_longer_than_the_inspected_bytes_passes() throws IOException {
    String text = "x".repeat(FirstBytes.LENGTH);
    passes(write("long.jsonl", "{\"text\":\"" + text + "\"}\n" + LINES), "json");
    passes(write("cut.jsonl", "{\"a\":[\n{\"text\":\"" + text + "\"}\n" + LINES), "json");
    for (int length = FirstBytes.LENGTH - 9; length < FirstBytes.LENGTH + 2; length++) {
      String line = "{\"text\":\"" + "é".repeat(length / 2 - 6) + "x".repeat(length % 2) + "\"}\n";
      passes(write("edge.jsonl", line + LINES), "json");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[\n{\"id\":1},\n{\"id\":2}\n]\n",
        "[{\"id\":1},\n {\"id\":2}]",
        "\uFEFF[\r\n  {\r\n    \"id\": 1\r\n  }\r\n]",
        "[\n  {\"id\":1}\n]",
        "[\r{\"id\":1},\r{\"id\":2}\r]"
      })
  void a_list_over_many_lines_is_refused(String json) throws IOException {
    String said = "one JSON list over many lines; write each element on one line: jq -c '.[]' FILE";
    assertThat(refusal(write("a.json", json), "json")).isEqualTo(said);
    assertThat(refusal(write("a.json.gz", gzip(json.getBytes(UTF_8))), "json")).isEqualTo(said);
    String large = json + "\n".repeat(10) + json;
    assertThat(refusal(write("b.json", large), "json")).isEqualTo(said);
  }

  @Test
  void a_list_longer_than_the_inspected_bytes_is_refused() throws IOException {
    String said = "one JSON list over many lines; write each element on one line: jq -c '.[]' FILE";
    for (String element : List.of("{\"id\":1},\n", "{\"id\":1}\n,", "{\n\"id\": [\n1,\n2\n]},\n")) {
      assertThat(refusal(write("a.json", "[\n" + element.repeat(20_000)), "json")).isEqualTo(said);
    }
    String text = "x".repeat(FirstBytes.LENGTH);
    assertThat(refusal(write("a.json", "[\n{\"text\":\"" + text + "\"},\n{}]"), "json"))
        .isEqualTo(said);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\n  \"id\": 1,\n  \"text\": \"The sea\"\n}\n{\n  \"id\": 2\n}\n",
        "{\n  \"data\": [\n    {\"id\": 1},\n    {\"id\": 2}\n  ]\n}",
        "{\"data\": [\n{\"id\": 1},\n{\"id\": 2}\n]}",
        "{\n  \"id\": 1,\n  'text': 2}",
        "{\"id\":\n1}\n",
        "{\n}\n"
      })
  void objects_over_many_lines_are_refused(String json) throws IOException {
    assertThat(refusal(write("a.json", json), "json"))
        .isEqualTo("JSON objects over many lines; write each object on one line: jq -c . FILE");
  }

  @ParameterizedTest
  @CsvSource({
    "gzip, .gz, gunzip, H4sI",
    "bzip2, .bz2, bunzip2, QlpoOTFBWSZTWQ==",
    "zstd, .zst, zstd -d, KLUv/QQA",
  })
  void compressed_content_without_the_matching_suffix_is_refused(
      String name, String suffix, String command, String content) throws IOException {
    byte[] bytes = java.util.Base64.getDecoder().decode(content);
    String said =
        "%s, but its name does not end in %s; rename it, or decompress it: %s FILE"
            .formatted(name, suffix, command);
    assertThat(refusal(write("a.jsonl", bytes), "json")).isEqualTo(said);
    assertThat(refusal(write("a.deflate", bytes), "json")).isEqualTo(said);
    assertThat(refusal(write("a.lz4", bytes), "json")).isEqualTo(said);
    assertThat(refusal(write("a.parquet", bytes), "parquet"))
        .isEqualTo("%s; decompress it: %s FILE", name, command);
  }

  @ParameterizedTest
  @CsvSource({
    "xz, xz -d, FD377A585A0000",
    "lzma, xz -d -F lzma, 5D00008000",
    "lzip, lzip -d, 4C5A495001",
    "an lz4 frame, lz4 -d, 04224D186440A7",
    "a snappy frame, snzip -d, FF060000734E61507059",
    "compress, uncompress, 1F9D90",
    "a zip archive, unzip, 504B0304",
    "a zip archive, unzip, 504B0506",
    "a 7z archive, 7z x, 377ABCAF271C",
    "a rar archive, unrar x, 526172211A07",
  })
  void a_compression_that_spark_does_not_support_is_refused_under_any_name(
      String name, String command, String hex) throws IOException {
    byte[] bytes = java.util.HexFormat.of().parseHex(hex);
    String said = "%s; decompress it: %s FILE".formatted(name, command);
    for (String suffix : List.of("", ".jsonl", ".xz", ".gz", ".lz4", ".snappy", ".zst")) {
      assertThat(refusal(write("a" + suffix, bytes), "json")).isEqualTo(said);
    }
    assertThat(refusal(write("a.parquet", bytes), "parquet")).isEqualTo(said);
  }

  @Test
  void an_archive_is_refused_even_inside_gzip() throws IOException {
    byte[] tar = Arrays.copyOf("a.jsonl".getBytes(UTF_8), 1024);
    System.arraycopy("ustar".getBytes(UTF_8), 0, tar, 257, 5);
    String said = "a tar archive; unpack it: tar -xf FILE";
    assertThat(refusal(write("a.tar", tar), "json")).isEqualTo(said);
    assertThat(refusal(write("a.tar.gz", gzip(tar)), "json")).isEqualTo(said);
    assertThat(refusal(write("a.gz", gzip(gzip(tar))), "json"))
        .isEqualTo("gzip; decompress it: gunzip FILE");
  }

  @ParameterizedTest
  @ValueSource(strings = {".gz", ".bz2", ".deflate", ".snappy", ".lz4", ".GZ"})
  void a_compression_that_spark_supports_passes_with_its_suffix(String suffix) throws IOException {
    byte[] bytes = compressed(suffix.toLowerCase(java.util.Locale.ROOT), LINES.getBytes(UTF_8));
    Path path = write("a.jsonl" + suffix, bytes);
    passes(path, "json");
    assertThat(lines(hadoop(path), 1000)).asString(UTF_8).isEqualTo(LINES);
    passes(write("empty" + suffix, new byte[0]), "json");
    assertThat(lines(hadoop(folder.resolve("empty" + suffix)), 1000)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {".gz", ".bz2", ".zst", ".deflate", ".snappy", ".lz4", ".GZ", ".gzip", ".zstd"})
  void a_compression_suffix_on_other_content_is_refused(String suffix) throws IOException {
    String said =
        "not compressed as its ending %s indicates; rename it without %s".formatted(suffix, suffix);
    for (String content : List.of(LINES, "{", "\0\0\0\0", "The captain looked at the sea.")) {
      assertThat(refusal(write("a.jsonl" + suffix, content), "json")).isEqualTo(said);
    }
  }

  @Test
  void zstd_is_read_if_this_spark_supports_it() throws IOException {
    Path path = write("a.jsonl.zst", Zstd.compress(LINES.getBytes(UTF_8)));
    passes(path, "json");
    assertThat(lines(hadoop(path), 1000)).asString(UTF_8).isEqualTo(LINES);
    // Spark 3.5 and 4.0 fail in this way, because Hadoop's codec has no native library there.
    Configuration broken = new Configuration();
    broken.set("io.compression.codecs", NoNativeLibrary.class.getName());
    assertThatThrownBy(() -> new FirstBytes("json", broken).check(hadoop(path)))
        .isInstanceOf(Refusal.class)
        .hasMessage(
            "Cannot read %s as json: this Spark cannot decompress .zst (no native library);"
                + " decompress it: zstd -d FILE",
            hadoop(path));
  }

  /** A codec that fails, because its native library is missing. */
  public static final class NoNativeLibrary extends org.apache.hadoop.io.compress.DefaultCodec {
    @Override
    public String getDefaultExtension() {
      return ".zst";
    }

    @Override
    public org.apache.hadoop.io.compress.CompressionInputStream createInputStream(
        java.io.InputStream in) {
      throw new UnsatisfiedLinkError("no native library");
    }
  }

  @Test
  void damaged_compressed_data_is_unread_or_refused() throws IOException {
    byte[] gzip = gzip(LINES.getBytes(UTF_8));
    Path cut = write("cut.gz", Arrays.copyOf(gzip, gzip.length / 2));
    assertThatThrownBy(() -> check(cut, "json")).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> lines(hadoop(cut), 1000)).isInstanceOf(IOException.class);
    Path tiny = write("tiny.bz2", "BZh9".getBytes(UTF_8));
    assertThatThrownBy(() -> check(tiny, "json"))
        .isInstanceOf(IOException.class)
        .hasMessage("It cannot be decompressed: it is truncated");
    for (String suffix : List.of(".gz", ".bz2", ".zst", ".deflate", ".snappy", ".lz4")) {
      byte[] complete =
          suffix.equals(".zst")
              ? Zstd.compress(LINES.getBytes(UTF_8))
              : compressed(suffix, LINES.getBytes(UTF_8));
      for (int i = 0; i < complete.length; i += 3) {
        byte[] damaged = complete.clone();
        damaged[i] ^= (byte) 0x55;
        Path path = write("damaged" + suffix, damaged);
        for (String what : List.of("check", "lines")) {
          try {
            if (what.equals("check")) {
              check(path, "json");
            } else {
              lines(hadoop(path), 1000);
            }
          } catch (Refusal | IOException e) {
            // Both are allowed; any other exception fails the test.
          }
        }
      }
    }
  }

  @Test
  void a_missing_file_and_a_folder_fail_with_an_io_exception() throws IOException {
    assertThatThrownBy(() -> check(folder.resolve("gone"), "json"))
        .isInstanceOf(FileNotFoundException.class);
    assertThatThrownBy(() -> lines(hadoop(folder.resolve("gone")), 10))
        .isInstanceOf(FileNotFoundException.class);
    assertThatThrownBy(() -> check(Files.createDirectory(folder.resolve("dir")), "json"))
        .isInstanceOf(IOException.class);
  }

  @ParameterizedTest
  @CsvSource({
    "UTF-16LE, , UTF-16LE",
    "UTF-16BE, , UTF-16BE",
    "UTF-32LE, , UTF-32LE",
    "UTF-32BE, , UTF-32BE",
    "UTF-16LE, bom, UTF-16",
    "UTF-16BE, bom, UTF-16",
    "UTF-32LE, bom, UTF-32",
    "UTF-32BE, bom, UTF-32",
  })
  void json_in_another_encoding_is_refused(String charset, String bom, String named)
      throws IOException {
    String said = "%s; convert it: iconv -f %s -t UTF-8 FILE".formatted(named, named);
    for (String json : List.of("{}", LINES, "\r\n" + LINES, "[\n{}]", "  {}")) {
      String text = (bom == null ? "" : "\uFEFF") + json;
      byte[] bytes = text.getBytes(Charset.forName(charset));
      assertThat(refusal(write("a.json", bytes), "json")).isEqualTo(said);
      assertThat(refusal(write("a.json.gz", gzip(bytes)), "json")).isEqualTo(said);
      assertThat(refusal(write("a.json", bytes), "parquet")).isEqualTo(said);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "PAR1, Parquet; give --input-format parquet",
    "PARE, encrypted Parquet; give --input-format parquet",
    "ORC, ORC; give --input-format orc",
    "'Obj\u0001', Avro; give --input-format avro",
    "ARROW1, Arrow; convert it to JSON lines or Parquet",
    "FEA1, Feather; convert it to JSON lines or Parquet",
    "'SQLite format 3\0', an SQLite database; convert it to JSON lines or Parquet",
    "%PDF-1.7, a PDF document; convert it to JSON lines or Parquet",
    "'\u0089HDF\r\n', HDF5; convert it to JSON lines or Parquet",
    "<!DOCTYPE html>, HTML or XML; convert it to JSON lines or Parquet",
    "' \n<html>', HTML or XML; convert it to JSON lines or Parquet",
    "<?xml version, HTML or XML; convert it to JSON lines or Parquet",
    "version https://git-lfs.github.com/spec/v1, 'a Git LFS pointer, not the data; fetch the data:"
        + " git lfs pull'",
  })
  void other_content_is_refused_as_json(String content, String said) throws IOException {
    byte[] bytes = content.getBytes(ISO_8859_1);
    assertThat(refusal(write("a.jsonl", bytes), "json")).isEqualTo(said);
    Path gzipped = write("a.jsonl.gz", gzip(bytes));
    assertThat(refusal(gzipped, "json")).isEqualTo(said);
    String format = said.replaceFirst(".*--input-format ", "");
    for (String other : List.of("parquet", "orc", "avro")) {
      if (other.equals(format)) {
        passes(write("a.jsonl", bytes), other);
      } else {
        assertThat(refusal(write("a.jsonl", bytes), other)).isEqualTo(said);
      }
      assertThat(refusal(gzipped, other)).isEqualTo("gzip; decompress it: gunzip FILE");
    }
  }

  @Test
  void json_is_refused_with_a_message_that_names_the_option() throws IOException {
    String said = "JSON; add --input-format json";
    for (String json : List.of(LINES, "\uFEFF\n {}", "[{\"a\":1}]", "{\n \"id\": 1\n}", "{\"cut")) {
      assertThat(refusal(write("a.parquet", json), "parquet")).isEqualTo(said);
      assertThat(refusal(write("a", json), "orc")).isEqualTo(said);
      byte[] gzip = gzip(json.getBytes(UTF_8));
      assertThat(refusal(write("a.jsonl.gz", gzip), "parquet")).isEqualTo(said);
    }
    for (String unknown : List.of("", "PAR", "id,text\n1,a\n", "[x]", "The sea", "{x}")) {
      passes(write("a.parquet", unknown), "parquet");
    }
  }

  @Test
  void random_bytes_pass_or_are_refused_or_unread() throws IOException {
    long seed = 13;
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    byte[][] sources = {
      LINES.getBytes(UTF_8),
      "[\n{\"a\":[1,\n2]},\n".getBytes(UTF_8),
      gzip(LINES.getBytes(UTF_8)),
      {}
    };
    String[] suffixes = {"", ".gz", ".bz2", ".zst", ".deflate", ".snappy", ".lz4", ".xz", ".gzip"};
    for (int i = 0; i < 600; i++) {
      byte[] source = sources[random.nextInt(sources.length)];
      byte[] bytes = Arrays.copyOf(source, random.nextInt(source.length + 12));
      for (int n = random.nextInt(3); n > 0 && bytes.length > 0; n--) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
      }
      Path path = write("a" + suffixes[random.nextInt(suffixes.length)], bytes);
      try {
        check(path, List.of("json", "parquet").get(random.nextInt(2)));
      } catch (Refusal e) {
        assertThat(e.getMessage()).startsWith("Cannot read ").doesNotContain("\n");
      } catch (IOException e) {
        assertThat(Failures.oneLine(e)).isNotBlank();
      }
    }
  }

  @Test
  void only_complete_lines_are_returned() throws IOException {
    org.apache.hadoop.fs.Path path = hadoop(write("a.jsonl", "ab\ncd\r\nef"));
    String[] complete = {
      "", "", "", "ab\n", "ab\n", "ab\n", "ab\ncd\r", "ab\ncd\r\n", "ab\ncd\r\n"
    };
    for (int bytes = 0; bytes < complete.length; bytes++) {
      assertThat(lines(path, bytes)).asString(UTF_8).isEqualTo(complete[bytes]);
    }
    assertThat(lines(path, 9)).asString(UTF_8).isEqualTo("ab\ncd\r\nef");
  }
}
