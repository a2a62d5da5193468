package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import java.io.IOException;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves a complete new output to its place and replaces the old output, if one exists: output →
 * {@code OUTPUT_old-RUN}, {@code OUTPUT_new-RUN} → output, then the old output is removed. {@link
 * OutputRepair} finishes or rolls back an interrupted replacement.
 */
record Replacement(Path newOutput, Path output, Path old, FileSystem files) {
  private static final Logger LOG = LoggerFactory.getLogger(Replacement.class);

  void carryOut() {
    boolean replaced;
    try {
      replaced = files.exists(output);
      if (replaced) {
        move(output, old, files);
      }
    } catch (IOException e) {
      throw Refusal.because(
          e,
          "Cannot move the old output %s to %s: %s; the new output is in %s",
          output,
          old,
          e.getMessage(),
          newOutput);
    }
    try {
      move(newOutput, output, files);
    } catch (IOException e) {
      throw Refusal.because(
          e,
          "Cannot move the new output to %s: %s; it is in %s%s",
          output,
          e.getMessage(),
          newOutput,
          replaced ? ", the old output is in " + (moveBack() ? output : old) : "");
    }
    if (replaced) {
      remove(old, files);
    }
  }

  private boolean moveBack() {
    try {
      move(old, output, files);
      return true;
    } catch (IOException e) {
      LOG.warn("Cannot move the old output back: {}", Failures.oneLine(e));
      return false;
    }
  }

  /** Renames a folder or a file. A file system reports a failure by false or by an exception. */
  static void move(Path from, Path to, FileSystem files) throws IOException {
    // If the target is an existing folder, Hadoop would move the source into it.
    if (files.exists(to)) {
      throw new IOException(to + " exists");
    }
    if (!files.rename(from, to)) {
      throw new IOException("the file system refused the rename");
    }
  }

  /** Removes a folder; logs a failure. */
  static void remove(Path folder, FileSystem files) {
    String shown = Refusal.redacted(folder.toString());
    try {
      if (!files.delete(folder, true)) {
        LOG.warn("Cannot remove {}", shown);
      }
    } catch (IOException e) {
      LOG.warn("Cannot remove {}: {}", shown, Failures.oneLine(e));
    }
  }
}
