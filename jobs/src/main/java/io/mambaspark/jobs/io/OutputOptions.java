package io.mambaspark.jobs.io;

/**
 * Where a command writes.
 *
 * @param path a folder
 * @param format parquet, json or orc
 * @param overwrite whether an existing output is replaced
 * @param resume whether to go on where an earlier start of the same job has stopped
 */
public record OutputOptions(String path, String format, boolean overwrite, boolean resume) {}
