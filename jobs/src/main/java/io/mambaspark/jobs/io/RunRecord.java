package io.mambaspark.jobs.io;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Map;

/**
 * A run, as its ledger records it.
 *
 * @param id unique among the runs that write to the same place
 * @param settings whatever the scores depend on but the input, by the name of the option
 * @param arrivals the files that were there at the first start, then those that each later start
 *     has taken in; none for a stream
 */
public record RunRecord(
    @JsonProperty("run") String id,
    Map<String, String> settings,
    List<List<InputVersion>> arrivals) {
  public static final String STREAM = "--stream from";

  /** Ledgers of version 0.1.0, whose runs are not resumed, have no arrivals. */
  public RunRecord {
    arrivals = arrivals == null ? List.of() : arrivals;
  }

  /** All files. */
  public List<InputVersion> files() {
    return arrivals.stream().flatMap(List::stream).toList();
  }

  /** Whether this is a stream, which keeps its input in Spark's checkpoint. */
  @JsonIgnore
  public boolean isStream() {
    return settings.containsKey(STREAM);
  }
}
