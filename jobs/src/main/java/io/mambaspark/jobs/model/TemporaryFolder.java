package io.mambaspark.jobs.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A new folder on this machine's disk. It is deleted on close, or when the JVM exits without a
 * close.
 */
final class TemporaryFolder implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(TemporaryFolder.class);

  /**
   * Names the process, so that a folder that a killed one has left can be told from those in use.
   */
  private static final String PREFIX =
      "mamba-spark-model-%d-".formatted(ProcessHandle.current().pid());

  private final Path path;
  private final Thread deletion;

  private TemporaryFolder(Path path) {
    this.path = path;
    this.deletion = new Thread(() -> delete(path), "mamba-spark-model-deletion");
    try {
      Runtime.getRuntime().addShutdownHook(deletion);
    } catch (IllegalStateException e) {
      // The JVM is shutting down and accepts no new hook.
      delete(path);
      throw e;
    }
  }

  /** Creates a folder in the JVM's folder for temporary files. */
  static TemporaryFolder create() {
    try {
      return new TemporaryFolder(Files.createTempDirectory(PREFIX));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Creates a folder inside another one. */
  static TemporaryFolder createIn(Path parent) throws IOException {
    return new TemporaryFolder(Files.createTempDirectory(parent, PREFIX));
  }

  Path path() {
    return path;
  }

  @Override
  public void close() {
    delete(path);
    try {
      Runtime.getRuntime().removeShutdownHook(deletion);
    } catch (IllegalStateException e) {
      LOG.debug("The JVM is shutting down", e);
    }
  }

  /** Deletes a folder. A failure is only logged, because it must not change a job's result. */
  private static void delete(Path folder) {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (NoSuchFileException e) {
      LOG.debug("{} does not exist any more", folder);
    } catch (IOException | UncheckedIOException e) {
      LOG.warn("Could not remove {}: {}", folder, e.toString());
    }
  }
}
