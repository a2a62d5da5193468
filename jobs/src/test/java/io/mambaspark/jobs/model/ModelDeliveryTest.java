package io.mambaspark.jobs.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.jobs.QuickPermissions;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.model.ModelDelivery.Mode;
import io.mambaspark.jobs.text.TokenizerFile;
import java.io.File;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelDeliveryTest {
  private static final long MB = 1 << 20;

  @TempDir Path folder;

  private static JavaSparkContext context() {
    return JavaSparkContext.fromSparkContext(TestSpark.session().sparkContext());
  }

  private static Configuration hadoop() {
    return context().hadoopConfiguration();
  }

  private static double nll(MambaModel model) {
    int[] tokens = IntStream.range(0, 100).map(i -> i * i % 24).toArray();
    return new Scorer(model)
        .score(
            List.of(new Sequence<>("k", tokens)).iterator(),
            new Outputs(false, false, false, 0, false))
        .next()
        .nll();
  }

  /** Lists the copies of models on the executors' disks. */
  private static List<String> copies() {
    List<String> found = new ArrayList<>();
    for (File local : SparkEnv.get().blockManager().diskBlockManager().localDirs()) {
      for (String name : local.list()) {
        if (name.startsWith("mamba-spark-model")) {
          found.add(name);
        }
      }
    }
    return found;
  }

  private static void forget(ModelSource source) {
    PackedModels.drop(PackedModels.identity(source.checkpoint().fingerprint(), WeightFormat.F32));
  }

  @Test
  void every_delivery_gives_the_same_model() {
    TestModels.write(folder);
    List<Double> sums = new ArrayList<>();
    for (String name : List.of(folder.toString(), "hdfslike://" + folder)) {
      hadoop().set("fs.hdfslike.impl", Elsewhere.class.getName());
      try (ModelSource source = ModelSource.open(name, hadoop());
          ModelDelivery files = FileDelivery.toExecutors(source, WeightFormat.F32, context());
          ModelDelivery inDriver = FileDelivery.inDriver(source, WeightFormat.F32);
          ModelDelivery broadcast =
              ModelDelivery.send(Mode.BROADCAST, source, WeightFormat.F32, context())) {
        for (ModelDelivery delivery : List.of(files, inDriver, broadcast)) {
          forget(source);
          long before = PackedModels.loads();
          sums.add(nll(delivery.model()));
          assertThat(delivery.model()).isSameAs(delivery.model());
          assertThat(PackedModels.loads()).isEqualTo(before + 1);
        }
        forget(source);
      }
    }
    assertThat(sums).hasSize(6).containsOnly(sums.get(0));
    assertThat(copies()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"model [v1]", "m{a}", "a*b", "m?", "m%20x", "m#1", "ä", "m?,+:\\x"})
  void any_name_of_a_folder_locates_its_model(String name) throws IOException {
    hadoop().set("fs.hdfslike.impl", Elsewhere.class.getName());
    // The names that a glob, a decoder or a URI parser would make of it.
    for (String other : List.of("model v", "ma", "aXb", "mX", "m x", "m")) {
      TestModels.write(folder.resolve(other), 2);
    }
    Path model = TestModels.write(folder.resolve(name));
    Path shard = model.resolve(name.replace("\\", "") + ".safetensors");
    Files.move(model.resolve("model.safetensors"), shard);
    Files.writeString(model.resolve("model.safetensors.index.json"), index(shard));
    Files.writeString(model.resolve("tokenizer.json"), "{\"model\": {\"vocab\": {\"a\": 0}}}");

    List<Double> sums = new ArrayList<>();
    for (String named :
        List.of(
            model.toString(),
            "file:" + model,
            "file://" + model,
            model.toUri().toString(),
            "hdfslike://" + model)) {
      try (ModelSource source = ModelSource.open(named, hadoop());
          ModelDelivery files = FileDelivery.toExecutors(source, WeightFormat.F32, context());
          ModelDelivery inDriver = FileDelivery.inDriver(source, WeightFormat.F32);
          ModelDelivery broadcast =
              ModelDelivery.send(Mode.BROADCAST, source, WeightFormat.F32, context())) {
        for (ModelDelivery delivery : List.of(files, inDriver, broadcast)) {
          forget(source);
          sums.add(nll(delivery.model()));
        }
        forget(source);
        TokenizerFile tokenizer = TokenizerSource.open(null, source, hadoop());
        assertThat(TokenizerSource.open(named, source, hadoop()).fingerprint())
            .isEqualTo(tokenizer.fingerprint());
        String parent = named.startsWith("hdfslike:") ? "hdfslike://" + folder : folder.toString();
        assertThat(ModelLocation.of(named).isInside(parent)).isTrue();
        assertThat(ModelLocation.of(named).stamp()).contains(shard.getFileName().toString());
      }
    }
    assertThat(sums).hasSize(15).containsOnly(sums.get(0));
    Path single = TestModels.write(folder.resolve("single"));
    try (ModelSource source = ModelSource.open(single.toString(), hadoop());
        ModelDelivery inDriver = FileDelivery.inDriver(source, WeightFormat.F32)) {
      assertThat(nll(inDriver.model())).isEqualTo(sums.get(0));
    }
  }

  private static String index(Path shard) throws IOException {
    ObjectNode index = new ObjectMapper().createObjectNode();
    ObjectNode shards = index.putObject("weight_map");
    byte[] bytes = Files.readAllBytes(shard);
    int length = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
    new ObjectMapper()
        .readTree(bytes, 8, length)
        .fieldNames()
        .forEachRemaining(tensor -> shards.put(tensor, shard.getFileName().toString()));
    return index.toString();
  }

  @Test
  void a_path_is_taken_literally_before_it_is_decoded() throws IOException {
    Path decoded = TestModels.write(folder.resolve("m x"));
    Path literal = folder.resolve("m%20x");
    String uri = "file://" + folder + "/m%20x";
    try (ModelSource source = ModelSource.open(uri, hadoop())) {
      assertThat(source.folder()).isEqualTo(decoded);
    }
    TestModels.write(literal);
    try (ModelSource source = ModelSource.open(uri, hadoop())) {
      assertThat(source.folder()).isEqualTo(literal);
    }
  }

  /** A file system that is not the local file system. */
  public static final class Elsewhere extends QuickPermissions.Raw {
    @Override
    public java.net.URI getUri() {
      return java.net.URI.create("hdfslike:///");
    }

    @Override
    public String getScheme() {
      return "hdfslike";
    }
  }

  @Test
  void a_model_that_changed_before_the_executors_fetch_it_is_refused() throws IOException {
    TestModels.write(folder);
    try (ModelSource source = ModelSource.open(folder.toString(), hadoop());
        ModelDelivery delivery = FileDelivery.toExecutors(source, WeightFormat.F32, context())) {
      forget(source);
      TestModels.write(folder, 2);
      Throwable failure = catchThrowable(delivery::model);
      assertThat(failure).isInstanceOf(CheckpointException.class);
      assertThat(failure.getMessage())
          .matches(
              "Model \\S+ changed after the driver opened it: expected fingerprint"
                  + " [0-9a-f]{12}, found [0-9a-f]{12}; restart the job, and do not change a model"
                  + " while a job runs")
          .contains(folder.toString());
      assertThat(copies()).isEmpty();
    }
  }

  @Test
  void a_model_that_changes_on_the_drivers_disk_is_refused() throws IOException {
    TestModels.write(folder);
    try (ModelSource source = ModelSource.open(folder.toString(), hadoop());
        ModelDelivery inDriver = FileDelivery.inDriver(source, WeightFormat.F32)) {
      forget(source);
      ModelBroadcast broadcast =
          new ModelBroadcast(
              source.checkpoint(),
              WeightFormat.F32,
              FileDelivery.inDriver(source, WeightFormat.F32));
      Path weights = folder.resolve("model.safetensors");
      try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
        file.seek(file.length() - 4);
        file.write(1);
      }
      assertThat(catchThrowable(inDriver::model))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("changed after the driver opened it");
      try (ObjectOutputStream out = new ObjectOutputStream(OutputStream.nullOutputStream())) {
        assertThatThrownBy(() -> out.writeObject(broadcast))
            .isInstanceOf(CheckpointException.class)
            .hasMessageStartingWith("Model " + folder + " has changed since it was opened: ");
      }
      assertThatThrownBy(broadcast::model)
          .hasMessageStartingWith("Model " + folder + " has changed since it was opened: ");
    }
  }

  @Test
  void the_error_for_a_deleted_model_names_it() throws IOException {
    TestModels.write(folder);
    hadoop().set("fs.hdfslike.impl", Elsewhere.class.getName());
    String name = "hdfslike://" + folder;
    try (ModelSource source = ModelSource.open(name, hadoop());
        ModelDelivery delivery = FileDelivery.toExecutors(source, WeightFormat.F32, context())) {
      forget(source);
      Files.delete(folder.resolve("model.safetensors"));
      assertThatThrownBy(delivery::model)
          .hasMessageStartingWith("Cannot fetch model " + name + ": ");
      assertThat(copies()).isEmpty();
    }
  }

  @Test
  void the_error_for_a_failed_copy_names_the_model_and_the_target() {
    TestModels.write(folder);
    Path copy = folder.resolve("copy");
    try (OpenModel model = new OpenModel(folder.toString())) {
      model.copyTo(copy.toString(), null, hadoop());
      assertThatThrownBy(() -> model.copyTo(copy.toString(), null, hadoop()))
          .isInstanceOf(Refusal.class)
          .hasMessageStartingWith("Cannot copy model " + folder + " to file:" + copy + ": ");
    }
  }

  private static ModelMemory memory(long storedMb, long packedMb, long driverMb, long executorMb) {
    return new ModelMemory(
        storedMb * MB,
        storedMb * MB,
        packedMb * MB,
        List.of(WeightFormat.F32, WeightFormat.INT16),
        0,
        driverMb * MB,
        executorMb * MB,
        384 * MB,
        false);
  }

  /** Returns the memory of two small models in local mode. */
  private static ModelMemory local(long packedMb, long outsideMb, long heapMb, long overheadMb) {
    List<WeightFormat> weights = List.of(WeightFormat.INT8_OUT16, WeightFormat.INT8_OUT16);
    long heap = heapMb * MB;
    return new ModelMemory(
        MB, MB, packedMb * MB, weights, outsideMb * MB, heap, heap, overheadMb * MB, true);
  }

  @Test
  void a_model_that_fits_both_heaps_is_broadcast_and_others_are_sent_as_files() {
    assertThat(memory(500, 500, 1024, 1500).choose(Mode.AUTO)).isEqualTo(Mode.BROADCAST);
    assertThat(memory(500, 500, 900, 1500).choose(Mode.AUTO)).isEqualTo(Mode.FILE);
    assertThat(memory(500, 500, 1024, 1400).choose(Mode.AUTO)).isEqualTo(Mode.FILE);
    assertThat(memory(500, 500, 100, 100).choose(Mode.BROADCAST)).isEqualTo(Mode.BROADCAST);
    assertThat(local(1, 0, 9000, 384).choose(Mode.AUTO)).isEqualTo(Mode.FILE);
  }

  @Test
  void too_small_heaps_are_refused_with_a_size_that_suffices() {
    memory(1400, 1400, 400, 2050).check(Mode.FILE);
    assertThatThrownBy(() -> memory(1400, 1400, 400, 2000).check(Mode.FILE))
        .hasMessage(
            "The model needs 2.1 GB of heap in every executor (1.5 GB packed as f32 and int16),"
                + " found 2.1 GB; give at least --executor-memory 2050m");
    assertThatThrownBy(() -> memory(1400, 1400, 9000, 2050).check(Mode.BROADCAST))
        .hasMessage(
            "The model needs 3.6 GB of heap in every executor (1.5 GB packed as f32 and int16,"
                + " 1.5 GB as broadcast), found 2.1 GB; give at least --executor-memory 3450m, or --model-delivery file");
    assertThatThrownBy(() -> memory(1400, 1400, 2000, 4000).check(Mode.BROADCAST))
        .hasMessage(
            "A broadcast of the model needs 2.1 GB of heap in the driver (1.5 GB stored), found 2.1"
                + " GB; give at least --driver-memory 2050m, or --model-delivery file");
    assertThatThrownBy(() -> local(900, 0, 1000, 384).check(Mode.FILE))
        .hasMessage(
            "The model needs 1.5 GB of heap in local mode (943.7 MB packed as int8-out16), found"
                + " 1.0 GB; give at least --driver-memory 1425m");
  }

  @Test
  void too_little_memory_for_native_weights_is_refused_with_a_size_that_suffices() {
    local(300, 256, 1000, 384).check(Mode.FILE);
    assertThatThrownBy(() -> local(300, 257, 1000, 384).check(Mode.FILE))
        .hasMessage(
            "The model needs 403.7 MB of memory outside the heap in local mode (269.5 MB of weights"
                + " for native products), found 402.7 MB; give at least --conf"
                + " spark.driver.memoryOverhead=385m, or --conf spark.mambaspark.native=off");
    ModelMemory cluster =
        new ModelMemory(
            MB, MB, 300 * MB, List.of(WeightFormat.INT8), 900 * MB, MB, 1000 * MB, 384 * MB, false);
    assertThatThrownBy(() -> cluster.check(Mode.FILE))
        .hasMessageContaining("in every executor (943.7 MB of weights")
        .hasMessageContaining("give at least --conf spark.executor.memoryOverhead=1028m, or");
  }
}
