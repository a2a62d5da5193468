package io.mambaspark.jobs.job;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.util.LongAccumulator;
import scala.Tuple4;
import scala.collection.Seq;

/**
 * The sum of an accumulator with the shares of tasks that still run, and when tasks ran. Spark adds
 * a task's share to an accumulator when the task ends; until then heartbeats carry it to listeners.
 */
final class RunningSum extends SparkListener {
  private final LongAccumulator accumulator;
  private final long start = System.currentTimeMillis();
  private final Map<Long, Long> byTask = new ConcurrentHashMap<>();
  private final EvenSample<Timeline.Task> ended = new EvenSample<>();

  RunningSum(LongAccumulator accumulator) {
    this.accumulator = accumulator;
  }

  /** Of ended and of running tasks. For a moment a task that just ended may count twice. */
  long sum() {
    return accumulator.sum() + byTask.values().stream().mapToLong(Long::longValue).sum();
  }

  @Override
  public void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate heartbeat) {
    // Read the updates as an element of a product, not by their accessor: its signature names a
    // sequence, which is another class in Scala 2.12 than in 2.13.
    Seq<?> tasks = (Seq<?>) heartbeat.productElement(1);
    for (int i = 0; i < tasks.length(); i++) {
      Tuple4<?, ?, ?, ?> task = (Tuple4<?, ?, ?, ?>) tasks.apply(i);
      Seq<?> updates = (Seq<?>) task._4();
      for (int j = 0; j < updates.length(); j++) {
        AccumulableInfo update = (AccumulableInfo) updates.apply(j);
        if (update.id() == accumulator.id() && update.update().isDefined()) {
          byTask.put((Long) task._1(), (Long) update.update().get());
        }
      }
    }
  }

  @Override
  public void onTaskEnd(SparkListenerTaskEnd end) {
    byTask.remove(end.taskInfo().taskId());
    long launch = Math.max(start, end.taskInfo().launchTime());
    ended.add(
        new Timeline.Task(seconds(launch), seconds(Math.max(launch, end.taskInfo().finishTime()))));
  }

  private double seconds(long millis) {
    return (millis - start) / 1e3;
  }

  /** Tasks that have ended since this listener was made, or an even sample of them. */
  List<Timeline.Task> ended() {
    return ended.values();
  }
}
