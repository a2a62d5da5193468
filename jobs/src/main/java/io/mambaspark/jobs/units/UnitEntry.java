package io.mambaspark.jobs.units;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import io.mambaspark.jobs.io.RowGroups;
import io.mambaspark.jobs.stats.Totals;
import java.io.Serializable;
import java.util.List;
import java.util.Map;

/**
 * The ledger's entry for a unit that is done.
 *
 * @param runId the run that scored the unit
 * @param unit the name of the unit and of its file
 * @param parts of the input
 * @param documents rows of the input that were read
 * @param totals of the rows of the output
 * @param file size and SHA-256 of the output file; null if the unit has no rows or was given up
 * @param errors the reasons why files, by name, could not be read, wholly or in part
 */
record UnitEntry(
    @JsonProperty("run") String runId,
    String unit,
    List<RowGroups> parts,
    long documents,
    Totals.Exact totals,
    OutputFile file,
    Map<String, String> errors)
    implements Serializable {

  /** Whether a part of the unit was left out because it cannot be read. */
  @JsonIgnore
  boolean isGivenUp() {
    return !errors.isEmpty();
  }

  /** A whole file of the output. */
  record OutputFile(long size, String sha256) implements Serializable {}
}
