package io.mambaspark.jobs;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the scores go. What lies there already is never destroyed: without {@code --overwrite} it
 * is refused; with it the new data is written beside, and takes the place of the old when it is
 * whole.
 */
final class Output {
  private static final Logger LOG = LoggerFactory.getLogger(Output.class);

  /** Spark does not read files whose names begin with an underscore. */
  static final String SUMMARY = "_mamba_summary.json";

  private final Path path;
  private final String format;
  private final boolean replaces;
  private final FileSystem files;

  private Output(Path path, String format, boolean replaces, FileSystem files) {
    this.path = path;
    this.format = format;
    this.replaces = replaces;
    this.files = files;
  }

  /** Refuses an existing output unless it may be replaced. Needs no Spark session. */
  static Output at(JobOptions options, Configuration configuration) {
    Path path = HadoopFiles.qualified(options.output(), configuration);
    FileSystem files = HadoopFiles.fileSystem(path, configuration);
    try {
      boolean exists = files.exists(path);
      if (exists && !options.overwrite()) {
        throw Refusal.because(
            "Output %s exists; choose another, or replace it with --overwrite", options.output());
      }
      if (path.getParent() == null) {
        throw Refusal.because("Output %s is the root of its file system", options.output());
      }
      return new Output(path, options.outputFormat(), exists, files);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use output %s: %s", options.output(), e.getMessage());
    }
  }

  Path path() {
    return path;
  }

  /**
   * Writes the rows, then the summary that {@code summarize} makes of the folder they were written
   * to, then puts both in place. Once the rows are whole they stay, whatever fails after that.
   *
   * @param run names this run among those that write to the same place
   */
  <T> T write(
      Dataset<Row> rows, String run, Function<Path, T> summarize, Function<T, String> toJson) {
    Path target = replaces ? beside("_new-" + run) : path;
    save(rows, target);
    T summary;
    try {
      summary = summarize.apply(target);
      try (OutputStream out = files.create(new Path(target, SUMMARY), false)) {
        out.write(toJson.apply(summary).getBytes(StandardCharsets.UTF_8));
      }
    } catch (IOException | RuntimeException e) {
      throw Refusal.because(
          e,
          "Cannot write the summary: %s; all scores lie in %s%s",
          Failures.oneLine(e),
          target,
          replaces ? ", the old output still in " + path : "");
    }
    if (replaces) {
      swap(target, beside("_old-" + run));
    }
    return summary;
  }

  private void save(Dataset<Row> rows, Path target) {
    boolean whole = false;
    try {
      rows.write()
          .format(format)
          // JSON leaves nulls out otherwise, and then a file without errors has no error column.
          .option("ignoreNullFields", false)
          .mode(SaveMode.ErrorIfExists)
          .save(target.toString());
      whole = true;
    } finally {
      if (!whole) {
        discard(target);
      }
    }
  }

  private Path beside(String suffix) {
    return new Path(path.getParent(), path.getName() + suffix);
  }

  private void swap(Path fresh, Path old) {
    boolean replaced;
    try {
      replaced = files.exists(path);
      if (replaced) {
        move(path, old);
      }
    } catch (IOException e) {
      throw Refusal.because(
          e,
          "Cannot move the old output %s aside to %s: %s; the new one lies in %s",
          path,
          old,
          e.getMessage(),
          fresh);
    }
    try {
      move(fresh, path);
    } catch (IOException e) {
      throw Refusal.because(
          e,
          "Cannot move the new output to %s: %s; it lies in %s%s",
          path,
          e.getMessage(),
          fresh,
          replaced ? ", the old one in " + (movedBack(old) ? path : old) : "");
    }
    try {
      if (replaced && !files.delete(old, true)) {
        LOG.warn("The old output could not be removed from {}", old);
      }
    } catch (IOException e) {
      LOG.warn("The old output could not be removed from {}: {}", old, e.toString());
    }
  }

  private boolean movedBack(Path old) {
    try {
      move(old, path);
      return true;
    } catch (IOException e) {
      LOG.warn("The old output could not be moved back: {}", e.toString());
      return false;
    }
  }

  /** A file system may refuse a rename by an answer or by an exception. */
  private void move(Path from, Path to) throws IOException {
    // Onto a folder that exists Hadoop moves into it.
    if (files.exists(to)) {
      throw new IOException(to + " exists");
    }
    if (!files.rename(from, to)) {
      throw new IOException("the file system refused the rename");
    }
  }

  /** Removes what a failed write left. A folder in the output's own place only if it is empty. */
  private void discard(Path target) {
    try {
      if (replaces) {
        files.delete(target, true);
      } else if (files.exists(target) && files.listStatus(target).length == 0) {
        files.delete(target, false);
      }
    } catch (IOException e) {
      LOG.warn("Could not remove {}: {}", target, e.toString());
    }
  }
}
