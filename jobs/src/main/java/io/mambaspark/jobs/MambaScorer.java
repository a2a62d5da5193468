package io.mambaspark.jobs;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.jobs.text.TokenizerFile;
import java.io.Serializable;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

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

  /** What scorers of one model share: the open checkpoint, and what was sent to executors. */
  private static final class Shared {
    final ModelSource source;
    private final Set<WeightFormat> warned = EnumSet.noneOf(WeightFormat.class);
    private final Map<String, TokenizerFile> tokenizers = new HashMap<>();
    private final Map<SparkContext, OnExecutors> sent = new HashMap<>();
    private boolean closed;

    /** Of one Spark; what was sent goes with it, and its broadcasts' numbers are given anew. */
    private record OnExecutors(
        Map<List<Object>, ModelDelivery.Mode> modes,
        Map<List<Object>, ModelDelivery> models,
        Map<String, Broadcast<TokenizerFile>> tokenizers) {
      OnExecutors() {
        this(new HashMap<>(), new HashMap<>(), new HashMap<>());
      }
    }

    Shared(ModelSource source) {
      this.source = source;
    }

    synchronized void warnIfRounded(WeightFormat weights) {
      if (warned.add(weights)) {
        source.warnIfRounded(weights);
      }
    }

    private OnExecutors of(JavaSparkContext context) {
      checkOpen();
      forgetStopped();
      return sent.computeIfAbsent(context.sc(), key -> new OnExecutors());
    }

    private void forgetStopped() {
      sent.keySet().removeIf(SparkContext::isStopped);
    }

    /** How the model is sent, decided once; refuses what would run out of memory. */
    synchronized ModelDelivery.Mode mode(
        ModelDelivery.Mode wanted, WeightFormat weights, JavaSparkContext context) {
      return of(context)
          .modes
          .computeIfAbsent(
              List.of(wanted, weights),
              key -> ModelMemory.choose(wanted, source, weights, context));
    }

    synchronized ModelDelivery model(
        ModelDelivery.Mode wanted, WeightFormat weights, JavaSparkContext context) {
      ModelDelivery.Mode mode = mode(wanted, weights, context);
      warnIfRounded(weights);
      return of(context)
          .models
          .computeIfAbsent(
              List.of(mode, weights), key -> ModelDelivery.send(mode, source, weights, context));
    }

    synchronized TokenizerFile tokenizer(String option) {
      checkOpen();
      if (!tokenizers.containsKey(option)) {
        tokenizers.put(option, TokenizerSource.open(option, source, HadoopFiles.configuration()));
      }
      return tokenizers.get(option);
    }

    synchronized Broadcast<TokenizerFile> sent(String option, JavaSparkContext context) {
      TokenizerFile file = tokenizer(option);
      return of(context).tokenizers.computeIfAbsent(option, key -> context.broadcast(file));
    }

    private void checkOpen() {
      if (closed) {
        throw new IllegalStateException("The scorer is closed");
      }
    }

    synchronized void close() {
      if (closed) {
        return;
      }
      closed = true;
      forgetStopped();
      try {
        for (OnExecutors on : sent.values()) {
          on.models.values().forEach(ModelDelivery::close);
          on.tokenizers.values().forEach(Broadcast::destroy);
        }
      } finally {
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
    return open(model, ScoreOptions.defaults(), WeightFormat.F32, ModelDelivery.Mode.AUTO, null);
  }

  /** The scorer of a command, whose model and tokenizer are checked before Spark starts. */
  static MambaScorer of(JobOptions options) {
    return open(
        options.model(),
        options.scoring(),
        options.weights(),
        options.modelDelivery(),
        options.tokenizer());
  }

  private static MambaScorer open(
      String model,
      ScoreOptions options,
      WeightFormat weights,
      ModelDelivery.Mode delivery,
      String tokenizer) {
    ModelSource source = ModelSource.open(model, HadoopFiles.configuration());
    try {
      options.check(source.checkpoint().config());
      Shared shared = new Shared(source);
      if (options.columns().text() != null) {
        shared.tokenizer(tokenizer);
      }
      // Every weight is read here, and one that is not finite is found.
      source.checkpoint().fingerprint();
      shared.warnIfRounded(weights);
      return new MambaScorer(shared, options, weights, delivery, tokenizer);
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
   * Keeps the model's files at hand, so that {@link #saveModel} can copy them even when their
   * folder is gone by then.
   */
  public void holdModel() {
    shared.source.held();
  }

  /** Undoes {@link #holdModel}. */
  public void releaseModel() {
    shared.source.release();
  }

  /**
   * Copies the model to a new folder: the checkpoint's files, and the tokenizer of this scorer as
   * tokenizer.json.
   *
   * @param folder local or at any Hadoop URI
   * @throws Refusal if a file cannot be read or written
   */
  public void saveModel(String folder) {
    byte[] other = tokenizer == null ? null : shared.tokenizer(tokenizer).json().getBytes(UTF_8);
    shared.source.held().copyTo(folder, other, HadoopFiles.configuration());
  }

  /**
   * Adds scores to rows. Lazy, as every transformation of Spark; nothing is shuffled, and a
   * streaming Dataset goes as well.
   *
   * @throws Refusal if a column is missing or of the wrong type, a name would stand twice, or the
   *     options contradict the model
   */
  public Dataset<Row> score(Dataset<Row> rows) {
    return score(rows, null);
  }

  /** As {@link #score(Dataset)}, counting the tokens that are run; {@code progress} may be null. */
  Dataset<Row> score(Dataset<Row> rows, LongAccumulator progress) {
    JavaSparkContext context = context(rows.sparkSession());
    return Scoring.score(
        rows,
        options,
        source().checkpoint().config(),
        shared.model(delivery, weights, context),
        texts(rows.schema(), context),
        progress);
  }

  /** As {@link #score(Dataset, LongAccumulator)}, each unit of a run in a task of its own. */
  Dataset<Row> score(
      ParquetInput input,
      SparkSession spark,
      String run,
      List<Unit> units,
      LongAccumulator progress) {
    JavaSparkContext context = context(spark);
    return Scoring.score(
        input,
        spark,
        run,
        units,
        options,
        source().checkpoint().config(),
        shared.model(delivery, weights, context),
        texts(input.schema(), context),
        progress);
  }

  private static JavaSparkContext context(SparkSession spark) {
    return JavaSparkContext.fromSparkContext(spark.sparkContext());
  }

  private Broadcast<TokenizerFile> texts(StructType input, JavaSparkContext context) {
    return tokenizer(schema(input)) == null ? null : shared.sent(tokenizer, context);
  }

  /** The model. Open until this scorer is closed. */
  ModelSource source() {
    return shared.source;
  }

  /** What goes into a partition and what comes out of it. */
  ScoringSchema schema(StructType input) {
    return ScoringSchema.of(input, options);
  }

  /** What texts are encoded with, proved to work on this machine; null where rows are tokens. */
  TokenizerFile tokenizer(ScoringSchema schema) {
    if (schema.rows().text()) {
      TokenizerFile file = shared.tokenizer(tokenizer);
      // Only the library finds all that may be wrong with it, or with this machine.
      file.tokenizer(DocumentReader.localFolder());
      return file;
    }
    if (tokenizer != null) {
      throw Refusal.wrongUsage(
          "--tokenizer needs texts; %s hold tokens",
          String.join(" and ", schema.rows().document().content()));
    }
    return null;
  }

  /** Decides how the model is sent; refuses what would run out of memory. */
  void checkMemory(JavaSparkContext context) {
    shared.mode(delivery, weights, context);
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
    JavaSparkContext context = context(spark);
    Broadcast<TokenizerFile> file = null;
    if (tokenizer != null || shared.source.has(TokenizerSource.FILE)) {
      shared.tokenizer(tokenizer).tokenizer(DocumentReader.localFolder());
      file = shared.sent(tokenizer, context);
    }
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
    return schema(rows).outputSchema();
  }

  /** Closes the model for this scorer and all that were made from it. */
  @Override
  public void close() {
    shared.close();
  }
}
