package io.mambaspark.jobs;

import io.mambaspark.engine.model.MambaCheckpoint;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;

/**
 * An open checkpoint on the driver. What does not lie on the driver's own disk is copied to a
 * temporary folder, which is deleted on close.
 */
public final class ModelSource implements AutoCloseable {
  private static final String CONFIG = "config.json";
  private static final String INDEX = "model.safetensors.index.json";
  private static final String PICKLE = "pytorch_model.bin";

  private final String name;
  private final Path copy;
  private final MambaCheckpoint checkpoint;

  private ModelSource(String name, Path folder, Path copy) {
    this.name = name;
    this.copy = copy;
    try {
      this.checkpoint = MambaCheckpoint.open(folder);
    } catch (RuntimeException | Error e) {
      delete(copy);
      throw e;
    }
  }

  /**
   * Opens a folder on the local disk, a folder at any Hadoop URI, or {@code demo}, the model inside
   * the jar. A path without a scheme is looked up on the local disk first, then on Hadoop's default
   * file system.
   *
   * @throws Refusal if there is no such folder
   * @throws io.mambaspark.engine.checkpoint.CheckpointException if it holds no model that we run
   */
  public static ModelSource open(String model, Configuration configuration) {
    if (model.equals(Demo.NAME)) {
      Path copy = temporary();
      copying(copy, () -> Demo.unpackModel(copy));
      return new ModelSource(model, copy, copy);
    }
    org.apache.hadoop.fs.Path path = HadoopFiles.qualified(model, configuration);
    String scheme = path.toUri().getScheme();
    boolean local = scheme.equals("file");
    if (local || (!hasScheme(model) && Files.exists(Path.of(model)))) {
      Path folder = Path.of(local ? path.toUri().getPath() : model);
      if (!Files.exists(folder)) {
        throw Refusal.because("Cannot open model %s: no such folder", model);
      }
      if (!Files.isDirectory(folder)) {
        throw Refusal.because(
            "Cannot open model %s: expected the folder of a checkpoint, found a file", model);
      }
      return new ModelSource(model, folder, null);
    }
    Path copy = temporary();
    copying(copy, () -> download(model, path, copy, configuration));
    return new ModelSource(model, copy, copy);
  }

  private static boolean hasScheme(String model) {
    return new org.apache.hadoop.fs.Path(model).toUri().getScheme() != null;
  }

  /** As the user named it. */
  public String name() {
    return name;
  }

  /** Open until this source is closed. */
  public MambaCheckpoint checkpoint() {
    return checkpoint;
  }

  @Override
  public void close() {
    checkpoint.close();
    delete(copy);
  }

  private interface Copying {
    void run() throws IOException;
  }

  private static void copying(Path copy, Copying copying) {
    try {
      copying.run();
    } catch (IOException e) {
      delete(copy);
      throw new UncheckedIOException(e);
    } catch (RuntimeException | Error e) {
      delete(copy);
      throw e;
    }
  }

  private static void download(
      String model, org.apache.hadoop.fs.Path folder, Path copy, Configuration configuration)
      throws IOException {
    FileSystem files = folder.getFileSystem(configuration);
    List<String> wanted = new ArrayList<>();
    boolean safetensors = false;
    boolean pickle = false;
    FileStatus[] listed;
    try {
      listed = files.listStatus(folder);
    } catch (java.io.FileNotFoundException e) {
      throw Refusal.because(e, "Cannot open model %s: no such folder", model);
    }
    for (FileStatus file : listed) {
      String fileName = file.getPath().getName();
      if (fileName.endsWith(".safetensors") || fileName.equals(INDEX)) {
        safetensors = true;
        wanted.add(fileName);
      } else if (fileName.equals(CONFIG)) {
        wanted.add(fileName);
      }
      pickle |= fileName.equals(PICKLE);
    }
    if (pickle && !safetensors) {
      wanted.add(PICKLE);
    }
    for (String fileName : wanted) {
      try (InputStream in = files.open(new org.apache.hadoop.fs.Path(folder, fileName))) {
        Files.copy(in, copy.resolve(fileName));
      }
    }
  }

  private static Path temporary() {
    try {
      return Files.createTempDirectory("mamba-spark-model");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void delete(Path folder) {
    if (folder == null) {
      return;
    }
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
