package io.mambaspark.jobs.units;

/**
 * How a job is cut into units.
 *
 * @param targetTokens tokens of a unit; 0 for what suits model and cluster
 * @param allowNewInput whether a resumed run may take in files that were not there before
 */
public record UnitOptions(long targetTokens, boolean allowNewInput) {}
