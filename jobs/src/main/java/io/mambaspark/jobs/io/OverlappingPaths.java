package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.HadoopFiles;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** Keeps what is written apart from what is read. */
final class OverlappingPaths {
  private OverlappingPaths() {}

  /**
   * Refuses a folder that lies on, in or above an input path.
   *
   * @param what is written to the folder
   */
  static void refuse(String what, Path folder, Path input, Configuration configuration) {
    Path to = HadoopFiles.canonical(folder, configuration);
    Path from = HadoopFiles.canonical(input, configuration);
    if (HadoopFiles.within(to, from) || HadoopFiles.within(from, to)) {
      throw Refusal.because("%s %s and input %s overlap; they must lie apart", what, folder, input);
    }
  }
}
