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
 * The sum of an accumulator over ended and running tasks, and the times at which tasks ran. Spark
 * adds a task's value to an accumulator only when the task ends; until then, heartbeats send the
 * value to listeners.
 */
final class RunningSum extends SparkListener {
  private final LongAccumulator accumulator;
  private final long start = System.currentTimeMillis();
  private final Map<Long, Long> byTask = new ConcurrentHashMap<>();
  private final EvenSample<Timeline.Task> ended = new EvenSample<>();

  RunningSum(LongAccumulator accumulator) {
    this.accumulator = accumulator;
  }

  /** Returns the sum. A task that has just ended may count twice for a moment. */
  long sum() {
    return accumulator.sum() + byTask.values().stream().mapToLong(Long::longValue).sum();
  }

  @Override
  public void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate heartbeat) {
    // Read the updates as an element of a product, not by their accessor, because its signature has
    // a Seq, whose class differs between Scala 2.12 and 2.13.
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

  /** Returns the tasks that ended since this listener was created, or an even sample of them. */
  List<Timeline.Task> ended() {
    return ended.values();
  }
}
