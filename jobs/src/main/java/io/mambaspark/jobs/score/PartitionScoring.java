package io.mambaspark.jobs.score;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.NonFinite;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.spark.Iterators;
import java.util.Iterator;
import java.util.function.Supplier;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.rdd.InputFileBlockHolder;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.util.LongAccumulator;
import scala.Tuple2;

/**
 * Scores the rows of one partition, (document, kept columns…). The rows are streamed through a
 * {@link Scorer} of the partition.
 *
 * <p>Every row passes through the scorer: a row that cannot be scored becomes a sequence without
 * tokens. So the rows keep their order, and only the rows that the scorer reads ahead are in
 * memory.
 *
 * @param windows the windows into which documents are split
 * @param bounds the bounds of the rows that are written; rows outside are marked as dropped
 * @param progress counts the processed tokens; may be null
 */
public record PartitionScoring(
    ModelDelivery model,
    DocumentReader reader,
    Emit emit,
    Windows windows,
    RowBounds bounds,
    RowFailures failures,
    LongAccumulator progress)
    implements MapPartitionsFunction<Row, Tuple2<Row, ScoredRow>> {
  private static final long serialVersionUID = 1;

  private static final double LN_2 = StrictMath.log(2);

  /** Half of Spark's limit: kept columns need space too, and Spark doubles its buffers. */
  private static final long MAX_ROW_BYTES = 1L << 30;

  /**
   * The data of a row that waits for its scores. {@code error} is null for a row that is scored;
   * {@code place} is null if no message can need it.
   */
  record Pending(Row kept, DocumentReader.Document document, RowError error, String place) {}

  /** Whether a row that cannot be scored fails its task. */
  public boolean failOnError() {
    return failures.fatal();
  }

  @Override
  public Iterator<Tuple2<Row, ScoredRow>> call(Iterator<Row> rows) {
    return score(rows, PartitionScoring::filePlace);
  }

  /**
   * Scores rows.
   *
   * @param place supplies the location of the row that was read last, for messages; empty if
   *     unknown
   */
  public Iterator<Tuple2<Row, ScoredRow>> score(Iterator<Row> rows, Supplier<String> place) {
    MambaModel packed = model.model();
    TaskContext task = TaskContext.get();
    Scorer scorer = new Scorer(packed, Scorer.CHUNK, tokens -> chunkDone(tokens, progress, task));
    DocumentReader.ForTask documents = reader.open();
    if (emit.logits()) {
      return new LogitsRows(rows, row -> sequence(row, documents, place), scorer, failures);
    }
    Iterator<Scores<Pending>> scores =
        scorer.score(
            Iterators.map(rows, row -> sequence(row, documents, place)), emit.outputs(), windows);
    return Iterators.map(scores, this::scored);
  }

  private Sequence<Pending> sequence(
      Row row, DocumentReader.ForTask documents, Supplier<String> place) {
    ScoringCounters.addDocument();
    Row kept = kept(row, reader.columns());
    DocumentReader.Document document = documents.read(row);
    if (document.isNull()) {
      return new Sequence<>(new Pending(kept, document, null, null), new int[0]);
    }
    int count = document.tokens().length - document.context() + 1;
    RowError error = document.error();
    long rowBytes = error == null ? rowBytes(count, document.segments()) : 0;
    if (rowBytes > MAX_ROW_BYTES) {
      error = RowError.tooLarge(count, rowBytes);
    }
    if (error == null) {
      return new Sequence<>(
          new Pending(kept, document, null, failures.fatal() ? place.get() : null),
          document.tokens(),
          document.context());
    }
    failures.report(error, kept, place);
    return new Sequence<>(new Pending(kept, document, error, null), new int[0]);
  }

  /** Returns the size of a row's lists in Spark's layout, where a row is one byte array. */
  private long rowBytes(int tokens, Segments segments) {
    // A candidate takes four words: its offset in the list, null bits, and two fields.
    long topK = emit.topK() == 0 ? 0 : 32L * emit.topK() + 32;
    // A segment takes six words: its offset in the list, null bits, and four fields.
    return tokens
            * (topK
                + (emit.tokenLogprobs() ? 6 : 0)
                + (emit.tokenRanks() ? 4 : 0)
                + (emit.signals().tokenEntropy() ? 4 : 0))
        + (segments == null ? 0 : 48L * segments.size());
  }

  private Tuple2<Row, ScoredRow> scored(Scores<Pending> scores) {
    Pending row = scores.key();
    ScoredRow out = new ScoredRow();
    out.setDropped(false);
    if (row.document.isNull()) {
      return new Tuple2<>(row.kept, out);
    }
    RowError error = row.error;
    if (error == null) {
      NonFinite nonFinite = scores.firstNonFinite();
      error = RowError.nonFinite(nonFinite != null ? nonFinite : emit.signals().set(out, scores));
      if (error != null) {
        failures.report(error, row.kept, row::place);
        out = new ScoredRow();
        out.setDropped(false);
      }
    }
    out.setTruncated(row.document.truncated());
    out.setContextTruncated(row.document.contextTruncated());
    out.fail(error);
    if (error == null) {
      if (emit.nll()) {
        setNll(out, scores, row.document);
      }
      if (emit.tokenLogprobs()) {
        out.setTokenLogprobs(scores.tokenLogprobs());
        out.setGreedyMatch(scores.greedyMatch());
      }
      if (emit.segments() != null) {
        int length = row.document.tokens().length;
        row.document.segments().set(out, scores.tokenLogprobs(), windows.scoredTokens(length));
      }
      out.setTokenRanks(scores.tokenRanks());
      out.setTopKIds(scores.topKIds());
      out.setTopKLogprobs(scores.topKLogprobs());
      out.setLastLogits(scores.lastLogits());
    }
    return new Tuple2<>(row.kept, out);
  }

  private void setNll(ScoredRow out, Scores<?> scores, DocumentReader.Document document) {
    long count = scores.tokenCount();
    out.setNll(scores.nll());
    out.setTokenCount(count);
    out.setPerplexity(perplexity(scores.nll(), count));
    out.setNllSquares(scores.nllSquares());
    out.setIsGreedy(count == 0 ? null : scores.greedyTokens() == count);
    out.setPositionNll(scores.positionNll());
    out.setPositionTokens(scores.positionTokens());
    out.setByteCount(document.bytes());
    out.setWordCount(document.words());
    // The byte count is that of the complete text, also if only a part of the text was scored.
    boolean complete = !document.truncated() && windows.policy() != Windows.Policy.CHUNKED;
    if (complete && document.bytes() != null && document.bytes() > 0) {
      out.setBitsPerByte(scores.nll() / document.bytes() / LN_2);
    }
    out.setDropped(bounds.exclude(scores.perplexity(), out));
  }

  /**
   * Returns the perplexity as written: {@code exp(nll / tokens)}, or null if no token was scored or
   * if the perplexity overflows a double. Bounds, buckets and statistics treat an overflow as
   * infinity.
   */
  public static Double perplexity(double nll, long tokens) {
    double perplexity = StrictMath.exp(nll / tokens);
    return Double.isFinite(perplexity) ? perplexity : null;
  }

  /** Returns the kept columns of a row, which follow the document's columns and the input error. */
  static Row kept(Row row, DocumentColumns document) {
    int first = document.all().size() + 1;
    Object[] values = new Object[row.length() - first];
    for (int i = 0; i < values.length; i++) {
      values[i] = row.get(first + i);
    }
    return RowFactory.create(values);
  }

  /** Names the file that Spark reads in this thread; empty if Spark reads none. */
  private static String filePlace() {
    String file = InputFileBlockHolder.getInputFilePath().toString();
    return file.isEmpty() ? "" : "a row of " + file;
  }

  /** Reports progress and stops a cancelled task after each chunk; a long row has many chunks. */
  public static void chunkDone(int tokens, LongAccumulator progress, TaskContext task) {
    ScoringCounters.addTokens(tokens);
    if (progress != null) {
      progress.add(tokens);
    }
    if (task != null) {
      task.killTaskIfInterrupted();
    }
  }
}
