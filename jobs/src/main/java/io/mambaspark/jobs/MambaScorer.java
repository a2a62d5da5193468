package io.mambaspark.jobs;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.model.ModelOptions;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.DatasetScorer;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.Versions;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
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
  private final OpenModel model;
  private final OptionValues values;
  private final DatasetScorer scorer;

  private MambaScorer(OpenModel model, OptionValues values) {
    this.model = model;
    this.values = values;
    this.scorer =
        new DatasetScorer(
            model, ModelOptions.of(values.get(Options.MODEL), values), ScoreOptions.of(values));
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
      MambaScorer scorer = new MambaScorer(open, OptionValues.NONE.with(Options.MODEL, model));
      scorer.scorer.check();
      return scorer;
    } catch (RuntimeException | Error e) {
      open.close();
      throw e;
    }
  }

  private <T> MambaScorer with(Option<T> option, T value) {
    if (option.defaultValue() != null) {
      Objects.requireNonNull(value, option.property());
    }
    return new MambaScorer(model, values.with(option, value));
  }

  /**
   * Sets options, all at once, by the names that they have on the command line without dashes, such
   * as {@code max-tokens}.
   *
   * @param given each of the type that the method of that option takes; null for its default
   * @throws Refusal if there is no such option, or a value contradicts the others
   */
  public MambaScorer options(Map<String, ?> given) {
    OptionValues changed = values;
    for (Map.Entry<String, ?> entry : given.entrySet()) {
      Option<?> option =
          Options.SCORER.stream()
              .filter(known -> known.name().equals(entry.getKey()))
              .findFirst()
              .orElseThrow(() -> unknown(entry.getKey()));
      changed = changed.withUnchecked(option, entry.getValue());
    }
    return new MambaScorer(model, changed);
  }

  private static Refusal unknown(String name) {
    return Refusal.wrongUsage(
        "No option %s; expected one of %s",
        name, Options.SCORER.stream().map(Option::name).collect(Collectors.joining(", ")));
  }

  /** The columns of a document: those of one kind take the place of all others. */
  private MambaScorer document(String tokens, String text, String context, String continuation) {
    // Refuses nulls, for which the values below would have a default.
    new DocumentColumns(tokens, text, context, continuation, null, null);
    return new MambaScorer(
        model,
        values
            .with(Options.TOKENS_COLUMN, tokens)
            .with(Options.TEXT_COLUMN, text)
            .with(Options.CONTEXT_COLUMN, context)
            .with(Options.CONTINUATION_COLUMN, continuation));
  }

  /** Scores documents of token ids. */
  public MambaScorer tokensColumn(String column) {
    return document(column, null, null, null);
  }

  /** Scores documents of text. */
  public MambaScorer textColumn(String column) {
    return document(null, column, null, null);
  }

  /** Scores continuations, given their contexts. */
  public MambaScorer contextAndContinuationColumns(String context, String continuation) {
    return document(null, null, context, continuation);
  }

  /** Takes the documents' lengths in bytes from a column. */
  public MambaScorer byteCountColumn(String column) {
    return with(Options.BYTE_COUNT_COLUMN, column);
  }

  /** Takes the documents' lengths in words from a column. */
  public MambaScorer wordCountColumn(String column) {
    return with(Options.WORD_COUNT_COLUMN, column);
  }

  /** Encodes texts with another tokenizer than the one beside the model: a file or its folder. */
  public MambaScorer tokenizer(String path) {
    return with(Options.TOKENIZER, path);
  }

  /** Carries over these columns, and no others; all but those of tokens and counts by default. */
  public MambaScorer keepColumns(String... columns) {
    return with(Options.KEEP_COLUMNS, List.of(columns));
  }

  /** What to add, a list such as {@code perplexity,top-k=5}. */
  public MambaScorer emit(String list) {
    return with(Options.EMIT, list);
  }

  /** The token put in front of every row: {@code bos}, {@code eos}, {@code none} or an id. */
  public MambaScorer prefixToken(String id) {
    return with(Options.PREFIX_TOKEN, id);
  }

  /** Drops a row's tokens beyond so many. */
  public MambaScorer maxTokens(int tokens) {
    return with(Options.MAX_TOKENS, tokens);
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
    return new MambaScorer(
        model,
        values
            .with(Options.WINDOW, Objects.requireNonNull(policy, "policy"))
            .with(Options.WINDOW_TOKENS, tokens)
            .with(Options.STRIDE, stride));
  }

  /** Leaves out rows of a lower perplexity. */
  public MambaScorer minPerplexity(double perplexity) {
    return with(Options.MIN_PERPLEXITY, perplexity);
  }

  /** Leaves out rows of a higher perplexity. */
  public MambaScorer maxPerplexity(double perplexity) {
    return with(Options.MAX_PERPLEXITY, perplexity);
  }

  /**
   * {@code quarantine}: a row that cannot be scored has an error; {@code fail}: it stops the job.
   */
  public MambaScorer onError(String what) {
    return with(Options.ON_ERROR, what);
  }

  /** How weights are kept in memory: {@code f32} or {@code bf16}. */
  public MambaScorer weights(String format) {
    return with(Options.WEIGHTS, format);
  }

  /** How the model gets to the executors: {@code auto}, {@code broadcast} or {@code file}. */
  public MambaScorer modelDelivery(String how) {
    return with(Options.MODEL_DELIVERY, how);
  }

  /** The SHA-256 that names the model. */
  public String fingerprint() {
    return model.source().checkpoint().fingerprint();
  }

  /**
   * Keeps the model's files at hand, so that {@link #saveModel} can copy them even when their
   * folder is gone by then.
   */
  public void holdModel() {
    model.retainFiles();
  }

  /** Undoes {@link #holdModel}. */
  public void releaseModel() {
    model.releaseFiles();
  }

  /**
   * Copies the model to a new folder: the checkpoint's files, and the tokenizer of this scorer as
   * tokenizer.json.
   *
   * @param folder local or at any Hadoop URI
   * @throws Refusal if a file cannot be read or written
   */
  public void saveModel(String folder) {
    String tokenizer = values.get(Options.TOKENIZER);
    byte[] other = tokenizer == null ? null : model.tokenizer(tokenizer).json().getBytes(UTF_8);
    model.copyTo(folder, other, HadoopFiles.configuration());
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
    model.close();
  }
}
