package io.mambaspark.jobs.model;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Demo;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The location of a model that a user named: a folder on the driver's disk, a folder on a Hadoop
 * file system, or, for {@code demo}, the jar.
 */
public final class ModelLocation {
  private static final Logger LOG = LoggerFactory.getLogger(ModelLocation.class);

  private final String given;
  private final Path folder;
  private final Configuration configuration;

  private ModelLocation(String given, Path folder, Configuration configuration) {
    this.given = given;
    this.folder = folder;
    this.configuration = configuration;
  }

  /** Locates a model with the Hadoop configuration of this JVM's Spark session. */
  public static ModelLocation of(String model) {
    return of(model, HadoopFiles.configuration());
  }

  /**
   * Locates a model. A path without a scheme is looked up on the local disk first, then on Hadoop's
   * default file system.
   *
   * @param model a folder, any Hadoop URI, or {@code demo}
   */
  static ModelLocation of(String model, Configuration configuration) {
    Path folder = model.equals(Demo.NAME) ? null : HadoopFiles.located(model, configuration);
    return new ModelLocation(model, folder, configuration);
  }

  /** Returns the name as the user gave it, without passwords. */
  String name() {
    return Refusal.redacted(given);
  }

  /** Whether this is the demo model inside the jar. */
  boolean isDemo() {
    return folder == null;
  }

  /** Whether the model is in a folder on the driver's disk. */
  boolean isLocal() {
    return !isDemo() && folder.toUri().getScheme().equals("file");
  }

  /** Returns the folder on the driver's disk or at a Hadoop URI; null for the demo model. */
  Path folder() {
    return folder;
  }

  FileSystem fileSystem() throws IOException {
    return folder.getFileSystem(configuration);
  }

  /** Returns the path of a file in the folder. */
  Path file(String name) {
    return HadoopFiles.child(folder, name);
  }

  /**
   * Returns the names, sizes and modification times of the folder's files, as a cheap check for a
   * changed model. Null if the folder does not exist or cannot be listed.
   */
  public String stamp() {
    if (isDemo()) {
      return Demo.NAME;
    }
    try {
      return Stream.of(fileSystem().listStatus(folder))
          .map(f -> f.getPath().getName() + " " + f.getLen() + " " + f.getModificationTime())
          .sorted()
          .collect(Collectors.joining("\n"));
    } catch (IOException e) {
      LOG.debug("Cannot list {}", name(), e);
      return null;
    }
  }

  /** Whether the model's folder is the other folder or is inside it. */
  public boolean isInside(String other) {
    return !isDemo()
        && HadoopFiles.within(
            HadoopFiles.canonical(folder, configuration),
            HadoopFiles.canonical(HadoopFiles.qualified(other, configuration), configuration));
  }
}
