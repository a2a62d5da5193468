/**
 * The uses of Spark and Hadoop, and small classes that every package may use.
 *
 * <ul>
 *   <li>Spark: {@code Session} and {@code SessionSettings} for the duration of a command, {@code
 *       Versions}, {@code VectorModule} for the executors' Java options, {@code Tasks} for work
 *       that is sent to executors, {@code Iterators} for the rows of a task, {@code ColumnNames}.
 *   <li>Hadoop: {@code HadoopFiles} for paths and file systems, {@code FileContent} for files that
 *       can be read but not decoded.
 *   <li>Failures: {@code Failures} describes any exception in one line for a user; a task throws
 *       {@code TaskFailure} with such a line.
 *   <li>{@code Demo} opens the demo's files in the jar, {@code ByteSize} formats sizes.
 * </ul>
 */
package io.mambaspark.jobs.spark;
