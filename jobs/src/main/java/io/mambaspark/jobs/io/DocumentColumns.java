package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The names of the input columns that hold a document, as {@link
 * io.mambaspark.jobs.spark.ColumnNames} resolves them: token ids, a text, or a context and its
 * continuation. A context and its continuation are both token ids or both texts.
 *
 * @param tokens column of token ids; null for other documents
 * @param text column of UTF-8 texts; null for other documents
 * @param context column of contexts; null for other documents
 * @param continuation column of continuations; null for other documents
 * @param byteCount column of document lengths in bytes, which replace those of the texts; may be
 *     null
 * @param wordCount column of document lengths in words, which replace those of the texts; may be
 *     null
 */
public record DocumentColumns(
    String tokens,
    String text,
    String context,
    String continuation,
    String byteCount,
    String wordCount)
    implements java.io.Serializable {

  /** The message about a column that two options name. */
  public static final String GIVEN_TWICE =
      "Column %s is given for two options; give a different column for each";

  /** The default name of the tokens column. */
  public static final String TOKENS = "tokens";

  /** Checks that the columns name exactly one kind of document, and no column twice. */
  public DocumentColumns {
    if ((context == null) != (continuation == null)) {
      throw Refusal.wrongUsage(
          "--context-column and --continuation-column require each other; %s is missing",
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
        throw Refusal.wrongUsage(GIVEN_TWICE, column);
      }
    }
  }

  /** Returns the columns of documents that are token ids. */
  public static DocumentColumns tokens(String column) {
    return new DocumentColumns(column, null, null, null, null, null);
  }

  /** Returns the columns of documents that are texts. */
  public static DocumentColumns text(String column) {
    return new DocumentColumns(null, column, null, null, null, null);
  }

  /** Whether only a continuation is scored, given its context. */
  public boolean isPair() {
    return context != null;
  }

  /** Lists the columns that hold the document, in the order in which a partition reads them. */
  public List<String> content() {
    return isPair() ? List.of(context, continuation) : List.of(text != null ? text : tokens);
  }

  /** Lists {@link #content} and the count columns, if any. */
  public List<String> all() {
    List<String> all = new ArrayList<>(content());
    Stream.of(byteCount, wordCount).filter(Objects::nonNull).forEach(all::add);
    return all;
  }

  /** Lists each column after its option, for example {@code --text-column text}. */
  public List<String> named() {
    return all().stream().map(column -> option(column) + " " + column).toList();
  }

  /** Returns the option that names a column. */
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
