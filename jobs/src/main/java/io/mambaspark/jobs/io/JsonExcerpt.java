package io.mambaspark.jobs.io;

import java.util.Locale;

/** Excerpts of a JSON text for messages. */
final class JsonExcerpt {
  /** The maximum number of characters of the user's data in a message. */
  private static final int LENGTH = 40;

  private JsonExcerpt() {}

  /** Returns a part of a text, shortened, on one line. */
  static String of(String text, int from, int to) {
    int end = Math.min(to, from + LENGTH);
    if (end < to && Character.isHighSurrogate(text.charAt(end - 1))) {
      end--;
    }
    StringBuilder excerpt = new StringBuilder(text.substring(from, end));
    for (int i = 0; i < excerpt.length(); i++) {
      // A message is one line.
      if (Character.isISOControl(excerpt.charAt(i))
          || "\u2028\u2029".indexOf(excerpt.charAt(i)) >= 0) {
        excerpt.setCharAt(i, ' ');
      }
    }
    return excerpt.append(end < to ? "…" : "").toString();
  }

  /** Returns the word or the character at an offset. */
  static String next(String text, int offset) {
    if (offset == text.length()) {
      return "the end of the line";
    }
    int end = offset;
    while (end < text.length() && Character.isLetterOrDigit(text.charAt(end))) {
      end++;
    }
    if (end > offset) {
      return of(text, offset, end);
    }
    int c = text.codePointAt(offset);
    return c < 127 && c >= ' ' && c != '\''
        ? "'" + (char) c + "'"
        : c == '\'' ? "a single quote" : String.format(Locale.ROOT, "U+%04X", c);
  }
}
