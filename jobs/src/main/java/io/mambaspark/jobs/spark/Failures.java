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

/** What a person is told of an exception. */
public final class Failures {
  /** Of Spark's message about a file that it could not read, in whatever version. */
  private static final Pattern FILE =
      Pattern.compile("(?:error while reading file|footer for file:?) (.+?)\\.(?:\\s|$)");

  /** What Spark puts around the cause, and what says nothing without it. */
  private static final Pattern WRAPPER =
      Pattern.compile(
          "Job aborted due to stage failure.*|Exception thrown in awaitResult.*"
              + "|(\\[[A-Z_.]+\\] )?(Encountered error while reading|Could not read footer for) file.*");

  private static final Pattern FOOTER = Pattern.compile("CANNOT_READ_FILE_FOOTER");

  /** How decoders fail on bytes that they do not expect. */
  private static final List<Class<? extends RuntimeException>> DECODING =
      List.of(
          NullPointerException.class,
          IndexOutOfBoundsException.class,
          NegativeArraySizeException.class,
          ArithmeticException.class,
          ClassCastException.class,
          BufferUnderflowException.class,
          BufferOverflowException.class);

  /** Names of exceptions before what they say. */
  private static final Pattern CLASSES = Pattern.compile("^(?:(?:[a-z]\\w*\\.)+[A-Z]\\w*: )+");

  /** Words that name a file, which is named already. */
  private static final String NAMING =
      "(?:\\s*\\b(?:in|for|of|from|at)\\s+)?(?:\\b[Ff]ile:?\\s+)?[\"']?";

  /** What readers say of a file, and the same in a sentence about it. */
  private static final Map<Pattern, String> SENTENCES = new LinkedHashMap<>();

  static {
    say(
        "is not a Parquet file \\(length is too low: (\\d+)\\)",
        "it is no Parquet file: its length is $1 bytes");
    say(
        "is not a Parquet file\\. Expected magic number at tail,? but found (\\[.*?\\])",
        "it is no Parquet file, or not a whole one: its last four bytes are $1, expected PAR1");
    say(
        "footer is too large: (\\d+) ?to be read",
        "it is damaged or not whole: its last bytes give a footer length of $1 bytes");
    say(
        "corrupted file: the footer index is not within the file: (-?\\d+)",
        "it is damaged or not whole: its last bytes give a footer at byte $1");
    say(
        "Trying to read file with encrypted footer\\. No keys available",
        "it is encrypted, and Spark has no keys: set parquet.crypto.factory.class");
    say(
        "Checksum error:? at (\\d+) exp: \\S+ got: \\S+",
        "it differs from its checksum (the .crc file beside it) at byte $1");
    say(
        "(?:can not|cannot|could not) read (?:class \\S*?\\.)?FileMetaData: (.*)",
        "its footer is damaged: $1");
    say(
        "(?:can not|cannot|could not) read (?:class \\S*?\\.)?PageHeader: (.*)",
        "the header of a page is damaged: $1");
    say(
        "(?:can not|cannot|could not) read (?:class \\S*?\\.)?(\\w+): (.*)",
        "its $1 is damaged: $2");
    say(
        "could not read page .* in col \\[(.+?)\\] [^:]*(: .*)?",
        "a page of its column $1 is damaged$2");
    say(
        "column: \\[(.+?)\\], physicalType: (.*?), logicalType: (.*)",
        "its column $1 is $2, expected $3");
    say("(?:File )?does not exist.*|No such file or directory", "it does not exist");
    say("\\(?Permission denied\\)?", "permission denied");
  }

  private Failures() {}

  /**
   * The one line that says most: of our own messages the first in the chain of causes, which a
   * failed task hides under several of Spark's; otherwise that of the innermost cause, with the
   * file that Spark was reading.
   */
  public static String oneLine(Throwable failure) {
    return Refusal.redacted(line(failure));
  }

  /**
   * Why a file cannot be read: the sentence that follows its path and a colon, without the path.
   *
   * @param path as Hadoop or Spark spells it, encoded or not
   */
  public static String cause(Throwable failure, String path) {
    List<Throwable> chain = chain(failure);
    String cause = "";
    for (Throwable t : chain) {
      // The innermost that says something, or the one around it that says the same and more.
      String said = said(t, path);
      boolean wrapper = WRAPPER.matcher(said).matches();
      if (!said.isEmpty() && !wrapper && !cause.endsWith(said)) {
        boolean bare = !said.contains(" ") && !cause.isEmpty();
        cause = bare ? cause + ": " + said : said;
      }
    }
    Throwable innermost = chain.get(chain.size() - 1);
    if (cause.isEmpty() || DECODING.stream().anyMatch(kind -> kind.isInstance(innermost))) {
      boolean footer = chain.stream().anyMatch(t -> FOOTER.matcher("" + t.getMessage()).find());
      String name = innermost.getClass().getSimpleName();
      return "%s is damaged (%s)"
          .formatted(
              footer ? "its footer" : "its content", cause.isEmpty() ? name : name + ": " + cause);
    }
    for (Map.Entry<Pattern, String> sentence : SENTENCES.entrySet()) {
      Matcher known = sentence.getKey().matcher(cause);
      if (known.matches()) {
        return Refusal.redacted(known.replaceFirst(sentence.getValue()));
      }
    }
    return Refusal.redacted(cause);
  }

  private static void say(String found, String sentence) {
    SENTENCES.put(Pattern.compile(found), sentence);
  }

  /** The first line of a message, without the path and what a reader learns nothing from. */
  private static String said(Throwable t, String path) {
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

  /** Matches a path, encoded or not, with the scheme and the host of its file system or without. */
  private static Pattern spellings(String path) {
    Set<String> spellings =
        new TreeSet<>(Comparator.comparing(String::length).reversed().thenComparing(s -> s));
    List<String> plain = new ArrayList<>(List.of(new Path(path).toUri().getPath()));
    try {
      plain.add(new Path(URI.create(path)).toUri().getPath());
    } catch (IllegalArgumentException e) {
      // It is not encoded.
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
      // A format that this Spark does not have, as 3.5 has no xml.
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
    boolean speaks = innermost instanceof IOException || innermost instanceof RuntimeException;
    boolean bare = !message.contains(" ");
    return speaks && !bare ? message : innermost.getClass().getSimpleName() + ": " + message;
  }

  /** The first line, without Spark's "SQLSTATE: …" and the query plan that follows its messages. */
  public static String firstLine(String message) {
    String line = message.strip().lines().findFirst().orElse("");
    return line.replaceFirst("\\s*SQLSTATE: \\w+;?\\s*$", "").replaceFirst(";\\s*$", "");
  }
}
