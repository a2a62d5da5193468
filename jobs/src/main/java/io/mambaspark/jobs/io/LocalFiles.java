package io.mambaspark.jobs.io;

import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/** Checks local entries that Hadoop omits or cannot read: links, pipes, unsupported names. */
final class LocalFiles {
  /** The character with which a JVM replaces bytes of a name that its locale cannot decode. */
  private static final char UNKNOWN_CHARACTER = '\uFFFD';

  private LocalFiles() {}

  /** Returns the reason why a local entry cannot be read; null if it can be read. */
  static String unreadableReason(FileStatus status) {
    if (status.isDirectory()) {
      return null;
    }
    if (status.getPath().getName().contains(":")) {
      return "Hadoop cannot read a local file with a colon in its name; rename it";
    }
    return local(status.getPath()).isFile() ? null : "neither a file nor a folder";
  }

  /** Returns the reason why Hadoop omits a local entry. */
  static String omissionReason(File entry) {
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
      // The locale cannot represent the name, so the entry cannot be inspected.
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

  /** Describes a dangling link; returns null for any other path. */
  static String dangling(Path path, Configuration configuration) {
    return isLocal(path, configuration) && Files.isSymbolicLink(link(local(path)))
        ? dangling(local(path))
        : null;
  }

  /** Whether a path is on a local disk. */
  static boolean isLocal(Path path, Configuration configuration) {
    return "file".equals(HadoopFiles.fileSystem(path, configuration).getUri().getScheme());
  }

  /** Returns the path as a Java file. */
  static File local(Path path) {
    return new File(path.toUri().getPath());
  }

  /**
   * Resolves the symbolic links in the path of a folder; returns null if it is not local or cannot
   * be resolved.
   */
  static java.nio.file.Path real(Path folder, Configuration configuration) {
    try {
      return isLocal(folder, configuration) ? local(folder).toPath().toRealPath() : null;
    } catch (IOException e) {
      // Listing the folder will report the failure.
      return null;
    }
  }
}
