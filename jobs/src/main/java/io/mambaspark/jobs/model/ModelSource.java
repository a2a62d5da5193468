package io.mambaspark.jobs.model;

import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.CheckpointFiles;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.jobs.Refusal;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open checkpoint on the driver. A model that is not on the driver's disk is copied to a
 * temporary folder, which is deleted on close.
 */
public final class ModelSource implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ModelSource.class);

  private final ModelLocation location;
  private final Path folder;
  private final MambaCheckpoint checkpoint;

  /** Folders that are deleted on close. */
  private final List<TemporaryFolder> temporaries = new ArrayList<>();

  private ModelSource(ModelLocation location, Path folder, MambaCheckpoint checkpoint) {
    this.location = location;
    this.folder = folder;
    this.checkpoint = checkpoint;
    checkpoint.notes().forEach(note -> LOG.warn("Model {}: {}", name(), note));
  }

  /**
   * Opens a folder on the local disk, a folder at any Hadoop URI, or {@code demo}, the model inside
   * the jar. A path without a scheme is looked up on the local disk first, then on Hadoop's default
   * file system. Logs the checkpoint's {@link MambaCheckpoint#notes notes}.
   *
   * @throws Refusal if the folder does not exist
   * @throws CheckpointException if the folder holds no supported model
   */
  public static ModelSource open(String model, Configuration configuration) {
    ModelLocation location = ModelLocation.of(model, configuration);
    return location.isLocal() ? openLocal(location) : openCopy(location);
  }

  private static ModelSource openLocal(ModelLocation location) {
    Path folder = Path.of(location.folder().toUri().getPath());
    if (!Files.exists(folder)) {
      throw Refusal.because("Cannot open model %s: no such folder", location.name());
    }
    return new ModelSource(location, folder, MambaCheckpoint.open(folder));
  }

  private static ModelSource openCopy(ModelLocation location) {
    TemporaryFolder copy = TemporaryFolder.create();
    try {
      ModelDownload.copy(location, copy.path());
      ModelSource source =
          new ModelSource(location, copy.path(), checkpoint(copy.path(), location.name()));
      source.temporaries.add(copy);
      return source;
    } catch (IOException e) {
      copy.close();
      throw new UncheckedIOException(e);
    } catch (RuntimeException | Error e) {
      copy.close();
      throw e;
    }
  }

  /** Opens a copy. Messages name the model, because the copy's path means nothing to the user. */
  private static MambaCheckpoint checkpoint(Path copy, String name) {
    try {
      return MambaCheckpoint.open(copy);
    } catch (CheckpointException e) {
      throw new CheckpointException(e.getMessage().replace(copy.toString(), name), e);
    }
  }

  /** Returns the model's name as the user gave it, without passwords. */
  public String name() {
    return location.name();
  }

  /** Returns the folder of the checkpoint on the driver's disk. */
  public Path folder() {
    return folder;
  }

  /** Returns the copied folder on a Hadoop file system; null for a local or the demo model. */
  org.apache.hadoop.fs.Path origin() {
    return location.isLocal() ? null : location.folder();
  }

  /** Lists the names of the checkpoint's files in the order in which they are read. */
  List<String> files() {
    try (Stream<Path> found = Files.list(folder)) {
      Set<String> present = new HashSet<>();
      found.forEach(file -> present.add(file.getFileName().toString()));
      return CheckpointFiles.opened(
          name(), present, file -> Files.newInputStream(folder.resolve(file)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Reads a file in the model's folder that is not part of the checkpoint.
   *
   * @throws FileNotFoundException or {@link NoSuchFileException} if the file does not exist
   */
  byte[] read(String file) throws IOException {
    if (origin() == null) {
      return Files.readAllBytes(folder.resolve(file));
    }
    try (InputStream in = location.fileSystem().open(location.file(file))) {
      return in.readAllBytes();
    }
  }

  /** Reads a file as {@link #read} does; returns null if it does not exist. */
  byte[] readIfExists(String file) throws IOException {
    return has(file) ? read(file) : null;
  }

  /** Whether the model's folder has a file of this name. */
  boolean has(String file) {
    try {
      return origin() == null
          ? Files.exists(folder.resolve(file))
          : location.fileSystem().exists(location.file(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Creates a folder on the driver's disk that is deleted on close. */
  Path temporary() {
    TemporaryFolder temporary = TemporaryFolder.create();
    temporaries.add(temporary);
    return temporary.path();
  }

  /** Returns a warning about what this format rounds; empty if it rounds nothing. */
  Optional<String> rounding(WeightFormat weights) {
    if (!checkpoint.rounds(weights)) {
      return Optional.empty();
    }
    String what =
        weights.isInteger()
            ? "--weights %s rounds the matrices of %s and the inputs of their products to integers"
            : "--weights %s rounds the weights of %s, which are stored with more precision";
    return Optional.of(what.formatted(weights, name()));
  }

  /** Returns the checkpoint, which is open until this source is closed. */
  public MambaCheckpoint checkpoint() {
    return checkpoint;
  }

  @Override
  public void close() {
    checkpoint.close();
    temporaries.forEach(TemporaryFolder::close);
  }
}
