package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.FileContent;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The result of reading the beginnings of JSON lines files.
 *
 * @param types the types in the sampled lines
 * @param unread the names of files whose beginning cannot be read, with the reasons
 */
record JsonBeginnings(JsonTypes types, Map<String, String> unread) {
  private static final Logger LOG = LoggerFactory.getLogger(JsonBeginnings.class);

  /** The maximum number of bytes to sample from one file for the types of columns. */
  private static final int SAMPLE = 1 << 20;

  /** The number of bytes to sample from all files together. */
  private static final long SAMPLES = 256L << 20;

  /**
   * Reads the beginnings of all files, a few at a time.
   *
   * @param sample whether to infer types, too
   */
  static JsonBeginnings of(InputFiles listed, boolean sample, Configuration configuration) {
    FirstBytes first = new FirstBytes("json", configuration);
    long share = SAMPLES / Math.max(1, listed.files().size());
    int bytes = sample ? (int) Math.min(SAMPLE, Math.max(FirstBytes.LENGTH, share)) : 0;
    JsonTypes types = new JsonTypes();
    Map<String, String> unread = new TreeMap<>();
    ExecutorService threads = HadoopFiles.threads("mamba-spark-beginnings");
    try {
      List<Future<JsonTypes>> results = new ArrayList<>();
      for (InputFile file : listed.files()) {
        results.add(threads.submit(() -> inspect(file, first, bytes)));
      }
      for (int i = 0; i < results.size(); i++) {
        try {
          types.add(results.get(i).get());
        } catch (ExecutionException e) {
          if (!(e.getCause() instanceof IOException)) {
            throw Refusal.because(e, "%s", Failures.oneLine(e));
          }
          InputFile file = listed.files().get(i);
          String cause = Failures.cause(e.getCause(), file.path().toString());
          if (!FileContent.isBad(e.getCause(), file.path(), 0, FirstBytes.LENGTH, configuration)) {
            throw Refusal.because(e, "Cannot read %s: %s", file.name(), cause);
          }
          unread.put(file.name(), cause);
        }
      }
      return new JsonBeginnings(types, unread);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Refusal.because(e, "Interrupted while reading the beginnings of the input files");
    } finally {
      threads.shutdownNow();
    }
  }

  private static JsonTypes inspect(InputFile file, FirstBytes first, int bytes) throws IOException {
    first.check(file.path());
    JsonTypes types = new JsonTypes();
    byte[] lines = new byte[0];
    try {
      lines = bytes == 0 ? lines : first.lines(file.path(), bytes);
    } catch (IOException e) {
      // The file is damaged after its first bytes. Reading its rows will report the error.
      LOG.debug("Cannot infer types from {}", file.name(), e);
    }
    int start = 0;
    for (int i = 0; i <= lines.length; i++) {
      if (i == lines.length || lines[i] == '\n' || lines[i] == '\r') {
        types.add(Arrays.copyOfRange(lines, start, i));
        start = i + 1;
      }
    }
    return types;
  }
}
