package io.mambaspark.jobs.io;

import io.mambaspark.jobs.spark.Demo;
import java.util.List;

/**
 * Which rows a command reads.
 *
 * @param paths files, folders or globs, or the single word {@code demo}; empty if {@code table} is
 *     given
 * @param format a Spark data source
 * @param table of the catalog, instead of {@code paths}; may be null
 * @param partitions 0 for as many as the input has
 * @param limit first rows of the input; 0 for all
 */
public record InputOptions(
    List<String> paths, String format, String table, int partitions, int limit) {
  /** Whether the rows are those inside the jar. */
  boolean isDemo() {
    return paths.contains(Demo.NAME);
  }

  /** Whether files of one of Spark's own sources are read. */
  public boolean hasFiles() {
    return !isDemo() && table == null && Input.FILE_FORMATS.contains(format);
  }
}
