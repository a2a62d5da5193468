package io.mambaspark.jobs;

import java.util.regex.Pattern;

/**
 * The reason why a command cannot be carried out as given. The message is one line for the user,
 * who gets no stack trace.
 */
public final class Refusal extends RuntimeException {
  private static final long serialVersionUID = 1;
  private static final Pattern LOGIN = Pattern.compile("(\\w://)[^/@\\s]+:[^/@\\s]*@");

  private final boolean wrongUsage;

  private Refusal(String message, boolean wrongUsage, Throwable cause) {
    super(redacted(message), cause);
    this.wrongUsage = wrongUsage;
  }

  /** Returns a refusal of options that contradict each other or the model: exit code 2. */
  public static Refusal wrongUsage(String message, Object... args) {
    return new Refusal(String.format(message, args), true, null);
  }

  /** Returns a refusal of a file, a column or an output that cannot be used: exit code 1. */
  public static Refusal because(String message, Object... args) {
    return new Refusal(String.format(message, args), false, null);
  }

  /** Like {@link #because(String, Object...)}, but keeps the cause for {@code --verbose}. */
  public static Refusal because(Throwable cause, String message, Object... args) {
    return new Refusal(String.format(message, args), false, cause);
  }

  /** Whether other options would help; false if files have to change. */
  public boolean isWrongUsage() {
    return wrongUsage;
  }

  /** Replaces user and password in the URIs of a text by {@code ***}; returns null for null. */
  public static String redacted(String text) {
    return text == null ? null : LOGIN.matcher(text).replaceAll("$1***@");
  }
}
