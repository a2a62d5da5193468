package io.mambaspark.jobs.io;

import io.mambaspark.engine.score.NonFinite;
import java.io.Serializable;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;

/**
 * The reason why a row cannot be scored.
 *
 * @param message the text for the column {@code error}
 */
public record RowError(Kind kind, String message) implements Serializable {

  /**
   * The kinds of errors, which the summary counts separately, with the start and the rest of their
   * messages. {@link #fromWritten} recognises a kind by the start, so the start must not change.
   */
  public enum Kind {
    MALFORMED_INPUT("Input line is malformed: ", "found %s; expected %s"),
    UNREADABLE_INPUT("Input cannot be read: ", "reading %s failed after %d rows: %s"),
    NOT_TEXT("Text is not a string: ", "found %s at character %d in column %s"),
    NULL_ELEMENT("Token at position ", "%d is null"),
    NEGATIVE_ID("Token id -", "%s at position %d is negative; expected an id in [0, %d)"),
    ID_OUTSIDE_VOCABULARY("Token id ", "%d at position %d is outside [0, %d)"),
    INVALID_UTF8("Text is not UTF-8: ", "byte 0x%02X at offset %d of column %s"),
    NOT_TOKENIZED("Text cannot be tokenized: ", "%s"),
    EMPTY_CONTEXT(
        "Context is empty",
        ", and the model has no bos or eos token to use instead; see --prefix-token"),
    MERGED_CONTINUATION(
        "Continuation has no token of its own: ",
        "column %s merges into the last token of column %s; move the end of the context to the"
            + " continuation"),
    LONG_CONTINUATION(
        "Continuation is too long: ", "found %d tokens, expected at most --max-length %d"),
    NEGATIVE_COUNT("Count in column ", "%s is %d; expected at least 0"),
    TOO_LARGE(
        "Scores of ",
        "%d tokens take %d bytes, more than one row can hold; emit fewer values, or shorten the"
            + " documents"),
    NON_FINITE_SCORE("Score is not finite: ", "%s is %s");

    private final String start;
    private final String rest;

    Kind(String start, String rest) {
      this.start = start;
      this.rest = rest;
    }

    /** The name of the kind in the summary. */
    public String label() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** Returns the kind with a label. */
    public static Kind labelled(String label) {
      return valueOf(label.toUpperCase(Locale.ROOT));
    }

    private RowError error(Object... args) {
      return new RowError(this, start + String.format(Locale.ROOT, rest, args));
    }
  }

  /**
   * Restores the error from a message in an output, which does not store the kind: chooses the kind
   * with the longest start that the message begins with. Elsewhere errors carry their kind.
   *
   * @param message may be null
   * @return null for null
   * @throws IllegalStateException if the message does not begin with the start of any kind
   */
  public static RowError fromWritten(String message) {
    if (message == null) {
      return null;
    }
    return Arrays.stream(Kind.values())
        .filter(kind -> message.startsWith(kind.start))
        .max(Comparator.comparing(kind -> kind.start.length()))
        .map(kind -> new RowError(kind, message))
        .orElseThrow(
            () ->
                new IllegalStateException(
                    "Cannot find the kind of an error that this version does not write: "
                        + message));
  }

  /** Returns the same error with the place where it was found. */
  RowError in(String place) {
    return new RowError(kind, message + ", in " + place);
  }

  /** The error for a line of the input that does not match the planned schema. */
  static RowError malformedInput(String found, String expected) {
    return Kind.MALFORMED_INPUT.error(found, expected);
  }

  /** The error for a JSON value other than a string in a text column. */
  static RowError notText(String found, int character, String column) {
    return Kind.NOT_TEXT.error(found, character, column);
  }

  /** The error for a file that cannot be read further, after {@code rows} rows of a part of it. */
  static RowError unreadableInput(String file, long rows, String cause) {
    return Kind.UNREADABLE_INPUT.error(file, rows, cause);
  }

  /** The error for a continuation whose only token is the prefix token, which is its context. */
  public static RowError onlyPrefix(String continuation) {
    return new RowError(
        Kind.MERGED_CONTINUATION,
        Kind.MERGED_CONTINUATION.start
            + "under an empty context, the only token of column %s is the prefix token"
                .formatted(continuation));
  }

  /** The error for a continuation that is longer than the limit of a pair. */
  public static RowError longContinuation(int tokens, int limit) {
    return Kind.LONG_CONTINUATION.error(tokens, limit);
  }

  public static RowError nullElement(int position) {
    return Kind.NULL_ELEMENT.error(position);
  }

  /** The error for an id without a row in the embedding. */
  public static RowError outside(long id, int position, int vocabSize) {
    if (id < 0) {
      // The sign is in the start of the message; Long.MIN_VALUE has no positive counterpart.
      return Kind.NEGATIVE_ID.error(Long.toString(id).substring(1), position, vocabSize);
    }
    return Kind.ID_OUTSIDE_VOCABULARY.error(id, position, vocabSize);
  }

  public static RowError invalidUtf8(byte bad, int offset, String column) {
    return Kind.INVALID_UTF8.error(bad & 0xFF, offset, column);
  }

  public static RowError notTokenized(String why) {
    return Kind.NOT_TOKENIZED.error(why);
  }

  public static RowError emptyContext() {
    return Kind.EMPTY_CONTEXT.error();
  }

  /**
   * The error for a continuation that adds no token to its context.
   *
   * @param continuation the column of the continuation
   * @param context the column of the context
   */
  public static RowError mergedContinuation(String continuation, String context) {
    return Kind.MERGED_CONTINUATION.error(continuation, context);
  }

  public static RowError negativeCount(String column, long count) {
    return Kind.NEGATIVE_COUNT.error(column, count);
  }

  public static RowError tooLarge(int tokens, long bytes) {
    return Kind.TOO_LARGE.error(tokens, bytes);
  }

  /** The error for a result with a number that is not finite; null for null. */
  public static RowError nonFinite(NonFinite found) {
    return found == null ? null : nonFinite(found.name(), found.value());
  }

  static RowError nonFinite(String what, double value) {
    return Kind.NON_FINITE_SCORE.error(what, Double.toString(value));
  }
}
