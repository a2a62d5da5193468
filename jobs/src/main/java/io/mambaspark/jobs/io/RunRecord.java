package io.mambaspark.jobs.io;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Map;

/**
 * A run, as its ledger records it.
 *
 * @param id unique among the runs that write to the same output
 * @param settings the settings that determine the scores, without the input, by option name
 * @param arrivals the input files of the first start, then the files that each later start has
 *     added; empty for a stream
 */
public record RunRecord(
    @JsonProperty("run") String id,
    Map<String, String> settings,
    List<List<InputVersion>> arrivals) {
  public static final String STREAM = "--stream from";

  /** Ledgers of version 0.1.0, whose runs cannot be resumed, have no arrivals. */
  public RunRecord {
    arrivals = arrivals == null ? List.of() : arrivals;
  }

  /** The input files of all starts. */
  public List<InputVersion> files() {
    return arrivals.stream().flatMap(List::stream).toList();
  }

  /** Whether this is a stream. Spark's checkpoint records the input of a stream. */
  @JsonIgnore
  public boolean isStream() {
    return settings.containsKey(STREAM);
  }
}
