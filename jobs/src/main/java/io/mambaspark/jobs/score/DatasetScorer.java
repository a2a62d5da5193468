package io.mambaspark.jobs.score;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.model.ModelConventions;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.model.ModelOptions;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.model.TextEncoding;
import io.mambaspark.jobs.spark.Tasks;
import io.mambaspark.jobs.text.SpecialTokens;
import io.mambaspark.jobs.text.TokenizerFile;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/** Scores datasets with an open model, which the caller closes. */
public record DatasetScorer(OpenModel model, ModelOptions modelOptions, ScoreOptions options) {

  /** Creates a scorer; options without a value get the defaults that the model's files name. */
  public static DatasetScorer of(OpenModel model, ModelOptions modelOptions, ScoreOptions options) {
    ModelConventions conventions = model.conventions(modelOptions.tokenizer());
    return new DatasetScorer(model, modelOptions, options.resolved(conventions));
  }

  /** Validates model, weights, tokenizer and options together, before Spark starts. */
  public void check() {
    options.check(conventions());
    if (options.columns().text() != null) {
      model.tokenizer(modelOptions.tokenizer());
    }
    model.check(modelOptions.weights());
  }

  /** Returns what the model's files say about its prefix token. */
  public ModelConventions conventions() {
    return model.conventions(modelOptions.tokenizer());
  }

  /** Returns the special tokens that are added to texts. */
  public SpecialTokens specialTokens() {
    return options.tokens().addSpecialTokens()
        ? model.specialTokens(
            modelOptions.tokenizer(), options.tokens().emptyContextId(conventions()))
        : SpecialTokens.NONE;
  }

  private static JavaSparkContext context(SparkSession spark) {
    return JavaSparkContext.fromSparkContext(spark.sparkContext());
  }

  /** Decides how the model is sent; refuses a model that would run out of memory. */
  public void checkMemory(JavaSparkContext context) {
    model.mode(modelOptions, context);
  }

  /** Returns the input and output columns of a partition. */
  public ScoringSchema schema(StructType input) {
    return ScoringSchema.of(input, options);
  }

  /** Opens and tests the tokenizer of text columns; returns null for token columns. */
  public TokenizerFile tokenizer(ScoringSchema schema) {
    if (schema.rows().text()) {
      TokenizerFile file = model.tokenizer(modelOptions.tokenizer());
      // Only the native library detects every defect of the file or of this machine.
      file.tokenizer(Tasks.localFolder());
      return file;
    }
    boolean special = options.tokens().addSpecialTokens();
    if (special || modelOptions.tokenizer() != null) {
      throw Refusal.wrongUsage(
          "%s needs text columns; found tokens in %s",
          special ? "--add-special-tokens" : "--tokenizer",
          String.join(" and ", schema.rows().document().content()));
    }
    return null;
  }

  /**
   * Adds the score columns to rows. Lazy.
   *
   * @param progress counts the processed tokens; may be null
   */
  public Dataset<Row> score(Dataset<Row> rows, LongAccumulator progress) {
    JavaSparkContext context = context(rows.sparkSession());
    return Scoring.score(
        rows,
        options,
        conventions(),
        model.sent(modelOptions, context),
        sentTokenizer(schema(rows.schema()), context),
        progress);
  }

  /** Returns the function that scores the rows of a partition. */
  public PartitionScoring partitions(
      ScoringSchema schema, SparkSession spark, LongAccumulator progress) {
    JavaSparkContext context = context(spark);
    return Scoring.partitions(
        schema,
        options,
        conventions(),
        model.sent(modelOptions, context),
        sentTokenizer(schema, context),
        progress);
  }

  private TextEncoding sentTokenizer(ScoringSchema schema, JavaSparkContext context) {
    return tokenizer(schema) == null
        ? null
        : model.sentTokenizer(modelOptions.tokenizer(), specialTokens(), context);
  }

  /**
   * The model and the readers with which a task scores single documents.
   *
   * @param texts null if the model has no tokenizer
   */
  public record Sent(ModelDelivery model, DocumentReader tokens, DocumentReader texts)
      implements java.io.Serializable {}

  /** Sends the model, and its tokenizer if it has one, to the executors of a session. */
  public Sent sent(SparkSession spark) {
    JavaSparkContext context = context(spark);
    TextEncoding texts = null;
    if (modelOptions.tokenizer() != null || model.hasTokenizer()) {
      model.tokenizer(modelOptions.tokenizer()).tokenizer(Tasks.localFolder());
      texts = model.sentTokenizer(modelOptions.tokenizer(), specialTokens(), context);
    }
    return new Sent(
        model.sent(modelOptions, context),
        reader(DocumentColumns.tokens("tokens"), null),
        texts == null ? null : reader(DocumentColumns.text("text"), texts));
  }

  private DocumentReader reader(DocumentColumns columns, TextEncoding texts) {
    return new DocumentReader(
        columns,
        options.prefixId(conventions()),
        TokenOptions.NO_PREFIX,
        options.maxTokens(),
        0,
        conventions().vocabSize(),
        texts,
        null);
  }
}
