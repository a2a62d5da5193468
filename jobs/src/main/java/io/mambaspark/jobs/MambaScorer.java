package io.mambaspark.jobs;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.model.ModelOptions;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.score.DatasetScorer;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.score.WindowOptions;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.Versions;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * Scores rows of a Dataset with a Mamba model: columns in, columns out.
 *
 * <pre>{@code
 * try (MambaScorer scorer = MambaScorer.load("models/mamba-130m-hf").textColumn("text")) {
 *   scorer.score(corpus).write().parquet("scores");
 * }
 * }</pre>
 *
 * <p>Options have the names, the values and the defaults that they have on the command line. A
 * scorer does not change: each option gives another one, which shares the model. {@link #close}
 * closes the model for all of them.
 *
 * <p>Scores are computed when Spark computes the rows, so close a scorer after that, not before;
 * where it is not closed, as in a notebook, its files and broadcasts go with the JVM.
 */
public final class MambaScorer implements AutoCloseable {
  private final DatasetScorer scorer;

  private MambaScorer(DatasetScorer scorer) {
    this.scorer = scorer;
  }

  /**
   * Opens a model on the driver, and reads its weights once.
   *
   * @param model a folder, any Hadoop URI, or {@code demo} for the model inside the jar
   * @throws Refusal if there is no such folder, or Spark is too old
   * @throws io.mambaspark.engine.checkpoint.CheckpointException if it holds no model that we run
   */
  public static MambaScorer load(String model) {
    Versions.checkSpark();
    OpenModel open = new OpenModel(model);
    try {
      DatasetScorer scorer =
          new DatasetScorer(
              open,
              new ModelOptions(model, WeightFormat.F32, ModelDelivery.Mode.AUTO, null),
              ScoreOptions.defaults());
      scorer.check();
      return new MambaScorer(scorer);
    } catch (RuntimeException | Error e) {
      open.close();
      throw e;
    }
  }

  private ScoreOptions options() {
    return scorer.options();
  }

  private ModelOptions kept() {
    return scorer.kept();
  }

  private MambaScorer with(ScoreOptions other) {
    return new MambaScorer(new DatasetScorer(scorer.model(), kept(), other));
  }

  private MambaScorer with(ModelOptions other) {
    return new MambaScorer(new DatasetScorer(scorer.model(), other, options()));
  }

  /** Scores documents of token ids. */
  public MambaScorer tokensColumn(String column) {
    DocumentColumns c = options().columns();
    return with(
        options()
            .withColumns(
                new DocumentColumns(column, null, null, null, c.byteCount(), c.wordCount())));
  }

  /** Scores documents of text. */
  public MambaScorer textColumn(String column) {
    DocumentColumns c = options().columns();
    return with(
        options()
            .withColumns(
                new DocumentColumns(null, column, null, null, c.byteCount(), c.wordCount())));
  }

  /** Scores continuations, given their contexts. */
  public MambaScorer contextAndContinuationColumns(String context, String continuation) {
    DocumentColumns c = options().columns();
    return with(
        options()
            .withColumns(
                new DocumentColumns(
                    null, null, context, continuation, c.byteCount(), c.wordCount())));
  }

  /** Takes the documents' lengths in bytes from a column. */
  public MambaScorer byteCountColumn(String column) {
    DocumentColumns c = options().columns();
    return with(
        options()
            .withColumns(
                new DocumentColumns(
                    c.tokens(), c.text(), c.context(), c.continuation(), column, c.wordCount())));
  }

  /** Takes the documents' lengths in words from a column. */
  public MambaScorer wordCountColumn(String column) {
    DocumentColumns c = options().columns();
    return with(
        options()
            .withColumns(
                new DocumentColumns(
                    c.tokens(), c.text(), c.context(), c.continuation(), c.byteCount(), column)));
  }

  /** Encodes texts with another tokenizer than the one beside the model: a file or its folder. */
  public MambaScorer tokenizer(String path) {
    return with(new ModelOptions(kept().path(), kept().weights(), kept().delivery(), path));
  }

  /** Carries over these columns, and no others; all but those of tokens and counts by default. */
  public MambaScorer keepColumns(String... columns) {
    return with(options().withKeepColumns(List.of(columns)));
  }

  /** What to add, a list such as {@code perplexity,top-k=5}. */
  public MambaScorer emit(String list) {
    return with(options().withEmit(Emit.parse(list)));
  }

  /** The token put in front of every row: {@code bos}, {@code eos}, {@code none} or an id. */
  public MambaScorer prefixToken(String id) {
    return with(options().withPrefixToken(id));
  }

  /** Drops a row's tokens beyond so many. */
  public MambaScorer maxTokens(int tokens) {
    return with(options().withMaxTokens(ScoreOptions.positive("--max-tokens", tokens)));
  }

  /** How documents are cut: {@code full}, {@code rolling}, {@code strided}, {@code chunked}. */
  public MambaScorer window(String policy) {
    return window(policy, null, null);
  }

  /**
   * How documents are cut.
   *
   * @param tokens of a window; null for the policy's default
   * @param stride of strided ones; null for half a window
   */
  public MambaScorer window(String policy, Integer tokens, Integer stride) {
    return with(options().withWindows(WindowOptions.parse(policy, tokens, stride)));
  }

  /** Leaves out rows of a lower perplexity. */
  public MambaScorer minPerplexity(double perplexity) {
    return with(options().withPerplexities(perplexity, options().maxPerplexity()));
  }

  /** Leaves out rows of a higher perplexity. */
  public MambaScorer maxPerplexity(double perplexity) {
    return with(options().withPerplexities(options().minPerplexity(), perplexity));
  }

  /**
   * {@code quarantine}: a row that cannot be scored has an error; {@code fail}: it stops the job.
   */
  public MambaScorer onError(String what) {
    return with(options().withFailOnError(ScoreOptions.failsOnError(what)));
  }

  /** How weights are kept in memory: {@code f32} or {@code bf16}. */
  public MambaScorer weights(String format) {
    return with(
        new ModelOptions(
            kept().path(),
            ModelOptions.weightFormat(format),
            kept().delivery(),
            kept().tokenizer()));
  }

  /** How the model gets to the executors: {@code auto}, {@code broadcast} or {@code file}. */
  public MambaScorer modelDelivery(String how) {
    return with(
        new ModelOptions(
            kept().path(), kept().weights(), ModelOptions.deliveryMode(how), kept().tokenizer()));
  }

  /** The SHA-256 that names the model. */
  public String fingerprint() {
    return scorer.model().source().checkpoint().fingerprint();
  }

  /**
   * Keeps the model's files at hand, so that {@link #saveModel} can copy them even when their
   * folder is gone by then.
   */
  public void holdModel() {
    scorer.model().retainFiles();
  }

  /** Undoes {@link #holdModel}. */
  public void releaseModel() {
    scorer.model().releaseFiles();
  }

  /**
   * Copies the model to a new folder: the checkpoint's files, and the tokenizer of this scorer as
   * tokenizer.json.
   *
   * @param folder local or at any Hadoop URI
   * @throws Refusal if a file cannot be read or written
   */
  public void saveModel(String folder) {
    String tokenizer = kept().tokenizer();
    byte[] other =
        tokenizer == null ? null : scorer.model().tokenizer(tokenizer).json().getBytes(UTF_8);
    scorer.model().copyTo(folder, other, HadoopFiles.configuration());
  }

  /**
   * Adds scores to rows. Lazy, as every transformation of Spark; nothing is shuffled, and a
   * streaming Dataset goes as well.
   *
   * @throws Refusal if a column is missing or of the wrong type, a name would stand twice, or the
   *     options contradict the model
   */
  public Dataset<Row> score(Dataset<Row> rows) {
    return scorer.score(rows, null);
  }

  /** Sends the model to the executors of a session, for a function of single documents. */
  DatasetScorer.Sent sent(SparkSession spark) {
    return scorer.sent(spark);
  }

  /** The columns that {@link #score} makes of rows with these. */
  public StructType outputSchema(StructType rows) {
    return scorer.schema(rows).outputSchema();
  }

  /** Closes the model for this scorer and all that were made from it. */
  @Override
  public void close() {
    scorer.model().close();
  }
}
