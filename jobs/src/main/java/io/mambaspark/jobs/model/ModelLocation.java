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
 * Where the model of a name is: in a folder on the driver's disk, in a folder on a Hadoop file
 * system, or, for {@code demo}, inside the jar.
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

  /** As {@link #of(String, Configuration)}, with the configuration of this JVM's Spark session. */
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

  /** The name as the user gave it, without a password. */
  String name() {
    return Refusal.redacted(given);
  }

  /** Whether the model is the one inside the jar. */
  boolean isDemo() {
    return folder == null;
  }

  /** Whether the model is in a folder on the driver's disk. */
  boolean isLocal() {
    return !isDemo() && folder.toUri().getScheme().equals("file");
  }

  /** The folder on the driver's disk, or at a Hadoop URI; null for the model inside the jar. */
  Path folder() {
    return folder;
  }

  FileSystem fileSystem() throws IOException {
    return folder.getFileSystem(configuration);
  }

  /** The path of a file in the folder. */
  Path file(String name) {
    return HadoopFiles.child(folder, name);
  }

  /**
   * The names, sizes and times of the files in the folder, which change when the model does. Null
   * if there is no such folder, or it cannot be listed.
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

  /** Whether the model's folder is this one or is inside it. */
  public boolean liesIn(String other) {
    return !isDemo()
        && HadoopFiles.within(
            HadoopFiles.canonical(folder, configuration),
            HadoopFiles.canonical(HadoopFiles.qualified(other, configuration), configuration));
  }
}
