package io.mambaspark.jobs.units;

import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;

/**
 * The options for cutting a job into units.
 *
 * @param targetTokens the target size of a unit in tokens; 0 to derive it from model and cluster
 * @param allowNewInput whether a resumed run may include files that no earlier start has read
 */
public record UnitOptions(long targetTokens, boolean allowNewInput) {
  /** Reads these options from the values of a command. */
  public static UnitOptions of(OptionValues values) {
    Long target = values.get(Options.TARGET_UNIT_TOKENS);
    return new UnitOptions(target == null ? 0 : target, values.get(Options.ALLOW_NEW_INPUT));
  }
}
