package io.mambaspark.jobs.ml;

import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.model.ModelLocation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.Path;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.DefaultParamsWriter;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.ml.util.MLWritable;
import org.apache.spark.ml.util.MLWriter;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * A pipeline stage that adds the scores of a {@link MambaScorer} to rows: by default {@code nll},
 * {@code token_count} and {@code perplexity}, otherwise the columns that {@code emit} selects. All
 * input columns are kept.
 *
 * <p>Parameters have the names, values and defaults of the command line's options. A stage is saved
 * with the path and the fingerprint of its model. A loaded stage refuses a different model at that
 * path. With {@code saveModel}, the model's files and its tokenizer are copied into the folder
 * {@value #MODEL} of the saved stage. A stage loaded from there uses the copy, even after the saved
 * stage was moved.
 *
 * <p>A model is opened once per JVM, and opened again when its files have changed. It is never
 * closed, because a stage has no close method.
 */
public final class MambaPerplexity extends StageParams implements MLWritable {
  private static final long serialVersionUID = 1;

  /** The folder of a saved stage that holds its model. */
  private static final String MODEL = "model";

  private static final Map<String, Opened> OPEN = new ConcurrentHashMap<>();

  /** An open model, and the stamp of its files when it was opened. */
  private record Opened(MambaScorer scorer, String stamp) {
    /**
     * Returns the open model, and opens it again if its files have changed. If the files no longer
     * exist, returns the model as it was opened before.
     */
    static Opened current(String model, Opened previous) {
      String stamp = ModelLocation.of(model).stamp();
      if (previous != null && (stamp == null || stamp.equals(previous.stamp))) {
        return previous;
      }
      Opened current = new Opened(MambaScorer.load(model), stamp);
      if (previous != null) {
        // Rows may still be scored with the previous model, but no stage will copy its files.
        previous.scorer.releaseModel();
      }
      return current;
    }
  }

  /** A stage with a generated name. */
  public MambaPerplexity() {
    this(Identifiable$.MODULE$.randomUID("mambaPerplexity"));
  }

  /** A stage with this name. */
  public MambaPerplexity(String uid) {
    super(uid);
  }

  /** Sets {@link #fingerprint}. */
  public MambaPerplexity setFingerprint(String value) {
    set(fingerprint(), value);
    return this;
  }

  /** Sets {@link #saveModel}. */
  public MambaPerplexity setSaveModel(boolean value) {
    set(saveModel(), value);
    return this;
  }

  /** Sets {@link #model}. */
  public MambaPerplexity setModel(String value) {
    set(model(), value);
    return this;
  }

  /** Sets {@link #weights}. */
  public MambaPerplexity setWeights(String value) {
    set(weights(), value);
    return this;
  }

  /** Sets {@link #modelDelivery}. */
  public MambaPerplexity setModelDelivery(String value) {
    set(modelDelivery(), value);
    return this;
  }

  /** Sets {@link #tokensColumn}. */
  public MambaPerplexity setTokensColumn(String value) {
    set(tokensColumn(), value);
    return this;
  }

  /** Sets {@link #textColumn}. */
  public MambaPerplexity setTextColumn(String value) {
    set(textColumn(), value);
    return this;
  }

  /** Sets {@link #tokenizer}. */
  public MambaPerplexity setTokenizer(String value) {
    set(tokenizer(), value);
    return this;
  }

  /** Sets {@link #emit}. */
  public MambaPerplexity setEmit(String value) {
    set(emit(), value);
    return this;
  }

  /** Sets {@link #segmentBy}. */
  public MambaPerplexity setSegmentBy(String value) {
    set(segmentBy(), value);
    return this;
  }

  /** Sets {@link #prefixToken}. */
  public MambaPerplexity setPrefixToken(String value) {
    set(prefixToken(), value);
    return this;
  }

  /** Sets {@link #contextColumn}. */
  public MambaPerplexity setContextColumn(String value) {
    set(contextColumn(), value);
    return this;
  }

  /** Sets {@link #continuationColumn}. */
  public MambaPerplexity setContinuationColumn(String value) {
    set(continuationColumn(), value);
    return this;
  }

  /** Sets {@link #maxLength}. */
  public MambaPerplexity setMaxLength(int value) {
    set(maxLength(), value);
    return this;
  }

  /** Sets {@link #addSpecialTokens}. */
  public MambaPerplexity setAddSpecialTokens(boolean value) {
    set(addSpecialTokens(), value);
    return this;
  }

  /** Sets {@link #maxTokens}. */
  public MambaPerplexity setMaxTokens(int value) {
    set(maxTokens(), value);
    return this;
  }

  /** Sets {@link #window}. */
  public MambaPerplexity setWindow(String value) {
    set(window(), value);
    return this;
  }

  /** Sets {@link #windowTokens}. */
  public MambaPerplexity setWindowTokens(int value) {
    set(windowTokens(), value);
    return this;
  }

  /** Sets {@link #stride}. */
  public MambaPerplexity setStride(int value) {
    set(stride(), value);
    return this;
  }

  /** Sets {@link #onError}. */
  public MambaPerplexity setOnError(String value) {
    set(onError(), value);
    return this;
  }

  @Override
  public Dataset<Row> transform(Dataset<?> rows) {
    return scorer(rows.columns()).score(rows.toDF());
  }

  @Override
  public StructType transformSchema(StructType schema) {
    return scorer(schema.fieldNames()).outputSchema(schema);
  }

  @Override
  public MambaPerplexity copy(ParamMap extra) {
    return (MambaPerplexity) defaultCopy(extra);
  }

  /** Returns the stage's scorer, with the stage's options. */
  private MambaScorer scorer(String[] columns) {
    return open().keepColumns(columns).options(values());
  }

  private MambaScorer open() {
    if (!isSet(model())) {
      throw new IllegalArgumentException("Stage " + uid() + " has no model; set it with setModel");
    }
    MambaScorer scorer = OPEN.compute(value(model()), Opened::current).scorer();
    if (isSet(fingerprint()) && !scorer.fingerprint().equals(value(fingerprint()))) {
      throw Refusal.because(
          "Model %s is not the model that stage %s was saved with: expected fingerprint %s, found"
              + " %s",
          value(model()), uid(), value(fingerprint()), scorer.fingerprint());
    }
    if (savesModel()) {
      scorer.holdModel();
    }
    return scorer;
  }

  private boolean savesModel() {
    return (Boolean) getOrDefault(saveModel());
  }

  @Override
  public MLWriter write() {
    MambaPerplexity saved = copy(new ParamMap());
    saved.set(fingerprint(), modelFingerprint());
    return new Writer(saved);
  }

  /** Opens the model and returns its SHA-256. */
  public String modelFingerprint() {
    return open().fingerprint();
  }

  /**
   * Checks that the stage can be saved to a path. Writers call this method before they delete the
   * path. If a pipeline's writer has already deleted it, and the stage's model was there, the model
   * is saved with the stage even without {@code saveModel}.
   *
   * @param overwrite whether the writer replaces an existing path
   * @throws IOException if the path exists and {@code overwrite} is false
   * @throws Refusal if the path contains the model, and the model is not saved with the stage
   */
  public void checkPlace(String path, boolean overwrite) throws IOException {
    Path place = new Path(path);
    if (!overwrite && place.getFileSystem(hadoop()).exists(place)) {
      throw new FileAlreadyExistsException(
          "Path %s already exists; overwrite it with write().overwrite().save(path)"
              .formatted(path));
    }
    if (!savesModel() && ModelLocation.of(value(model())).isInside(path)) {
      if (ModelLocation.of(value(model())).stamp() == null) {
        setSaveModel(true);
        return;
      }
      throw Refusal.because(
          "Cannot save stage %s to %s: that folder contains the stage's model, which would be"
              + " deleted; set saveModel, or choose another path",
          uid(), path);
    }
  }

  /** Copies the model into the folder of the saved stage, if {@code saveModel} is set. */
  public void copyModel(String path) {
    if (savesModel()) {
      MambaScorer scorer = open();
      if (isSet(tokenizer())) {
        scorer = scorer.tokenizer(value(tokenizer()));
      }
      scorer.saveModel(new Path(path, MODEL).toString());
    }
  }

  /**
   * Makes the stage use the model in the folder of the saved stage, and opens that model, if {@code
   * saveModel} is set. Readers call this method after they have set the parameters.
   */
  public void findModel(String path) throws IOException {
    if (savesModel()) {
      Path copy = new Path(path, MODEL);
      set(model(), copy.getFileSystem(hadoop()).makeQualified(copy).toString());
      clear(tokenizer());
      open();
    }
  }

  private static Configuration hadoop() {
    return SparkSession.active().sparkContext().hadoopConfiguration();
  }

  private static final class Writer extends DefaultParamsWriter {
    private final MambaPerplexity stage;

    Writer(MambaPerplexity stage) {
      super(stage);
      this.stage = stage;
    }

    @Override
    public void save(String path) throws IOException {
      stage.checkPlace(path, shouldOverwrite());
      super.save(path);
    }

    @Override
    public void saveImpl(String path) {
      stage.copyModel(path);
      super.saveImpl(path);
    }
  }

  private static final class Reader extends DefaultParamsReader<MambaPerplexity> {
    @Override
    public MambaPerplexity load(String path) {
      // Escape the path, because Spark treats it as a glob.
      MambaPerplexity stage = super.load(path.replaceAll("[\\\\*?\\[\\]{}]", "\\\\$0"));
      try {
        stage.findModel(path);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return stage;
    }
  }

  /** Returns a reader of saved stages. */
  public static MLReader<MambaPerplexity> read() {
    return new Reader();
  }

  /** Loads a saved stage. */
  public static MambaPerplexity load(String path) {
    return read().load(path);
  }
}
