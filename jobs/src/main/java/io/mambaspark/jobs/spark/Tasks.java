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

/** Spark's tasks: how work is distributed to them, and where they store files. */
public final class Tasks {
  private Tasks() {}

  /** Returns the cores that the application may get; at its start only some may be available. */
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

  /** Returns the number of the last attempt that Spark makes at a task, counted from 0. */
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

  /** Serializes an object for transport between driver and tasks. */
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

  /** Returns the local folder in which tasks of this process may store files. */
  public static Path localFolder() {
    return SparkEnv.get().blockManager().diskBlockManager().localDirs()[0].toPath();
  }
}
