package io.mambaspark.jobs.io;

import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.spark.FileContent;
import java.io.Serializable;
import java.lang.reflect.InvocationTargetException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.paths.SparkPath;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.datasources.FilePartition;
import org.apache.spark.sql.execution.datasources.PartitionedFile;

/**
 * A part of a file, which one task reads.
 *
 * @param scan the index of the scan that reads the part
 * @param range one file and a range of its bytes
 * @param compressed whether the rows have more bytes than the part
 * @param partition the packed values of the file's partition folders
 */
public record FileSplit(int scan, FilePartition range, boolean compressed, Object[] partition)
    implements Serializable {
  /** Returns the path of the file. */
  public Path path() {
    return range.files()[0].toPath();
  }

  /** Returns the size of the part in the file, in bytes. */
  long bytes() {
    return range.files()[0].length();
  }

  /**
   * Creates a part of a file.
   *
   * @param start the offset of the first byte
   * @param length the number of bytes
   */
  static FileSplit of(
      int scan,
      InputFile file,
      long start,
      long length,
      boolean compressed,
      PartitionColumns partitions) {
    PartitionedFile range = range(file, start, length);
    return new FileSplit(
        scan,
        new FilePartition(0, new PartitionedFile[] {range}),
        compressed,
        partitions.values(file.partition(), file.name()));
  }

  /** Uses reflection because a parameter is a Scala map, which is another class in Scala 2.12. */
  private static PartitionedFile range(InputFile file, long start, long length) {
    try {
      Class<?> map = Class.forName("scala.collection.immutable.Map$");
      Object none = map.getMethod("empty").invoke(map.getField("MODULE$").get(null));
      return (PartitionedFile)
          PartitionedFile.class.getConstructors()[0].newInstance(
              InternalRow.empty(),
              SparkPath.fromPath(file.path()),
              start,
              length,
              new String[0],
              file.modified(),
              file.size(),
              none);
    } catch (InvocationTargetException e) {
      throw new IllegalStateException(e.getCause());
    } catch (ReflectiveOperationException | IllegalArgumentException e) {
      throw new IllegalStateException("Spark's PartitionedFile has an unexpected constructor", e);
    }
  }

  /**
   * Whether the content of the part caused the failure, not a disk or a network.
   *
   * @throws TaskKilledException if the task was killed, which looks like a failure to read
   */
  public boolean contentIsBad(Exception failure) {
    if (TaskContext.get().isInterrupted()) {
      throw new TaskKilledException("the task was killed");
    }
    Configuration hadoop = SparkHadoopUtil.get().newConfiguration(SparkEnv.get().conf());
    PartitionedFile file = range.files()[0];
    return FileContent.isBad(failure, path(), file.start(), file.start() + file.length(), hadoop);
  }
}
