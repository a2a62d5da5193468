package io.mambaspark.jobs.spark;

import io.mambaspark.jobs.Refusal;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumFileSystem;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.SparkSession;
import scala.Tuple2;

/** Paths and file systems of Hadoop. */
public final class HadoopFiles {
  private static final String SPARK_PREFIX = "spark.hadoop.";
  private static final int THREADS = 8;

  /** A path that Hadoop refuses with "Relative path in absolute URI". */
  private static final Pattern RELATIVE_WITH_SCHEME = Pattern.compile("[^/]*:(?!/).*");

  /** The characters that make Spark and Hadoop treat a path as a glob. */
  private static final Pattern GLOB = Pattern.compile("[{}\\[\\]*?\\\\]");

  /** A URI of the local file system; group 1 is its path. */
  private static final Pattern LOCAL_URI =
      Pattern.compile("(?s)file:(?://(?:localhost)?(?=/))?(/(?!/).*)");

  private HadoopFiles() {}

  /**
   * Returns the Hadoop configuration of this JVM's Spark session. If no session exists yet, returns
   * Hadoop's configuration with the {@code spark.hadoop.} settings applied, so that models and
   * outputs can be validated before executors are requested. This configuration lacks the settings
   * that Spark adds at its start, such as the S3 keys that it reads from the environment.
   */
  public static Configuration configuration() {
    if (SparkSession.getDefaultSession().isDefined()) {
      return SparkSession.getDefaultSession().get().sparkContext().hadoopConfiguration();
    }
    Configuration configuration = new Configuration();
    for (Tuple2<String, String> setting : new SparkConf().getAll()) {
      if (setting._1().startsWith(SPARK_PREFIX)) {
        configuration.set(setting._1().substring(SPARK_PREFIX.length()), setting._2());
      }
    }
    return configuration;
  }

  /** Returns a path with its scheme and without {@code .} and {@code ..}. */
  public static Path qualified(String path, Configuration configuration) {
    if (RELATIVE_WITH_SCHEME.matcher(path).matches()) {
      throw Refusal.because(
          "Cannot use path %s: the text before the colon is parsed as the scheme of a URI; write ./%s"
              + " for a file or folder of that name",
          path, path);
    }
    try {
      Path parsed = new Path(path);
      return parsed.getFileSystem(configuration).makeQualified(parsed);
    } catch (IOException | IllegalArgumentException e) {
      throw Refusal.because(e, "Cannot use path %s: %s", path, e.getMessage());
    }
  }

  /**
   * Finds a model or a tokenizer. An existing file or folder with exactly this name takes
   * precedence, on the local disk before Hadoop's default file system. A {@code file:} URI is
   * decoded only if no such file or folder exists. The caller must not parse the returned path
   * again.
   */
  public static Path located(String name, Configuration configuration) {
    Matcher uri = LOCAL_URI.matcher(name);
    String literal = uri.matches() ? uri.group(1) : name;
    if (existsLocally(literal)) {
      return local(literal);
    }
    if (!uri.matches()) {
      return qualified(name, configuration);
    }
    try {
      String decoded = new URI(name).getPath();
      return local(existsLocally(decoded) ? decoded : literal);
    } catch (URISyntaxException e) {
      return local(literal);
    }
  }

  private static boolean existsLocally(String path) {
    try {
      return !path.isEmpty() && Files.exists(java.nio.file.Path.of(path));
    } catch (InvalidPathException e) {
      return false;
    }
  }

  private static Path local(String path) {
    try {
      return new Path(java.nio.file.Path.of(path).toAbsolutePath().toUri());
    } catch (InvalidPathException e) {
      throw Refusal.because(
          e,
          "Cannot use path %s: the locale of this process cannot encode it (%s); set"
              + " LC_ALL=C.UTF-8",
          path,
          e.getReason());
    }
  }

  /** Returns the path of a file in a folder. The file's name may have a colon. */
  public static Path child(Path folder, String name) {
    URI uri = folder.toUri();
    return new Path(uri.getScheme(), uri.getAuthority(), uri.getPath() + "/" + name);
  }

