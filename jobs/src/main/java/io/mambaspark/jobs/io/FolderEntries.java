package io.mambaspark.jobs.io;

import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * The entries of a folder.
 *
 * @param statuses the entries that can be read, and all hidden ones that Hadoop lists
 * @param unread the names of the entries that cannot be read, with the reasons
 */
record FolderEntries(List<FileStatus> statuses, Map<String, String> unread) {
  /** Lists a folder. */
  static FolderEntries list(Path folder, Configuration configuration) throws IOException {
    List<FileStatus> statuses =
        List.of(HadoopFiles.fileSystem(folder, configuration).listStatus(folder));
    if (!LocalFiles.isLocal(folder, configuration)) {
      return new FolderEntries(statuses, Map.of());
    }
    // Hadoop omits the entries of a local folder that it cannot open.
    Map<String, String> unread = new TreeMap<>();
    Set<String> seen = new HashSet<>();
    List<FileStatus> readable = new ArrayList<>();
    for (FileStatus status : statuses) {
      String name = status.getPath().getName();
      seen.add(name);
      String why = LocalFiles.unreadableReason(status);
      if (why == null || InputFiles.isHidden(name)) {
        readable.add(status);
      } else {
        unread.put(name, why);
      }
    }
    String[] names = LocalFiles.local(folder).list();
    for (String name : names == null ? new String[0] : names) {
      if (!seen.contains(name) && !InputFiles.isHidden(name)) {
        unread.put(name, LocalFiles.omissionReason(new File(LocalFiles.local(folder), name)));
      }
    }
    return new FolderEntries(readable, unread);
  }

  /** Returns the reason why a folder cannot be listed. */
  static String cannotBeListed(Path folder, Throwable e) {
    return "cannot be listed: " + Failures.cause(e, folder.toString());
  }
}
