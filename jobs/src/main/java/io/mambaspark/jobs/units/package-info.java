/**
 * A run in atomic pieces: files are cut into {@link io.mambaspark.jobs.units.Unit}s, each is scored
 * in a task of its own ({@link io.mambaspark.jobs.units.UnitScoring}) and committed by itself
 * ({@link io.mambaspark.jobs.units.UnitCommit}). The {@link io.mambaspark.jobs.units.Ledger} lists
 * the units that are done, {@link io.mambaspark.jobs.units.RunPlan} plans what is left, and {@link
 * io.mambaspark.jobs.units.UnitRun} carries it out.
 */
package io.mambaspark.jobs.units;
