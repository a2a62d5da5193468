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
 * A part of a file, as one task reads it.
 *
 * @param scan number of the scan that reads it
 * @param range one file and its bytes
 * @param compressed whether its rows have more bytes than it
 * @param partition the packed values of the file's partition folders
 */
public record FileSplit(int scan, FilePartition range, boolean compressed, Object[] partition)
    implements Serializable {
  /** The file. */
  public Path path() {
    return range.files()[0].toPath();
  }

  /** Of the file. */
  long bytes() {
    return range.files()[0].length();
  }

  /**
   * A part of a file.
   *
   * @param start its first byte
   * @param length its bytes
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

  /** By reflection, as one of the fields is a map of Scala's, which is another class in 2.12. */
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
      throw new IllegalStateException("Spark's PartitionedFile is not as expected", e);
    }
  }

  /**
   * Whether the part cannot be read because its content is bad, not because of a disk or a network.
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
