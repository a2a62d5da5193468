package io.mambaspark.jobs.io;

import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/** What local disks have and Hadoop does not show: links, pipes, names that it cannot open. */
final class LocalFiles {
  /** The character that a JVM reads for bytes of a name that its locale cannot decode. */
  private static final char UNKNOWN_CHARACTER = '\uFFFD';

  private LocalFiles() {}

  /** Why a local entry cannot be read as a file or a folder; null if it can. */
  static String unreadable(FileStatus status) {
    if (status.isDirectory()) {
      return null;
    }
    if (status.getPath().getName().contains(":")) {
      return "Hadoop reads no local file with a colon in its name; rename it";
    }
    return local(status.getPath()).isFile() ? null : "neither a file nor a folder";
  }

  /** Why Hadoop omits a local entry. */
  static String unopened(File entry) {
    if (Files.isSymbolicLink(link(entry))) {
      return dangling(entry);
    }
    return entry.getName().indexOf(UNKNOWN_CHARACTER) >= 0 || entry.getName().indexOf('?') >= 0
        ? "its name cannot be written in the locale of this process (sun.jnu.encoding %s);"
                .formatted(System.getProperty("sun.jnu.encoding"))
            + " set LC_ALL=C.UTF-8, or rename it"
        : "cannot be opened: check its permissions";
  }

  private static java.nio.file.Path link(File entry) {
    try {
      return entry.toPath();
    } catch (java.nio.file.InvalidPathException e) {
      // The locale cannot express the name, so nothing is known of the entry.
      return java.nio.file.Path.of("");
    }
  }

  private static String dangling(File entry) {
    try {
      return "dangling link to " + Files.readSymbolicLink(entry.toPath());
    } catch (IOException e) {
      return "dangling link";
    }
  }

  /** Why a path is a dangling link; null if it is none. */
  static String dangling(Path path, Configuration configuration) {
    return isLocal(path, configuration) && Files.isSymbolicLink(link(local(path)))
        ? dangling(local(path))
        : null;
  }

  /** Whether a path lies on a local disk. */
  static boolean isLocal(Path path, Configuration configuration) {
    return "file".equals(HadoopFiles.fileSystem(path, configuration).getUri().getScheme());
  }

  /** The same path as a file of Java. */
  static File local(Path path) {
    return new File(path.toUri().getPath());
  }

  /** A folder without symbolic links; null where it is not local. */
  static java.nio.file.Path real(Path folder, Configuration configuration) {
    try {
      return isLocal(folder, configuration) ? local(folder).toPath().toRealPath() : null;
    } catch (IOException e) {
      // The listing names it.
      return null;
    }
  }
}
