package io.mambaspark.jobs;

import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.engine.model.MambaModel;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkFiles;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.SerializableConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model that each executor packs from files, so that no heap ever holds its stored bytes.
 *
 * <p>In local mode the files are those that the driver has opened. Otherwise a model on a Hadoop
 * file system is copied from there to the executor's own disk, and a model on the driver's disk is
 * fetched through {@link SparkFiles}. What arrives is packed only if its fingerprint is the
 * driver's. An executor keeps its copy to itself and removes it when the model is packed, so that
 * executors of one host cannot get into each other's way.
 */
final class ModelFiles implements ModelDelivery {
  private static final long serialVersionUID = 1;
  private static final Logger LOG = LoggerFactory.getLogger(ModelFiles.class);

  private final String name;
  private final String fingerprint;
  private final WeightFormat weights;
  private final List<String> files;

  /** The folder that holds the files; null where they come through Spark. */
  private final URI folder;

  /** For a folder on a Hadoop file system; null for one on this machine. */
  private final SerializableConfiguration configuration;

  private ModelFiles(
      ModelSource source,
      WeightFormat weights,
      URI folder,
      SerializableConfiguration configuration) {
    this.name = source.name();
    this.fingerprint = source.checkpoint().fingerprint();
    this.weights = weights;
    this.files = source.files();
    this.folder = folder;
    this.configuration = configuration;
  }

  /** For tasks in the JVM of the driver, which has the files open. */
  static ModelFiles here(ModelSource source, WeightFormat weights) {
    return new ModelFiles(source, weights, source.folder().toUri(), null);
  }

  /** For executors elsewhere. */
  static ModelFiles sent(ModelSource source, WeightFormat weights, JavaSparkContext context) {
    if (source.origin() != null) {
      Configuration hadoop = context.hadoopConfiguration();
      return new ModelFiles(
          source, weights, source.origin().toUri(), new SerializableConfiguration(hadoop));
    }
    ModelFiles delivery = new ModelFiles(source, weights, null, null);
    // Spark knows a file by its name alone, and every model has a config.json.
    Path links = source.temporary();
    try {
      for (String file : delivery.files) {
        Path link = links.resolve(delivery.sparkName(file));
        Files.createSymbolicLink(link, source.folder().resolve(file).toAbsolutePath());
        // As a URI: a path would be resolved to the name behind the link.
        context.addFile(link.toUri().toString());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return delivery;
  }

  private String sparkName(String file) {
    return fingerprint.substring(0, 16) + "-" + file;
  }

  @Override
  public MambaModel model() {
    return PackedModels.model(PackedModels.identity(fingerprint, weights), this::load);
  }

  /** Spark has no way to take back a file; the copies of executors go with the application. */
  @Override
  public void close() {}

  private MambaModel load() {
    if (folder != null && configuration == null) {
      try (MambaCheckpoint checkpoint = MambaCheckpoint.open(Path.of(folder))) {
        // The driver took the fingerprint of these very files a moment ago.
        return checkpoint.load(weights);
      }
    }
    long start = System.nanoTime();
    Path copy = null;
    try {
      Path local = SparkEnv.get().blockManager().diskBlockManager().localDirs()[0].toPath();
      copy = Files.createTempDirectory(local, "mamba-spark-model");
      fetch(copy);
      long fetched = System.nanoTime();
      MambaModel model = verified(copy);
      LOG.info(
          "Model {} from files: fetched in {} ms, checked and packed ({} MB) in {} ms",
          fingerprint.substring(0, 12),
          (fetched - start) / 1_000_000,
          model.packedBytes() >> 20,
          (System.nanoTime() - fetched) / 1_000_000);
      return model;
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot fetch model " + name + ": " + Failures.oneLine(e), e);
    } finally {
      if (copy != null) {
        ModelSource.deleteFiles(copy);
      }
    }
  }

  private void fetch(Path copy) throws IOException {
    if (configuration == null) {
      for (String file : files) {
        Path fetched = Path.of(SparkFiles.get(sparkName(file))).toAbsolutePath();
        Files.createSymbolicLink(copy.resolve(file), fetched);
      }
      return;
    }
    org.apache.hadoop.fs.Path from = new org.apache.hadoop.fs.Path(folder);
    FileSystem system = from.getFileSystem(configuration.value());
    for (String file : files) {
      try (InputStream in = system.open(new org.apache.hadoop.fs.Path(from, file))) {
        Files.copy(in, copy.resolve(file));
      }
    }
  }

  private MambaModel verified(Path copy) {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(copy)) {
      String found = checkpoint.fingerprint();
      if (!found.equals(fingerprint)) {
        throw new CheckpointException(
            "Model %s is not the one that the driver opened: expected fingerprint %s, found %s; do"
                    .formatted(name, fingerprint.substring(0, 12), found.substring(0, 12))
                + " not change a model while a job runs, and start again");
      }
      return checkpoint.load(weights);
    } catch (CheckpointException e) {
      throw new CheckpointException(e.getMessage().replace(copy.toString(), name), e);
    }
  }
}
