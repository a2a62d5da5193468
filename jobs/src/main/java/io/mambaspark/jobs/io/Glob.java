package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.GlobFilter;
import org.apache.hadoop.fs.Path;

/**
 * The matches of a pattern, expanded one path component at a time. Hadoop's own glob is unsuitable:
 * it skips entries that it cannot open, and treats the name of an existing file as a pattern.
 *
 * @param base the deepest folder that the pattern names without a wildcard; it contains all matches
 * @param excluded the paths of matches that are not data, with the reasons
 * @param unread the paths of matches that cannot be read, with the reasons
 */
record Glob(
    Path base, List<FileStatus> matches, Map<String, String> excluded, Map<String, String> unread) {
  /** Finds the matches of a pattern whose braces contain no slash. */
  static Glob expand(Path pattern, Configuration configuration) throws IOException {
    Map<String, String> excluded = new TreeMap<>();
    Map<String, String> unread = new TreeMap<>();
    List<Path> names = new ArrayList<>();
    for (Path path = pattern; path.getParent() != null; path = path.getParent()) {
      names.add(0, path);
    }
    Path base = root(pattern);
    boolean literally = true;
    List<FileStatus> matches = new ArrayList<>();
    matches.add(HadoopFiles.fileSystem(base, configuration).getFileStatus(base));
    for (Path name : names) {
      List<FileStatus> next = new ArrayList<>();
      for (FileStatus folder : matches) {
        if (!folder.isDirectory()) {
          continue;
        }
        Path child = HadoopFiles.child(folder.getPath(), name.getName());
        FileStatus literal = HadoopFiles.status(child, configuration);
        if (literal != null) {
          next.add(literal);
        } else if (HadoopFiles.isGlob(name.getName())) {
          literally = false;
          GlobFilter filter = new GlobFilter(name.getName());
          next.addAll(matches(folder.getPath(), filter, excluded, unread, configuration));
        } else {
          String dangling = LocalFiles.dangling(child, configuration);
          if (dangling != null) {
            unread.put(Refusal.redacted(child.toString()), dangling);
          }
        }
      }
      if (literally && next.size() == 1) {
        base = next.get(0).getPath();
      }
      matches = next;
    }
    return new Glob(base, matches, excluded, unread);
  }

  private static Path root(Path path) {
    Path root = path;
    while (root.getParent() != null) {
      root = root.getParent();
    }
    return root;
  }

  private static List<FileStatus> matches(
      Path folder,
      GlobFilter filter,
      Map<String, String> excluded,
      Map<String, String> unread,
      Configuration configuration) {
    FolderEntries entries;
    try {
      entries = FolderEntries.list(folder, configuration);
    } catch (IOException e) {
      unread.put(Refusal.redacted(folder.toString()), FolderEntries.cannotBeListed(folder, e));
      return List.of();
    }
    List<FileStatus> matches = new ArrayList<>();
    entries
        .unread()
        .forEach(
            (entry, why) -> {
              if (filter.accept(HadoopFiles.child(folder, entry))) {
                unread.put(Refusal.redacted(folder + "/" + entry), why);
              }
            });
    for (FileStatus status : entries.statuses()) {
      String name = status.getPath().getName();
      if (filter.accept(status.getPath())) {
        if (InputFiles.isHidden(name)) {
          excluded.put(
              Refusal.redacted(status.getPath().toString()), InputFiles.hiddenReason(name));
        } else {
          matches.add(status);
        }
      }
    }
    return matches;
  }

  /** Expands the braces that contain a slash: returns equivalent patterns without these braces. */
  static List<String> withoutBraces(String pattern) {
    int open = -1;
    int depth = 0;
    List<Integer> commas = new ArrayList<>();
    for (int i = 0; i < pattern.length(); i++) {
      char c = pattern.charAt(i);
      if (c == '\\') {
        i++;
      } else if (c == '{') {
        if (depth++ == 0) {
          open = i;
          commas.clear();
        }
      } else if (c == ',' && depth == 1) {
        commas.add(i);
      } else if (c == '}' && depth > 0 && --depth == 0) {
        if (pattern.substring(open, i).contains("/")) {
          List<String> patterns = new ArrayList<>();
          commas.add(i);
          int from = open + 1;
          for (int comma : commas) {
            String one = pattern.substring(from, comma);
            patterns.addAll(
                withoutBraces(pattern.substring(0, open) + one + pattern.substring(i + 1)));
            from = comma + 1;
          }
          return patterns;
        }
      }
    }
    return List.of(pattern);
  }
}
