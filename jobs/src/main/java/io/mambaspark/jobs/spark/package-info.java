/**
 * What is asked of Spark and Hadoop, and small things that every room may use.
 *
 * <ul>
 *   <li>Spark: {@code Session} and {@code SessionSettings} for the time of a command, {@code
 *       Versions}, {@code VectorModule} for the executors' Java options, {@code Tasks} for work
 *       that is sent to executors, {@code Iterators} for the rows of a task, {@code ColumnNames}.
 *   <li>Hadoop: {@code HadoopFiles} for paths and file systems, {@code FileContent} for files that
 *       can be read but not decoded.
 *   <li>Failures: {@code Failures} makes one line for a user of any exception, {@code TaskFailure}
 *       is one that a task throws with such a line.
 *   <li>{@code Demo} opens the demo's files inside the jar, {@code ByteSize} prints sizes.
 * </ul>
 */
package io.mambaspark.jobs.spark;
