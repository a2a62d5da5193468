package io.mambaspark.jobs.model;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.IOUtils;

/**
 * The files of a model, kept open: they can be copied even when nothing is left in their folder. A
 * saved stage is overwritten by one that was loaded from it, and Spark deletes the old one first.
 */
public final class RetainedModelFiles implements AutoCloseable {
  private static final int BUFFER = 1 << 20;

  /** By name. No channels, which an interrupted thread would close. */
  private final Map<String, RandomAccessFile> files = new LinkedHashMap<>();

  private final String name;
  private byte[] tokenizer;

  RetainedModelFiles(ModelSource source) {
    this.name = source.name();
    try {
      for (String file : source.files()) {
        files.put(file, new RandomAccessFile(source.folder().resolve(file).toFile(), "r"));
      }
      if (source.has(TokenizerSource.FILE)) {
        tokenizer = source.beside(TokenizerSource.FILE);
      }
    } catch (IOException | UncheckedIOException e) {
      close();
      throw Refusal.because(e, "Cannot read model %s: %s", name, Failures.oneLine(e));
    }
  }

  /**
   * Copies the checkpoint's files, and the tokenizer.json beside them if there is one.
   *
   * @param other a tokenizer.json to take in the place of that one, or null
   * @throws Refusal if a file cannot be read or written
   */
  public synchronized void copyTo(String folder, byte[] other, Configuration configuration) {
    Path target = HadoopFiles.qualified(folder, configuration);
    try {
      FileSystem system = target.getFileSystem(configuration);
      for (Map.Entry<String, RandomAccessFile> file : files.entrySet()) {
        try (OutputStream out = system.create(HadoopFiles.child(target, file.getKey()), false)) {
          file.getValue().seek(0);
          // Not closed: it would take the file with it.
          IOUtils.copyBytes(new FileInputStream(file.getValue().getFD()), out, BUFFER);
        }
      }
      byte[] json = other == null ? tokenizer : other;
      if (json != null) {
        try (OutputStream out = system.create(new Path(target, TokenizerSource.FILE), false)) {
          out.write(json);
        }
      }
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot copy model %s to %s: %s", name, target, Failures.oneLine(e));
    }
  }

  @Override
  public void close() {
    for (RandomAccessFile file : files.values()) {
      IOUtils.closeStream(file);
    }
  }
}
