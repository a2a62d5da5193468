package io.mambaspark.engine.checkpoint;

import java.util.Collection;
import java.util.stream.Collectors;

/**
 * A file of a checkpoint is missing, malformed, hostile or not what the config says.
 *
 * <p>The message is one line for a user: what failed, what was found, what was expected, in which
 * file. Names in it come from files that are not trusted, so characters that would break the line
 * or disguise it are escaped here, once for all, and what is far too long is cut.
 */
public final class CheckpointException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private static final int MAX_NAME = 120;
  private static final int MAX_MESSAGE = 900;

  /** The message is escaped and cut; the caller only words it. */
  public CheckpointException(String message) {
    super(line(message));
  }

  /** As the other; the message of the cause is left as it is. */
  public CheckpointException(String message, Throwable cause) {
    super(line(message), cause);
  }

  /** A name from a file as a message shows it: on one line, and cut when it is very long. */
  public static String shown(String name) {
    StringBuilder shown = new StringBuilder();
    if (escape(name, MAX_NAME, shown) < name.length()) {
      shown.append("… (").append(name.length()).append(" characters)");
    }
    return shown.toString();
  }

  /**
   * The first {@code most} of some names from a file as a message shows them, and how many more.
   */
  public static String shown(Collection<String> names, int most) {
    String first =
        names.stream()
            .limit(most)
            .map(CheckpointException::shown)
            .collect(Collectors.joining(", "));
    return names.size() > most ? first + " and %d more".formatted(names.size() - most) : first;
  }

  private static String line(String message) {
    StringBuilder line = new StringBuilder();
    if (escape(message, MAX_MESSAGE, line) < message.length()) {
      line.append("…");
    }
    return line.toString();
  }

  /** Escapes as much of a text as fits into {@code most} characters; returns where it stopped. */
  private static int escape(String text, int most, StringBuilder escaped) {
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
      if (escaped.length() + shown.length() > most) {
        break;
      }
      escaped.append(shown);
      at += Character.charCount(c);
    }
    return at;
  }
}
