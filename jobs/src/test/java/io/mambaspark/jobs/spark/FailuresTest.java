package io.mambaspark.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.mambaspark.jobs.TestSpark;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumException;
import org.apache.parquet.HadoopReadOptions;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.spark.SparkException;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FailuresTest {
  private static final String PLAIN = "file:/tmp/a é%20b/d [1]/x ü.parquet";
  private static final String URI = "file:///tmp/a%20é%2520b/d%20%5B1%5D/x%20ü.parquet";

  @Test
  void an_unknown_data_source_is_named_with_the_version_of_spark() {
    SparkSession spark = TestSpark.session();

    Throwable failure = catchThrowable(() -> spark.read().format("cuneiform").load("nowhere"));

    assertThat(Failures.oneLine(failure))
        .contains("ailed to find the data source: cuneiform.")
        .endsWith(" This is Spark " + spark.version() + ".");
  }

  /** The messages of Parquet 1.13 and 1.17 and of Hadoop. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          PATH is not a Parquet file (length is too low: 3) | it is not a Parquet file: its length is 3 bytes
          PATH is not a Parquet file. Expected magic number at tail, but found [116, 101, 120, 116] | it is not a Parquet file, or it is truncated: its last four bytes are [116, 101, 120, 116], expected PAR1
          footer is too large: 3809352988to be read | it is damaged or truncated: its last bytes give a footer length of 3809352988 bytes
          corrupted file: the footer index is not within the file: -2146607131 | it is damaged or truncated: its last bytes give a footer at byte -2146607131
          can not read class org.apache.parquet.format.FileMetaData: Message size exceeds limit: 104857600 | its footer is damaged: Message size exceeds limit: 104857600
          can not read FileMetaData: don't know what type: 13 | its footer is damaged: don't know what type: 13
          can not read class org.apache.parquet.format.FileMetaData: Required field 'version' was not found in serialized data! Struct: org.apache.parquet.format.FileMetaData$FileMetaDataStandardScheme@207512c3 | its footer is damaged: Required field 'version' was not found in serialized data
          can not read class org.apache.parquet.format.PageHeader: don't know what type: 15 | the header of a page is damaged: don't know what type: 15
          could not read page Page [bytes.size=160000, valueCount=20000, uncompressedSize=160000] in col [id] required int64 id | a page of its column id is damaged
          Trying to read file with encrypted footer. No keys available | it is encrypted, and Spark has no keys: set parquet.crypto.factory.class
          Checksum error: PATH at 876032 exp: 758795748 got: 1214084770 | it differs from its checksum (the .crc file next to it) at byte 876032
          column: [id], physicalType: INT64, logicalType: string | its column id is INT64, expected string
          File PATH does not exist | it does not exist
          PATH (Permission denied) | permission denied
          Can not read value at 7 in block -1 in file PATH | Can not read value at 7 in block -1
          read 3 rows, its footer says 5 | read 3 rows, its footer says 5
          """)
  void the_reason_why_a_file_cannot_be_read_does_not_repeat_the_path(String said, String cause) {
    for (String path : List.of(PLAIN, URI, PLAIN.replace("file:", ""))) {
      for (String spelled : List.of(PLAIN, URI, PLAIN.replace("file:", "file://"))) {
        Throwable failure = new IOException(said.replace("PATH", spelled));
        assertThat(Failures.cause(failure, path)).isEqualTo(cause);
        for (Throwable wrapped : wrapped(failure, spelled)) {
          assertThat(Failures.cause(wrapped, path)).isEqualTo(cause);
        }
      }
    }
  }

  /** Wraps a failure as Spark 4.2 and 3.5 do, and as exceptions do that repeat their cause. */
  private static List<Throwable> wrapped(Throwable failure, String path) {
    return List.of(
        new SparkException(
            "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file %s.  SQLSTATE: KD001"
                .formatted(path),
            failure),
        new SparkException(
            "Job aborted due to stage failure: Task 0 in stage 5.0 failed 1 times, most recent"
                + " failure: Lost task 0.0 in stage 5.0 (TID 5) (localhost executor driver): "
                + failure
                + "\n\tat org.apache",
            new SparkException(
                "Encountered error while reading file %s. Details:".formatted(path),
                new RuntimeException(failure))),
        new SparkException(
            "Exception thrown in awaitResult: ",
            new SparkException(
                "[CANNOT_READ_FILE_FOOTER] Could not read footer for file: %s. Please ensure that"
                        .formatted(path)
                    + " the file is in either ORC or Parquet format.",
                failure)));
  }

  @Test
  void an_uninformative_cause_is_described_by_its_location_and_class() {
    Throwable page =
        new RuntimeException(
            new IOException(
                "could not read page Page [bytes.size=1] in col [text] required binary text (STRING)",
                new IOException("FAILED_TO_UNCOMPRESS(5)")));
    assertThat(Failures.cause(page, PLAIN))
        .isEqualTo("a page of its column text is damaged: FAILED_TO_UNCOMPRESS(5)");
    List<Throwable> nulls = wrapped(new NullPointerException(), PLAIN);
    assertThat(Failures.cause(nulls.get(2), PLAIN))
        .isEqualTo("its footer is damaged (NullPointerException)");
    assertThat(
            Failures.cause(
                new IndexOutOfBoundsException("Index 9 out of bounds for length 3"), PLAIN))
        .isEqualTo(
            "its content is damaged (IndexOutOfBoundsException: Index 9 out of bounds for length"
                + " 3)");
    assertThat(Failures.cause(new FileNotFoundException(), PLAIN))
        .isEqualTo("its content is damaged (FileNotFoundException)");
    assertThat(
            Failures.cause(
                new ChecksumException("Checksum error: " + PLAIN + " at 0 exp: 1 got: -2", 0), URI))
        .isEqualTo("it differs from its checksum (the .crc file next to it) at byte 0");
  }

  @Test
  void the_line_names_the_path_once_whatever_its_characters() {
    Throwable failure =
        wrapped(new IOException(PLAIN + " is not a Parquet file (length is too low: 3)"), URI)
            .get(0);
    assertThat(Failures.oneLine(failure))
        .isEqualTo(
            "Cannot read %s: it is not a Parquet file: its length is 3 bytes".formatted(URI));
    assertThat(Failures.oneLine(wrapped(failure.getCause(), PLAIN).get(2)))
        .isEqualTo(
            "Cannot read %s: it is not a Parquet file: its length is 3 bytes".formatted(PLAIN));
  }

  /** The reason is one line and does not repeat the path, whatever the bytes. */
  @Test
  void real_damage_is_described_in_one_line(@TempDir Path folder) throws IOException {
    SparkSession spark = TestSpark.session();
    Path made = folder.resolve("made");
    spark
        .range(2000)
        .selectExpr("id", "concat('text ', id * 17) AS text")
        .coalesce(1)
        .write()
        .parquet(made.toString());
    byte[] complete;
    try (Stream<Path> files = Files.list(made)) {
      complete =
          Files.readAllBytes(
              files.filter(f -> f.toString().endsWith(".parquet")).findFirst().get());
    }
    Path file = Files.createDirectories(folder.resolve("a é%20[1]")).resolve("x y.parquet");
    List<String> causes = new ArrayList<>();
    for (byte[] bytes :
        List.of(
            new byte[0],
            Arrays.copyOf(complete, complete.length / 2),
            damaged(complete, complete.length - 1, complete.length),
            damaged(complete, complete.length - 300, complete.length - 8),
            damaged(complete, 4, 30),
            damaged(complete, 60, complete.length / 2))) {
      Files.write(file, bytes);
      String cause = Failures.cause(reading(file), file.toUri().toString());
      assertThat(cause).doesNotContain("x y.parquet").doesNotContain("x%20y").doesNotContain("\n");
      causes.add(cause.replaceAll(":.*", ""));
    }
    assertThat(causes)
        .allMatch(cause -> cause.matches("(it|its|a page|the header of a page) .*"))
        .startsWith("it is not a Parquet file");
  }

  private static byte[] damaged(byte[] complete, int from, int to) {
    byte[] bytes = complete.clone();
    for (int i = from; i < to; i++) {
      bytes[i] ^= 0x5a;
    }
    return bytes;
  }

  private static Throwable reading(Path file) {
    org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(file.toUri());
    Configuration configuration = TestSpark.session().sparkContext().hadoopConfiguration();
    return catchThrowable(
        () -> {
          try (ParquetFileReader reader =
              ParquetFileReader.open(
                  HadoopInputFile.fromPath(path, configuration),
                  HadoopReadOptions.builder(configuration, path).build())) {
            assertThat(reader.getFooter()).isNotNull();
            TestSpark.session()
                .read()
                .schema("id bigint, text string")
                .option("__globPaths__", false)
                .parquet(file.toString())
                .collectAsList();
          }
        });
  }
}
