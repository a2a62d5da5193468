package io.mambaspark.jobs.score;

import io.mambaspark.engine.score.Comparer;
import io.mambaspark.engine.score.Comparison;
import io.mambaspark.engine.score.Pair;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.spark.Iterators;
import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.util.LongAccumulator;
import scala.Tuple2;

/**
 * Compares two models on the rows of one partition, (document, kept columns…). The rows are
 * streamed through a {@link Comparer}. Rows that cannot be scored are documents without tokens, as
 * in {@link PartitionScoring}.
 *
 * @param sameTokens whether both readers read the same tokens from a row
 */
public record PartitionComparing(
    ModelDelivery modelA,
    ModelDelivery modelB,
    DocumentReader readerA,
    DocumentReader readerB,
    boolean sameTokens,
    LongAccumulator progress)
    implements MapPartitionsFunction<Row, Tuple2<Row, ComparedRow>> {
  private static final long serialVersionUID = 1;

  /** The data of a row that its result needs; {@code error} is null for a row that is scored. */
  private record Pending(Row kept, DocumentReader.Document document, RowError error) {}

  @Override
  public Iterator<Tuple2<Row, ComparedRow>> call(Iterator<Row> rows) {
    TaskContext task = TaskContext.get();
    Comparer comparer =
        new Comparer(
            modelA.model(),
            modelB.model(),
            sameTokens,
            Scorer.CHUNK,
            tokens -> PartitionScoring.chunkDone(tokens, progress, task));
    DocumentReader.ForTask documentsA = readerA.open();
    DocumentReader.ForTask documentsB = readerB.open();
    Iterator<Pair<Pending>> pairs = Iterators.map(rows, row -> pair(row, documentsA, documentsB));
    return Iterators.map(comparer.compare(pairs), PartitionComparing::compared);
  }

  private Pair<Pending> pair(Row row, DocumentReader.ForTask forA, DocumentReader.ForTask forB) {
    ScoringCounters.addDocument();
    Row kept = PartitionScoring.kept(row, readerA.columns());
    DocumentReader.Document a = forA.read(row);
    DocumentReader.Document b = forB.read(row);
    RowError error = a.error() != null ? a.error() : b.error();
    if (error != null) {
      ScoringCounters.addError();
      return new Pair<>(new Pending(kept, a, error), new int[0], new int[0]);
    }
    if (a.isNull()) {
      return new Pair<>(new Pending(kept, a, null), new int[0], new int[0]);
    }
    return new Pair<>(new Pending(kept, a, null), a.tokens(), b.tokens());
  }

  private static Tuple2<Row, ComparedRow> compared(Comparison<Pending> comparison) {
    Pending row = comparison.key();
    ComparedRow out = new ComparedRow();
    if (row.document.isNull()) {
      return new Tuple2<>(row.kept, out);
    }
    out.setTruncated(row.document.truncated());
    RowError error =
        row.error != null ? row.error : RowError.nonFinite(comparison.firstNonFinite());
    out.fail(error);
    if (error == null) {
      long tokens = comparison.tokensA();
      out.setNllA(comparison.nllA());
      out.setNllB(comparison.nllB());
      out.setDeltaNll(comparison.nllB() - comparison.nllA());
      out.setTokenCount(tokens);
      out.setTokenCountB(comparison.tokensB());
      out.setPerplexityA(PartitionScoring.perplexity(comparison.nllA(), tokens));
      out.setPerplexityB(PartitionScoring.perplexity(comparison.nllB(), comparison.tokensB()));
      out.setByteCount(row.document.bytes());
      if (tokens > 0) {
        out.setBetterTokens(share(comparison.better(), tokens));
        out.setKl(comparison.agreements() < 0 ? null : comparison.kl() / tokens);
        if (comparison.agreements() >= 0) {
          double binoculars = comparison.binoculars();
          out.setCrossEntropy(comparison.crossEntropy() / tokens);
          out.setBinoculars(Double.isFinite(binoculars) ? binoculars : null);
        }
        out.setTop1Agreement(share(comparison.agreements(), tokens));
      }
    }
    return new Tuple2<>(row.kept, out);
  }

  private static Double share(long count, long tokens) {
    return count < 0 ? null : (double) count / tokens;
  }
}
