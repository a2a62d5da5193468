package io.mambaspark.jobs.score;

import io.mambaspark.engine.model.MambaModel;
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
 * Streams the rows of one partition, (document, kept columns…), through a {@link Scorer} of its
 * own.
 *
 * <p>Every row goes through the scorer, those that cannot be scored as sequences without tokens, so
 * that rows come out in the order in which they came in and none is held longer than the scorer
 * reads ahead.
 *
 * @param windows how documents are cut
 * @param bounds rows outside are marked as dropped
 * @param progress may be null
 */
public record PartitionScoring(
    ModelDelivery model,
    DocumentReader reader,
    Emit emit,
    Windows windows,
    PerplexityBounds bounds,
    RowFailures failures,
    LongAccumulator progress)
    implements MapPartitionsFunction<Row, Tuple2<Row, ScoredRow>> {
  private static final long serialVersionUID = 1;

  private static final double LN_2 = StrictMath.log(2);

  /** Leaves room for the kept columns and for the doubling of Spark's buffers. */
  private static final long MAX_ROW_BYTES = 1L << 30;

  /**
   * What of a row has to wait for its scores. {@code error} is null for a row that is scored,
   * {@code place} where no message will name it.
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
   * @param place tells where the row is that was read last, for a message; empty if nobody knows
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
            Iterators.map(rows, row -> sequence(row, documents, place)), emit.wanted(), windows);
    return Iterators.map(scores, this::scored);
  }

  private Sequence<Pending> sequence(
      Row row, DocumentReader.ForTask documents, Supplier<String> place) {
    ScoringCounters.readDocument();
    Row kept = kept(row, reader.columns());
    DocumentReader.Document document = documents.read(row);
    if (document.isNull()) {
      return new Sequence<>(new Pending(kept, document, null, null), new int[0]);
    }
    int count = document.tokens().length - document.context() + 1;
    RowError error = document.error();
    if (error == null && rowBytes(count) > MAX_ROW_BYTES) {
      error = RowError.tooLarge(count, rowBytes(count));
    }
    if (error == null) {
      return new Sequence<>(
          new Pending(kept, document, null, failures.fatal() ? place.get() : null),
          document.tokens(),
          document.context());
    }
    failures.found(error, kept, place);
    return new Sequence<>(new Pending(kept, document, error, null), new int[0]);
  }

  /** What the lists of a row take in Spark's own layout, in which a row is one byte array. */
  private long rowBytes(int tokens) {
    // A candidate: its offset in the list, null bits, two fields of a word each.
    long topK = emit.topK() == 0 ? 0 : 32L * emit.topK() + 32;
    return tokens * (topK + (emit.tokenLogprobs() ? 6 : 0) + (emit.tokenRanks() ? 4 : 0));
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
      error = RowError.nonFinite(scores.firstNonFinite());
      if (error != null) {
        failures.found(error, row.kept, row::place);
      }
    }
    out.setTruncated(row.document.truncated());
    out.fail(error);
    if (error == null) {
      if (emit.nll()) {
        setNll(out, scores, row.document);
      }
      out.setTokenLogprobs(scores.tokenLogprobs());
      out.setGreedyMatch(scores.greedyMatch());
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
    // Of a text that was scored in part the bytes are too many.
    boolean whole = !document.truncated() && windows.policy() != Windows.Policy.CHUNKED;
    if (whole && document.bytes() != null && document.bytes() > 0) {
      out.setBitsPerByte(scores.nll() / document.bytes() / LN_2);
    }
    out.setDropped(bounds.exclude(scores.perplexity()));
  }

  /**
   * The perplexity as it is written: {@code exp(nll / tokens)}; null where nothing was scored, and
   * where it is too large for a double. There it counts as infinite.
   */
  public static Double perplexity(double nll, long tokens) {
    double perplexity = StrictMath.exp(nll / tokens);
    return Double.isFinite(perplexity) ? perplexity : null;
  }

  /** The kept columns of a row, which follow those of the document and the input's error. */
  static Row kept(Row row, DocumentColumns document) {
    int first = document.all().size() + 1;
    Object[] values = new Object[row.length() - first];
    for (int i = 0; i < values.length; i++) {
      values[i] = row.get(first + i);
    }
    return RowFactory.create(values);
  }

  /** The file that Spark's own source reads in this thread. */
  private static String filePlace() {
    String file = InputFileBlockHolder.getInputFilePath().toString();
    return file.isEmpty() ? "" : "a row of " + file;
  }

  /** A long row is many chunks: between them it is seen to move, and can be stopped. */
  public static void chunkDone(int tokens, LongAccumulator progress, TaskContext task) {
    ScoringCounters.ranTokens(tokens);
    if (progress != null) {
      progress.add(tokens);
    }
    if (task != null) {
      task.killTaskIfInterrupted();
    }
  }
}
