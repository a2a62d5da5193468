package io.mambaspark.jobs;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.text.Utf8;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.GlobFilter;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files that lie under the paths that a user has named. A job lists them once; planning,
 * reading, the dry run, a resumed run and the summary all use this list.
 *
 * <p>A path that exists is taken literally, otherwise it is a glob. Folders are listed with all
 * their sub-folders. A file that two paths name is listed once.
 *
 * @param files sorted by path
 * @param leftOut entries of a folder that are no data, by path, and why: Spark's hidden names, the
 *     footers that {@code _metadata} files repeat
 * @param unread entries that may be data and cannot be read, by path, and why
 */
record InputFiles(List<InputFile> files, Map<String, String> leftOut, Map<String, String> unread) {
  private static final Logger LOG = LoggerFactory.getLogger(InputFiles.class);

  private static final int THREADS = 8;

  /** Entries in a summary; their number is always there. */
  private static final int MOST_LEFT_OUT = 1000;

  /** Folders that a table has beside its data. */
  private static final String DELTA = "_delta_log";

  private static final String HUDI = ".hoodie";
  private static final String ICEBERG = "metadata";

  private static final Pattern ESCAPES = Pattern.compile("(%[0-9a-fA-F]{2})+");

  /** Where Spark's file sink of a stream records which files are whole. */
  private static final String SINK_LOG = "_spark_metadata";

  /** No files: the rows are those of a table, of the demo, or of another source. */
  static final InputFiles NONE = new InputFiles(List.of(), Map.of(), Map.of());

  /**
   * A file that holds rows.
   *
   * @param path with its scheme
   * @param size bytes
   * @param modified milliseconds since 1970
   * @param partition the values of the partition folders ({@code k=v}) that it lies in, by column;
   *     null for Hive's default partition
   */
  record InputFile(Path path, long size, long modified, Map<String, String> partition) {
    /** The path for people and records: without a password, and not encoded. */
    String name() {
      return HadoopFiles.redacted(path.toString());
    }
  }

  /** How many entries the user has named that may hold rows. */
  int named() {
    return files.size() + unread.size();
  }

  /** The sizes of all files. */
  long bytes() {
    return files.stream().mapToLong(InputFile::size).sum();
  }

  /** How many of the named files are read, for people. */
  String described() {
    return String.format(
        Locale.ROOT,
        "%,d of %,d files%s",
        files.size(),
        named(),
        leftOut.isEmpty()
            ? ""
            : String.format(Locale.ROOT, ", %,d other entries left out", leftOut.size()));
  }

