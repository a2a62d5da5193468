package io.mambaspark.jobs.report;

import io.mambaspark.jobs.report.ReportData.Speed;
import io.mambaspark.jobs.report.ReportData.TaskTime;
import io.mambaspark.jobs.report.ReportData.Timing;
import java.util.List;

/** The section of speed: tokens per second over time, and the times of tasks. */
final class SpeedSection {
  private static final int MAX_BARS = 600;
  private static final int MAX_LANES = 64;

  private SpeedSection() {}

  static void add(Timing timing, Html html) {
    List<Speed> speed = hasProgress(timing.speed()) ? timing.speed() : List.of();
    html.section("Speed", "");
    double end =
        Math.max(
            speed.isEmpty() ? 0 : speed.get(speed.size() - 1).seconds(),
            timing.tasks().stream().mapToDouble(TaskTime::end).max().orElse(0));
    double scale = end > 0 ? end : 1;
    if (speed.isEmpty()) {
      html.placeholder("The speed over time is unknown: the run was too short or not observed.");
    } else {
      html.figure(
          "tokens per second",
          width -> Charts.speed(speed, scale, width, "Tokens per second over time"));
    }
    if (timing.tasks().isEmpty()) {
      html.placeholder("The times of the tasks are unknown.");
    } else {
      tasks(Charts.byStart(timing.tasks()), speed, scale, html);
    }
  }

  private static boolean hasProgress(List<Speed> speed) {
    return speed.size() > 2
        && speed.get(speed.size() - 1).seconds() > speed.get(0).seconds()
        && speed.get(speed.size() - 1).tokens() > speed.get(0).tokens();
  }

  /**
   * Draws a bar for each task, or a histogram of their durations if there are too many.
   *
   * @param above the speed drawn above the tasks, on the same time axis; may be empty
   */
  private static void tasks(List<TaskTime> tasks, List<Speed> above, double scale, Html html) {
    List<Integer> lanes = tasks.size() > MAX_BARS ? List.of() : Charts.lanes(tasks);
    String described = described(tasks);
    if (tasks.size() > MAX_BARS || lanes.stream().anyMatch(lane -> lane >= MAX_LANES)) {
      html.figure(
          described + "; number of tasks by duration",
          width -> Charts.durations(tasks, width, described));
      return;
    }
    html.figure(described, width -> Charts.tasks(tasks, lanes, above, scale, width, described));
  }

  private static String described(List<TaskTime> tasks) {
    double[] seconds =
        tasks.stream().mapToDouble(task -> task.end() - task.start()).sorted().toArray();
    double shortest = seconds[0];
    double longest = seconds[seconds.length - 1];
    return seconds.length == 1
        ? "one task of " + Numbers.seconds(longest)
        : "%s of %s to %s, median %s"
            .formatted(
                Numbers.count(tasks.size(), "task", "tasks"),
                Numbers.seconds(shortest),
                Numbers.seconds(longest),
                Numbers.seconds(seconds[seconds.length / 2]));
  }
}
