package io.mambaspark.jobs;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.jobs.text.TokenizerFile;
import java.io.Serializable;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
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
  private final Shared shared;
  private final ScoreOptions options;
  private final WeightFormat weights;
  private final ModelDelivery.Mode delivery;
  private final String tokenizer;

  private MambaScorer(
      Shared shared,
      ScoreOptions options,
      WeightFormat weights,
      ModelDelivery.Mode delivery,
      String tokenizer) {
    this.shared = shared;
    this.options = options;
    this.weights = weights;
    this.delivery = delivery;
    this.tokenizer = tokenizer;
  }

  /** What scorers of one model share: the open checkpoint, and what was sent to the executors. */
  private static final class Shared {
    final ModelSource source;
    private final Map<List<Object>, ModelDelivery> models = new LinkedHashMap<>();
    private final Map<List<Object>, Broadcast<TokenizerFile>> tokenizers = new LinkedHashMap<>();
    private boolean closed;

    Shared(ModelSource source) {
      this.source = source;
    }

    synchronized ModelDelivery model(
        ModelDelivery.Mode mode, WeightFormat weights, JavaSparkContext context) {
      checkOpen();
      List<Object> key = List.of(context.sc(), mode, weights);
      if (!models.containsKey(key)) {
        source.warnIfRounded(weights);
        models.put(key, ModelDelivery.of(mode, source, weights, context));
      }
      return models.get(key);
    }

    synchronized Broadcast<TokenizerFile> tokenizer(String option, JavaSparkContext context) {
      checkOpen();
      List<Object> key = Arrays.asList(context.sc(), option);
      if (!tokenizers.containsKey(key)) {
        TokenizerFile file = TokenizerSource.open(option, source, context.hadoopConfiguration());
        file.tokenizer(DocumentReader.localFolder());
        tokenizers.put(key, context.broadcast(file));
      }
      return tokenizers.get(key);
    }

    private void checkOpen() {
      if (closed) {
        throw new IllegalStateException("The scorer is closed");
      }
    }

    synchronized void close() {
      if (!closed) {
        closed = true;
        models.values().forEach(ModelDelivery::close);
        tokenizers.values().forEach(Broadcast::destroy);
        source.close();
      }
    }
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
    ModelSource source = ModelSource.open(model, HadoopFiles.configuration());
    try {
      source.checkpoint().fingerprint();
      return new MambaScorer(
          new Shared(source),
          ScoreOptions.defaults(),
          WeightFormat.F32,
          ModelDelivery.Mode.AUTO,
          null);
    } catch (RuntimeException | Error e) {
      source.close();
      throw e;
    }
  }

  private MambaScorer with(ScoreOptions other) {
    return new MambaScorer(shared, other, weights, delivery, tokenizer);
  }

  /** Scores documents of token ids. */
  public MambaScorer tokensColumn(String column) {
    DocumentColumns c = options.columns();
    return with(
        options.withColumns(
            new DocumentColumns(column, null, null, null, c.byteCount(), c.wordCount())));
  }

  /** Scores documents of text. */
  public MambaScorer textColumn(String column) {
    DocumentColumns c = options.columns();
    return with(
        options.withColumns(
            new DocumentColumns(null, column, null, null, c.byteCount(), c.wordCount())));
  }

  /** Scores continuations, given their contexts. */
  public MambaScorer contextAndContinuationColumns(String context, String continuation) {
    DocumentColumns c = options.columns();
    return with(
        options.withColumns(
            new DocumentColumns(null, null, context, continuation, c.byteCount(), c.wordCount())));
  }

  /** Takes the documents' lengths in bytes from a column. */
  public MambaScorer byteCountColumn(String column) {
    DocumentColumns c = options.columns();
    return with(
        options.withColumns(
            new DocumentColumns(
                c.tokens(), c.text(), c.context(), c.continuation(), column, c.wordCount())));
  }

  /** Takes the documents' lengths in words from a column. */
  public MambaScorer wordCountColumn(String column) {
    DocumentColumns c = options.columns();
    return with(
        options.withColumns(
            new DocumentColumns(
                c.tokens(), c.text(), c.context(), c.continuation(), c.byteCount(), column)));
  }

  /** Encodes texts with another tokenizer than the one beside the model: a file or its folder. */
  public MambaScorer tokenizer(String path) {
    return new MambaScorer(shared, options, weights, delivery, path);
  }

  /** Carries over these columns, and no others; all but those of tokens and counts by default. */
  public MambaScorer keepColumns(String... columns) {
    return with(options.withKeepColumns(List.of(columns)));
  }

  /** What to add, a list such as {@code perplexity,top-k=5}. */
  public MambaScorer emit(String list) {
    return with(options.withEmit(Emit.parse(list)));
  }

  /** The token put in front of every row: {@code bos}, {@code eos}, {@code none} or an id. */
  public MambaScorer prefixToken(String id) {
    return with(options.withPrefixToken(id));
  }

  /** Drops a row's tokens beyond so many. */
  public MambaScorer maxTokens(int tokens) {
    return with(options.withMaxTokens(InputArguments.positive("--max-tokens", tokens)));
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
    return with(options.withWindows(WindowOptions.parse(policy, tokens, stride)));
  }

  /** Leaves out rows of a lower perplexity. */
  public MambaScorer minPerplexity(double perplexity) {
    return with(options.withPerplexities(perplexity, options.maxPerplexity()));
  }

  /** Leaves out rows of a higher perplexity. */
  public MambaScorer maxPerplexity(double perplexity) {
    return with(options.withPerplexities(options.minPerplexity(), perplexity));
  }

  /**
   * {@code quarantine}: a row that cannot be scored has an error; {@code fail}: it stops the job.
   */
  public MambaScorer onError(String what) {
    return with(options.withFailOnError(ScoreCommand.failsOnError(what)));
  }

  /** How weights are kept in memory: {@code f32} or {@code bf16}. */
  public MambaScorer weights(String format) {
    return new MambaScorer(
        shared, options, ModelArguments.weightFormat(format), delivery, tokenizer);
  }

  /** How the model gets to the executors: {@code auto}, {@code broadcast} or {@code file}. */
  public MambaScorer modelDelivery(String how) {
    return new MambaScorer(shared, options, weights, ModelArguments.deliveryMode(how), tokenizer);
  }

  /** The SHA-256 that names the model. */
  public String fingerprint() {
    return shared.source.checkpoint().fingerprint();
  }

  /**
   * Adds scores to rows. Lazy, as every transformation of Spark; nothing is shuffled, and a
   * streaming Dataset goes as well.
   *
   * @throws Refusal if a column is missing or of the wrong type, a name would stand twice, or the
   *     options contradict the model
   */
  public Dataset<Row> score(Dataset<Row> rows) {
    JavaSparkContext context =
        JavaSparkContext.fromSparkContext(rows.sparkSession().sparkContext());
    boolean text = ScoringSchema.of(rows.schema(), options).rows().text();
    if (tokenizer != null && !text) {
      throw Refusal.wrongUsage("A tokenizer needs texts; %s", options.columns().named());
    }
    return Scoring.score(
        rows,
        options,
        shared.source.checkpoint().config(),
        shared.model(delivery, weights, context),
        text ? shared.tokenizer(tokenizer, context) : null,
        null);
  }

  /**
   * What a function of single documents needs in a task.
   *
   * @param texts null where the model has no tokenizer beside it
   */
  record Sent(ModelDelivery model, DocumentReader tokens, DocumentReader texts)
      implements Serializable {}

  /** Sends the model, and its tokenizer if there is one, to the executors of a session. */
  Sent sent(SparkSession spark) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    Broadcast<TokenizerFile> file =
        tokenizer != null || shared.source.has(TokenizerSource.FILE)
            ? shared.tokenizer(tokenizer, context)
            : null;
    return new Sent(
        shared.model(delivery, weights, context),
        reader(DocumentColumns.tokens("tokens"), null),
        file == null ? null : reader(DocumentColumns.text("text"), file));
  }

  private DocumentReader reader(DocumentColumns columns, Broadcast<TokenizerFile> file) {
    MambaConfig config = shared.source.checkpoint().config();
    return new DocumentReader(
        columns,
        options.prefixId(config),
        ScoreOptions.NO_PREFIX,
        options.maxTokens(),
        config.vocabSize(),
        file);
  }

  /** The columns that {@link #score} makes of rows with these. */
  public StructType outputSchema(StructType rows) {
    return ScoringSchema.of(rows, options).outputSchema();
  }

  /** Closes the model for this scorer and all that were made from it. */
  @Override
  public void close() {
    shared.close();
  }
}
