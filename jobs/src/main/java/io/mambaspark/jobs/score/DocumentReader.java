package io.mambaspark.jobs.score;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.InputErrors;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.model.TextEncoding;
import io.mambaspark.jobs.text.PairEncoding;
import io.mambaspark.jobs.text.PythonText;
import io.mambaspark.jobs.text.Tokenizer;
import io.mambaspark.jobs.text.Utf8;
import java.io.Serializable;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.sql.Row;

/**
 * Reads the tokens of a document from a row. The first columns of the row are {@link
 * DocumentColumns#all}, with texts as binary and counts as bigint.
 *
 * @param prefix the id before every document, or {@link TokenOptions#NO_PREFIX}
 * @param emptyContext the id that replaces an empty context, or {@link TokenOptions#NO_PREFIX};
 *     used for pairs only
 * @param maxTokens the limit of tokens per document; 0 for no limit. Tokens beyond the limit are
 *     dropped without validation
 * @param maxLength the limit of tokens from which a continuation's last token is predicted; 0 for
 *     no limit. The first tokens of a longer context are dropped
 * @param encoding the encoding of text columns; null for token columns
 * @param segmentBy how documents are divided into segments; null for no segments, as for pairs
 */
public record DocumentReader(
    DocumentColumns columns,
    int prefix,
    int emptyContext,
    int maxTokens,
    int maxLength,
    int vocabSize,
    TextEncoding encoding,
    SegmentBy segmentBy)
    implements Serializable {
  private static final long serialVersionUID = 1;
  private static final BigDecimal LARGEST = BigDecimal.valueOf(Long.MAX_VALUE);

  /**
   * A document, or an error.
   *
   * @param tokens the ids, prefix included; empty if there is an error, null for a null document
   * @param context the number of tokens at the beginning that are given and not scored, at least 1
   * @param truncated whether tokens at the end were dropped
   * @param contextTruncated whether tokens at the beginning of the context were dropped
   * @param bytes UTF-8 bytes of the document, or of a pair's continuation; null if unknown
   * @param words words of the document, or of a pair's continuation; null if unknown
   * @param segments the segments of {@code tokens}; null if they are not requested
   * @param error null if there is no error
   */
  public record Document(
      int[] tokens,
      int context,
      boolean truncated,
      boolean contextTruncated,
      Long bytes,
      Long words,
      Segments segments,
      RowError error) {
    private static final Document NULL =
        new Document(null, 1, false, false, null, null, null, null);

    /**
     * Whether the text, the tokens or the continuation is null in a row without an error. Unlike
     * the scores of an empty document, all scores of such a row are null.
     */
    public boolean isNull() {
      return tokens == null && error == null;
    }
  }

  /** The ids of a column and their segments, which may be null, or an error. */
  private record Ids(int[] ids, boolean truncated, Segments segments, RowError error) {
    private static final Ids EMPTY = new Ids(new int[0], false, null);

    Ids(int[] ids, boolean truncated, RowError error) {
      this(ids, truncated, null, error);
    }

    static Ids failed(RowError error) {
      return new Ids(null, false, error);
    }
  }

  /**
   * The content columns of a row.
   *
   * @param context the ids of the context; empty if the row is not a pair
   * @param scored the ids of the document, or of the continuation
   * @param bytes UTF-8 bytes of the scored text; null for tokens and for a null text
   * @param words words of the scored text; null for tokens and for a null text
   */
  private record Contents(Ids context, Ids scored, Long bytes, Long words) {
    static Contents of(Ids scored) {
      return new Contents(Ids.EMPTY, scored, null, null);
    }

    RowError error() {
      return context.error != null ? context.error : scored.error;
    }
  }

  /** A text, which may be null, or an error. */
  private record Text(String text, RowError error) {}

  /** Opens the reader for the rows of one task. */
  public ForTask open() {
    return new ForTask();
  }

  /** Reads the rows of one task. */
  public final class ForTask {
    private final int content = columns.content().size();
    private final Tokenizer texts = encoding == null ? null : encoding.tokenizer();
    private final PairEncoding pairs =
        texts == null ? null : new PairEncoding(texts::encode, encoding.special());

    /** Reads the document of a row; it has the error that the input has marked, if any. */
    public Document read(Row row) {
      int inputError = columns.all().size();
      if (row.length() > inputError && !row.isNullAt(inputError)) {
        return refused(false, InputErrors.read(row, inputError));
      }
      return columns.isPair() ? pair(row) : single(row);
    }

    private Document single(Row row) {
      Contents read = texts == null ? Contents.of(ids(row, 0, maxTokens)) : text(row);
      RowError error = read.error() != null ? read.error() : badCount(row);
      if (error != null) {
        return refused(read.scored.truncated, error);
      }
      return row.isNullAt(0) ? Document.NULL : document(row, prefix, read);
    }

    /**
     * Joins a context and its continuation. The prefix token replaces an empty or null context,
     * unless the continuation begins with it: then its first token is the context, as in
     * lm-evaluation-harness.
     */
    private Document pair(Row row) {
      Contents read =
          texts == null
              ? new Contents(ids(row, 0, 0), ids(row, 1, 0), null, null)
              : pairOfTexts(row);
      RowError error = read.error() != null ? read.error() : badCount(row);
      if (error != null) {
        return refused(false, error);
      }
      if (row.isNullAt(1)) {
        return Document.NULL;
      }
      boolean empty = read.context.ids.length == 0;
      if (empty && emptyContext == TokenOptions.NO_PREFIX) {
        return refused(false, RowError.emptyContext());
      }
      int[] scored = read.scored.ids;
      if (empty && scored.length > 0 && scored[0] == emptyContext) {
        if (scored.length == 1) {
          return refused(false, RowError.onlyPrefix(columns.continuation()));
        }
        read =
            new Contents(
                new Ids(new int[0], false, null),
                new Ids(Arrays.copyOfRange(scored, 1, scored.length), false, null),
                read.bytes,
                read.words);
      }
      int length = read.scored.ids.length;
      if (maxLength > 0 && length > maxLength) {
        return refused(false, RowError.longContinuation(length, maxLength));
      }
      return document(row, empty ? emptyContext : prefix, read);
    }

    /**
     * Concatenates the first id, the context's ids and the scored ids.
     *
     * @param first the id before the others, or {@link TokenOptions#NO_PREFIX}
     */
    private Document document(Row row, int first, Contents read) {
      int[] context = read.context.ids;
      int[] scored = read.scored.ids;
      int from = first == TokenOptions.NO_PREFIX ? 0 : 1;
      int given = from + context.length;
      int[] tokens = new int[given + scored.length];
      if (from == 1) {
        tokens[0] = first;
      }
      System.arraycopy(context, 0, tokens, from, context.length);
      System.arraycopy(scored, 0, tokens, given, scored.length);
      int dropped = maxLength == 0 ? 0 : Math.max(0, tokens.length - maxLength - 1);
      return new Document(
          dropped == 0 ? tokens : Arrays.copyOfRange(tokens, dropped, tokens.length),
          columns.isPair() ? given - dropped : 1,
          read.scored.truncated,
          dropped > 0,
          count(row, columns.byteCount(), read.bytes),
          count(row, columns.wordCount(), read.words),
          read.scored.segments == null ? null : read.scored.segments.after(from),
          null);
    }

    private Contents text(Row row) {
      Text text = text(row, 0);
      return text.error != null
          ? Contents.of(Ids.failed(text.error))
          : new Contents(
              Ids.EMPTY, encoded(text.text, row.getAs(0)), bytes(row, 0), words(text.text));
    }

    private Contents pairOfTexts(Row row) {
      Text given = text(row, 0);
      Text scored = text(row, 1);
      if (given.error != null || scored.error != null) {
        return Contents.of(Ids.failed(given.error != null ? given.error : scored.error));
      }
      PairEncoding.EncodedPair encoded;
      try {
        encoded =
            pairs.encode(
                given.text == null ? "" : given.text, scored.text == null ? "" : scored.text);
      } catch (Refusal e) {
        return Contents.of(Ids.failed(RowError.notTokenized(e.getMessage())));
      }
      boolean merged =
          encoded.continuation().length == 0 && scored.text != null && !scored.text.isEmpty();
      Ids continuation =
          merged
              ? Ids.failed(RowError.mergedContinuation(columns.continuation(), columns.context()))
              : new Ids(encoded.continuation(), false, null);
      return new Contents(
          new Ids(encoded.context(), false, null), continuation, bytes(row, 1), words(scored.text));
    }

    private Ids encoded(String text, byte[] utf8) {
      if (text == null) {
        return Ids.EMPTY;
      }
      int[] ids;
      int[] starts = null;
      try {
        if (segmentBy == null) {
          ids = encoding.special().add(text, texts.encode(text));
        } else {
          Tokenizer.Located located = texts.locate(text);
          ids = encoding.special().add(text, located.ids());
          starts = starts(located, ids.length, utf8.length);
        }
      } catch (Refusal e) {
        return Ids.failed(RowError.notTokenized(e.getMessage()));
      }
      boolean truncated = maxTokens > 0 && ids.length > maxTokens;
      int count = truncated ? maxTokens : ids.length;
      return new Ids(
          truncated ? Arrays.copyOf(ids, count) : ids,
          truncated,
          starts == null ? null : Segments.ofText(segmentBy, utf8, starts, count),
          null);
    }

    /** Adds those of the special tokens: the beginning and the end of the text. */
    private int[] starts(Tokenizer.Located located, int count, int bytes) {
      int[] starts = new int[count];
      int before = count == located.ids().length ? 0 : encoding.special().before().length;
      Arrays.fill(starts, before, count, bytes);
      System.arraycopy(located.starts(), 0, starts, before, located.starts().length);
      return starts;
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
      // An iterator, because some Scala sequences do not access an index in constant time.
      Iterator<?> values = list.iterator();
      for (int i = 0; i < ids.length; i++) {
        Number id = (Number) values.next();
        if (id == null) {
          return new Ids(null, truncated, RowError.nullElement(i));
        }
        // An unsigned 64-bit id that exceeds a long is outside every vocabulary.
        long wide = id instanceof BigDecimal big ? big.min(LARGEST).longValue() : id.longValue();
        if (wide < 0 || wide >= vocabSize) {
          return new Ids(null, truncated, RowError.outside(wide, i, vocabSize));
        }
        ids[i] = (int) wide;
      }
      Segments segments =
          segmentBy == null ? null : Segments.ofTokens(segmentBy.tokens(), ids.length);
      return new Ids(ids, truncated, segments, null);
    }

    /** Returns the count of the input's column if it has one, otherwise our own count. */
    private Long count(Row row, String column, Long counted) {
      if (column == null) {
        return counted;
      }
      int at = columns.all().indexOf(column);
      return row.isNullAt(at) ? null : row.getLong(at);
    }

    private RowError badCount(Row row) {
      for (int at = content; at < columns.all().size(); at++) {
        if (!row.isNullAt(at) && row.getLong(at) < 0) {
          return RowError.negativeCount(columns.all().get(at), row.getLong(at));
        }
      }
      return null;
    }

    private static Document refused(boolean truncated, RowError error) {
      return new Document(new int[0], 1, truncated, false, null, null, null, error);
    }
  }
}
