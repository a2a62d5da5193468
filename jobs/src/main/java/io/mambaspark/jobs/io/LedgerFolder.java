package io.mambaspark.jobs.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Optional;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumException;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder {@value #NAME} of an output, which records its run. Every file in it is created
 * atomically, by a rename.
 *
 * <pre>
 * run-00000.json     {@link RunRecord}; each later state of the run has the next number
 * units/NAME.json    one entry for each completed unit
 * tmp/               files of running tasks, and of tasks that crashed
 * checkpoint/        in a stream: Spark's record of the input files that it has read
 * </pre>
 */
public final class LedgerFolder {
  public static final String NAME = "_mamba";

  private static final Logger LOG = LoggerFactory.getLogger(LedgerFolder.class);
  private static final ObjectMapper JSON =
      new ObjectMapper()
          .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(SerializationFeature.INDENT_OUTPUT);

  private final Path path;
  private final FileSystem files;

  /** Opens the ledger folder of an output. Neither folder has to exist. */
  public LedgerFolder(Path output, Configuration configuration) {
    this.path = new Path(output, NAME);
    this.files = HadoopFiles.fileSystem(output, configuration);
  }

  public Path path() {
    return path;
  }

  /** Returns the path for messages, without a password. */
  public String shown() {
    return Refusal.redacted(path.toString());
  }

  /** Returns a new path for a task's file. The path does not have the ending of a Parquet file. */
  public Path temporary(String name) {
    return new Path(new Path(path, "tmp"), name + "-" + UUID.randomUUID() + ".part");
  }

  /** Writes a JSON file atomically. Keeps an existing file. */
  public void publish(Object content, Path file) throws IOException {
    Path temporary = temporary(file.getName());
    try (OutputStream out = files.create(temporary, false)) {
      out.write(JSON.writeValueAsBytes(content));
    }
    if (files.exists(file) || !move(temporary, file)) {
      files.delete(temporary, false);
    }
    if (!files.exists(file)) {
      throw new IOException("Cannot move %s to %s".formatted(temporary, file));
    }
  }

  /** Moves a file and creates the target's folder; returns false if the file system refuses. */
  public boolean move(Path from, Path to) throws IOException {
    files.mkdirs(to.getParent());
    return files.rename(from, to);
  }

  /** Reads a JSON file; returns empty for a file that a crash of the machine has damaged. */
  public <T> Optional<T> read(Path file, Class<T> type) throws IOException {
    try (InputStream in = files.open(file)) {
      return Optional.of(JSON.readValue(in, type));
    } catch (JsonProcessingException | ChecksumException e) {
      LOG.warn("Ignored {}: the file is damaged", Refusal.redacted(file.toString()));
      return Optional.empty();
    }
  }

  /** Removes the files of crashed tasks. A failure is logged, not thrown. */
  public void removeTemporaryFiles() {
    try {
      files.delete(new Path(path, "tmp"), true);
    } catch (IOException e) {
      LOG.warn("Cannot remove {}/tmp: {}", shown(), Failures.oneLine(e));
    }
  }
}
