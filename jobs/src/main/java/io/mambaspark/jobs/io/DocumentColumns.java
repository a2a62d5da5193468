package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The input columns that a document is read from: token ids, a text, or a context and its
 * continuation, which are both the one or both the other.
 *
 * @param tokens token ids; null for the others
 * @param text UTF-8; null for the others
 * @param context null for the others
 * @param continuation null for the others
 * @param byteCount the document's length in bytes, instead of what its text has; may be null
 * @param wordCount the document's length in words, instead of what its text has; may be null
 */
public record DocumentColumns(
    String tokens,
    String text,
    String context,
    String continuation,
    String byteCount,
    String wordCount)
    implements java.io.Serializable {

  /** The name of the tokens column where none is given. */
  public static final String TOKENS = "tokens";

  /** Checks that they name one document. */
  public DocumentColumns {
    if ((context == null) != (continuation == null)) {
      throw Refusal.wrongUsage(
          "--context-column and --continuation-column go together; %s is missing",
          context == null ? "--context-column" : "--continuation-column");
    }
    if (Stream.of(tokens, text, context).filter(Objects::nonNull).count() != 1) {
      throw Refusal.wrongUsage(
          "Give one of --tokens-column, --text-column, or --context-column with"
              + " --continuation-column");
    }
    String first = Stream.of(tokens, text, context).filter(Objects::nonNull).findFirst().get();
    Set<String> seen = new HashSet<>(Set.of(first));
    for (String column : new String[] {continuation, byteCount, wordCount}) {
      if (column != null && !seen.add(column)) {
        throw Refusal.wrongUsage("Column %s is named for two purposes", column);
      }
    }
  }

  /** A column of token ids. */
  public static DocumentColumns tokens(String column) {
    return new DocumentColumns(column, null, null, null, null, null);
  }

  /** A column of texts. */
  public static DocumentColumns text(String column) {
    return new DocumentColumns(null, column, null, null, null, null);
  }

  /** Whether only a continuation is scored, given its context. */
  public boolean isPair() {
    return context != null;
  }

  /** The columns that hold the document, in the order in which a partition reads them. */
  public List<String> content() {
    return isPair() ? List.of(context, continuation) : List.of(text != null ? text : tokens);
  }

  /** {@link #content}, and the counts that are given. */
  public List<String> all() {
    List<String> all = new ArrayList<>(content());
    Stream.of(byteCount, wordCount).filter(Objects::nonNull).forEach(all::add);
    return all;
  }

  /**
   * The name of an input column as the user has spelt it, here or among the columns to keep; its
   * own name if the user has not named it.
   *
   * @param kept may be null
   */
  String spelling(String column, List<String> kept, boolean caseSensitive) {
    return caseSensitive
        ? column
        : Stream.concat(all().stream(), kept == null ? Stream.of() : kept.stream())
            .filter(column::equalsIgnoreCase)
            .findFirst()
            .orElse(column);
  }

  /** Each column with the option that names it. */
  public List<String> named() {
    return all().stream().map(column -> option(column) + " " + column).toList();
  }

  /** The option that names a column. */
  public String option(String column) {
    if (column.equals(context)) {
      return "--context-column";
    }
    if (column.equals(continuation)) {
      return "--continuation-column";
    }
    if (column.equals(text)) {
      return "--text-column";
    }
    if (column.equals(tokens)) {
      return "--tokens-column";
    }
    return column.equals(byteCount) ? "--byte-count-column" : "--word-count-column";
  }
}
