package io.mambaspark.jobs;

import io.mambaspark.engine.checkpoint.CheckpointException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.SparkThrowable;
import org.apache.spark.sql.AnalysisException;
import picocli.CommandLine.ParameterException;

/** What a person is told of an exception. */
final class Failures {
  /** Of Spark's message about a file that it could not read, in whatever version. */
  private static final Pattern FILE =
      Pattern.compile("(?:error while reading file|footer for file:?) (\\S+?)\\.?(?:\\s|$)");

  private Failures() {}

  /**
   * The one line that says most: of our own messages the first in the chain of causes, which a
   * failed task hides under several of Spark's; otherwise that of the innermost cause, with the
   * file that Spark was reading.
   */
  static String oneLine(Throwable failure) {
    return HadoopFiles.redacted(line(failure));
  }

  private static String line(Throwable failure) {
    List<Throwable> chain = new ArrayList<>();
    for (Throwable t = failure; t != null && !chain.contains(t); t = t.getCause()) {
      chain.add(t);
    }
    for (Throwable t : chain) {
      if (t instanceof Refusal
          || t instanceof TaskFailure
          || t instanceof CheckpointException
          || t instanceof ParameterException
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
        return "Cannot read %s: %s".formatted(file.group(1), innermost(chain));
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

  /** Without Spark's "SQLSTATE: …" and without the query plan that follows its messages. */
  private static String firstLine(String message) {
    String line = message.strip().lines().findFirst().orElse("");
    return line.replaceFirst("\\s*SQLSTATE: \\w+;?\\s*$", "").replaceFirst(";\\s*$", "");
  }
}
