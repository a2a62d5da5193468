package io.mambaspark.jobs.io;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Reads JSON (RFC 8259, and the NaN, Infinity and -Infinity that Python writes) token by token.
 *
 * <p>Two sorts of mistakes: a {@link Malformed} ends the reading; a {@link #flaw} is remembered and
 * the reading goes on, so that the rest of a line can be kept.
 *
 * <p>Jackson is not used here: its limits, its messages and the positions in them differ between
 * the versions that Spark 3.5 to 4.2 bring, but the rows that are written hold these messages and
 * must not depend on the version.
 */
final class JsonReader {
  /** Objects and lists in each other. Callers recurse, so this bounds their stacks. */
  static final int MAX_DEPTH = 1000;

  private static final char REPLACEMENT = '\uFFFD';

  /** The text is not JSON from some character on. */
  static final class Malformed extends Exception {
    private static final long serialVersionUID = 1;

    private final RowError error;

    // Without a stack trace: a file may have millions of such lines.
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

  /** The keys so far of each object around the next token; null for a list. */
  private final List<Set<String>> open = new ArrayList<>();

  /** Where the next token is looked for. */
  private int at;

  /** Where the last token began. */
  private int token;

  /** Whether the innermost object or list has an element already. */
  private boolean begun;

  private RowError flaw;

  /**
   * @param start the offset of the first character to read
   */
  JsonReader(String text, int start) {
    this.text = text;
    this.start = start;
    this.at = start;
  }

  /** The offset behind the last token. */
  int at() {
    return at;
  }

  /** The offset of the last token, or of the value that {@link #peek} saw. */
  int token() {
    return token;
  }

  /** The first mistake that did not end the reading; null if there is none. */
  RowError flaw() {
    return flaw;
  }

  /** The kind of the next value. */
  JsonKind peek() throws Malformed {
    return peek("a value");
  }

  /**
   * The kind of the next value.
   *
   * @param expected what the message says where there is none
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

  /** Enters the object or list that {@link #peek} saw. */
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

  /** Moves to the next element of a list; false behind the last, where the list is left. */
  boolean element() throws Malformed {
    return next(']', "',' or ']'");
  }

  /** The next key of an object; null behind the last, where the object is left. */
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
      twice(key, from, "each key once");
    }
    token = from;
    return key;
  }

  /** Remembers that the key at this offset is there for the second time. */
  void twice(String key, int from, String expected) {
    flaw("key \"" + JsonExcerpt.of(key, 0, key.length()) + "\" again", from, expected);
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

  /** The string that {@link #peek} saw; a lone surrogate in it becomes U+FFFD. */
  String string() throws Malformed {
    return string(true);
  }

  private String string(boolean wanted) throws Malformed {
    int begin = at++;
    int from = at;
    StringBuilder built = null;
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c == '"') {
        int end = at++;
        if (!wanted) {
          return null;
        }
        return built == null ? text.substring(from, end) : built.append(text, from, end).toString();
      }
      if (c < ' ') {
        throw new Malformed(
            RowError.malformedInput(
                "%s at character %d, inside a string"
                    .formatted(JsonExcerpt.next(text, at), character(at)),
                "it as \\u%04x".formatted((int) c)));
      }
      if (c != '\\') {
        at++;
        continue;
      }
      if (wanted) {
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
   * Reads an escape, and both of a pair of surrogates.
   *
   * @param built takes the characters; may be null
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
      flaw("the lone surrogate " + text.substring(escape, escape + 6), escape, "a pair");
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
            // ASCII only: Character.digit takes the digits of other scripts.
            int digit =
                at < text.length() && text.charAt(at) < 128
                    ? Character.digit(text.charAt(at), 16)
                    : -1;
            if (digit < 0) {
              throw unexpected("four hexadecimal digits behind \\u");
            }
            value = 16 * value + digit;
            at++;
          }
          return (char) value;
        default:
          at = from + 1;
          throw unexpected("an escape of JSON behind '\\'");
      }
    }
    at = text.length();
    throw unexpected("an escape of JSON behind '\\'");
  }

  /** The digits of the number that {@link #peek} saw, or NaN, Infinity or -Infinity. */
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

  /** The boolean that {@link #peek} saw. */
  boolean bool() {
    boolean value = text.charAt(at) == 't';
    at += value ? "true".length() : "false".length();
    return value;
  }

  /** Reads and drops the next value. */
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

  /** The next value as it stands in the text. */
  String raw() throws Malformed {
    peek();
    int from = at;
    skip();
    return text.substring(from, at);
  }

  /** Checks that nothing but white space follows. */
  void end() throws Malformed {
    space();
    token = at;
    if (at < text.length()) {
      throw unexpected("the end of the line");
    }
  }

  /** The text up to the last token, shortened to what a message may hold of the user's data. */
  String excerpt(int from) {
    return JsonExcerpt.of(text, from, at);
  }

  /** Remembers a mistake behind which the reading goes on. Only the first one counts. */
  void flaw(String found, int from, String expected) {
    if (flaw == null) {
      flaw = RowError.malformedInput(found + " at character " + character(from), expected);
    }
  }

  /** As {@link #flaw(String, int, String)} for a whole error. */
  void flaw(RowError error) {
    if (flaw == null) {
      flaw = error;
    }
  }

  /** The number of a character in the line, from 1, as editors count. */
  int character(int offset) {
    return text.codePointCount(start, offset) + 1;
  }

  /** The exception for what stands at the next offset. */
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
