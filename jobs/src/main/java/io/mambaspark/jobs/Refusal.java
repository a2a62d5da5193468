package io.mambaspark.jobs;

import java.util.regex.Pattern;

/**
 * The command cannot be carried out as given. The message is one readable line for the user; no
 * stack trace is shown for it.
 */
public final class Refusal extends RuntimeException {
  private static final long serialVersionUID = 1;
  private static final Pattern LOGIN = Pattern.compile("(\\w://)[^/@\\s]+:[^/@\\s]*@");

  private final boolean wrongUsage;

  private Refusal(String message, boolean wrongUsage, Throwable cause) {
    super(redacted(message), cause);
    this.wrongUsage = wrongUsage;
  }

  /** The options contradict each other or the model: exit code 2. */
  public static Refusal wrongUsage(String message, Object... args) {
    return new Refusal(String.format(message, args), true, null);
  }

  /** A file, a column or the output is not as needed: exit code 1. */
  public static Refusal because(String message, Object... args) {
    return new Refusal(String.format(message, args), false, null);
  }

  /** As {@link #because(String, Object...)}, keeping the cause for {@code --verbose}. */
  public static Refusal because(Throwable cause, String message, Object... args) {
    return new Refusal(String.format(message, args), false, cause);
  }

  /** True if other options would do; false if the files have to change. */
  public boolean isWrongUsage() {
    return wrongUsage;
  }

  /** A text for people and files, in which URIs have no user and password; null for null. */
  public static String redacted(String text) {
    return text == null ? null : LOGIN.matcher(text).replaceAll("$1***@");
  }
}
