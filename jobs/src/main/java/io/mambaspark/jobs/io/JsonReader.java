package io.mambaspark.jobs.io;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Reads JSON (RFC 8259, and the NaN, Infinity and -Infinity that Python writes) token by token.
 *
 * <p>Mistakes are of two kinds. A {@link Malformed} stops the reader. A {@link #recordError} is
 * recorded and reading continues, so that the rest of a line can be kept.
 *
 * <p>Jackson is not used: its limits, its messages and the positions in them differ between the
 * versions that Spark 3.5 to 4.2 include. Output rows contain these messages and must not depend on
 * the version.
 */
final class JsonReader {
  /** The maximum nesting of objects and lists. Callers recurse, so this bounds their stacks. */
  static final int MAX_DEPTH = 1000;

  private static final char REPLACEMENT = '\uFFFD';

  /** Thrown at the first character that is not valid JSON. */
  static final class Malformed extends Exception {
    private static final long serialVersionUID = 1;

    private final RowError error;

    // No stack trace is recorded: a file may have millions of such lines.
    private Malformed(RowError error) {
      super(error.message(), null, false, false);
      this.error = error;
    }

    RowError error() {
      return error;
    }
  }

  private final String text;
  private final int start;

  /** For each object or list around the next token: the object's keys so far, null for a list. */
  private final List<Set<String>> open = new ArrayList<>();

  /** The offset at which the search for the next token starts. */
  private int at;

  /** The offset of the last token. */
  private int token;

  /** Whether the innermost object or list has an element already. */
  private boolean begun;

  private RowError firstError;

  /**
   * @param start the offset of the first character to read
   */
  JsonReader(String text, int start) {
    this.text = text;
    this.start = start;
    this.at = start;
  }

  /** Returns the offset after the last token. */
  int at() {
    return at;
  }

  /** Returns the offset of the last token, or of the value that {@link #peek} found. */
  int token() {
    return token;
  }

  /** Returns the first mistake that did not stop the reader; null without such a mistake. */
  RowError firstError() {
    return firstError;
  }

  /** Returns the kind of the next value. */
  JsonKind peek() throws Malformed {
    return peek("a value");
  }

  /**
   * Returns the kind of the next value.
   *
   * @param expected the expectation in the message if no value follows
   */
  JsonKind peek(String expected) throws Malformed {
    space();
    token = at;
    if (at < text.length()) {
      char c = text.charAt(at);
      switch (c) {
        case '{':
          return JsonKind.OBJECT;
        case '[':
          return JsonKind.LIST;
        case '"':
          return JsonKind.STRING;
        case '-':
          return JsonKind.NUMBER;
        default:
          if (c >= '0' && c <= '9' || isWord("NaN") || isWord("Infinity")) {
            return JsonKind.NUMBER;
          }
          if (isWord("true") || isWord("false")) {
            return JsonKind.BOOLEAN;
          }
          if (isWord("null")) {
            return JsonKind.NULL;
          }
      }
    }
    throw unexpected(expected);
  }

  /** Enters the object or list that {@link #peek} found. */
  void open() throws Malformed {
    if (open.size() == MAX_DEPTH) {
      throw new Malformed(
          RowError.malformedInput(
              "a value in more than %d lists and objects at character %d"
                  .formatted(MAX_DEPTH, character(at)),
              "at most " + MAX_DEPTH));
    }
    open.add(text.charAt(at) == '{' ? new HashSet<>() : null);
    at++;
    begun = false;
  }

  /** Moves to the next element of a list; after the last, exits the list and returns false. */
  boolean element() throws Malformed {
    return next(']', "',' or ']'");
  }

  /** Reads the next key of an object; after the last, exits the object and returns null. */
  String key() throws Malformed {
    if (!next('}', begun ? "',' or '}'" : "a key in double quotes or '}'")) {
      return null;
    }
    space();
    token = at;
    if (at == text.length() || text.charAt(at) != '"') {
      throw unexpected("a key in double quotes");
    }
    int from = at;
    String key = string();
    space();
    if (at == text.length() || text.charAt(at) != ':') {
      throw unexpected("':'");
    }
    at++;
    if (!open.get(open.size() - 1).add(key)) {
      duplicateKey(key, from, "each key once");
    }
    token = from;
    return key;
  }

  /** Records that the key at an offset is a duplicate. */
  void duplicateKey(String key, int from, String expected) {
    recordError("key \"" + JsonExcerpt.of(key, 0, key.length()) + "\" again", from, expected);
  }

  private boolean next(char end, String expected) throws Malformed {
    space();
    token = at;
    if (at < text.length() && text.charAt(at) == end) {
      at++;
      open.remove(open.size() - 1);
      begun = true;
      return false;
    }
    if (begun) {
      if (at == text.length() || text.charAt(at) != ',') {
        throw unexpected(expected);
      }
      at++;
    } else if (at == text.length()) {
      throw unexpected(expected);
    }
    begun = true;
    return true;
  }

  /** Reads the string that {@link #peek} found; replaces a lone surrogate with U+FFFD. */
  String string() throws Malformed {
    return string(true);
  }

  /**
   * @param keep whether to return the string; otherwise the result is null
   */
  private String string(boolean keep) throws Malformed {
    int begin = at++;
    int from = at;
    StringBuilder built = null;
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c == '"') {
        int end = at++;
        if (!keep) {
          return null;
        }
        return built == null ? text.substring(from, end) : built.append(text, from, end).toString();
      }
      if (c < ' ') {
        throw new Malformed(
            RowError.malformedInput(
                "%s at character %d, inside a string"
                    .formatted(JsonExcerpt.next(text, at), character(at)),
                "the escape \\u%04x".formatted((int) c)));
      }
      if (c != '\\') {
        at++;
        continue;
      }
      if (keep) {
        built = (built == null ? new StringBuilder() : built).append(text, from, at);
      }
      escaped(built);
      from = at;
    }
    throw new Malformed(
        RowError.malformedInput(
            "the end of the line in the string that begins at character " + character(begin),
            "'\"'"));
  }

  /**
   * Reads one escape, or the two escapes of a surrogate pair.
   *
   * @param built receives the characters; may be null
   */
  private void escaped(StringBuilder built) throws Malformed {
    int escape = at;
    char value = escape();
    char low = 0;
    if (Character.isHighSurrogate(value) && text.startsWith("\\u", at)) {
      int second = at;
      low = escape();
      if (!Character.isLowSurrogate(low)) {
        at = second;
        low = 0;
      }
    }
    if (Character.isSurrogate(value) && low == 0) {
      recordError("the lone surrogate " + text.substring(escape, escape + 6), escape, "a pair");
      value = REPLACEMENT;
    }
    if (built != null) {
      built.append(value);
      if (low != 0) {
        built.append(low);
      }
    }
  }

  private char escape() throws Malformed {
    int from = at;
    if (from + 1 < text.length()) {
      char c = text.charAt(from + 1);
      at += 2;
      switch (c) {
        case '"', '\\', '/':
          return c;
        case 'b':
          return '\b';
        case 'f':
          return '\f';
        case 'n':
          return '\n';
        case 'r':
          return '\r';
        case 't':
          return '\t';
        case 'u':
          int value = 0;
          for (int i = 0; i < 4; i++) {
            // ASCII only: Character.digit accepts the digits of other scripts.
            int digit =
                at < text.length() && text.charAt(at) < 128
                    ? Character.digit(text.charAt(at), 16)
                    : -1;
            if (digit < 0) {
              throw unexpected("four hexadecimal digits after \\u");
            }
            value = 16 * value + digit;
            at++;
          }
          return (char) value;
        default:
          at = from + 1;
          throw unexpected("a JSON escape after '\\'");
      }
    }
    at = text.length();
    throw unexpected("a JSON escape after '\\'");
  }

  /** Reads the text of the number that {@link #peek} found; it may be NaN or ±Infinity. */
  String number() throws Malformed {
    int from = at;
    scanNumber();
    return text.substring(from, at);
  }

  private void scanNumber() throws Malformed {
    if (text.charAt(at) == '-') {
      at++;
      if (isWord("Infinity")) {
        at += "Infinity".length();
        return;
      }
    } else if (isWord("NaN") || isWord("Infinity")) {
      at += text.charAt(at) == 'N' ? "NaN".length() : "Infinity".length();
      return;
    }
    if (at < text.length() && text.charAt(at) == '0') {
      at++;
    } else {
      digits();
    }
    if (at < text.length() && text.charAt(at) == '.') {
      at++;
      digits();
    }
    if (at < text.length() && (text.charAt(at) | 0x20) == 'e') {
      at++;
      if (at < text.length() && (text.charAt(at) == '+' || text.charAt(at) == '-')) {
        at++;
      }
      digits();
    }
  }

  private void digits() throws Malformed {
    int from = at;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    if (at == from) {
      throw unexpected("a digit");
    }
  }

  /** Reads the boolean that {@link #peek} found. */
  boolean bool() {
    boolean value = text.charAt(at) == 't';
    at += value ? "true".length() : "false".length();
    return value;
  }

  /** Reads and ignores the next value. */
  void skip() throws Malformed {
    switch (peek()) {
      case OBJECT -> {
        open();
        while (key() != null) {
          skip();
        }
      }
      case LIST -> {
        open();
        while (element()) {
          skip();
        }
      }
      case STRING -> string(false);
      case NUMBER -> scanNumber();
      case BOOLEAN -> bool();
      case NULL -> at += "null".length();
    }
  }

  /** Reads the next value and returns its text unchanged. */
  String raw() throws Malformed {
    peek();
    int from = at;
    skip();
    return text.substring(from, at);
  }

  /** Checks that only white space follows. */
  void end() throws Malformed {
    space();
    token = at;
    if (at < text.length()) {
      throw unexpected("the end of the line");
    }
  }

  /** Returns the text from an offset to the end of the last token, shortened for a message. */
  String excerpt(int from) {
    return JsonExcerpt.of(text, from, at);
  }

  /** Records a mistake after which reading continues. Only the first mistake is kept. */
  void recordError(String found, int from, String expected) {
    if (firstError == null) {
      firstError = RowError.malformedInput(found + " at character " + character(from), expected);
    }
  }

  /** Records a complete error; see {@link #recordError(String, int, String)}. */
  void recordError(RowError error) {
    if (firstError == null) {
      firstError = error;
    }
  }

  /** Returns the number of a character in the line, counted from 1 as in editors. */
  int character(int offset) {
    return text.codePointCount(start, offset) + 1;
  }

  /** Returns the exception for the word or character at the next offset. */
  Malformed unexpected(String expected) {
    String where = at == text.length() ? "" : " at character " + character(at);
    return new Malformed(RowError.malformedInput(JsonExcerpt.next(text, at) + where, expected));
  }

  private void space() {
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
        return;
      }
      at++;
    }
  }

  private boolean isWord(String word) {
    int end = at + word.length();
    return text.startsWith(word, at)
        && (end == text.length() || !Character.isLetterOrDigit(text.charAt(end)));
  }
}
