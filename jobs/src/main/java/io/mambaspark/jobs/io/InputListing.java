package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.GlobFilter;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Lists files: the work of {@link InputFiles#list}. */
final class InputListing {
  private static final Logger LOG = LoggerFactory.getLogger(InputListing.class);

  /** The character that a JVM reads for bytes of a name that its locale cannot decode. */
  private static final char UNKNOWN_CHARACTER = '\uFFFD';

  /** Folders by which a table is recognised. */
  private static final String DELTA = "_delta_log";

  private static final String HUDI = ".hoodie";
  private static final String ICEBERG = "metadata";

  /** The names of Iceberg's metadata files. */
  private static final Pattern ICEBERG_METADATA =
      Pattern.compile("(v\\d+|\\d{5,}-[0-9a-f-]{36})(\\.gz|\\.zstd)?\\.metadata\\.json(\\.gz)?");

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
  private final Set<Path> checked = new HashSet<>();

  /** The number of entries found, including those found before. */
  private long found;

  private InputListing(Configuration configuration) {
    this.configuration = configuration;
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

  /**
   * What is in a folder.
   *
   * @param unread names that are not among the statuses, and why
   */
  private record Entries(List<FileStatus> statuses, Map<String, String> unread) {}

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
        for (String pattern : withoutBraces(path.toUri().getPath())) {
          glob(new Path(path.toUri().getScheme(), path.toUri().getAuthority(), pattern));
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

  /** Expands braces that contain a slash. */
  private static List<String> withoutBraces(String pattern) {
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

  /**
   * Adds what a pattern matches, name by name. Hadoop's own glob skips entries that it cannot open,
   * and treats a name that exists as a pattern.
   */
  private void glob(Path pattern) throws IOException {
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
          match(folder.getPath(), new GlobFilter(name.getName()), next);
        } else if (isDanglingLink(child)) {
          unread(shown(child), dangling(local(child)));
        }
      }
      if (literally && next.size() == 1) {
        base = next.get(0).getPath();
      }
      matches = next;
    }
    for (FileStatus match : matches) {
      found++;
      addMatch(match, base);
    }
  }

  private static Path root(Path path) {
    Path root = path;
    while (root.getParent() != null) {
      root = root.getParent();
    }
    return root;
  }

  private void match(Path folder, GlobFilter filter, List<FileStatus> matches) {
    Entries entries;
    try {
      entries = list(folder);
    } catch (IOException e) {
      unread(shown(folder), cannotBeListed(folder, e));
      return;
    }
    entries.unread.forEach(
        (entry, why) -> {
          if (filter.accept(HadoopFiles.child(folder, entry))) {
            unread(shown(folder + "/" + entry), why);
          }
        });
    for (FileStatus status : entries.statuses) {
      String name = status.getPath().getName();
      if (filter.accept(status.getPath())) {
        if (InputFiles.isHidden(name)) {
          leaveOut(shown(status.getPath()), InputFiles.hidden(name));
        } else {
          matches.add(status);
        }
      }
    }
  }

  /** Adds the file or the folder that the user has named. */
  private void addLiteral(FileStatus status) throws IOException {
    Path path = status.getPath();
    String key = HadoopFiles.canonical(path, configuration).toString();
    if (status.isDirectory()) {
      checkOutsideTables(path);
      walk(new Folder(path, key, Map.of(), null, real(path), SinkLog.of(path, configuration)));
    } else {
      // A file that is named by itself is read, whatever its name, even one of a table.
      String why = isLocal(path) ? unreadable(status) : null;
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
    checkOutsideTables(folder);
    Path parent = canonical.computeIfAbsent(folder, f -> HadoopFiles.canonical(f, configuration));
    SinkLog log = logs.computeIfAbsent(folder, f -> SinkLog.of(f, configuration));
    if (status.isDirectory()) {
      walk(new Folder(path, parent.toString(), partition, null, real(path), log));
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
      List<Future<Entries>> listing = new ArrayList<>();
      for (Folder folder : level) {
        listing.add(threads.submit(() -> list(folder.path())));
      }
      List<Folder> next = new ArrayList<>();
      for (int i = 0; i < level.size(); i++) {
        Folder folder = level.get(i);
        try {
          next.addAll(take(folder, listing.get(i).get()));
        } catch (ExecutionException e) {
          unread(shown(folder.path()), cannotBeListed(folder.path(), e));
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw Refusal.because(e, "Interrupted while listing the input");
        }
      }
      level = next;
    }
  }

  /** Takes in the files of a folder, and gives its sub-folders. */
  private List<Folder> take(Folder folder, Entries entries) throws IOException {
    entries.unread.forEach((entry, why) -> unread(shown(folder.path() + "/" + entry), why));
    Set<String> names =
        entries.statuses.stream()
            .filter(FileStatus::isDirectory)
            .map(status -> status.getPath().getName())
            .collect(Collectors.toSet());
    checkNoTable(folder.path(), names);
    SinkLog log =
        names.contains(SinkLog.FOLDER) ? SinkLog.of(folder.path(), configuration) : folder.log();
    List<Folder> folders = new ArrayList<>();
    for (FileStatus status : entries.statuses) {
      Path path = status.getPath();
      String name = path.getName();
      String key = folder.key() + "/" + name;
      if (InputFiles.isHidden(name)) {
        leaveOut(shown(path), InputFiles.hidden(name));
      } else if (status.isDirectory()) {
        Map<String, String> partition = with(folder.partition(), name, path);
        Folder below = new Folder(path, key, partition, folder, real(path), log);
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

  private Entries list(Path folder) throws IOException {
    List<FileStatus> statuses =
        List.of(HadoopFiles.fileSystem(folder, configuration).listStatus(folder));
    if (!isLocal(folder)) {
      return new Entries(statuses, Map.of());
    }
    // Hadoop omits the entries of a local folder that it cannot open.
    Map<String, String> unread = new TreeMap<>();
    Set<String> seen = new HashSet<>();
    List<FileStatus> readable = new ArrayList<>();
    for (FileStatus status : statuses) {
      String name = status.getPath().getName();
      seen.add(name);
      String why = unreadable(status);
      if (why == null || InputFiles.isHidden(name)) {
        readable.add(status);
      } else {
        unread.put(name, why);
      }
    }
    String[] names = local(folder).list();
    for (String name : names == null ? new String[0] : names) {
      if (!seen.contains(name) && !InputFiles.isHidden(name)) {
        unread.put(name, unopened(new File(local(folder), name)));
      }
    }
    return new Entries(readable, unread);
  }

  /** Why a local entry cannot be read as a file or a folder; null if it can. */
  private static String unreadable(FileStatus status) {
    if (status.isDirectory()) {
      return null;
    }
    if (status.getPath().getName().contains(":")) {
      return "Hadoop reads no local file with a colon in its name; rename it";
    }
    return local(status.getPath()).isFile() ? null : "neither a file nor a folder";
  }

  private static String unopened(File entry) {
    if (Files.isSymbolicLink(link(entry))) {
      return dangling(entry);
    }
    return entry.getName().indexOf(UNKNOWN_CHARACTER) >= 0 || entry.getName().indexOf('?') >= 0
        ? "its name cannot be written in the locale of this process (sun.jnu.encoding %s);"
                .formatted(System.getProperty("sun.jnu.encoding"))
            + " set LC_ALL=C.UTF-8, or rename it"
        : "cannot be opened: check its permissions";
  }

  private static String cannotBeListed(Path folder, Throwable e) {
    return "cannot be listed: " + Failures.cause(e, folder.toString());
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

  private boolean isDanglingLink(Path path) {
    return isLocal(path) && Files.isSymbolicLink(link(local(path)));
  }

  private boolean isLocal(Path path) {
    return "file".equals(HadoopFiles.fileSystem(path, configuration).getUri().getScheme());
  }

  private static File local(Path path) {
    return new File(path.toUri().getPath());
  }

  private java.nio.file.Path real(Path folder) {
    try {
      return isLocal(folder) ? local(folder).toPath().toRealPath() : null;
    } catch (IOException e) {
      // The listing names it.
      return null;
    }
  }

  /** Refuses a folder of a table, and one inside it. */
  private void checkOutsideTables(Path folder) {
    for (Path path = folder; path != null && checked.add(path); path = path.getParent()) {
      Set<String> names = new HashSet<>();
      for (String name : List.of(DELTA, HUDI, ICEBERG)) {
        try {
          FileStatus status = HadoopFiles.status(new Path(path, name), configuration);
          if (status != null && status.isDirectory()) {
            names.add(name);
          }
        } catch (IOException e) {
          LOG.debug("Cannot look into {}", path, e);
        }
      }
      checkNoTable(path, names);
    }
  }

  /** The files of a table hold rows that the table has deleted or replaced. */
  private void checkNoTable(Path folder, Set<String> folders) {
    if (folders.contains(DELTA)) {
      throw table(folder, "Delta", "delta.`%s`".formatted(shown(folder)));
    }
    if (folders.contains(HUDI)) {
      throw table(folder, "Hudi", "CATALOG.DATABASE.TABLE");
    }
    if (folders.contains(ICEBERG)) {
      try {
        for (FileStatus file : list(new Path(folder, ICEBERG)).statuses) {
          if (ICEBERG_METADATA.matcher(file.getPath().getName()).matches()) {
            throw table(folder, "Iceberg", "CATALOG.DATABASE.TABLE");
          }
        }
      } catch (IOException e) {
        LOG.debug("Cannot look into {}", folder, e);
      }
    }
  }

  private static Refusal table(Path folder, String format, String name) {
    return Refusal.because(
        "Input %s is a table of %s, whose files also hold rows that it has deleted; read it with"
            + " --input-table '%s' and %s's package for Spark (--packages, and the"
            + " spark.sql.catalog settings that its documentation names)",
        shown(folder), format, name, format);
  }

  private static String shown(Path path) {
    return shown(path.toString());
  }

  private static String shown(String path) {
    return Refusal.redacted(path);
  }
}
