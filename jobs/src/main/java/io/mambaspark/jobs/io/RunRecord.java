package io.mambaspark.jobs.io;

import java.util.List;
import java.util.Map;

/**
 * What identifies a run.
 *
 * @param run names it
 * @param settings whatever the scores depend on but the input, by the name of the option
 * @param arrivals the files that were there at the first start, then those that each later start
 *     has taken in; none for a stream
 */
public record RunRecord(
    String run, Map<String, String> settings, List<List<InputVersion>> arrivals) {
  public static final String STREAM = "--stream from";

  /** Version 0.1.0, whose runs are not resumed, has no arrivals. */
  public RunRecord {
    arrivals = arrivals == null ? List.of() : arrivals;
  }

  /** All files. */
  public List<InputVersion> files() {
    return arrivals.stream().flatMap(List::stream).toList();
  }

  /** Whether it is that of a stream, which keeps its input in Spark's checkpoint. */
  public boolean isStream() {
    return settings.containsKey(STREAM);
  }
}
