/**
 * Scores texts and token ids with a Mamba model on Apache Spark.
 *
 * <p>The public classes: {@link io.mambaspark.jobs.MambaScorer} and {@link
 * io.mambaspark.jobs.MambaFunctions} here, the pipeline stage in {@code ml}, the SQL extension in
 * {@code sql}, {@link io.mambaspark.jobs.Main} for the command line, {@link
 * io.mambaspark.jobs.ScoringMetrics} for {@code spark.plugins}, and {@link
 * io.mambaspark.jobs.Refusal}, which they throw. Other public classes are for the rooms of this
 * module.
 *
 * <p>The rooms, each of which knows only those before it (a test checks this):
 *
 * <ol>
 *   <li>{@code text}: texts to token ids. {@code spark}: what is asked of Spark and Hadoop. {@code
 *       options}: the table of options.
 *   <li>{@code model}: a named model to one packed model in each JVM. {@code io}: where rows come
 *       from and go.
 *   <li>{@code score}: rows to scored rows, without input or output.
 *   <li>{@code stats}: scored rows to sums, groups, percentiles and buckets.
 *   <li>{@code units}: a run in atomic pieces. {@code report}: sums to one page. {@link
 *       io.mambaspark.jobs.MambaScorer} and {@link io.mambaspark.jobs.MambaFunctions}.
 *   <li>{@code ml}: a stage of a pipeline. {@code sql}: an extension of SQL.
 *   <li>{@code job}: carries out one request. Then {@code cli}: options to a request.
 * </ol>
 *
 * <p>The flow of {@code score}: {@code cli} parses a request; {@code job} lists the input, opens
 * the model and starts Spark; {@code io} decides the schema; {@code score} streams partitions
 * through the engine, by {@code units} from Parquet to Parquet; {@code stats} sums up what was
 * written.
 *
 * <p>Every call into Spark has a signature without Scala collections, so that one jar runs on Scala
 * 2.12 and 2.13.
 */
package io.mambaspark.jobs;
