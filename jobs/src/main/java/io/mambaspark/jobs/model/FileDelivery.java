package io.mambaspark.jobs.model;

import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.Tasks;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rpc.RpcEnvFileServer;
import org.apache.spark.util.SerializableConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Delivers a model as files that each executor packs, so that no heap ever holds the stored bytes.
 *
 * <p>In local mode the tasks read the files that the driver has opened. Otherwise an executor
 * copies the files to its own disk: from the model's Hadoop file system, or from the driver, which
 * serves them as it serves Spark's jars. An executor packs the copy only if the copy has the
 * fingerprint that the driver computed, and then deletes it. Executors on one host do not share a
 * copy, so that they do not interfere.
 *
 * <p>{@code SparkContext.addFile} uses the same server, but it makes a second copy of every file on
 * the driver, does not delete the executors' copies, and since Spark 4 does not give its files to
 * the tasks of a SQL session.
 */
final class FileDelivery implements ModelDelivery {
  private static final long serialVersionUID = 1;
  private static final Logger LOG = LoggerFactory.getLogger(FileDelivery.class);

  private final String name;
  private final String fingerprint;
  private final WeightFormat weights;

  /**
   * The location of each file of the checkpoint, by file name: a path on this machine, a Hadoop
   * URI, or a URI that the driver serves.
   */
  private final Map<String, String> files;

  /**
   * The Hadoop configuration; null for paths on this machine and for URIs that the driver serves.
   */
  private final SerializableConfiguration configuration;

  private FileDelivery(
      ModelSource source,
      WeightFormat weights,
      Function<String, String> location,
      SerializableConfiguration configuration) {
    this.name = source.name();
    this.fingerprint = source.checkpoint().fingerprint();
    this.weights = weights;
    this.files = new LinkedHashMap<>();
    for (String file : source.files()) {
      files.put(file, location.apply(file));
    }
    this.configuration = configuration;
  }

  /** Delivers to tasks in the driver's JVM, which has the files open. */
  static FileDelivery inDriver(ModelSource source, WeightFormat weights) {
    return new FileDelivery(
        source, weights, file -> source.folder().resolve(file).toString(), null);
  }

  /** Delivers to executors: from Hadoop if the model is on Hadoop, otherwise from the driver. */
  static FileDelivery toExecutors(
      ModelSource source, WeightFormat weights, JavaSparkContext context) {
    org.apache.hadoop.fs.Path origin = source.origin();
    if (origin == null) {
      return fromDriver(source, weights);
    }
    return new FileDelivery(
        source,
        weights,
        file -> HadoopFiles.child(origin, file).toUri().toString(),
        new SerializableConfiguration(context.hadoopConfiguration()));
  }

  /** Delivers to executors from the driver, which serves the files that it has opened. */
  static FileDelivery fromDriver(ModelSource source, WeightFormat weights) {
    // Spark's server identifies a file by its name only, and every model has a config.json.
    Path links = source.temporary();
    RpcEnvFileServer server = SparkEnv.get().rpcEnv().fileServer();
    return new FileDelivery(
        source,
        weights,
        file -> {
          Path link = links.resolve(links.getFileName() + "-" + file);
          try {
            Files.createSymbolicLink(link, source.folder().resolve(file).toAbsolutePath());
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
          return server.addFile(link.toFile());
        },
        null);
  }

  @Override
  public MambaModel model() {
    return PackedModels.model(PackedModels.identity(fingerprint, weights), this::load);
  }

  /** Does nothing: the {@link ModelSource} deletes the links. */
  @Override
  public void close() {}

  private MambaModel load() {
    String any = files.values().iterator().next();
    if (configuration == null && !any.startsWith("spark:")) {
      return verified(Path.of(any).getParent());
    }
    long start = System.nanoTime();
    try (TemporaryFolder copy = TemporaryFolder.createIn(Tasks.localFolder())) {
      fetch(copy.path());
      long fetched = System.nanoTime();
      MambaModel model = verified(copy.path());
      LOG.info(
          "Fetched the files of model {} in {} ms; checked and packed them ({} MB) in {} ms",
          fingerprint.substring(0, 12),
          (fetched - start) / 1_000_000,
          model.packedBytes() >> 20,
          (System.nanoTime() - fetched) / 1_000_000);
      return model;
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot fetch model " + name + ": " + Failures.oneLine(e), e);
    }
  }

  private void fetch(Path copy) throws IOException {
    for (Map.Entry<String, String> file : files.entrySet()) {
      try (InputStream in = open(file.getValue())) {
        Files.copy(in, copy.resolve(file.getKey()));
      }
    }
  }

  private InputStream open(String location) throws IOException {
    if (configuration == null) {
      return Channels.newInputStream(SparkEnv.get().rpcEnv().openChannel(location));
    }
    org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(URI.create(location));
    return path.getFileSystem(configuration.value()).open(path);
  }

  private MambaModel verified(Path copy) {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(copy)) {
      String found = checkpoint.fingerprint();
      if (!found.equals(fingerprint)) {
        throw new CheckpointException(
            "Model %s changed after the driver opened it: expected fingerprint %s, found %s;"
                    .formatted(name, fingerprint.substring(0, 12), found.substring(0, 12))
                + " restart the job, and do not change a model while a job runs");
      }
      return checkpoint.load(weights);
    } catch (CheckpointException e) {
      throw new CheckpointException(e.getMessage().replace(copy.toString(), name), e);
    }
  }
}
