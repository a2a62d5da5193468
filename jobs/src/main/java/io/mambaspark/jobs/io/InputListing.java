package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/** Lists files: the work of {@link InputFiles#list}. */
final class InputListing {
  /** Prefers the path whose folders give the most columns, then the shortest one. */
  private static final Comparator<InputFile> SPELLINGS =
      Comparator.comparing((InputFile file) -> -file.partition().size())
          .thenComparing(file -> file.path().toString().length())
          .thenComparing(file -> file.path().toString());

  private final Configuration configuration;
  private final ExecutorService threads = HadoopFiles.threads("mamba-spark-listing");

  /** By key: the canonical path of the folder that was named, and the path below it. */
  private final Map<String, InputFile> files = new HashMap<>();

  private final Map<String, String> leftOut = new TreeMap<>();
  private final Map<String, String> unread = new TreeMap<>();
  private final Map<Path, Path> canonical = new HashMap<>();
  private final Map<Path, SinkLog> logs = new HashMap<>();
  private final TableFolders tables;

  /** The number of entries found, including those found before. */
  private long found;

  private InputListing(Configuration configuration) {
    this.configuration = configuration;
    this.tables = new TableFolders(configuration);
  }

  /** What lies under the paths that a user has named. */
  static InputFiles of(List<String> paths, Configuration configuration) {
    InputListing listing = new InputListing(configuration);
    try {
      paths.forEach(listing::add);
    } finally {
      listing.threads.shutdownNow();
    }
    return listing.found();
  }

  /**
   * A folder to list.
   *
   * @param key its canonical spelling, under the one of the folder that was named
   * @param partition of the files in it
   * @param above the folder in which it was found; null for one that was named
   * @param real on a local disk, without symbolic links; null elsewhere
   * @param log of the stream that writes to it or to one above; null where none does
   */
  private record Folder(
      Path path,
      String key,
      Map<String, String> partition,
      Folder above,
      java.nio.file.Path real,
      SinkLog log) {}

  private InputFiles found() {
    return new InputFiles(
        files.values().stream()
            .sorted(Comparator.comparing(file -> file.path().toString()))
            .toList(),
        leftOut,
        unread);
  }

  private void unread(String path, String why) {
    found++;
    unread.put(path, why);
  }

  private void leaveOut(String path, String why) {
    found++;
    leftOut.put(path, why);
  }

  /** Adds what one path names. */
  private void add(String named) {
    Path path = HadoopFiles.qualified(named, configuration);
    long before = found;
    try {
      FileStatus literal = HadoopFiles.status(path, configuration);
      if (literal == null && named.startsWith("file:")) {
        // Spark prints such URIs encoded.
        path = HadoopFiles.located(named, configuration);
        literal = HadoopFiles.status(path, configuration);
      }
      if (literal != null) {
        found++;
        addLiteral(literal);
      } else {
        for (String pattern : Glob.withoutBraces(path.toUri().getPath())) {
          addGlob(new Path(path.toUri().getScheme(), path.toUri().getAuthority(), pattern));
        }
      }
    } catch (IOException e) {
      throw Refusal.because(
          e, "Cannot read input %s: %s", Refusal.redacted(named), Failures.oneLine(e));
    }
    if (found == before) {
      throw Refusal.because(
          "Cannot read input %s: no such file or folder", Refusal.redacted(named));
    }
  }

  private void addGlob(Path pattern) throws IOException {
    Glob glob = Glob.expand(pattern, configuration);
    glob.leftOut().forEach(this::leaveOut);
    glob.unread().forEach(this::unread);
    for (FileStatus match : glob.matches()) {
      found++;
      addMatch(match, glob.base());
    }
  }

  /** Adds the file or the folder that the user has named. */
  private void addLiteral(FileStatus status) throws IOException {
    Path path = status.getPath();
    String key = HadoopFiles.canonical(path, configuration).toString();
    if (status.isDirectory()) {
      tables.checkOutside(path);
      walk(
          new Folder(
              path,
              key,
              Map.of(),
              null,
              LocalFiles.real(path, configuration),
              SinkLog.of(path, configuration)));
    } else {
      // A file that is named by itself is read, whatever its name, even one of a table.
      String why = LocalFiles.isLocal(path, configuration) ? LocalFiles.unreadable(status) : null;
      if (why == null) {
        put(key, status, Map.of());
      } else {
        unread(shown(path), why);
      }
    }
  }

