package io.mambaspark.engine.checkpoint;

import java.util.Collection;
import java.util.stream.Collectors;

/**
 * The error for a checkpoint file that is missing, malformed or hostile, or contradicts the config.
 *
 * <p>The message is one line for a user: what failed, what was found, what was expected, in which
 * file. Names in it come from untrusted files. This class therefore escapes characters that would
 * break or disguise the line, and truncates text that is far too long.
 */
public final class CheckpointException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private static final int MAX_NAME = 120;
  private static final int MAX_MESSAGE = 900;

  /** Escapes and truncates the message, so the caller need not. */
  public CheckpointException(String message) {
    super(line(message));
  }

  /** Escapes and truncates the message; the cause keeps its message unchanged. */
  public CheckpointException(String message, Throwable cause) {
    super(line(message), cause);
  }

  /** Formats a name from a file for a message: escaped to one line, and truncated if very long. */
  public static String shown(String name) {
    StringBuilder shown = new StringBuilder();
    if (escape(name, MAX_NAME, shown) < name.length()) {
      shown.append("… (").append(name.length()).append(" characters)");
    }
    return shown.toString();
  }

  /**
   * Formats the first {@code max} names from a file for a message, with the number of the others.
   */
  public static String shown(Collection<String> names, int max) {
    String first =
        names.stream().limit(max).map(CheckpointException::shown).collect(Collectors.joining(", "));
    return names.size() > max ? first + " and %d more".formatted(names.size() - max) : first;
  }

  private static String line(String message) {
    StringBuilder line = new StringBuilder();
    if (escape(message, MAX_MESSAGE, line) < message.length()) {
      line.append("…");
    }
    return line.toString();
  }

  /**
   * Escapes as much of a text as fits into {@code max} characters; returns the index in the text of
   * the first character that did not fit.
   */
  private static int escape(String text, int max, StringBuilder escaped) {
    int at = 0;
    while (at < text.length()) {
      int c = text.codePointAt(at);
      String shown =
          switch (Character.getType(c)) {
            case Character.CONTROL,
                Character.FORMAT,
                Character.SURROGATE,
                Character.PRIVATE_USE,
                Character.UNASSIGNED,
                Character.LINE_SEPARATOR,
                Character.PARAGRAPH_SEPARATOR ->
                String.format("\\u%04x", c);
            default -> Character.toString(c);
          };
      if (escaped.length() + shown.length() > max) {
        break;
      }
      escaped.append(shown);
      at += Character.charCount(c);
    }
    return at;
  }
}
