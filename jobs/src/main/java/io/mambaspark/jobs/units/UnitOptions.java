package io.mambaspark.jobs.units;

import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;

/**
 * How a job is cut into units.
 *
 * @param targetTokens tokens of a unit; 0 for what suits model and cluster
 * @param allowNewInput whether a resumed run may take in files that were not there before
 */
public record UnitOptions(long targetTokens, boolean allowNewInput) {
  /** Reads these options from the values of a command. */
  public static UnitOptions of(OptionValues values) {
    Long target = values.get(Options.TARGET_UNIT_TOKENS);
    return new UnitOptions(target == null ? 0 : target, values.get(Options.ALLOW_NEW_INPUT));
  }
}
