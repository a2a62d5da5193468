package io.mambaspark.jobs.spark;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import scala.reflect.ClassTag$;

/** Tasks of Spark: how they are given work of their own, and where they keep files. */
public final class Tasks {
  private Tasks() {}

  /** Cores that the application may come to have; at its start only some are there. */
  public static int cores(JavaSparkContext context) {
    SparkConf conf = context.getConf();
    int perExecutor = conf.getInt("spark.executor.cores", 1);
    int executors =
        Math.max(
            conf.getInt("spark.executor.instances", 0),
            conf.getBoolean("spark.dynamicAllocation.enabled", false)
                ? Math.min(10_000, conf.getInt("spark.dynamicAllocation.maxExecutors", 0))
                : 0);
    int all = Math.max(conf.getInt("spark.cores.max", 0), executors * perExecutor);
    return Math.max(context.defaultParallelism(), all);
  }

  /** The number of the last attempt that Spark makes at a task, from 0. */
  public static int lastAttempt(SparkContext context) {
    return context.isLocal() ? 0 : context.conf().getInt("spark.task.maxFailures", 4) - 1;
  }

  /**
   * Creates a task for each piece of work. The work is serialized as closures are, because Kryo
   * cannot serialize records.
   */
  public static <T> JavaRDD<byte[]> distribute(JavaSparkContext context, List<T> work) {
    List<byte[]> sent = work.stream().map(Tasks::sent).toList();
    return context.parallelize(sent, Math.max(1, sent.size()));
  }

  /** Serializes an object for the way between driver and tasks. */
  public static byte[] sent(Object object) {
    ByteBuffer bytes =
        SparkEnv.get()
            .closureSerializer()
            .newInstance()
            .serialize(object, ClassTag$.MODULE$.apply(Object.class));
    byte[] copy = new byte[bytes.remaining()];
    bytes.get(copy);
    return copy;
  }

  /** Reverses {@link #sent}. */
  public static <T> T received(byte[] sent) {
    return SparkEnv.get()
        .closureSerializer()
        .newInstance()
        .deserialize(ByteBuffer.wrap(sent), ClassTag$.MODULE$.apply(Object.class));
  }

  /** The folder of this process in which Spark lets tasks keep files. */
  public static Path localFolder() {
    return SparkEnv.get().blockManager().diskBlockManager().localDirs()[0].toPath();
  }
}