  /**
   * Adds a file, or all files in a folder and below.
   *
   * @param base the folder above which the names of folders give no columns
   */
  private void addMatch(FileStatus status, Path base) throws IOException {
    Path path = status.getPath();
    Path folder = status.isDirectory() ? path : path.getParent();
    List<String> names = new ArrayList<>();
    for (Path p = folder; p != null && !p.equals(base); p = p.getParent()) {
      names.add(0, p.getName());
    }
    Map<String, String> partition = Map.of();
    for (String name : names) {
      partition = with(partition, name, path);
    }
    tables.checkOutside(folder);
    Path parent = canonical.computeIfAbsent(folder, f -> HadoopFiles.canonical(f, configuration));
    SinkLog log = logs.computeIfAbsent(folder, f -> SinkLog.of(f, configuration));
    if (status.isDirectory()) {
      walk(
          new Folder(
              path, parent.toString(), partition, null, LocalFiles.real(path, configuration), log));
    } else {
      put(parent + "/" + path.getName(), status, partition, log);
    }
  }

  private void put(String key, FileStatus status, Map<String, String> partition, SinkLog log) {
    if (log == null || log.holds(status.getPath())) {
      put(key, status, partition);
    } else {
      leaveOut(shown(status.getPath()), "not committed by the stream that writes to this folder");
    }
  }

  private void put(String key, FileStatus status, Map<String, String> partition) {
    found++;
    InputFile file =
        new InputFile(status.getPath(), status.getLen(), status.getModificationTime(), partition);
    files.merge(key, file, (a, b) -> SPELLINGS.compare(a, b) <= 0 ? a : b);
  }

  /** Lists a folder and all below, level by level, the folders of a level at once. */
  private void walk(Folder root) throws IOException {
    List<Folder> level = List.of(root);
    while (!level.isEmpty()) {
      List<Future<FolderEntries>> listing = new ArrayList<>();
      for (Folder folder : level) {
        listing.add(threads.submit(() -> FolderEntries.list(folder.path(), configuration)));
      }
      List<Folder> next = new ArrayList<>();
      for (int i = 0; i < level.size(); i++) {
        Folder folder = level.get(i);
        try {
          next.addAll(take(folder, listing.get(i).get()));
        } catch (ExecutionException e) {
          unread(shown(folder.path()), FolderEntries.cannotBeListed(folder.path(), e));
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw Refusal.because(e, "Interrupted while listing the input");
        }
      }
      level = next;
    }
  }

  /** Takes in the files of a folder, and gives its sub-folders. */
  private List<Folder> take(Folder folder, FolderEntries entries) throws IOException {
    entries.unread().forEach((entry, why) -> unread(shown(folder.path() + "/" + entry), why));
    Set<String> names =
        entries.statuses().stream()
            .filter(FileStatus::isDirectory)
            .map(status -> status.getPath().getName())
            .collect(Collectors.toSet());
    tables.checkNone(folder.path(), names);
    SinkLog log =
        names.contains(SinkLog.FOLDER) ? SinkLog.of(folder.path(), configuration) : folder.log();
    List<Folder> folders = new ArrayList<>();
    for (FileStatus status : entries.statuses()) {
      Path path = status.getPath();
      String name = path.getName();
      String key = folder.key() + "/" + name;
      if (InputFiles.isHidden(name)) {
        leaveOut(shown(path), InputFiles.hidden(name));
      } else if (status.isDirectory()) {
        Map<String, String> partition = with(folder.partition(), name, path);
        Folder below =
            new Folder(path, key, partition, folder, LocalFiles.real(path, configuration), log);
        Folder loop = below.above();
        while (loop != null && (loop.real() == null || !loop.real().equals(below.real()))) {
          loop = loop.above();
        }
        if (loop == null) {
          folders.add(below);
        } else {
          leaveOut(shown(path), InputFiles.LOOP + shown(loop.path()));
        }
      } else {
        put(key, status, folder.partition(), log);
      }
    }
    return folders;
  }

  private static Map<String, String> with(Map<String, String> partition, String name, Path path) {
    Map.Entry<String, String> column = InputFiles.partition(name);
    if (column == null) {
      return partition;
    }
    Map<String, String> more = new LinkedHashMap<>(partition);
    if (more.containsKey(column.getKey())) {
      throw Refusal.because(
          "Input %s has two partition folders %s=: a column has one value; rename one of them",
          shown(path), column.getKey());
    }
    more.put(column.getKey(), column.getValue());
    return more;
  }

  private static String shown(Path path) {
    return shown(path.toString());
  }

  private static String shown(String path) {
    return Refusal.redacted(path);
  }
}
