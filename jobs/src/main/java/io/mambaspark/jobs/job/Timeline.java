package io.mambaspark.jobs.job;

import java.util.List;

/**
 * The progress of a job and its tasks, in seconds since the job's start. For display only: the
 * tokens of a retried task count twice.
 *
 * @param speed the number of completed tokens over time
 * @param tasks the times of tasks
 */
record Timeline(List<Speed> speed, List<Task> tasks) {
  static final Timeline NONE = new Timeline(List.of(), List.of());

  /** The number of tokens that were completed up to a point in time. */
  record Speed(double seconds, long tokens) {}

  /** The start and the end of a task. */
  record Task(double start, double end) {}
}
