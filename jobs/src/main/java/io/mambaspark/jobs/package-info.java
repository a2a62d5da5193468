/**
 * Scores columns of token ids with a Mamba model on Apache Spark.
 *
 * <p>The flow: {@link io.mambaspark.jobs.Main} parses a command into {@link
 * io.mambaspark.jobs.JobOptions}; {@link io.mambaspark.jobs.ScoreJob} opens the model ({@link
 * io.mambaspark.jobs.ModelSource}), reads the rows ({@code Input}), and hands both to {@link
 * io.mambaspark.jobs.Scoring}, a function {@code Dataset<Row> → Dataset<Row>} without I/O that a
 * pipeline may call by itself. The model travels as a {@link io.mambaspark.jobs.ModelBroadcast};
 * {@code PartitionScoring} streams the rows of one partition through the engine. {@code Output}
 * puts the result in its place, {@code Summary} adds it up from what was written.
 *
 * <p>Every call into Spark has a signature without Scala collections, so that one jar runs on Scala
 * 2.12 and 2.13.
 */
package io.mambaspark.jobs;
