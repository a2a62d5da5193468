/**
 * A run in atomic pieces. Files are cut into {@link io.mambaspark.jobs.units.Unit}s; one task
 * scores each unit ({@link io.mambaspark.jobs.units.UnitScoring}) and commits it separately ({@link
 * io.mambaspark.jobs.units.UnitCommit}). The {@link io.mambaspark.jobs.units.Ledger} lists the
 * completed units, {@link io.mambaspark.jobs.units.RunPlan} plans the missing ones, and {@link
 * io.mambaspark.jobs.units.UnitRun} executes the plan.
 */
package io.mambaspark.jobs.units;
