package io.mambaspark.jobs.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestSpark;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.serializer.DeserializationStream;
import org.apache.spark.serializer.JavaSerializer;
import org.apache.spark.serializer.KryoSerializer;
import org.apache.spark.serializer.SerializationStream;
import org.apache.spark.serializer.Serializer;
import org.apache.spark.serializer.SerializerInstance;
import org.apache.spark.storage.BlockId;
import org.apache.spark.storage.BlockManager;
import org.apache.spark.storage.BlockStatus;
import org.apache.spark.storage.BroadcastBlockId;
import org.apache.spark.storage.StorageLevel;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import scala.Option;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;
import scala.util.Left;

class ModelBroadcastTest {
  private static final ClassTag<ModelBroadcast> TAG = ClassTag$.MODULE$.apply(ModelBroadcast.class);

  @TempDir Path folder;

  @BeforeEach
  void forgetModel() {
    try (ModelSource source = open(TestModels.write(folder))) {
      forget(source);
    }
  }

  private static JavaSparkContext context() {
    return JavaSparkContext.fromSparkContext(TestSpark.session().sparkContext());
  }

  private static ModelSource open(Path model) {
    return ModelSource.open(model.toString(), context().hadoopConfiguration());
  }

  private static void forget(ModelSource source) {
    for (WeightFormat weights : WeightFormat.values()) {
      PackedModels.drop(PackedModels.identity(source.checkpoint().fingerprint(), weights));
    }
  }

  /** Wraps a checkpoint as the driver does for executors. */
  private static ModelBroadcast broadcast(ModelSource source) {
    return broadcast(source, WeightFormat.F32);
  }

  private static ModelBroadcast broadcast(ModelSource source, WeightFormat weights) {
    return new ModelBroadcast(
        source.checkpoint(), weights, FileDelivery.fromDriver(source, weights));
  }

