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
 * Distinguishes a file with bad content from a file that cannot be read at the moment. Failures of
 * a disk, a network or a credential are temporary and must not cause the loss of rows.
 */
public final class FileContent {
  private static final int BUFFER = 1 << 20;

  private FileContent() {}

  /**
   * Whether a file's content is bad: its bytes can be read but not decoded, or its checksum does
   * not match.
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
        throw new IOException("the file ends " + left + " bytes before its expected end");
      }
      left -= read;
    }
  }
}
