/**
 * Scores columns of token ids with a Mamba model on Apache Spark.
 *
 * <p>The flow: {@link io.mambaspark.jobs.Main} parses a command into {@link
 * io.mambaspark.jobs.JobOptions}; {@link io.mambaspark.jobs.ScoreJob} opens the model ({@link
 * io.mambaspark.jobs.ModelSource}), reads the rows ({@code Input}), and hands both to {@link
 * io.mambaspark.jobs.Scoring}, a function {@code Dataset<Row> → Dataset<Row>} without I/O that a
 * pipeline may call by itself. A {@link io.mambaspark.jobs.ModelDelivery} brings the model to the
 * executors; {@code PartitionScoring} streams the rows of one partition through the engine. {@code
 * Output} puts the result in its place, {@code Summary} adds it up from what was written.
 *
 * <p>The input: {@code InputListing} lists the files once, before Spark starts. {@code
 * ParquetInput} reads the footers and decides one schema, {@code JsonInput} parses lines; both read
 * parts of the listed files by {@code FileScan}. Other sources are Spark's.
 *
 * <p>From Parquet to Parquet a job runs by units: {@code UnitPlan} cuts the files into {@code
 * Unit}s, {@code UnitRun} compares them with the {@code Ledger} of an earlier start, {@code
 * UnitScoring} scores each in a task of its own, and {@code UnitCommit} puts its file in its place
 * and its entry into the ledger. The summary is the sum of the ledger.
 *
 * <p>Every call into Spark has a signature without Scala collections, so that one jar runs on Scala
 * 2.12 and 2.13.
 */
package io.mambaspark.jobs;
