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
 * The folder {@value #NAME} of an output, in which its run is recorded. Every file in it appears
 * whole, by a rename.
 *
 * <pre>
 * run-00000.json     {@link RunRecord}; what the run has become later has the next number
 * units/NAME.json    one entry for each unit that is done
 * tmp/               files of tasks that run, or of those that died
 * checkpoint/        of a stream: what Spark has taken from its folder
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

  /** The folder of an output, which may not be there yet. */
  public LedgerFolder(Path output, Configuration configuration) {
    this.path = new Path(output, NAME);
    this.files = HadoopFiles.fileSystem(output, configuration);
  }

  public Path path() {
    return path;
  }

  /** The path for people. */
  public String shown() {
    return Refusal.redacted(path.toString());
  }

  /** A new file for a task to write. Its name does not end as that of a Parquet file does. */
  public Path temporary(String name) {
    return new Path(new Path(path, "tmp"), name + "-" + UUID.randomUUID() + ".part");
  }

  /** Writes a whole file of JSON or none. One that is there already stays. */
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

  /** Moves a file to its place; false where the file system refuses. */
  public boolean move(Path from, Path to) throws IOException {
    files.mkdirs(to.getParent());
    return files.rename(from, to);
  }

  /** What a file of JSON says; empty for one that a crash of the machine has damaged. */
  public <T> Optional<T> read(Path file, Class<T> type) throws IOException {
    try (InputStream in = files.open(file)) {
      return Optional.of(JSON.readValue(in, type));
    } catch (JsonProcessingException | ChecksumException e) {
      LOG.warn("{} is damaged and does not count", Refusal.redacted(file.toString()));
      return Optional.empty();
    }
  }

  /** Removes what tasks that died have left, if that can be done. */
  public void sweep() {
    try {
      files.delete(new Path(path, "tmp"), true);
    } catch (IOException e) {
      LOG.warn("Could not remove {}/tmp: {}", shown(), Failures.oneLine(e));
    }
  }
}
