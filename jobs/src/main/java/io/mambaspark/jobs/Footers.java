package io.mambaspark.jobs;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.metadata.ColumnChunkMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;

/**
 * What the footers of Parquet files tell without reading data.
 *
 * @param tokens values of the tokens column; an empty or null list counts as one, so this is at
 *     most one per row too many
 * @param keptBytes compressed size of the kept columns
 */
record Footers(long rows, long tokens, long keptBytes) {
  private static final int THREADS = 8;

  /**
   * Reads the footers of {@code files}, where {@code kept} are columns to carry over; empty if one
   * of them cannot be read or has no such column, as this serves a display only.
   */
  static Optional<Footers> read(
      String[] files, String tokensColumn, Set<String> kept, Configuration configuration) {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS, Footers::daemon);
    try {
      List<Future<Footers>> reading =
          Arrays.stream(files)
              .map(f -> threads.submit(() -> read(f, tokensColumn, kept, configuration)))
              .collect(Collectors.toList());
      Footers sum = new Footers(0, 0, 0);
      for (Future<Footers> footer : reading) {
        sum = sum.plus(footer.get());
      }
      return files.length == 0 ? Optional.empty() : Optional.of(sum);
    } catch (ExecutionException e) {
      return Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    } finally {
      threads.shutdownNow();
    }
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "mamba-spark-footers");
    thread.setDaemon(true);
    return thread;
  }

  private static Footers read(
      String file, String tokensColumn, Set<String> kept, Configuration configuration) {
    Path path = new Path(java.net.URI.create(file));
    long rows = 0;
    long tokens = 0;
    long keptBytes = 0;
    boolean found = false;
    try (ParquetFileReader reader =
        ParquetFileReader.open(HadoopInputFile.fromPath(path, configuration))) {
      for (BlockMetaData block : reader.getFooter().getBlocks()) {
        rows += block.getRowCount();
        for (ColumnChunkMetaData column : block.getColumns()) {
          String name = column.getPath().toArray()[0];
          if (name.equals(tokensColumn)) {
            tokens += column.getValueCount();
            found = true;
          }
          if (kept.contains(name)) {
            keptBytes += column.getTotalSize();
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (rows > 0 && !found) {
      throw new IllegalArgumentException("No column " + tokensColumn + " in " + file);
    }
    return new Footers(rows, tokens, keptBytes);
  }

  private Footers plus(Footers other) {
    return new Footers(rows + other.rows, tokens + other.tokens, keptBytes + other.keptBytes);
  }
}
