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
 * What the beginnings of files of JSON lines show.
 *
 * @param types of the lines that were sampled
 * @param unread files whose beginning cannot be read, by name, and why
 */
record JsonBeginnings(JsonTypes types, Map<String, String> unread) {
  private static final Logger LOG = LoggerFactory.getLogger(JsonBeginnings.class);

  /** At most so many bytes of a file are sampled for the types of columns. */
  private static final int SAMPLE = 1 << 20;

  /** At most so many bytes are sampled of all files together. */
  private static final long SAMPLES = 256L << 20;

  /**
   * Looks at a few files at a time.
   *
   * @param sample whether to find types, too
   */
  static JsonBeginnings of(InputFiles listed, boolean sample, Configuration configuration) {
    FirstBytes first = new FirstBytes("json", configuration);
    long share = SAMPLES / Math.max(1, listed.files().size());
    int bytes = sample ? (int) Math.min(SAMPLE, Math.max(FirstBytes.LENGTH, share)) : 0;
    JsonTypes types = new JsonTypes();
    Map<String, String> unread = new TreeMap<>();
    ExecutorService threads = HadoopFiles.threads("mamba-spark-beginnings");
    try {
      List<Future<JsonTypes>> looking = new ArrayList<>();
      for (InputFile file : listed.files()) {
        looking.add(threads.submit(() -> look(file, first, bytes)));
      }
      for (int i = 0; i < looking.size(); i++) {
        try {
          types.add(looking.get(i).get());
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
      throw Refusal.because(e, "Interrupted while looking at the input");
    } finally {
      threads.shutdownNow();
    }
  }

  private static JsonTypes look(InputFile file, FirstBytes first, int bytes) throws IOException {
    first.check(file.path());
    JsonTypes types = new JsonTypes();
    byte[] lines = new byte[0];
    try {
      lines = bytes == 0 ? lines : first.lines(file.path(), bytes);
    } catch (IOException e) {
      // The file is damaged after its beginning: reading its rows reports the error.
      LOG.debug("Cannot find types in {}", file.name(), e);
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
