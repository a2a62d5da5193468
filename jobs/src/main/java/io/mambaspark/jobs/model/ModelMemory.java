package io.mambaspark.jobs.model;

import static java.util.stream.Collectors.joining;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.ByteSize;
import io.mambaspark.jobs.spark.NativeProducts;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The heap that a model requires, and the heap sizes of the driver and the executors.
 *
 * @param stored bytes of the weights as the checkpoint stores them
 * @param broadcast bytes of heap that a broadcast of the stored weights occupies
 * @param packed bytes of the weights in the layout of the kernels
 * @param weights the formats of the packed weights, of each model
 * @param outside bytes of weights outside the heap if products of integers are native; 0 if they
 *     are not
 * @param driver bytes of the driver's heap
 * @param executor bytes of an executor's heap; in local mode equal to {@code driver}
 * @param overhead bytes of memory of an executor outside its heap
 * @param local whether the tasks run in the driver's JVM
 */
public record ModelMemory(
    long stored,
    long broadcast,
    long packed,
    List<WeightFormat> weights,
    long outside,
    long driver,
    long executor,
    long overhead,
    boolean local) {
  private static final Logger LOG = LoggerFactory.getLogger(ModelMemory.class);

  /** Bytes for Spark itself, the scratch memory of tasks, and rows in transit. */
  private static final long RESERVED = 300L << 20;

  /** Bytes outside the heap for the JVM itself, native code, and the arrays of products. */
  private static final long RESERVED_OUTSIDE = 128L << 20;

  /** Resolves {@code auto}, and refuses a model that would run out of memory. */
  static ModelDelivery.Mode choose(
      ModelDelivery.Mode mode, ModelSource source, WeightFormat weights, JavaSparkContext context) {
    return choose(mode, List.of(source), List.of(weights), context);
  }

  /**
   * Resolves {@code auto} as above, for models that are in memory at the same time.
   *
   * @param weights the format of each model
   */
  public static ModelDelivery.Mode choose(
      ModelDelivery.Mode mode,
      List<ModelSource> sources,
      List<WeightFormat> weights,
      JavaSparkContext context) {
    ModelMemory memory = of(sources, weights, context);
    ModelDelivery.Mode chosen = memory.choose(mode);
    memory.check(chosen);
    return chosen;
  }

  private static ModelMemory of(
      List<ModelSource> sources, List<WeightFormat> weights, JavaSparkContext context) {
    SparkConf conf = context.getConf();
    boolean mayBeNative = NativeProducts.expected(context);
    long stored = 0;
    long packed = 0;
    long outside = 0;
    for (int i = 0; i < sources.size(); i++) {
      MambaCheckpoint checkpoint = sources.get(i).checkpoint();
      stored += checkpoint.tensors().values().stream().mapToLong(t -> t.byteSize()).sum();
      packed += checkpoint.packedBytes(weights.get(i));
      outside += mayBeNative ? checkpoint.nativeBytes(weights.get(i)) : 0;
    }
    long driver = Runtime.getRuntime().maxMemory();
    long executor = context.isLocal() ? driver : (long) context.sc().executorMemory() << 20;
    // See Session: broadcast blocks of Spark's default size do not fit the regions of the heap.
    boolean blocksFit = conf.contains("spark.broadcast.blockSize");
    return new ModelMemory(
        stored,
        blocksFit ? stored : stored + stored / 2,
        packed,
        weights,
        outside,
        driver,
        executor,
        overhead(conf, context.isLocal() ? "driver" : "executor", executor),
        context.isLocal());
  }

  /** Spark's default is a tenth of the heap, but at least 384 MB. */
  private static long overhead(SparkConf conf, String process, long heap) {
    String setting = "spark.%s.memoryOverhead".formatted(process);
    if (conf.contains(setting)) {
      return conf.getSizeAsMb(setting) << 20;
    }
    // Spark 4 has a setting for the minimum.
    long least = conf.getSizeAsMb("spark.%s.minMemoryOverhead".formatted(process), "384m") << 20;
    return Math.max(least, (long) (heap * conf.getDouble(setting + "Factor", 0.1)));
  }

  /** The collector copies a packed model to the old generation, which takes a quarter more heap. */
  private long executorNeeds(ModelDelivery.Mode mode) {
    return packed + packed / 4 + RESERVED + (mode == ModelDelivery.Mode.BROADCAST ? broadcast : 0);
  }

  /** Spark keeps the blocks of a broadcast on the driver's heap while it has storage memory. */
  private long driverNeeds(ModelDelivery.Mode mode) {
    return mode == ModelDelivery.Mode.BROADCAST ? broadcast + broadcast / 4 + RESERVED : RESERVED;
  }

  /** Resolves {@code auto}, and logs the reason in one line. */
  ModelDelivery.Mode choose(ModelDelivery.Mode mode) {
    if (mode != ModelDelivery.Mode.AUTO) {
      LOG.info("Model delivery: {}, because --model-delivery selects it", mode.option());
      return mode;
    }
    ModelDelivery.Mode chosen = ModelDelivery.Mode.FILE;
    String why;
    if (local) {
      why = "in local mode the tasks read the driver's files";
    } else if (driverNeeds(ModelDelivery.Mode.BROADCAST) > driver) {
      why = "a broadcast of %s does not fit the driver's %s heap";
    } else if (executorNeeds(ModelDelivery.Mode.BROADCAST) > executor) {
      why = "a broadcast of %s and the packed model do not fit the executors' %3$s heap";
    } else {
      why = "a broadcast of %s fits the driver's %s and the executors' %s heap";
      chosen = ModelDelivery.Mode.BROADCAST;
    }
    LOG.info(
        "Model delivery: {}, because {}",
        chosen.option(),
        String.format(why, size(stored), size(driver), size(executor)));
    return chosen;
  }

  /** Refuses a model that would run out of memory. The message has a heap size that suffices. */
  void check(ModelDelivery.Mode mode) {
    long needs = executorNeeds(mode);
    if (needs > executor) {
      throw Refusal.because(
          "The model needs %s of heap in %s (%s packed as %s%s), found %s; give at least %s %dm%s",
          size(needs),
          local ? "local mode" : "every executor",
          size(packed),
          weights.stream().distinct().map(WeightFormat::toString).collect(joining(" and ")),
          mode == ModelDelivery.Mode.BROADCAST ? ", %s as broadcast".formatted(size(stored)) : "",
          size(executor),
          local ? "--driver-memory" : "--executor-memory",
          megabytes(needs),
          mode == ModelDelivery.Mode.BROADCAST ? ", or --model-delivery file" : "");
    }
    if (outside > 0 && outside + RESERVED_OUTSIDE > overhead) {
      throw Refusal.because(
          "The model needs %s of memory outside the heap in %s (%s of weights for native products),"
              + " found %s; give at least --conf spark.%s.memoryOverhead=%dm, or --conf %s=off",
          size(outside + RESERVED_OUTSIDE),
          local ? "local mode" : "every executor",
          size(outside),
          size(overhead),
          local ? "driver" : "executor",
          megabytes(outside + RESERVED_OUTSIDE),
          NativeProducts.SETTING);
    }
    if (driverNeeds(mode) > driver) {
      throw Refusal.because(
          "A broadcast of the model needs %s of heap in the driver (%s stored), found %s; give at"
              + " least --driver-memory %dm, or --model-delivery file",
          size(driverNeeds(mode)), size(stored), size(driver), megabytes(driverNeeds(mode)));
    }
  }

  private static long megabytes(long bytes) {
    return (bytes + (1 << 20) - 1) >> 20;
  }

  private static String size(long bytes) {
    return ByteSize.shown(bytes);
  }
}
