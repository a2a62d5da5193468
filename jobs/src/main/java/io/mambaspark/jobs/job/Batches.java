package io.mambaspark.jobs.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.when;

import io.mambaspark.jobs.score.ScoreColumn;
import io.mambaspark.jobs.score.ScoringSchema;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.streaming.StreamingQueryListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The sums over the batches that this start of a stream has scored. Spark reports observed metrics
 * once per completed batch, so a retried task does not count twice.
 */
final class Batches extends StreamingQueryListener {
  private static final long serialVersionUID = 1;
  private static final Logger LOG = LoggerFactory.getLogger(Batches.class);

  private static final String DOCUMENTS = "documents";
  private static final String ERRORS = "errors";
  private static final String TOKENS = "tokens";
  private static final String NLL = "nll";
  private static final String NULLS = "nulls";

  private final String name = "mamba_" + UUID.randomUUID();
  private final boolean nll;
  private final long start = System.nanoTime();
  private long number;
  private long errors;
  private long documents;
  private long nulls;
  private long tokens;
  private double sum;

  /**
   * Starts with sums of zero.
   *
   * @param nll whether the scored rows have the column nll
   */
  Batches(boolean nll) {
    this.nll = nll;
  }

  /**
   * Returns the rows unchanged, and makes Spark observe the sums of each batch.
   *
   * @param scores the score columns of the rows
   */
  Dataset<Row> observed(Dataset<Row> scored, List<ScoreColumn> scores) {
    Column isNull = ScoringSchema.isNullDocument(scores);
    return scored.observe(
        name,
        count(lit(1)).as(DOCUMENTS),
        count(col(ScoreColumn.ERROR.column())).as(ERRORS),
        sum(nll ? col(ScoreColumn.TOKEN_COUNT.column()) : lit(0L)).as(TOKENS),
        sum(nll ? col(ScoreColumn.NLL.column()) : lit(0.0)).as(NLL),
        count(when(isNull, 1)).as(NULLS));
  }

  @Override
  public void onQueryStarted(QueryStartedEvent event) {}

  @Override
  public void onQueryTerminated(QueryTerminatedEvent event) {}

  @Override
  public synchronized void onQueryProgress(QueryProgressEvent event) {
    Row batch = event.progress().observedMetrics().get(name);
    if (batch == null) {
      return;
    }
    long batchDocuments = batch.<Long>getAs(DOCUMENTS);
    long batchErrors = batch.<Long>getAs(ERRORS);
    // SQL's sum over no rows, or over nulls only, is null.
    Long scored = batch.getAs(TOKENS);
    Double scoredNll = batch.getAs(NLL);
    long batchTokens = scored == null ? 0 : scored;
    double batchNll = scoredNll == null ? 0 : scoredNll;
    number++;
    documents += batchDocuments;
    errors += batchErrors;
    nulls += batch.<Long>getAs(NULLS);
    tokens += batchTokens;
    sum += batchNll;
    LOG.info(
        "Batch {}: {}",
        event.progress().batchId(),
        String.format(
            Locale.ROOT,
            "%,d rows%s, %,d errors, %.1f s",
            batchDocuments,
            batchTokens == 0
                ? ""
                : String.format(
                    Locale.ROOT,
                    ", %,d tokens, perplexity %,.2f",
                    batchTokens,
                    Math.exp(batchNll / batchTokens)),
            batchErrors,
            event.progress().batchDuration() / 1e3));
  }

  /** Returns the number of rows that could not be scored. */
  synchronized long errors() {
    return errors;
  }

  synchronized void print(PrintWriter out) {
    SummaryLines lines = new SummaryLines(out);
    lines.line("batches", "%,d", number);
    lines.line("rows", "%,d", documents);
    if (nulls > 0) {
      lines.line("  null", "%,d", nulls);
    }
    if (errors > 0) {
      lines.line("  with errors", "%,d", errors);
    }
    if (nll) {
      lines.line("tokens scored", "%,d", tokens);
    }
    if (tokens > 0) {
      lines.line("corpus perplexity", "%,.4f", Math.exp(sum / tokens));
    }
    lines.line("seconds", "%,.1f", (System.nanoTime() - start) / 1e9);
  }
}
