package io.mambaspark.jobs.io;

import io.mambaspark.engine.score.NonFinite;
import java.util.Locale;

/** Why a row cannot be scored. The message is written to the column {@code error}. */
public enum RowError {
  MALFORMED_INPUT("Input line is malformed: ", "found %s; expected %s"),
  UNREADABLE_INPUT("Input cannot be read: ", "%s ends after %d rows: %s"),
  NOT_TEXT("Text is not a string: ", "found %s at character %d in column %s"),
  NULL_ELEMENT("Token at position ", "%d is null"),
  NEGATIVE_ID("Token id -", "%s at position %d is negative; expected an id in [0, %d)"),
  ID_OUTSIDE_VOCABULARY("Token id ", "%d at position %d is outside [0, %d)"),
  INVALID_UTF8("Text is not UTF-8: ", "byte 0x%02X at offset %d of column %s"),
  NOT_TOKENIZED("Text cannot be tokenized: ", "%s"),
  EMPTY_CONTEXT(
      "Context is empty", ", and the model names no bos or eos for its place; see --prefix-token"),
  MERGED_CONTINUATION(
      "Continuation has no token of its own: ",
      "column %s merges into the last token of column %s; move the end of the context to the"
          + " continuation"),
  NEGATIVE_COUNT("Count in column ", "%s is %d; expected at least 0"),
  TOO_LARGE(
      "Scores of ", "%d tokens take %d bytes, more than one row may; emit less, or cut documents"),
  NON_FINITE_SCORE("Score is not finite: ", "%s is %s");

  private final String start;
  private final String rest;

  RowError(String start, String rest) {
    this.start = start;
    this.rest = rest;
  }

  /** The name in the summary. */
  public String kind() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The kind of a written message: each kind's messages begin in a way of their own. */
  public static RowError of(String message) {
    for (RowError error : values()) {
      if (message.startsWith(error.start)) {
        return error;
      }
    }
    throw new IllegalStateException("Not an error that this version writes: " + message);
  }

  /** The message for a line of the input that is not a row as planned. */
  static String malformedInput(String found, String expected) {
    return MALFORMED_INPUT.message(found, expected);
  }

  /** The message for another JSON value where the document's text is expected. */
  static String notText(String found, int character, String column) {
    return NOT_TEXT.message(found, character, column);
  }

  /** The message for a file that ends before its end, after so many rows of a part of it. */
  static String unreadableInput(String file, long rows, String cause) {
    return UNREADABLE_INPUT.message(file, rows, cause);
  }

  public static String nullElement(int position) {
    return NULL_ELEMENT.message(position);
  }

  /** The message for an id that is no row of the embedding. */
  public static String outside(long id, int position, int vocabSize) {
    if (id < 0) {
      // The sign is in the start of the message; Long.MIN_VALUE has no positive counterpart.
      return NEGATIVE_ID.message(Long.toString(id).substring(1), position, vocabSize);
    }
    return ID_OUTSIDE_VOCABULARY.message(id, position, vocabSize);
  }

  public static String invalidUtf8(byte bad, int offset, String column) {
    return INVALID_UTF8.message(bad & 0xFF, offset, column);
  }

  public static String notTokenized(String why) {
    return NOT_TOKENIZED.message(why);
  }

  public static String emptyContext() {
    return EMPTY_CONTEXT.message();
  }

  /**
   * The message for a text that adds no token to its context.
   *
   * @param continuation its column
   * @param context the context's
   */
  public static String mergedContinuation(String continuation, String context) {
    return MERGED_CONTINUATION.message(continuation, context);
  }

  public static String negativeCount(String column, long count) {
    return NEGATIVE_COUNT.message(column, count);
  }

  public static String tooLarge(int tokens, long bytes) {
    return TOO_LARGE.message(tokens, bytes);
  }

  /** The message for a number of a result, which is null where all are finite; null for null. */
  public static String nonFinite(NonFinite found) {
    return found == null ? null : nonFinite(found.name(), found.value());
  }

  public static String nonFinite(String what, double value) {
    return NON_FINITE_SCORE.message(what, Double.toString(value));
  }

  private String message(Object... args) {
    return start + String.format(Locale.ROOT, rest, args);
  }
}