  /** Returns a small pool of daemon threads for concurrent requests to a file system. */
  public static ExecutorService threads(String name) {
    return Executors.newFixedThreadPool(
        THREADS,
        work -> {
          Thread thread = new Thread(work, name);
          thread.setDaemon(true);
          return thread;
        });
  }

  public static FileSystem fileSystem(Path path, Configuration configuration) {
    try {
      return path.getFileSystem(configuration);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the file or folder at a path, taken literally; null if it does not exist. */
  public static FileStatus status(Path path, Configuration configuration) throws IOException {
    try {
      return path.getFileSystem(configuration).getFileStatus(path);
    } catch (FileNotFoundException e) {
      return null;
    }
  }

  /** Returns the file or folder at a user's path, taken literally; null if it does not exist. */
  public static FileStatus literal(String path, Configuration configuration) {
    try {
      return status(qualified(path, configuration), configuration);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot read %s: %s", Refusal.redacted(path), e.getMessage());
    }
  }

  /** Whether Hadoop treats a path, or a part of it, as a glob. */
  public static boolean isGlob(String path) {
    return GLOB.matcher(path).find();
  }

  /** Returns the file or folder at a path or, if none exists, all matches of the path as a glob. */
  public static List<FileStatus> matches(String path, Configuration configuration) {
    Path qualified = qualified(path, configuration);
    try {
      FileStatus literal = status(qualified, configuration);
      if (literal != null) {
        return List.of(literal);
      }
      FileStatus[] found = fileSystem(qualified, configuration).globStatus(qualified);
      return found == null ? List.of() : List.of(found);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot read %s: %s", path, e.getMessage());
    }
  }

  /** Whether a file or folder exists at a path, taken literally. */
  public static boolean exists(Path path, Configuration configuration) {
    try {
      return fileSystem(path, configuration).exists(path);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot read %s: %s", path, e.getMessage());
    }
  }

  /** Returns the glob that matches only this path. */
  public static String escaped(Path path) {
    return GLOB.matcher(path.toString()).replaceAll("\\\\$0");
  }

  /**
   * Refuses a file that Hadoop can list but not read or write: one with a colon in its name on a
   * file system that writes checksum files, such as the local one.
   */
  public static void checkName(Path file, Configuration configuration) {
    if (file.getName().contains(":")
        && fileSystem(file, configuration) instanceof ChecksumFileSystem) {
      throw Refusal.because(
          "Cannot use file %s: Hadoop does not support local files with a colon in their names; choose"
              + " another name",
          file);
    }
  }

  /**
   * Returns the canonical path: without symbolic links, and with the file system's service name,
   * which includes the default port. If the path does not exist, its nearest existing ancestor is
   * resolved instead.
   */
  public static Path canonical(Path path, Configuration configuration) {
    try {
      Path existing = path;
      StringBuilder rest = new StringBuilder();
      FileSystem files = path.getFileSystem(configuration);
      while (existing.getParent() != null && !files.exists(existing)) {
        rest.insert(0, "/" + existing.getName());
        existing = existing.getParent();
      }
      Path resolved = files.resolvePath(existing);
      FileSystem holder = resolved.getFileSystem(configuration);
      if (holder.getUri().getScheme().equals("file")) {
        return new Path(
            "file",
            null,
            java.nio.file.Path.of(resolved.toUri().getPath()).toRealPath() + "" + rest);
      }
      String service = holder.getCanonicalServiceName();
      return new Path(
          holder.getUri().getScheme(),
          service == null ? holder.getUri().getAuthority() : service,
          resolved.toUri().getPath() + rest);
    } catch (IOException | IllegalArgumentException e) {
      throw Refusal.because(e, "Cannot use path %s: %s", path, e.getMessage());
    }
  }

  /** Whether {@code inner} is {@code outer} or is inside it. Both paths must be canonical. */
  public static boolean within(Path inner, Path outer) {
    for (Path path = inner; path != null; path = path.getParent()) {
      if (path.equals(outer)) {
        return true;
      }
    }
    return false;
  }
}
