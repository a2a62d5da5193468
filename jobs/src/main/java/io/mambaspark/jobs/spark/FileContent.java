package io.mambaspark.jobs.spark;

import java.io.IOException;
import java.io.InputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumException;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Tells a file whose content is bad from one that cannot be read just now: a disk, a network or a
 * credential that fails will come back, and must not cost rows.
 */
public final class FileContent {
  private static final int BUFFER = 1 << 20;

  private FileContent() {}

  /**
   * Whether the bytes of a file can be read though their content cannot, or are those that a
   * checksum says are wrong.
   *
   * @param failure why the content cannot be read
   */
  public static boolean isBad(
      Throwable failure, Path path, long start, long end, Configuration configuration) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      if (t instanceof VirtualMachineError) {
        return false;
      }
    }
    byte[] buffer = new byte[BUFFER];
    try {
      FileSystem files = path.getFileSystem(configuration);
      FileStatus status = files.getFileStatus(path);
      try (FSDataInputStream in = files.open(path)) {
        in.seek(Math.min(start, status.getLen()));
        drain(in, Math.min(end, status.getLen()) - in.getPos(), buffer);
      }
      return true;
    } catch (ChecksumException e) {
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private static void drain(InputStream in, long count, byte[] buffer) throws IOException {
    for (long left = count; left > 0; ) {
      int read = in.read(buffer, 0, (int) Math.min(left, buffer.length));
      if (read < 0) {
        throw new IOException("The file ends " + left + " bytes early");
      }
      left -= read;
    }
  }
}
