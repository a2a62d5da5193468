package io.mambaspark.jobs.spark;

import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.jobs.Refusal;
import java.io.IOException;
import java.net.URI;
import java.nio.BufferOverflowException;
import java.nio.BufferUnderflowException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkThrowable;
import org.apache.spark.sql.AnalysisException;

/** Describes exceptions in one line for users. */
public final class Failures {
  /** Finds the file in Spark's messages about a file that it could not read, in all versions. */
  private static final Pattern FILE =
      Pattern.compile("(?:error while reading file|footer for file:?) (.+?)\\.(?:\\s|$)");

  /** Spark's wrapper messages, which say nothing without their cause. */
  private static final Pattern WRAPPER =
      Pattern.compile(
          "Job aborted due to stage failure.*|Exception thrown in awaitResult.*"
              + "|(\\[[A-Z_.]+\\] )?(Encountered error while reading|Could not read footer for) file.*");

  private static final Pattern FOOTER = Pattern.compile("CANNOT_READ_FILE_FOOTER");

  /** The exceptions that decoders throw for unexpected bytes. */
  private static final List<Class<? extends RuntimeException>> DECODING_ERRORS =
      List.of(
          NullPointerException.class,
          IndexOutOfBoundsException.class,
          NegativeArraySizeException.class,
          ArithmeticException.class,
          ClassCastException.class,
          BufferUnderflowException.class,
          BufferOverflowException.class);

  /** The class names of exceptions at the start of a message. */
  private static final Pattern CLASSES = Pattern.compile("^(?:(?:[a-z]\\w*\\.)+[A-Z]\\w*: )+");

  /** The words that introduce the name of a file; removed together with the name. */
  private static final String NAMING =
      "(?:\\s*\\b(?:in|for|of|from|at)\\s+)?(?:\\b[Ff]ile:?\\s+)?[\"']?";

  /** Readers' messages about a file, and their replacements that continue "Cannot read FILE: ". */
  private static final Map<Pattern, String> REPLACEMENTS = new LinkedHashMap<>();

  static {
    replace(
        "is not a Parquet file \\(length is too low: (\\d+)\\)",
        "it is not a Parquet file: its length is $1 bytes");
    replace(
        "is not a Parquet file\\. Expected magic number at tail,? but found (\\[.*?\\])",
        "it is not a Parquet file, or it is truncated: its last four bytes are $1, expected PAR1");
    replace(
        "footer is too large: (\\d+) ?to be read",
        "it is damaged or truncated: its last bytes give a footer length of $1 bytes");
    replace(
        "corrupted file: the footer index is not within the file: (-?\\d+)",
        "it is damaged or truncated: its last bytes give a footer at byte $1");
    replace(
        "Trying to read file with encrypted footer\\. No keys available",
        "it is encrypted, and Spark has no keys: set parquet.crypto.factory.class");
    replace(
        "Checksum error:? at (\\d+) exp: \\S+ got: \\S+",
        "it differs from its checksum (the .crc file next to it) at byte $1");
    replace(
        "(?:can not|cannot|could not) read (?:class \\S*?\\.)?FileMetaData: (.*)",
        "its footer is damaged: $1");
    replace(
        "(?:can not|cannot|could not) read (?:class \\S*?\\.)?PageHeader: (.*)",
        "the header of a page is damaged: $1");
    replace(
        "(?:can not|cannot|could not) read (?:class \\S*?\\.)?(\\w+): (.*)",
        "its $1 is damaged: $2");
    replace(
        "could not read page .* in col \\[(.+?)\\] [^:]*(: .*)?",
        "a page of its column $1 is damaged$2");
    replace(
        "column: \\[(.+?)\\], physicalType: (.*?), logicalType: (.*)",
        "its column $1 is $2, expected $3");
    replace("(?:File )?does not exist.*|No such file or directory", "it does not exist");
    replace("\\(?Permission denied\\)?", "permission denied");
  }

  private Failures() {}

  /**
   * Describes an exception in one line: the first message of mamba-spark in the chain of causes,
   * because Spark wraps the exception of a task in several of its own. If the chain has no such
   * message, the line is the innermost cause's message, with the file that Spark was reading.
   */
  public static String oneLine(Throwable failure) {
    return Refusal.redacted(line(failure));
  }

