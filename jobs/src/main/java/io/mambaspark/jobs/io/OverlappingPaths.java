package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.HadoopFiles;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** Refuses outputs that overlap with inputs. */
final class OverlappingPaths {
  private OverlappingPaths() {}

  /**
   * Refuses a folder that equals, contains or is contained in an input path.
   *
   * @param what a noun for the folder in the message, such as "Output"
   */
  static void refuse(String what, Path folder, Path input, Configuration configuration) {
    Path to = HadoopFiles.canonical(folder, configuration);
    Path from = HadoopFiles.canonical(input, configuration);
    if (HadoopFiles.within(to, from) || HadoopFiles.within(from, to)) {
      throw Refusal.because(
          "%s %s and input %s overlap; choose separate paths", what, folder, input);
    }
  }
}
