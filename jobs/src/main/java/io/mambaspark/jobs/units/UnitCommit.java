package io.mambaspark.jobs.units;

import io.mambaspark.jobs.io.LedgerFolder;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.mapreduce.JobContext;
import org.apache.hadoop.mapreduce.TaskAttemptContext;
import org.apache.spark.internal.io.FileCommitProtocol;
import org.apache.spark.internal.io.FileNameSpec;
import scala.Option;

/**
 * Commits each unit separately when its task ends: the task adds the unit's entry to the {@link
 * Ledger} and renames its file. The end of the job commits nothing more, and a failed job removes
 * nothing.
 */
public final class UnitCommit extends FileCommitProtocol implements Serializable {
  private static final long serialVersionUID = 1;

  private final String output;

  /** Called by Spark, which creates the protocol from its class name. */
  public UnitCommit(String jobId, String output) {
    this.output = output;
  }

  private Ledger ledger(Configuration configuration) {
    return new Ledger(new Path(output), configuration);
  }

  @Override
  public void setupJob(JobContext job) {}

  @Override
  public void commitJob(
      JobContext job, scala.collection.immutable.Seq<TaskCommitMessage> messages) {}

  /** The same method for Spark on Scala 2.12, where {@code Seq} is another class. */
  public void commitJob(JobContext job, scala.collection.Seq<TaskCommitMessage> messages) {}

  @Override
  public void abortJob(JobContext job) {}

  @Override
  public void setupTask(TaskAttemptContext task) {}

  @Override
  public String newTaskTempFile(TaskAttemptContext task, Option<String> folder, FileNameSpec name) {
    UnitTask unit = UnitTask.current();
    Path file =
        new LedgerFolder(new Path(output), task.getConfiguration()).temporary(unit.unit().name());
    unit.setFile(file);
    return file.toString();
  }

  /** The method that Spark 3.5 calls. */
  @Override
  @SuppressWarnings("deprecation")
  public String newTaskTempFile(TaskAttemptContext task, Option<String> folder, String extension) {
    return newTaskTempFile(task, folder, new FileNameSpec("", extension));
  }

  /** Abstract in Spark 3.5. */
  @Override
  @SuppressWarnings("deprecation")
  public String newTaskTempFileAbsPath(TaskAttemptContext task, String folder, String extension) {
    return newTaskTempFileAbsPath(task, folder, new FileNameSpec("", extension));
  }

  @Override
  public String newTaskTempFileAbsPath(TaskAttemptContext task, String folder, FileNameSpec name) {
    throw new IllegalStateException(
        "Cannot write a unit to a partition folder: a unit is one file");
  }

  @Override
  public TaskCommitMessage commitTask(TaskAttemptContext task) {
    UnitTask unit = UnitTask.current();
    Ledger ledger = ledger(task.getConfiguration());
    try {
      boolean written = unit.file() != null && !unit.isSkipped();
      ledger.commit(unit.entry(written ? ledger.measure(unit.file()) : null), unit.file());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new TaskCommitMessage(null);
  }

  @Override
  public void abortTask(TaskAttemptContext task) {
    UnitTask unit = UnitTask.current();
    if (unit.file() != null) {
      try {
        unit.file().getFileSystem(task.getConfiguration()).delete(unit.file(), false);
      } catch (IOException e) {
        // The end of the run, or its next start, removes the file.
        throw new UncheckedIOException(e);
      }
    }
  }
}
