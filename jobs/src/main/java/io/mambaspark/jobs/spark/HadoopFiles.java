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

/** The file systems that the job's paths may lie on. */
public final class HadoopFiles {
  private static final String SPARK_PREFIX = "spark.hadoop.";
  private static final int THREADS = 8;

  /** A path that Hadoop refuses with "Relative path in absolute URI". */
  private static final Pattern RELATIVE_WITH_SCHEME = Pattern.compile("[^/]*:(?!/).*");

  /** What Spark and Hadoop take for a sign of a glob. */
  private static final Pattern GLOB = Pattern.compile("[{}\\[\\]*?\\\\]");

  /** The path of a URI of the local file system. */
  private static final Pattern LOCAL_URI =
      Pattern.compile("(?s)file:(?://(?:localhost)?(?=/))?(/(?!/).*)");

  private HadoopFiles() {}

  /**
   * Hadoop's configuration as the Spark session of this JVM has it. Where there is none yet, with
   * the {@code spark.hadoop.} settings laid over it: models and outputs are checked before
   * executors are asked for. What Spark then sets by itself, such as the keys that it takes from
   * the environment for S3, is not in it.
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

  /** A path with its scheme and without dots. */
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
   * Finds a model or a tokenizer. What exists under the name as it is written wins, on the local
   * disk before Hadoop's default file system; only a {@code file:} URI that names nothing so is
   * decoded. The path is not to be parsed again.
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
          "Cannot use path %s: the locale of this process cannot name it (%s); set LC_ALL=C.UTF-8",
          path,
          e.getReason());
    }
  }

  /** A file of a folder by its name, which may have a colon. */
  public static Path child(Path folder, String name) {
    URI uri = folder.toUri();
    return new Path(uri.getScheme(), uri.getAuthority(), uri.getPath() + "/" + name);
  }

  /** A few daemon threads, to wait for a file system at several places at once. */
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

  /** The file or folder at a path, taken literally; null if there is none. */
  public static FileStatus status(Path path, Configuration configuration) throws IOException {
    try {
      return path.getFileSystem(configuration).getFileStatus(path);
    } catch (FileNotFoundException e) {
      return null;
    }
  }

  /** The file or folder at a path that a user has named, taken literally; null if there is none. */
  public static FileStatus literal(String path, Configuration configuration) {
    try {
      return status(qualified(path, configuration), configuration);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot read %s: %s", Refusal.redacted(path), e.getMessage());
    }
  }

  /** Whether Hadoop takes a path or a part of it for a glob. */
  public static boolean isGlob(String path) {
    return GLOB.matcher(path).find();
  }

  /** The file or folder at a path or, without one, all that it matches as a glob. */
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

  /** Whether a path names something that is there, whatever else it may be read as. */
  public static boolean exists(Path path, Configuration configuration) {
    try {
      return fileSystem(path, configuration).exists(path);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot read %s: %s", path, e.getMessage());
    }
  }

  /** The glob that matches this path alone. */
  public static String escaped(Path path) {
    return GLOB.matcher(path.toString()).replaceAll("\\\\$0");
  }

  /**
   * Refuses a file that Hadoop cannot write or read, though it can list it: one with a colon in its
   * own name on a file system that keeps checksums beside its files, such as the local one.
   */
  public static void checkName(Path file, Configuration configuration) {
    if (file.getName().contains(":")
        && fileSystem(file, configuration) instanceof ChecksumFileSystem) {
      throw Refusal.because(
          "Cannot use file %s: Hadoop has no local files with a colon in their names; choose another"
              + " name",
          file);
    }
  }

  /**
   * One spelling for all of a path's: without symbolic links, and with the file system's service,
   * which has the default port. What does not exist is named as its nearest ancestor that does.
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

  /** Whether {@code inner} is {@code outer} or lies in it. Both canonical. */
  public static boolean within(Path inner, Path outer) {
    for (Path path = inner; path != null; path = path.getParent()) {
      if (path.equals(outer)) {
        return true;
      }
    }
    return false;
  }
}
