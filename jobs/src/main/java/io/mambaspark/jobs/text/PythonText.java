package io.mambaspark.jobs.text;

/** White space and words as Python 3 defines them for a {@code str}; Java's definitions differ. */
public final class PythonText {
  private PythonText() {}

  /**
   * Returns the number of words as lm-evaluation-harness counts them: the number of pieces of
   * {@code re.split(r"\s+", text)}. White space at the start or at the end of the text adds an
   * empty piece, and an empty text has one piece.
   */
  public static long words(String text) {
    long words = 1;
    boolean inSpace = false;
    for (int i = 0; i < text.length(); i++) {
      boolean space = isSpace(text.charAt(i));
      if (space && !inSpace) {
        words++;
      }
      inSpace = space;
    }
    return words;
  }

  /** Returns Python's {@code text.rstrip()}. */
  static String stripEnd(String text) {
    int end = text.length();
    while (end > 0 && isSpace(text.charAt(end - 1))) {
      end--;
    }
    return text.substring(0, end);
  }

  /**
   * Returns Python's {@code str.isspace()} of one character, which equals a match of {@code \s}.
   * Every white-space character is one {@code char}. Java's {@code Character.isWhitespace} excludes
   * U+0085 and the no-break spaces.
   */
  static boolean isSpace(int codePoint) {
    if (codePoint < 0x80) {
      return codePoint == ' '
          || (codePoint >= '\t' && codePoint <= '\r')
          || (codePoint >= 0x1C && codePoint <= 0x1F);
    }
    return switch (codePoint) {
      case 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 -> true;
      default -> codePoint >= 0x2000 && codePoint <= 0x200A;
    };
  }
}
