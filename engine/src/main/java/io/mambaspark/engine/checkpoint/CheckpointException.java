package io.mambaspark.engine.checkpoint;

/**
 * A file of a checkpoint is missing, malformed, hostile or not what the config says.
 *
 * <p>The message is one line for a user: what failed, what was found, what was expected, in which
 * file. Names in it come from files that are not trusted, so characters that would break the line
 * or disguise it are escaped here, once for all.
 */
public final class CheckpointException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private static final int MAX_NAME = 120;

  public CheckpointException(String message) {
    super(escape(message));
  }

  public CheckpointException(String message, Throwable cause) {
    super(escape(message), cause);
  }

  /** A name from a file as a message shows it: on one line, and cut when it is very long. */
  public static String shown(String name) {
    if (name.length() <= MAX_NAME) {
      return escape(name);
    }
    return escape(name.substring(0, MAX_NAME)) + "… (" + name.length() + " characters)";
  }

  private static String escape(String text) {
    StringBuilder escaped = new StringBuilder(text.length());
    text.codePoints()
        .forEach(
            c -> {
              switch (Character.getType(c)) {
                case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR ->
                    escaped.append(String.format("\\u%04x", c));
                default -> escaped.appendCodePoint(c);
              }
            });
    return escaped.toString();
  }
}
