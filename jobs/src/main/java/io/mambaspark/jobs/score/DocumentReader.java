package io.mambaspark.jobs.score;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.spark.Tasks;
import io.mambaspark.jobs.text.PairEncoding;
import io.mambaspark.jobs.text.PythonText;
import io.mambaspark.jobs.text.Tokenizer;
import io.mambaspark.jobs.text.TokenizerFile;
import io.mambaspark.jobs.text.Utf8;
import java.io.Serializable;
import java.math.BigDecimal;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Row;

/**
 * How a row becomes the tokens of a document. The first columns of the row are those of {@link
 * DocumentColumns#all}, texts as binary, counts as bigint.
 *
 * @param prefix the id put in front of every document, or {@link TokenOptions#NO_PREFIX}
 * @param emptyContext the id that stands for an empty context, or {@link TokenOptions#NO_PREFIX};
 *     used for pairs only
 * @param maxTokens 0 for no limit. Only tokens within the limit are looked at: a bad id beyond it
 *     is dropped with the rest
 * @param tokenizer of texts; null where the columns hold tokens
 */
public record DocumentReader(
    DocumentColumns columns,
    int prefix,
    int emptyContext,
    int maxTokens,
    int vocabSize,
    Broadcast<TokenizerFile> tokenizer)
    implements Serializable {
  private static final long serialVersionUID = 1;
  private static final BigDecimal LARGEST = BigDecimal.valueOf(Long.MAX_VALUE);

  /**
   * A document, or why there is none.
   *
   * @param tokens with the prefix; empty if there is an error, null for a null document
   * @param context how many of them are given, at least 1
   * @param truncated whether tokens were dropped
   * @param bytes UTF-8 bytes of the document, of a pair's continuation; null if not known
   * @param words its words, alike
   * @param error null when all is well
   */
  public record Document(
      int[] tokens, int context, boolean truncated, Long bytes, Long words, String error) {
    private static final Document NULL = new Document(null, 1, false, null, null, null);

    /**
     * Whether the text, the tokens or the continuation are null in a row that has no error: there
     * is nothing to score, not even an empty document, and every score is null.
     */
    public boolean isNull() {
      return tokens == null && error == null;
    }
  }

  /** Ids, or why there are none. */
  private record Ids(int[] ids, boolean truncated, String error) {}

  /** A text, or why there is none. */
  private record Text(String text, String error) {}

  /** Opens the reader for the rows of one task. */
  public ForTask open() {
    return new ForTask();
  }

  /** Reads the rows of one task. */
  public final class ForTask {
    private final int content = columns.content().size();
    private final Tokenizer texts =
        tokenizer == null ? null : tokenizer.value().tokenizer(Tasks.localFolder());
    private final PairEncoding pairs = texts == null ? null : new PairEncoding(texts::encode);

    /** Reads the document of a row, unless the input has found that it cannot be read. */
    public Document read(Row row) {
      int inputError = columns.all().size();
      if (row.length() > inputError && !row.isNullAt(inputError)) {
        return refused(false, row.getString(inputError));
      }
      return columns.isPair() ? pair(row) : single(row);
    }

    private Document single(Row row) {
      Long bytes = null;
      Long words = null;
      Ids ids;
      if (texts == null) {
        ids = ids(row, 0, maxTokens);
      } else {
        Text text = text(row, 0);
        if (text.error != null) {
          return refused(false, text.error);
        }
        ids = encoded(text.text);
        bytes = bytes(row, 0);
        words = words(text.text);
      }
      String error = ids.error != null ? ids.error : badCount(row);
      if (error != null) {
        return refused(ids.truncated, error);
      }
      if (row.isNullAt(0)) {
        return Document.NULL;
      }
      int from = prefix == TokenOptions.NO_PREFIX ? 0 : 1;
      int[] tokens = new int[from + ids.ids.length];
      if (from == 1) {
        tokens[0] = prefix;
      }
      System.arraycopy(ids.ids, 0, tokens, from, ids.ids.length);
      return new Document(
          tokens,
          1,
          ids.truncated,
          count(row, columns.byteCount(), bytes),
          count(row, columns.wordCount(), words),
          null);
    }

    /**
     * The continuation's tokens follow the context's; an empty or null context is the prefix token.
     */
    private Document pair(Row row) {
      Ids context;
      Ids continuation;
      Long bytes = null;
      Long words = null;
      if (texts == null) {
        context = ids(row, 0, 0);
        continuation = ids(row, 1, 0);
      } else {
        Text given = text(row, 0);
        Text scored = text(row, 1);
        if (given.error != null || scored.error != null) {
          return refused(false, given.error != null ? given.error : scored.error);
        }
        try {
          PairEncoding.EncodedPair encoded =
              pairs.encode(
                  given.text == null ? "" : given.text, scored.text == null ? "" : scored.text);
          context = new Ids(encoded.context(), false, null);
          boolean merged =
              encoded.continuation().length == 0 && scored.text != null && !scored.text.isEmpty();
          continuation =
              new Ids(
                  encoded.continuation(),
                  false,
                  merged
                      ? RowError.mergedContinuation(columns.continuation(), columns.context())
                      : null);
        } catch (Refusal e) {
          return refused(false, RowError.notTokenized(e.getMessage()));
        }
        bytes = bytes(row, 1);
        words = words(scored.text);
      }
      String error =
          context.error != null
              ? context.error
              : continuation.error != null ? continuation.error : badCount(row);
      if (error != null) {
        return refused(false, error);
      }
      if (row.isNullAt(1)) {
        return Document.NULL;
      }
      int first = context.ids.length == 0 ? emptyContext : prefix;
      if (context.ids.length == 0 && first == TokenOptions.NO_PREFIX) {
        return refused(false, RowError.emptyContext());
      }
      int from = first == TokenOptions.NO_PREFIX ? 0 : 1;
      int given = from + context.ids.length;
      int[] tokens = new int[given + continuation.ids.length];
      if (from == 1) {
        tokens[0] = first;
      }
      System.arraycopy(context.ids, 0, tokens, from, context.ids.length);
      System.arraycopy(continuation.ids, 0, tokens, given, continuation.ids.length);
      return new Document(
          tokens,
          given,
          false,
          count(row, columns.byteCount(), bytes),
          count(row, columns.wordCount(), words),
          null);
    }

    private Ids encoded(String text) {
      int[] ids;
      try {
        ids = text == null ? new int[0] : texts.encode(text);
      } catch (Refusal e) {
        return new Ids(null, false, RowError.notTokenized(e.getMessage()));
      }
      boolean truncated = maxTokens > 0 && ids.length > maxTokens;
      return new Ids(truncated ? java.util.Arrays.copyOf(ids, maxTokens) : ids, truncated, null);
    }

    private Text text(Row row, int column) {
      byte[] bytes = row.isNullAt(column) ? null : row.getAs(column);
      if (bytes == null) {
        return new Text(null, null);
      }
      try {
        return new Text(Utf8.decode(bytes), null);
      } catch (Utf8.Malformed e) {
        return new Text(
            null,
            RowError.invalidUtf8(bytes[e.offset()], e.offset(), columns.content().get(column)));
      }
    }

    private static Long bytes(Row row, int column) {
      return row.isNullAt(column) ? null : (long) row.<byte[]>getAs(column).length;
    }

    private static Long words(String text) {
      return text == null ? null : PythonText.words(text);
    }

    private Ids ids(Row row, int column, int limit) {
      List<?> list = row.isNullAt(column) ? Collections.emptyList() : row.getList(column);
      boolean truncated = limit > 0 && list.size() > limit;
      int[] ids = new int[truncated ? limit : list.size()];
      // An iterator, because not every sequence of Scala's finds an element in constant time.
      Iterator<?> values = list.iterator();
      for (int i = 0; i < ids.length; i++) {
        Number id = (Number) values.next();
        if (id == null) {
          return new Ids(null, truncated, RowError.nullElement(i));
        }
        // An unsigned id of 64 bits is outside every vocabulary.
        long wide = id instanceof BigDecimal big ? big.min(LARGEST).longValue() : id.longValue();
        if (wide < 0 || wide >= vocabSize) {
          return new Ids(null, truncated, RowError.outside(wide, i, vocabSize));
        }
        ids[i] = (int) wide;
      }
      return new Ids(ids, truncated, null);
    }

    /** A count that the input gives goes before one of our own. */
    private Long count(Row row, String column, Long counted) {
      if (column == null) {
        return counted;
      }
      int at = columns.all().indexOf(column);
      return row.isNullAt(at) ? null : row.getLong(at);
    }

    private String badCount(Row row) {
      for (int at = content; at < columns.all().size(); at++) {
        if (!row.isNullAt(at) && row.getLong(at) < 0) {
          return RowError.negativeCount(columns.all().get(at), row.getLong(at));
        }
      }
      return null;
    }

    private static Document refused(boolean truncated, String error) {
      return new Document(new int[0], 1, truncated, null, null, error);
    }
  }
}
