package io.mambaspark.jobs;

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
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * Scores rows of a Dataset with a Mamba model: reads documents from columns and adds score columns.
 *
 * <pre>{@code
 * try (MambaScorer scorer = MambaScorer.load("models/mamba-130m-hf").textColumn("text")) {
 *   scorer.score(corpus).write().parquet("scores");
 * }
 * }</pre>
 *
 * <p>Options have the same names, values and defaults as on the command line. A scorer is
 * immutable: each option method returns a new scorer, which shares the model. {@link #close} closes
 * the model for all scorers that share it.
 *
 * <p>Scores are computed when Spark computes the rows, so close a scorer only after that. If a
 * scorer is never closed, as in a notebook, its files and broadcasts are released when the JVM
 * ends.
 */
public final class MambaScorer implements AutoCloseable {
  private final OpenModel model;
  private final OptionValues values;
  private final DatasetScorer scorer;

  private MambaScorer(OpenModel model, OptionValues values) {
    this.model = model;
    this.values = values;
    this.scorer =
        DatasetScorer.of(
            model, ModelOptions.of(values.get(Options.MODEL), values), ScoreOptions.of(values));
  }

  /**
   * Opens a model on the driver, and reads its weights once.
   *
   * @param model a folder, any Hadoop URI, or {@code demo} for the model inside the jar
   * @throws Refusal if the folder does not exist, or Spark is too old
   * @throws io.mambaspark.engine.checkpoint.CheckpointException if the folder has no supported
   *     model
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
   * Sets several options at once, by their command-line names without the leading dashes, such as
   * {@code max-tokens}. Only the resulting combination is validated.
   *
   * @param given the values, each of the type that the method of its option takes; null for the
   *     default
   * @throws Refusal if an option does not exist, or the values contradict each other
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
        "Unknown option %s; expected one of %s",
        name, Options.SCORER.stream().map(Option::name).collect(Collectors.joining(", ")));
  }

  /** Sets the columns of one kind of document and clears those of all other kinds. */
  private MambaScorer document(String tokens, String text, String context, String continuation) {
    // Refuses nulls, which the values below would replace by a default.
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

  /** Reads the documents' lengths in bytes from a column. */
  public MambaScorer byteCountColumn(String column) {
    return with(Options.BYTE_COUNT_COLUMN, column);
  }

  /** Reads the documents' lengths in words from a column. */
  public MambaScorer wordCountColumn(String column) {
    return with(Options.WORD_COUNT_COLUMN, column);
  }

  /** Sets the tokenizer, a file or its folder, to use instead of the one in the model's folder. */
  public MambaScorer tokenizer(String path) {
    return with(Options.TOKENIZER, path);
  }

  /** Keeps only these input columns; by default all but those of tokens and counts. */
  public MambaScorer keepColumns(String... columns) {
    return with(Options.KEEP_COLUMNS, List.of(columns));
  }

  /** Selects the scores to add, a list such as {@code perplexity,top-k=5}. */
  public MambaScorer emit(String list) {
    return with(Options.EMIT, list);
  }

  /**
   * Adds the scores of the parts of each document: {@code newline}, {@code blank-line} or {@code
   * tokens=N}.
   */
  public MambaScorer segmentBy(String how) {
    return with(Options.SEGMENT_BY, how);
  }

  /** Sets the token to prepend to every row: {@code bos}, {@code eos}, {@code none} or an id. */
  public MambaScorer prefixToken(String id) {
    return with(Options.PREFIX_TOKEN, id);
  }

  /** Truncates each row to this many tokens. */
  public MambaScorer maxTokens(int tokens) {
    return with(Options.MAX_TOKENS, tokens);
  }

  /** Keeps the last {@code length} + 1 tokens of a context and its continuation. */
  public MambaScorer maxLength(int length) {
    return with(Options.MAX_LENGTH, length);
  }

  /** Selects whether the special tokens of the tokenizer's template are added to each text. */
  public MambaScorer addSpecialTokens(boolean add) {
    return with(Options.ADD_SPECIAL_TOKENS, add);
  }

  /**
   * Selects how documents are split into windows: {@code full}, {@code rolling}, {@code strided} or
   * {@code chunked}.
   */
  public MambaScorer window(String policy) {
    return window(policy, null, null);
  }

  /**
   * Selects how documents are split into windows.
   *
   * @param policy {@code full}, {@code rolling}, {@code strided} or {@code chunked}
   * @param tokens the length of a window; null for the policy's default
   * @param stride the tokens from one strided window to the next; null for half a window
   */
  public MambaScorer window(String policy, Integer tokens, Integer stride) {
    return new MambaScorer(
        model,
        values
            .with(Options.WINDOW, Objects.requireNonNull(policy, "policy"))
            .with(Options.WINDOW_TOKENS, tokens)
            .with(Options.STRIDE, stride));
  }

  /** Excludes rows with a lower perplexity. */
  public MambaScorer minPerplexity(double perplexity) {
    return with(Options.MIN_PERPLEXITY, perplexity);
  }

  /** Excludes rows with a higher perplexity. */
  public MambaScorer maxPerplexity(double perplexity) {
    return with(Options.MAX_PERPLEXITY, perplexity);
  }

  /** Excludes rows with a lower value in the column of a signal that {@link #emit} selects. */
  public MambaScorer min(String column, double value) {
    return with(Options.MIN, added(values.get(Options.MIN), column + "=" + value));
  }

  /** Excludes rows with a higher value in the column of a signal that {@link #emit} selects. */
  public MambaScorer max(String column, double value) {
    return with(Options.MAX, added(values.get(Options.MAX), column + "=" + value));
  }

  private static List<String> added(List<String> bounds, String bound) {
    return Stream.concat(bounds.stream(), Stream.of(bound)).toList();
  }

  /**
   * Selects what happens to a row that cannot be scored: {@code quarantine} stores an error in the
   * row, {@code fail} stops the job.
   */
  public MambaScorer onError(String what) {
    return with(Options.ON_ERROR, what);
  }

  /**
   * Selects the format of the weights in memory: {@code f32}, {@code bf16}, {@code int8}, {@code
   * int8-out16} or {@code int16}.
   */
  public MambaScorer weights(String format) {
    return with(Options.WEIGHTS, format);
  }

  /** Selects how executors get the model: {@code auto}, {@code broadcast} or {@code file}. */
  public MambaScorer modelDelivery(String how) {
    return with(Options.MODEL_DELIVERY, how);
  }

  /**
   * Returns the model's length in tokens: the default of rolling windows, and
   * lm-evaluation-harness' {@code max_length}.
   */
  public int length() {
    return scorer.conventions().maxLength().value();
  }

  /** Returns the SHA-256 that identifies the model. */
  public String fingerprint() {
    return model.source().checkpoint().fingerprint();
  }

  /**
   * Retains the model's files, so that {@link #saveModel} can copy them even after their folder was
   * deleted.
   */
  public void holdModel() {
    model.retainFiles();
  }

  /** Undoes {@link #holdModel}. */
  public void releaseModel() {
    model.releaseFiles();
  }

  /**
   * Copies the model to a new folder: the checkpoint's files, and this scorer's tokenizer as
   * tokenizer.json, with its settings.
   *
   * @param folder a local path or any Hadoop URI
   * @throws Refusal if a file cannot be read or written
   */
  public void saveModel(String folder) {
    model.copyTo(folder, values.get(Options.TOKENIZER), HadoopFiles.configuration());
  }

  /**
   * Adds scores to rows, which may be a streaming Dataset. Like every Spark transformation, this is
   * lazy. It does not shuffle the rows.
   *
   * @throws Refusal if a column is missing or of the wrong type, a column name would occur twice,
   *     or the options contradict the model
   */
  public Dataset<Row> score(Dataset<Row> rows) {
    return scorer.score(rows, null);
  }

  /** Sends the model to a session's executors, for a function that scores single documents. */
  DatasetScorer.Sent sent(SparkSession spark) {
    return scorer.sent(spark);
  }

  /** Returns the columns of {@link #score}'s result for rows with these columns. */
  public StructType outputSchema(StructType rows) {
    return scorer.schema(rows).outputSchema();
  }

  /** Closes the model for this scorer and for all scorers that share it. */
  @Override
  public void close() {
    model.close();
  }
}
