package io.mambaspark.jobs.units;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.mambaspark.jobs.io.RowGroups;
import io.mambaspark.jobs.stats.Totals;
import java.io.Serializable;
import java.util.List;
import java.util.Map;

/**
 * The ledger's entry for a completed unit.
 *
 * @param runId the run that scored the unit
 * @param unit the name of the unit and of its file
 * @param parts the parts of the input
 * @param documents the number of input rows read
 * @param totals the sums over the output rows
 * @param file size and SHA-256 of the output file; null if the unit has no rows or was skipped
 * @param errors the files that could not be read completely, by name, with the reasons
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

  /** Whether a part of the unit was skipped because it cannot be read. */
  boolean hasSkippedParts() {
    return !errors.isEmpty();
  }

  /** A complete file of the output. */
  record OutputFile(long size, String sha256) implements Serializable {}
}
