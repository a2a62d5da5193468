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
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/** Implements {@link InputFiles#list}. */
final class InputListing {
  /** Orders the paths of one file: most partition columns first, then shortest path first. */
  private static final Comparator<InputFile> SPELLINGS =
      Comparator.comparing((InputFile file) -> -file.partition().size())
          .thenComparing(file -> file.path().toString().length())
          .thenComparing(file -> file.path().toString());

  private final Configuration configuration;

  /** The folder below which folder names give partition columns; null if the paths decide. */
  private final Path basePath;

  private final ExecutorService threads = HadoopFiles.threads("mamba-spark-listing");

  /** The files by key: the canonical path of the named folder, followed by the path below it. */
  private final Map<String, InputFile> files = new HashMap<>();

  private final Map<String, String> excluded = new TreeMap<>();
  private final Map<String, String> unread = new TreeMap<>();
  private final Map<Path, Path> canonical = new HashMap<>();
  private final Map<Path, SinkLog> logs = new HashMap<>();
  private final TableFolders tables;

  /** The number of entries found; an entry counts each time that it is found. */
  private long found;

  private InputListing(Optional<String> basePath, Configuration configuration) {
    this.configuration = configuration;
    this.basePath = basePath.map(path -> HadoopFiles.qualified(path, configuration)).orElse(null);
    this.tables = new TableFolders(configuration);
  }

  /** Lists the files under the paths that the user named. */
  static InputFiles of(List<String> paths, Optional<String> basePath, Configuration configuration) {
    InputListing listing = new InputListing(basePath, configuration);
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
   * @param key the canonical path of the named folder, followed by the path below it
   * @param partition the partition values of the files in this folder
   * @param above the folder that contains this one; null for a named folder
   * @param real the path without symbolic links; null unless it is on a local disk
   * @param log the log of the stream that writes to this folder or to one above it; null without
   *     such a stream
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
        excluded,
        unread);
  }

  private void unread(String path, String why) {
    found++;
    unread.put(path, why);
  }

  private void exclude(String path, String why) {
    found++;
    excluded.put(path, why);
  }

  /** Adds the files under one of the named paths. */
  private void add(String named) {
    Path path = HadoopFiles.qualified(named, configuration);
    long before = found;
    try {
      FileStatus literal = HadoopFiles.status(path, configuration);
      if (literal == null && named.startsWith("file:")) {
        // Spark prints such URIs with percent encoding.
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
    glob.excluded().forEach(this::exclude);
    glob.unread().forEach(this::unread);
    for (FileStatus match : glob.matches()) {
      found++;
      addMatch(match, glob.base());
    }
  }

  /** Adds a file or folder whose path the user named literally. */
  private void addLiteral(FileStatus status) throws IOException {
    Path path = status.getPath();
    String key = HadoopFiles.canonical(path, configuration).toString();
    if (status.isDirectory()) {
      tables.checkNotInTable(path);
      walk(
          new Folder(
              path,
              key,
              partition(path, path, path),
              null,
              LocalFiles.real(path, configuration),
              SinkLog.of(path, configuration)));
    } else {
      // A file that the user named literally is read, even if it is hidden or part of a table.
      String why =
          LocalFiles.isLocal(path, configuration) ? LocalFiles.unreadableReason(status) : null;
      if (why == null) {
        addFile(key, status, partition(path, path.getParent(), path.getParent()));
      } else {
        unread(shown(path), why);
      }
    }
  }

  /**
   * Adds a match of a glob: a file, or all files in and below a folder.
   *
   * @param base the folder below which folder names may give partition columns
   */
  private void addMatch(FileStatus status, Path base) throws IOException {
    Path path = status.getPath();
    Path folder = status.isDirectory() ? path : path.getParent();
    Map<String, String> partition = partition(path, folder, base);
    tables.checkNotInTable(folder);
    Path parent = canonical.computeIfAbsent(folder, f -> HadoopFiles.canonical(f, configuration));
    SinkLog log = logs.computeIfAbsent(folder, f -> SinkLog.of(f, configuration));
    if (status.isDirectory()) {
      walk(
          new Folder(
              path, parent.toString(), partition, null, LocalFiles.real(path, configuration), log));
    } else {
      addFile(parent + "/" + path.getName(), status, partition, log);
    }
  }

  /**
   * Returns the partition values that the names of a folder and of the folders above it give.
   *
   * @param path the path to which the folder belongs, for messages
   * @param base the folder at which the names begin, unless the user has named another
   */
  private Map<String, String> partition(Path path, Path folder, Path base) {
    Path from = basePath == null ? base : basePath;
    List<String> names = new ArrayList<>();
    Path p = folder;
    while (p != null && !p.equals(from)) {
      names.add(0, p.getName());
      p = p.getParent();
    }
    if (p == null && basePath != null) {
      throw Refusal.because(
          "Cannot read input %s: it is not in the folder %s of --input-option basePath",
          shown(path), shown(basePath));
    }
    Map<String, String> partition = Map.of();
    for (String name : names) {
      partition = with(partition, name, path);
    }
    return partition;
  }

  private void addFile(String key, FileStatus status, Map<String, String> partition, SinkLog log) {
    if (log == null || log.includes(status.getPath())) {
      addFile(key, status, partition);
    } else {
      exclude(shown(status.getPath()), "not committed by the stream that writes to this folder");
    }
  }

  private void addFile(String key, FileStatus status, Map<String, String> partition) {
    found++;
    InputFile file =
        new InputFile(status.getPath(), status.getLen(), status.getModificationTime(), partition);
    files.merge(key, file, (a, b) -> SPELLINGS.compare(a, b) <= 0 ? a : b);
  }

  /** Lists a folder and all folders below it: level by level, each level in parallel. */
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
          next.addAll(addEntries(folder, listing.get(i).get()));
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

  /** Adds the files of a folder, and returns its sub-folders. */
  private List<Folder> addEntries(Folder folder, FolderEntries entries) throws IOException {
    entries.unread().forEach((entry, why) -> unread(shown(folder.path() + "/" + entry), why));
    Set<String> names =
        entries.statuses().stream()
            .filter(FileStatus::isDirectory)
            .map(status -> status.getPath().getName())
            .collect(Collectors.toSet());
    tables.checkNotTable(folder.path(), names);
    SinkLog log =
        names.contains(SinkLog.FOLDER) ? SinkLog.of(folder.path(), configuration) : folder.log();
    List<Folder> folders = new ArrayList<>();
    for (FileStatus status : entries.statuses()) {
      Path path = status.getPath();
      String name = path.getName();
      String key = folder.key() + "/" + name;
      if (InputFiles.isHidden(name)) {
        exclude(shown(path), InputFiles.hiddenReason(name));
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
          exclude(shown(path), InputFiles.LOOP + shown(loop.path()));
        }
      } else {
        addFile(key, status, folder.partition(), log);
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
          "Cannot read input %s: two folders in its path set partition column %s; rename one of"
              + " them",
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
