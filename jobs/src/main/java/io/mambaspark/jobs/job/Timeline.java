package io.mambaspark.jobs.job;

import java.util.List;

/**
 * How a job went, in seconds since its start. For display only: the tokens of a task that was tried
 * again count twice.
 *
 * @param speed tokens done so far
 * @param tasks when tasks ran
 */
record Timeline(List<Speed> speed, List<Task> tasks) {
  static final Timeline NONE = new Timeline(List.of(), List.of());

  /** Tokens that were run up to a moment. */
  record Speed(double seconds, long tokens) {}

  /** From when to when a task ran. */
  record Task(double start, double end) {}
}