  /** The entries of a summary, none where no files were listed. */
  Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    if (this != NONE) {
      Map<String, Object> numbers = new LinkedHashMap<>();
      numbers.put("named", named());
      numbers.put("read", files.size());
      numbers.put("unread", unread.size());
      numbers.put("left_out", leftOut.size());
      json.put("files", numbers);
      Map<String, String> some = new LinkedHashMap<>();
      leftOut.entrySet().stream()
          .limit(MOST_LEFT_OUT)
          .forEach(entry -> some.put(entry.getKey(), entry.getValue()));
      json.put("left_out_files", some);
    }
    json.put("unreadable_files", unread);
    return json;
  }

  /** Prints what a summary says of the files. */
  void print(PrintWriter out) {
    if (this != NONE) {
      Summary.line(out, "files read", "%s", described());
    }
    printUnread(out);
  }

  /** Names the files that are not read. */
  void printUnread(PrintWriter out) {
    unread.forEach((file, why) -> Summary.line(out, "not read", "%s", file + ": " + why));
  }

  /** The same files, but some that turned out not to be readable. */
  InputFiles without(Map<String, String> damaged) {
    if (damaged.isEmpty()) {
      return this;
    }
    Map<String, String> all = new TreeMap<>(unread);
    all.putAll(damaged);
    return new InputFiles(
        files.stream().filter(file -> !damaged.containsKey(file.name())).toList(), leftOut, all);
  }

  /**
   * Lists what lies under the paths. Needs no Spark session.
   *
   * @throws Refusal if a path does not exist, or a folder belongs to a table
   */
  static InputFiles list(List<String> paths, Configuration configuration) {
    Listing listing = new Listing(configuration);
    try {
      paths.forEach(listing::add);
    } finally {
      listing.threads.shutdownNow();
    }
    return listing.found();
  }

  /**
   * The same files.
   *
   * @throws Refusal if there are none
   */
  InputFiles notEmpty(List<String> paths) {
    if (files.isEmpty()) {
      throw Refusal.because(
          "Cannot read input %s: it holds no file to read%s",
          HadoopFiles.redacted(String.join(", ", paths)),
          unread.isEmpty() ? example(leftOut) : example(unread));
    }
    return this;
  }

  private static String example(Map<String, String> entries) {
    return entries.entrySet().stream()
        .findFirst()
        .map(first -> " (%s: %s)".formatted(first.getKey(), first.getValue()))
        .orElse("");
  }

  /**
   * The same files.
   *
   * @throws Refusal if the partition folders of two files differ
   */
  InputFiles oneTable() {
    for (InputFile file : files) {
      InputFile first = files.get(0);
      if (!file.partition.keySet().equals(first.partition.keySet())) {
        throw Refusal.because(
            "Input files have different partition folders and cannot be one table: %s has %s, %s"
                + " has %s; score them in separate runs",
            first.name(), folders(first), file.name(), folders(file));
      }
    }
    return this;
  }

  private static String folders(InputFile file) {
    return file.partition.isEmpty()
        ? "none"
        : file.partition.keySet().stream().map(key -> key + "=").collect(Collectors.joining(", "));
  }

  /** Whether Spark, too, takes an entry of a folder for no data. */
  static boolean isHidden(String name) {
    return name.startsWith(".")
        || (name.startsWith("_") && !name.contains("="))
        || name.endsWith("._COPYING_");
  }

  private static String hidden(String name) {
    return name.equals("_metadata") || name.equals("_common_metadata")
        ? "footers of the files beside it"
        : "hidden name";
  }

  /** The column and the value that a folder's name gives; null if it is a plain folder. */
  static Map.Entry<String, String> partition(String folder) {
    int equals = folder.indexOf('=');
    if (equals < 1) {
      return null;
    }
    String value = folder.substring(equals + 1);
    return new AbstractMap.SimpleEntry<>(
        unescaped(folder.substring(0, equals)),
        value.equals(ExternalCatalogUtils.DEFAULT_PARTITION_NAME()) ? null : unescaped(value));
  }

  /**
   * A name without percent signs that stand for bytes of UTF-8, as pyarrow writes them; where they
   * do not, for characters, as Spark and Hive write those of ASCII.
   */
  private static String unescaped(String name) {
    Matcher escapes = ESCAPES.matcher(name);
    return escapes.replaceAll(
        escape -> {
          byte[] bytes = HexFormat.of().parseHex(escape.group().replace("%", ""));
          try {
            return Matcher.quoteReplacement(Utf8.decode(bytes));
          } catch (Utf8.Malformed e) {
            return Matcher.quoteReplacement(ExternalCatalogUtils.unescapePathName(escape.group()));
          }
        });
  }

  /** The work of {@link #list}. */
  private static final class Listing {
    /** The best first: named by itself, too, a file keeps the columns that its folders give. */
    private static final Comparator<InputFile> SPELLINGS =
        Comparator.comparing((InputFile file) -> -file.partition().size())
            .thenComparing(file -> file.path().toString().length())
            .thenComparing(file -> file.path().toString());

    private final Configuration configuration;
    private final ExecutorService threads =
        Executors.newFixedThreadPool(
            THREADS,
            work -> {
              Thread thread = new Thread(work, "mamba-spark-listing");
              thread.setDaemon(true);
              return thread;
            });

    /** By the one spelling that a file has below the canonical form of the folder named. */
    private final Map<String, InputFile> files = new HashMap<>();

    private final Map<String, String> leftOut = new TreeMap<>();
    private final Map<String, String> unread = new TreeMap<>();
    private final Map<Path, Path> canonical = new HashMap<>();
    private final Set<Path> checked = new HashSet<>();

    Listing(Configuration configuration) {
      this.configuration = configuration;
    }

    /**
     * A folder to list.
     *
     * @param key its canonical spelling, under the one of the folder that was named
     * @param partition of the files in it
     * @param above the folder in which it was found; null for one that was named
     * @param real on a local disk, without symbolic links; null elsewhere
     * @param committed the files, by the paths of their URIs, that the log of a stream's sink
     *     names; null where no stream has written
     */
    private record Folder(
        Path path,
        String key,
        Map<String, String> partition,
        Folder above,
        java.nio.file.Path real,
        Set<String> committed) {}

    /** What is in a folder. */
    private record Entries(List<FileStatus> statuses, Map<String, String> unread) {}

    InputFiles found() {
      return new InputFiles(
          files.values().stream()
              .sorted(Comparator.comparing(file -> file.path().toString()))
              .toList(),
          leftOut,
          unread);
    }

    /** Adds what one path names. */
    void add(String named) {
      Path path = HadoopFiles.qualified(named, configuration);
      FileSystem system = HadoopFiles.fileSystem(path, configuration);
      try {
        FileStatus literal = HadoopFiles.status(path, configuration);
        if (literal != null) {
          add(literal, path.getParent() == null ? path : parentOrSelf(literal), true);
        } else if (isDanglingLink(path)) {
          unread.put(shown(path), dangling(local(path)));
        } else {
          glob(named, path, system);
        }
      } catch (IOException e) {
        throw Refusal.because(
            e, "Cannot read input %s: %s", HadoopFiles.redacted(named), Failures.oneLine(e));
      }
    }

    private static Path parentOrSelf(FileStatus status) {
      return status.isDirectory() ? status.getPath() : status.getPath().getParent();
    }

    private void glob(String named, Path path, FileSystem system) throws IOException {
      List<FileStatus> matches = new ArrayList<>();
      boolean plainName = !HadoopFiles.isGlob(path.getName());
      Path folders = path.getParent();
      if (plainName || folders == null || opensBrace(path.getName())) {
        FileStatus[] found = system.globStatus(path);
        matches.addAll(found == null ? List.of() : Arrays.asList(found));
      } else {
        // Name by name, because Hadoop's own glob passes over what it cannot open.
        GlobFilter filter = new GlobFilter(path.getName());
        FileStatus[] found =
            HadoopFiles.isGlob(folders.toString())
                ? system.globStatus(folders)
                : system.exists(folders) ? new FileStatus[] {system.getFileStatus(folders)} : null;
        for (FileStatus folder : found == null ? new FileStatus[0] : found) {
          if (folder.isDirectory()) {
            Entries entries = list(folder.getPath());
            entries.unread.forEach(
                (entry, why) -> {
                  if (filter.accept(new Path(entry))) {
                    unread.put(shown(entry), why);
                  }
                });
            for (FileStatus status : entries.statuses) {
              String name = status.getPath().getName();
              if (filter.accept(status.getPath())) {
                if (isHidden(name)) {
                  leftOut.put(shown(status.getPath()), hidden(name));
                } else {
                  matches.add(status);
                }
              }
            }
          }
        }
      }
      if (matches.isEmpty() && unread.isEmpty()) {
        throw Refusal.because(
            "Cannot read input %s: no such file or folder", HadoopFiles.redacted(named));
      }
      Path base = path;
      while (base.getParent() != null && HadoopFiles.isGlob(base.toString())) {
        base = base.getParent();
      }
      for (FileStatus match : matches) {
        add(match, base, false);
      }
    }

    private static boolean opensBrace(String name) {
      return name.chars().filter(c -> c == '{').count()
          != name.chars().filter(c -> c == '}').count();
    }

    /**
     * Adds a file, or all files in a folder and below.
     *
     * @param base the folder above which the names of folders give no columns
     * @param literal whether the user has named just this
     */
    private void add(FileStatus status, Path base, boolean literal) throws IOException {
      Path path = status.getPath();
      Map<String, String> partition = new LinkedHashMap<>();
      Path folder = status.isDirectory() ? path : path.getParent();
      List<String> names = new ArrayList<>();
      for (Path p = folder; p != null && !p.equals(base); p = p.getParent()) {
        names.add(p.getName());
      }
      Collections.reverse(names);
      for (String name : names) {
        partition = with(partition, name, path);
      }
      if (status.isDirectory() || !literal) {
        // A file that is named by itself is read, even one of a table.
        checkOutsideTables(folder);
      }
      Path parent = canonical.computeIfAbsent(folder, f -> HadoopFiles.canonical(f, configuration));
      if (status.isDirectory()) {
        walk(new Folder(path, parent.toString(), partition, null, real(path), null));
      } else {
        put(parent + "/" + path.getName(), status, partition);
      }
    }

    private void put(String key, FileStatus status, Map<String, String> partition) {
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
            unread.put(shown(folder.path()), "cannot be listed: " + Failures.oneLine(e));
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
      entries.unread.forEach((entry, why) -> unread.put(shown(entry), why));
      Set<String> names =
          entries.statuses.stream()
              .filter(FileStatus::isDirectory)
              .map(status -> status.getPath().getName())
              .collect(Collectors.toSet());
      checkNoTable(folder.path(), names);
      Set<String> committed =
          names.contains(SINK_LOG)
              ? committed(new Path(folder.path(), SINK_LOG))
              : folder.committed();
      List<Folder> folders = new ArrayList<>();
      for (FileStatus status : entries.statuses) {
        Path path = status.getPath();
        String name = path.getName();
        String key = folder.key() + "/" + name;
        if (isHidden(name)) {
          leftOut.put(shown(path), hidden(name));
        } else if (status.isDirectory()) {
          Map<String, String> partition = with(folder.partition(), name, path);
          Folder below = new Folder(path, key, partition, folder, real(path), committed);
          Folder loop = below.above();
          while (loop != null && (loop.real() == null || !loop.real().equals(below.real()))) {
            loop = loop.above();
          }
          if (loop == null) {
            folders.add(below);
          } else {
            leftOut.put(shown(path), "link back to " + shown(loop.path()));
          }
        } else if (committed != null && !committed.contains(path.toUri().getPath())) {
          leftOut.put(shown(path), "not committed by the stream that writes to this folder");
        } else {
          put(key, status, folder.partition());
        }
      }
      return folders;
    }

    private static Map<String, String> with(Map<String, String> partition, String name, Path path) {
      Map.Entry<String, String> column = partition(name);
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
      // Hadoop passes over the entries of a local folder that it cannot open.
      Set<String> seen = new HashSet<>();
      statuses.forEach(status -> seen.add(status.getPath().getName()));
      String[] names = local(folder).list();
      Map<String, String> unread = new TreeMap<>();
      List<FileStatus> readable = new ArrayList<>();
      for (FileStatus status : statuses) {
        if (status.isFile() && status.getPath().getName().contains(":")) {
          unread.put(
              status.getPath().toString(),
              "Hadoop reads no local file with a colon in its name; rename it");
        } else {
          readable.add(status);
        }
      }
      for (String name : names == null ? new String[0] : names) {
        if (!seen.contains(name) && !isHidden(name)) {
          File entry = new File(local(folder), name);
          if (Files.isSymbolicLink(link(entry))) {
            unread.put(folder + "/" + name, dangling(entry));
          } else if (!entry.exists()) {
            unread.put(
                folder + "/" + name,
                "its name cannot be written in the locale of this process (sun.jnu.encoding %s);"
                        .formatted(System.getProperty("sun.jnu.encoding"))
                    + " set LC_ALL=C.UTF-8, or rename it");
          }
        }
      }
      return new Entries(readable, unread);
    }

    private static java.nio.file.Path link(File entry) {
      try {
        return entry.toPath();
      } catch (java.nio.file.InvalidPathException e) {
        // A name that this process cannot write; it is no link for us.
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
    private void checkOutsideTables(Path folder) throws IOException {
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
    private void checkNoTable(Path folder, Set<String> folders) throws IOException {
      if (folders.contains(DELTA)) {
        throw table(folder, "Delta", "delta.`%s`".formatted(shown(folder)));
      }
      if (folders.contains(HUDI)) {
        throw table(folder, "Hudi", "CATALOG.DATABASE.TABLE");
      }
      if (folders.contains(ICEBERG)) {
        for (FileStatus file : list(new Path(folder, ICEBERG)).statuses) {
          if (file.getPath().getName().endsWith(".metadata.json")) {
            throw table(folder, "Iceberg", "CATALOG.DATABASE.TABLE");
          }
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

    /** The files that the log of Spark's file sink names, by the paths of their URIs. */
    private Set<String> committed(Path log) throws IOException {
      TreeMap<Long, Path> batches = new TreeMap<>();
      long compacted = -1;
      for (FileStatus file : list(log).statuses) {
        String name = file.getPath().getName();
        if (name.matches("\\d+(\\.compact)?")) {
          long batch = Long.parseLong(name.replace(".compact", ""));
          if (name.endsWith(".compact")) {
            compacted = Math.max(compacted, batch);
            batches.put(batch, file.getPath());
          } else {
            batches.putIfAbsent(batch, file.getPath());
          }
        }
      }
      Set<String> committed = new HashSet<>();
      for (Path batch : batches.tailMap(Math.max(0, compacted)).values()) {
        String text;
        try (InputStream in = HadoopFiles.fileSystem(batch, configuration).open(batch)) {
          text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
        for (String line : text.lines().skip(1).toList()) {
          JsonNode entry = new ObjectMapper().readTree(line);
          // Written as a URI.
          String path = URI.create(entry.path("path").asText()).getPath();
          if (entry.path("action").asText().equals("delete")) {
            committed.remove(path);
          } else {
            committed.add(path);
          }
        }
      }
      return committed;
    }

    private static String shown(Path path) {
      return shown(path.toString());
    }

    private static String shown(String path) {
      return HadoopFiles.redacted(path);
    }
  }
}