  /**
   * Returns the reason why a file cannot be read: a phrase that follows the file's path and a
   * colon, without the path.
   *
   * @param path as Hadoop or Spark writes it, URI-encoded or not
   */
  public static String cause(Throwable failure, String path) {
    List<Throwable> chain = chain(failure);
    String cause = "";
    for (Throwable t : chain) {
      // Use the innermost message, or an outer one that repeats it and adds information.
      String message = shortened(t, path);
      boolean wrapper = WRAPPER.matcher(message).matches();
      if (!message.isEmpty() && !wrapper && !cause.endsWith(message)) {
        boolean bare = !message.contains(" ") && !cause.isEmpty();
        cause = bare ? cause + ": " + message : message;
      }
    }
    Throwable innermost = chain.get(chain.size() - 1);
    if (cause.isEmpty() || DECODING_ERRORS.stream().anyMatch(kind -> kind.isInstance(innermost))) {
      boolean footer = chain.stream().anyMatch(t -> FOOTER.matcher("" + t.getMessage()).find());
      String name = innermost.getClass().getSimpleName();
      return "%s is damaged (%s)"
          .formatted(
              footer ? "its footer" : "its content", cause.isEmpty() ? name : name + ": " + cause);
    }
    for (Map.Entry<Pattern, String> replacement : REPLACEMENTS.entrySet()) {
      Matcher matcher = replacement.getKey().matcher(cause);
      if (matcher.matches()) {
        return Refusal.redacted(matcher.replaceFirst(replacement.getValue()));
      }
    }
    return Refusal.redacted(cause);
  }

  private static void replace(String pattern, String replacement) {
    REPLACEMENTS.put(Pattern.compile(pattern), replacement);
  }

  /** Returns the first line of a message, without the path and without irrelevant parts. */
  private static String shortened(Throwable t, String path) {
    String line = t.getMessage() == null ? "" : firstLine(t.getMessage());
    if (WRAPPER.matcher(line).matches()) {
      return line;
    }
    return spellings(path)
        .matcher(CLASSES.matcher(line).replaceFirst(""))
        .replaceAll("")
        .replaceFirst("!? Struct: \\S+$", "")
        .replaceAll("\\s+", " ")
        .replaceFirst("^[\\s:;,.]+", "")
        .replaceFirst("[\\s:;,.]+$", "");
  }

  /** Matches a path, URI-encoded or not, with or without the scheme and host of its file system. */
  private static Pattern spellings(String path) {
    Set<String> spellings =
        new TreeSet<>(Comparator.comparing(String::length).reversed().thenComparing(s -> s));
    List<String> plain = new ArrayList<>(List.of(new Path(path).toUri().getPath()));
    try {
      plain.add(new Path(URI.create(path)).toUri().getPath());
    } catch (IllegalArgumentException e) {
      // The path is not URI-encoded.
    }
    for (String each : plain) {
      URI uri = new Path(null, null, each).toUri();
      spellings.addAll(List.of(each, uri.getRawPath(), uri.toASCIIString()));
    }
    String any = spellings.stream().map(Pattern::quote).collect(Collectors.joining("|"));
    return Pattern.compile(NAMING + "(?:[a-z][a-z0-9+.-]*:(?://[^/\\s]*)?)?(?:" + any + ")[\"']?");
  }

  private static List<Throwable> chain(Throwable failure) {
    List<Throwable> chain = new ArrayList<>();
    for (Throwable t = failure; t != null && !chain.contains(t); t = t.getCause()) {
      chain.add(t);
    }
    return chain;
  }

  private static String line(Throwable failure) {
    List<Throwable> chain = chain(failure);
    for (Throwable t : chain) {
      if (t instanceof Refusal
          || t instanceof TaskFailure
          || t instanceof CheckpointException
          || t instanceof AnalysisException) {
        return firstLine(t.getMessage());
      }
      // The data source does not exist in this version of Spark; for example, 3.5 has no xml.
      if (t instanceof ClassNotFoundException && t instanceof SparkThrowable) {
        return firstLine(t.getMessage()) + " This is Spark " + Versions.spark() + ".";
      }
    }
    for (Throwable t : chain) {
      Matcher file = FILE.matcher(String.valueOf(t.getMessage()));
      if (file.find()) {
        return "Cannot read %s: %s".formatted(file.group(1), cause(failure, file.group(1)));
      }
    }
    return innermost(chain);
  }

  private static String innermost(List<Throwable> chain) {
    Throwable innermost = chain.get(chain.size() - 1);
    String message = innermost.getMessage() == null ? "" : firstLine(innermost.getMessage());
    if (message.isEmpty()) {
      return innermost.getClass().getSimpleName();
    }
    boolean meaningful = innermost instanceof IOException || innermost instanceof RuntimeException;
    boolean bare = !message.contains(" ");
    return meaningful && !bare ? message : innermost.getClass().getSimpleName() + ": " + message;
  }

  /** Returns the first line, without Spark's "SQLSTATE: …" and the query plan of its messages. */
  public static String firstLine(String message) {
    String line = message.strip().lines().findFirst().orElse("");
    return line.replaceFirst("\\s*SQLSTATE: \\w+;?\\s*$", "").replaceFirst(";\\s*$", "");
  }
}
