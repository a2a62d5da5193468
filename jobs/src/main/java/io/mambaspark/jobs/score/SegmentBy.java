package io.mambaspark.jobs.score;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import java.io.Serializable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How documents are divided into {@link Segments}.
 *
 * @param tokens the number of tokens of a segment; 0 for the other rules
 */
public record SegmentBy(Rule rule, int tokens) implements Serializable {
  private static final Pattern TOKENS = Pattern.compile("tokens=([1-9]\\d{0,8})");

  /** Where segments end. */
  enum Rule {
    /** After each line feed. */
    NEWLINE,
    /** After each run of blank lines: lines of ASCII white space only. */
    BLANK_LINE,
    /** After a number of tokens. */
    TOKENS
  }

  /** Parses the value of {@code --segment-by}; null for null. Throws {@link Refusal}. */
  static SegmentBy parse(String how) {
    if (how == null) {
      return null;
    }
    Matcher tokens = TOKENS.matcher(how);
    if (tokens.matches()) {
      return new SegmentBy(Rule.TOKENS, Integer.parseInt(tokens.group(1)));
    }
    return switch (how) {
      case "newline" -> new SegmentBy(Rule.NEWLINE, 0);
      case "blank-line" -> new SegmentBy(Rule.BLANK_LINE, 0);
      default ->
          throw Refusal.wrongUsage(
              "--segment-by %s: expected newline, blank-line, or tokens=N with an integer N from 1"
                  + " to 999999999",
              how);
    };
  }

  /** Validates that documents without a text are divided by tokens. */
  void check(boolean text, DocumentColumns columns) {
    if (!text && rule != Rule.TOKENS) {
      throw Refusal.wrongUsage(
          "--segment-by %s needs text columns; found tokens in %s. --segment-by tokens=N divides"
              + " tokens",
          this, String.join(" and ", columns.content()));
    }
  }

  /** Returns the value that {@link #parse} reads. */
  @Override
  public String toString() {
    return rule == Rule.TOKENS
        ? "tokens=" + tokens
        : rule == Rule.NEWLINE ? "newline" : "blank-line";
  }
}
