package io.mambaspark.jobs;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.HadoopReadOptions;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.metadata.ColumnChunkMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;

/**
 * What the footer of a Parquet file tells without reading data.
 *
 * @param path a URI, as Spark names its input files
 * @param size bytes
 * @param modified milliseconds since 1970
 * @param columnBytes compressed size of each top-level column
 * @param missing a column of the document that it has not, though it has rows; null if all are
 *     there
 * @param error why the file cannot be read; null if all is well. Without row groups then
 */
record ParquetFile(
    String path,
    long size,
    long modified,
    List<RowGroup> rowGroups,
    Map<String, Long> columnBytes,
    String missing,
    String error) {
  private static final int THREADS = 8;
  private static final int BYTES_PER_TOKEN = 4;

  /** Bytes at the end of a file that tell whether it can be read at all. */
  private static final int TAIL = 1 << 16;

  /**
   * A row group.
   *
   * @param start its first byte in the file
   * @param tokens of the document's columns. Of lists their elements; an empty or null one counts
   *     as one, so this is at most one per row too many. Of texts a guess: a token for every
   *     {@value #BYTES_PER_TOKEN} bytes
   */
  record RowGroup(long start, long rows, long tokens) {}

  /** Reads the footers of files, a few at a time, and gives them in the order of the paths. */
  static List<ParquetFile> read(
      String[] paths, List<String> document, Configuration configuration) {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS, ParquetFile::daemon);
    try {
      List<Future<ParquetFile>> reading =
          Arrays.stream(paths)
              .map(path -> threads.submit(() -> read(path, document, configuration)))
              .toList();
      List<ParquetFile> files = new ArrayList<>();
      for (Future<ParquetFile> file : reading) {
        files.add(file.get());
      }
      return files;
    } catch (ExecutionException e) {
      throw Refusal.because(e, "Cannot read the input: %s", Failures.oneLine(e));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Refusal.because(e, "Interrupted while reading the input's footers");
    } finally {
      threads.shutdownNow();
    }
  }

  /** The file as one that cannot be read. */
  ParquetFile unreadable(String why) {
    return new ParquetFile(path, size, modified, List.of(), columnBytes, missing, why);
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "mamba-spark-footers");
    thread.setDaemon(true);
    return thread;
  }

  private static ParquetFile read(String file, List<String> document, Configuration configuration) {
    Path path = new Path(java.net.URI.create(file));
    FileStatus status;
    try {
      status = path.getFileSystem(configuration).getFileStatus(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    List<RowGroup> groups = new ArrayList<>();
    Map<String, Long> bytes = new HashMap<>();
    String missing = null;
    String error = null;
    try (ParquetFileReader reader =
        ParquetFileReader.open(
            HadoopInputFile.fromStatus(status, configuration),
            // With the keys that the configuration names, if files are encrypted.
            HadoopReadOptions.builder(configuration, path).build())) {
      for (BlockMetaData block : reader.getFooter().getBlocks()) {
        long tokens = 0;
        Set<String> found = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
        for (ColumnChunkMetaData column : block.getColumns()) {
          String name = column.getPath().toArray()[0];
          bytes.merge(name, column.getTotalSize(), Long::sum);
          if (document.stream().anyMatch(name::equalsIgnoreCase)) {
            tokens += tokens(column);
            found.add(name);
          }
        }
        if (block.getRowCount() > 0) {
          missing = document.stream().filter(c -> !found.contains(c)).findFirst().orElse(missing);
        }
        groups.add(new RowGroup(block.getStartingPos(), block.getRowCount(), tokens));
      }
    } catch (FileNotFoundException e) {
      throw new UncheckedIOException(e);
    } catch (IOException | RuntimeException e) {
      error = Failures.oneLine(e);
      long tail = Math.max(0, status.getLen() - TAIL);
      if (!RawBytes.tellThatContentIsBad(e, path, tail, status.getLen(), configuration)) {
        throw Refusal.because(e, "Cannot read %s: %s", HadoopFiles.redacted(file), error);
      }
    }
    return new ParquetFile(
        file,
        status.getLen(),
        status.getModificationTime(),
        error == null ? groups : List.of(),
        bytes,
        missing,
        error);
  }

  private static long tokens(ColumnChunkMetaData column) {
    boolean text = column.getPath().size() == 1;
    return text ? column.getTotalUncompressedSize() / BYTES_PER_TOKEN : column.getValueCount();
  }
}
