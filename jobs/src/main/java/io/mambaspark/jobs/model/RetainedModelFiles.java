package io.mambaspark.jobs.model;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.text.TokenizerConfig;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.IOUtils;

/**
 * The files of a model, kept open so that they can be copied after their folder was deleted. If a
 * stage is loaded and then saved over its own folder, Spark deletes the folder first.
 */
final class RetainedModelFiles implements AutoCloseable {
  private static final int BUFFER = 1 << 20;

  /** Open files by name. They are not channels, which an interrupted thread would close. */
  private final Map<String, RandomAccessFile> files = new LinkedHashMap<>();

  private final String name;

  /** The tokenizer and its settings, by the names of their files. */
  private final Map<String, byte[]> tokenizer = new LinkedHashMap<>();

  RetainedModelFiles(ModelSource source) {
    this.name = source.name();
    try {
      for (String file : source.files()) {
        files.put(file, new RandomAccessFile(source.folder().resolve(file).toFile(), "r"));
      }
      List<String> ofTokenizer = new ArrayList<>(TokenizerConfig.FILES);
      ofTokenizer.add(TokenizerSource.FILE);
      for (String file : ofTokenizer) {
        if (source.has(file)) {
          tokenizer.put(file, source.read(file));
        }
      }
    } catch (IOException | UncheckedIOException e) {
      close();
      throw Refusal.because(e, "Cannot read model %s: %s", name, Failures.oneLine(e));
    }
  }

  /**
   * Copies the checkpoint's files, and the tokenizer of their folder with its settings.
   *
   * @param other the files of another tokenizer by their names, or null
   * @throws Refusal if a file cannot be read or written
   */
  synchronized void copyTo(String folder, Map<String, byte[]> other, Configuration configuration) {
    Path target = HadoopFiles.qualified(folder, configuration);
    try {
      FileSystem system = target.getFileSystem(configuration);
      for (Map.Entry<String, RandomAccessFile> file : files.entrySet()) {
        try (OutputStream out = system.create(HadoopFiles.child(target, file.getKey()), false)) {
          file.getValue().seek(0);
          // The stream is not closed, because that would close the file.
          IOUtils.copyBytes(new FileInputStream(file.getValue().getFD()), out, BUFFER);
        }
      }
      for (Map.Entry<String, byte[]> file : (other == null ? tokenizer : other).entrySet()) {
        try (OutputStream out = system.create(new Path(target, file.getKey()), false)) {
          out.write(file.getValue());
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