  private static byte[] write(Serializer serializer, ModelBroadcast model) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    SerializationStream out = serializer.newInstance().serializeStream(bytes);
    out.writeObject(model, TAG);
    out.close();
    return bytes.toByteArray();
  }

  private static ModelBroadcast read(Serializer serializer, byte[] bytes) {
    SerializerInstance instance = serializer.newInstance();
    DeserializationStream in = instance.deserializeStream(new ByteArrayInputStream(bytes));
    return in.readObject(TAG);
  }

  private static Scores<String> score(MambaModel model) {
    int[] tokens = IntStream.range(0, 100).map(i -> i * i % 24).toArray();
    return new Scorer(model)
        .score(
            List.of(new Sequence<>("k", tokens)).iterator(),
            new Outputs(true, true, false, 0, true))
        .next();
  }

  @Test
  void a_broadcast_model_scores_like_the_drivers_model() {
    SparkConf conf = new SparkConf();
    try (ModelSource source = open(TestModels.write(folder))) {
      Scores<String> expected = score(source.checkpoint().load());
      for (Serializer serializer : List.of(new JavaSerializer(conf), new KryoSerializer(conf))) {
        forget(source);
        long before = PackedModels.loads();
        byte[] bytes = write(serializer, broadcast(source));
        ModelBroadcast arrived = read(serializer, bytes);
        assertThat(PackedModels.loads() - before).isEqualTo(1);
        Scores<String> scores = score(arrived.model());
        assertThat(scores.nll()).isEqualTo(expected.nll());
        assertThat(scores.lastLogits()).containsExactly(expected.lastLogits());
        assertThat(arrived.estimatedSize()).isEqualTo(arrived.model().packedBytes());
      }
    }
  }

  @Test
  void a_warning_says_what_a_format_rounds() {
    try (ModelSource demo = open(Path.of("demo"));
        ModelSource wide = open(folder)) {
      assertThat(demo.rounding(WeightFormat.BF16)).isEmpty();
      assertThat(wide.rounding(WeightFormat.F32)).isEmpty();
      assertThat(wide.rounding(WeightFormat.BF16))
          .contains(
              "--weights bf16 rounds the weights of %s, which are stored with more precision"
                  .formatted(folder));
      assertThat(demo.rounding(WeightFormat.INT16))
          .contains(
              "--weights int16 rounds the matrices of demo and the inputs of their products to"
                  + " integers");
    }
  }

  /** The demo model is tied and stored in BF16, which its embedding keeps in INT8. */
  @ParameterizedTest
  @EnumSource
  void an_executor_packs_the_format_of_the_driver(WeightFormat weights) {
    try (ModelSource source = open(Path.of("demo"))) {
      Scores<String> expected = score(source.checkpoint().load(weights));
      forget(source);
      byte[] bytes = write(new JavaSerializer(new SparkConf()), broadcast(source, weights));
      MambaModel arrived = read(new JavaSerializer(new SparkConf()), bytes).model();
      assertThat(arrived.packedBytes()).isEqualTo(source.checkpoint().packedBytes(weights));
      assertThat(score(arrived).lastLogits()).containsExactly(expected.lastLogits());
    }
  }

  @Test
  void an_executor_narrows_f64_as_the_driver_does() throws Exception {
    TestModels.write(folder);
    Path weights = folder.resolve("model.safetensors");
    ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(weights)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] header = new byte[(int) file.getLong()];
    file.get(header);
    // Stores the last tensor, of eight floats, in twice the bytes.
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode tensors = (ObjectNode) mapper.readTree(header);
    ObjectNode last = (ObjectNode) tensors.get("backbone.norm_f.weight");
    int begin = last.at("/data_offsets/0").intValue();
    last.put("dtype", "F64").putArray("data_offsets").add(begin).add(begin + 64);
    byte[] changed = mapper.writeValueAsBytes(tensors);
    ByteBuffer written =
        ByteBuffer.allocate(8 + changed.length + begin + 64).order(ByteOrder.LITTLE_ENDIAN);
    written.putLong(changed.length).put(changed).put(file.slice().limit(begin));
    for (int i = 0; i < 8; i++) {
      written.putDouble(1 / (i + 3.0));
    }
    Files.write(weights, written.array());

    try (ModelSource source = open(folder)) {
      Scores<String> expected = score(source.checkpoint().load());
      JavaSerializer serializer = new JavaSerializer(new SparkConf());
      byte[] bytes = write(serializer, broadcast(source));
      assertThat(score(read(serializer, bytes).model()).lastLogits())
          .containsExactly(expected.lastLogits());
    }
  }

  @Test
  void the_demo_model_is_sent_with_two_bytes_a_weight() throws Exception {
    Path demo = Files.createDirectory(folder.resolve("demo"));
    DemoModel.unpack(demo);
    try (ModelSource source = open(demo)) {
      byte[] bytes = write(new JavaSerializer(new SparkConf()), broadcast(source));
      assertThat(bytes.length).isBetween(2_400_000, 2_500_000);
      ModelBroadcast arrived = read(new JavaSerializer(new SparkConf()), bytes);
      assertThat(score(arrived.model()).nll()).isEqualTo(score(source.checkpoint().load()).nll());
    }
  }

  @Test
  void a_model_that_this_jvm_has_is_not_packed_again() {
    JavaSerializer serializer = new JavaSerializer(new SparkConf());
    try (ModelSource source = open(TestModels.write(folder))) {
      byte[] bytes = write(serializer, broadcast(source));
      long before = PackedModels.loads();
      MambaModel first = read(serializer, bytes).model();
      ModelBroadcast second = read(serializer, bytes);
      assertThat(second.model()).isSameAs(first);
      assertThat(PackedModels.loads() - before).isEqualTo(1);

      // Moves an executor's copy to disk and reads it back.
      byte[] reference = write(serializer, second);
      assertThat(reference.length).isLessThan(2000);
      assertThat(read(serializer, reference).model()).isSameAs(first);
      assertThat(PackedModels.loads() - before).isEqualTo(1);
    }
  }

  @Test
  void a_broadcast_on_disk_fetches_a_model_that_this_jvm_has_collected() {
    SparkConf conf = new SparkConf();
    try (ModelSource source = open(TestModels.write(folder))) {
      for (Serializer serializer : List.of(new JavaSerializer(conf), new KryoSerializer(conf))) {
        forget(source);
        ModelBroadcast arrived = read(serializer, write(serializer, broadcast(source)));
        Scores<String> expected = score(arrived.model());
        byte[] reference = write(serializer, arrived);
        forget(source);
        long before = PackedModels.loads();
        ModelBroadcast back = read(serializer, reference);
        assertThat(back.model()).isNotSameAs(arrived.model());
        assertThat(back.estimatedSize()).isEqualTo(arrived.estimatedSize());
        assertThat(score(back.model()).lastLogits()).containsExactly(expected.lastLogits());
        assertThat(PackedModels.loads() - before).isEqualTo(1);
        // Spark uses one file for every move to disk.
        forget(source);
        assertThat(score(read(serializer, reference).model()).nll()).isEqualTo(expected.nll());
      }
    }
  }

  @Test
  void a_broadcast_on_disk_does_not_keep_its_model_in_memory() {
    JavaSerializer serializer = new JavaSerializer(new SparkConf());
    try (ModelSource source = open(TestModels.write(folder))) {
      byte[] sent = write(serializer, broadcast(source));
      WeakReference<MambaModel> model = new WeakReference<>(read(serializer, sent).model());
      byte[] reference = write(serializer, read(serializer, sent));
      runOutOfMemory();
      assertThat(model.get()).isNull();
      assertThat(read(serializer, reference).model()).isNotNull();
    }
  }

  @Test
  void sparks_block_manager_moves_a_model_to_disk_twice_and_back() {
    JavaSerializer serializer = new JavaSerializer(new SparkConf());
    BlockManager blocks = context().sc().env().blockManager();
    BlockId id = new BroadcastBlockId(1 << 20, "");
    try (ModelSource source = open(TestModels.write(folder))) {
      // Spark stores an executor's broadcasts like this.
      ModelBroadcast arrived = read(serializer, write(serializer, broadcast(source)));
      Scores<String> expected = score(arrived.model());
      blocks.putSingle(id, arrived, StorageLevel.MEMORY_AND_DISK(), false, TAG);
      ModelBroadcast current = arrived;
      for (int move = 0; move < 2; move++) {
        moveToDisk(blocks, id, current);
        BlockStatus status = blocks.getStatus(id).get();
        assertThat(status.memSize()).isZero();
        assertThat(status.diskSize()).isBetween(1L, 2000L);
        forget(source);
        ModelBroadcast back = (ModelBroadcast) blocks.getLocalValues(id).get().data().next();
        blocks.releaseLock(id, Option.empty());
        assertThat(score(back.model()).lastLogits()).containsExactly(expected.lastLogits());
        assertThat(blocks.getStatus(id).get().memSize()).isPositive();
        current = back;
      }
    } finally {
      blocks.removeBroadcast(1 << 20, false);
    }
  }

  /** Moves a block to disk as Spark does when it needs storage memory for another block. */
  private static void moveToDisk(BlockManager blocks, BlockId id, ModelBroadcast value) {
    blocks.blockInfoManager().lockForWriting(id, true);
    blocks.dropFromMemory(id, () -> new Left<>(new ModelBroadcast[] {value}), TAG);
    blocks.releaseLock(id, Option.empty());
  }

  @Test
  void an_unused_model_stays_for_the_next_job_until_memory_is_short() {
    JavaSerializer serializer = new JavaSerializer(new SparkConf());
    try (ModelSource source = open(TestModels.write(folder))) {
      byte[] sent = write(serializer, broadcast(source));
      WeakReference<MambaModel> model = new WeakReference<>(read(serializer, sent).model());
      long before = PackedModels.loads();
      System.gc();
      assertThat(read(serializer, sent).model()).isSameAs(model.get());
      assertThat(PackedModels.loads()).isEqualTo(before);
      assertThat(PackedModels.residentBytes()).isGreaterThanOrEqualTo(model.get().packedBytes());
      runOutOfMemory();
      assertThat(model.get()).isNull();
      assertThat(read(serializer, sent).model()).isNotNull();
      assertThat(PackedModels.loads()).isEqualTo(before + 1);
    }
  }

  /** Clears soft references: a JVM does so before it throws an OutOfMemoryError. */
  private static void runOutOfMemory() {
    List<byte[]> heap = new ArrayList<>();
    try {
      while (true) {
        heap.add(new byte[1 << 26]);
      }
    } catch (OutOfMemoryError e) {
      heap.clear();
    }
  }

  @Test
  void the_tasks_of_a_jvm_pack_the_model_once() {
    JavaSparkContext context = context();
    try (ModelSource source = open(TestModels.write(folder))) {
      long before = PackedModels.loads();
      Broadcast<ModelBroadcast> sent = context.broadcast(broadcast(source));
      List<Integer> tasks = IntStream.range(0, 8).boxed().toList();
      long models =
          context
              .parallelize(tasks, 8)
              .map(i -> sent.value().model().hashCode())
              .distinct()
              .count();
      assertThat(models).isEqualTo(1);
      assertThat(PackedModels.loads() - before).isEqualTo(1);
      sent.destroy();
    }
  }
}
