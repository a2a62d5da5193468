package io.mambaspark.jobs.model;

import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.CheckpointFiles;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Demo;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open checkpoint on the driver. What does not lie on the driver's own disk is copied to a
 * temporary folder, which is deleted on close.
 */
public final class ModelSource implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ModelSource.class);

  /** Remove the temporary folders of this JVM where {@link #close} is not reached. */
  private static final Map<Path, Thread> HOOKS = new ConcurrentHashMap<>();

  private final String name;
  private final org.apache.hadoop.fs.Path origin;
  private final Configuration configuration;
  private final Path folder;
  private final Path copy;
  private final MambaCheckpoint checkpoint;

  /** Folders besides the copy that go on close. */
  private final List<Path> temporaries = new ArrayList<>();

  private RetainedModelFiles held;

  private ModelSource(
      String name,
      org.apache.hadoop.fs.Path origin,
      Configuration configuration,
      Path folder,
      Path copy) {
    this.configuration = configuration;
    this.name = Refusal.redacted(name);
    this.origin = origin;
    this.folder = folder;
    this.copy = copy;
    try {
      this.checkpoint = MambaCheckpoint.open(folder);
    } catch (CheckpointException e) {
      delete(copy);
      // The user knows nothing of the copy.
      throw copy == null
          ? e
          : new CheckpointException(e.getMessage().replace(copy.toString(), this.name), e);
    } catch (RuntimeException | Error e) {
      delete(copy);
      throw e;
    }
    checkpoint.notes().forEach(note -> LOG.warn("Model {}: {}", this.name, note));
  }

  /**
   * Opens a folder on the local disk, a folder at any Hadoop URI, or {@code demo}, the model inside
   * the jar. A path without a scheme is looked up on the local disk first, then on Hadoop's default
   * file system. Logs what a user should know of how the checkpoint is read.
   *
   * @throws Refusal if there is no such folder
   * @throws io.mambaspark.engine.checkpoint.CheckpointException if it holds no model that we run
   */
  public static ModelSource open(String model, Configuration configuration) {
    if (model.equals(Demo.NAME)) {
      Path copy = newFolder();
      copying(copy, () -> DemoModel.unpack(copy));
      return new ModelSource(model, null, configuration, copy, copy);
    }
    org.apache.hadoop.fs.Path path = HadoopFiles.located(model, configuration);
    if (path.toUri().getScheme().equals("file")) {
      Path folder = Path.of(path.toUri().getPath());
      if (!Files.exists(folder)) {
        throw Refusal.because("Cannot open model %s: no such folder", model);
      }
      return new ModelSource(model, null, configuration, folder, null);
    }
    Path copy = newFolder();
    copying(copy, () -> download(model, path, copy, configuration));
    return new ModelSource(model, path, configuration, copy, copy);
  }

  /**
   * What tells the files in a model's folder from others: their names, sizes and times. Null if
   * there is no such folder, or none that can be listed.
   */
  public static String stamp(String model) {
    if (model.equals(Demo.NAME)) {
      return Demo.NAME;
    }
    Configuration configuration = HadoopFiles.configuration();
    try {
      org.apache.hadoop.fs.Path folder = HadoopFiles.located(model, configuration);
      return Stream.of(folder.getFileSystem(configuration).listStatus(folder))
          .map(f -> f.getPath().getName() + " " + f.getLen() + " " + f.getModificationTime())
          .sorted()
          .collect(Collectors.joining("\n"));
    } catch (IOException e) {
      LOG.debug("Cannot list {}", Refusal.redacted(model), e);
      return null;
    }
  }

  /** Whether the folder of a model is this one or lies in it. */
  public static boolean liesIn(String model, String folder) {
    Configuration configuration = HadoopFiles.configuration();
    return !model.equals(Demo.NAME)
        && HadoopFiles.within(
            HadoopFiles.canonical(HadoopFiles.located(model, configuration), configuration),
            HadoopFiles.canonical(HadoopFiles.qualified(folder, configuration), configuration));
  }

  /** As the user named it, without a password. */
  public String name() {
    return name;
  }

  /** Where the checkpoint lies on the driver's disk. */
  public Path folder() {
    return folder;
  }

  /** The folder on a Hadoop file system that was copied; null for one on the driver's disk. */
  org.apache.hadoop.fs.Path origin() {
    return origin;
  }

  /** The names of the checkpoint's files, in the order in which it reads them. */
  List<String> files() {
    try (Stream<Path> found = Files.list(folder)) {
      Set<String> present = new HashSet<>();
      found.forEach(file -> present.add(file.getFileName().toString()));
      return CheckpointFiles.opened(
          name, present, file -> Files.newInputStream(folder.resolve(file)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * A file beside the checkpoint that is none of its own.
   *
   * @throws FileNotFoundException or {@link NoSuchFileException} if there is none
   */
  byte[] beside(String file) throws IOException {
    if (origin == null) {
      return Files.readAllBytes(folder.resolve(file));
    }
    try (InputStream in = open(origin.getFileSystem(configuration), origin, file)) {
      return in.readAllBytes();
    }
  }

  /** Whether there is a file of that name beside the checkpoint. */
  boolean has(String file) {
    try {
      return origin == null
          ? Files.exists(folder.resolve(file))
          : origin.getFileSystem(configuration).exists(HadoopFiles.child(origin, file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The model's files, which stay at hand from the first call until this source is closed. */
  public synchronized RetainedModelFiles held() {
    if (held == null) {
      held = new RetainedModelFiles(this);
    }
    return held;
  }

  /** Lets go of them. */
  public synchronized void release() {
    if (held != null) {
      held.close();
      held = null;
    }
  }

  /** A new folder on the driver's disk, deleted on close. */
  Path temporary() {
    Path temporary = newFolder();
    temporaries.add(temporary);
    return temporary;
  }

  /** Warns of weights that are kept in fewer digits than the checkpoint has. */
  public void warnIfRounded(WeightFormat weights) {
    if (checkpoint.rounds(weights)) {
      LOG.warn(
          "--weights {} rounds weights that {} holds in more digits",
          weights.name().toLowerCase(Locale.ROOT),
          name);
    }
  }

  /** Open until this source is closed. */
  public MambaCheckpoint checkpoint() {
    return checkpoint;
  }

  @Override
  public void close() {
    checkpoint.close();
    release();
    delete(copy);
    temporaries.forEach(ModelSource::delete);
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

  /**
   * Copies the files that a {@code Checkpoint} of that folder would open and no others. What is
   * wrong with them is left for it to say.
   */
  private static void download(
      String model, org.apache.hadoop.fs.Path folder, Path copy, Configuration configuration)
      throws IOException {
    FileSystem files = folder.getFileSystem(configuration);
    Set<String> present = new HashSet<>();
    try {
      if (!files.getFileStatus(folder).isDirectory()) {
        try (InputStream in = files.open(folder)) {
          throw CheckpointFiles.notAFolder(
              Refusal.redacted(model), in.readNBytes(CheckpointFiles.FIRST_BYTES));
        }
      }
      for (FileStatus file : files.listStatus(folder)) {
        present.add(file.getPath().getName());
      }
    } catch (FileNotFoundException e) {
      throw Refusal.because(e, "Cannot open model %s: no such folder", model);
    }
    for (String name :
        CheckpointFiles.opened(
            Refusal.redacted(model), present, file -> open(files, folder, file))) {
      try (InputStream in = open(files, folder, name)) {
        Files.copy(in, copy.resolve(name));
      }
    }
  }

  private static InputStream open(FileSystem files, org.apache.hadoop.fs.Path folder, String name)
      throws IOException {
    return files.open(HadoopFiles.child(folder, name));
  }

  private static Path newFolder() {
    try {
      Path folder = Files.createTempDirectory("mamba-spark-model");
      Thread hook = new Thread(() -> deleteFiles(folder), "mamba-spark-model-deletion");
      HOOKS.put(folder, hook);
      Runtime.getRuntime().addShutdownHook(hook);
      return folder;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void delete(Path folder) {
    if (folder == null) {
      return;
    }
    deleteFiles(folder);
    try {
      Runtime.getRuntime().removeShutdownHook(HOOKS.remove(folder));
    } catch (IllegalStateException e) {
      LOG.debug("The JVM ends already", e);
    }
  }

  /** What stays behind is only logged: it must not stand for the outcome of a job. */
  static void deleteFiles(Path folder) {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (NoSuchFileException e) {
      LOG.debug("{} is gone", folder);
    } catch (IOException | UncheckedIOException e) {
      LOG.warn("Could not remove {}: {}", folder, e.toString());
    }
  }
}
