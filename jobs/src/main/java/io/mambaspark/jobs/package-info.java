/**
 * Scores texts and token ids with a Mamba model on Apache Spark.
 *
 * <p>The public classes: {@link io.mambaspark.jobs.MambaScorer} and {@link
 * io.mambaspark.jobs.MambaFunctions} here, the pipeline stage in {@code ml}, the SQL extension in
 * {@code sql}, {@link io.mambaspark.jobs.Main} for the command line, {@link
 * io.mambaspark.jobs.ScoringMetrics} for {@code spark.plugins}, and {@link
 * io.mambaspark.jobs.Refusal}, which they throw. All other public classes are internal to this
 * module.
 *
 * <p>The packages, in the order of their dependencies; a test checks that none depends on a later
 * one.
 *
 * <ol>
 *   <li>{@code text} converts texts to token ids. {@code spark} handles Spark sessions and Hadoop
 *       file systems for all packages. {@code options} declares all options in one table.
 *   <li>{@code model} loads a named model into one packed model per JVM. {@code io} reads the input
 *       and writes the output.
 *   <li>{@code score} converts rows to scored rows, without input or output.
 *   <li>{@code stats} computes sums, groups, percentiles and buckets of scored rows.
 *   <li>{@code units} divides a run into atomic units of work. {@code report} draws sums as one
 *       page. {@link io.mambaspark.jobs.MambaScorer} and {@link io.mambaspark.jobs.MambaFunctions}
 *       are on this level, too.
 *   <li>{@code ml} has the stage for Spark ML pipelines. {@code sql} has the SQL extension.
 *   <li>{@code job} carries out one request.
 *   <li>{@code cli} parses options to a request.
 * </ol>
 *
 * <p>The flow of the command {@code score}: {@code cli} parses a request; {@code job} lists the
 * input, opens the model and starts Spark; {@code io} decides the schema; {@code score} streams
 * partitions through the engine, in {@code units} if input and output are Parquet; {@code stats}
 * sums up the written rows.
 *
 * <p>No call into Spark has a Scala collection in its signature, so that one jar runs on Scala 2.12
 * and 2.13.
 */
package io.mambaspark.jobs;
