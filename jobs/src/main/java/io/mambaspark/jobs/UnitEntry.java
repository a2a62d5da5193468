package io.mambaspark.jobs;

import com.fasterxml.jackson.annotation.JsonIgnore;
import java.io.Serializable;
import java.util.List;

/**
 * What the ledger says of a unit that is done.
 *
 * @param run the run that the unit was scored in
 * @param unit the name of the unit and of its file
 * @param rowGroups the first and the last of its input
 * @param documents rows of the input
 * @param totals of the rows of the output
 * @param file size and SHA-256 of the output file; null if the unit has no rows or was given up
 * @param error why the unit was given up; null when all is well
 */
record UnitEntry(
    String run,
    String unit,
    Unit.Input input,
    List<Integer> rowGroups,
    long documents,
    Totals.Exact totals,
    OutputFile file,
    String error)
    implements Serializable {

  /** Whether the unit was left out, because its input cannot be read. */
  @JsonIgnore
  boolean isGivenUp() {
    return error != null;
  }

  /** A whole file of the output. */
  record OutputFile(long size, String sha256) implements Serializable {}
}
