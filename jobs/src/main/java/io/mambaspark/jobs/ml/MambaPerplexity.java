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
 * Adds the scores of a {@link MambaScorer} to rows, as a stage of a pipeline: {@code nll}, {@code
 * token_count}, {@code perplexity} and what {@code emit} asks for. All columns stay.
 *
 * <p>Parameters have the names, values and defaults of the command line's options. A stage is saved
 * with the path and the fingerprint of its model; one that is loaded refuses another model at that
 * path. With {@code saveModel} the model's files, tokenizer included, are copied into the folder
 * {@value #MODEL} of the saved stage; one that is loaded from there takes them, wherever that
 * folder has been moved to.
 *
 * <p>A model is opened once in a JVM, and again when its files have changed. It stays open, for
 * stages have no end.
 */
public final class MambaPerplexity extends StageParams implements MLWritable {
  private static final long serialVersionUID = 1;

  /** The folder of a saved stage that holds its model. */
  private static final String MODEL = "model";

  private static final Map<String, Opened> OPEN = new ConcurrentHashMap<>();

  /** A model, and the files that it was opened from. */
  private record Opened(MambaScorer scorer, String stamp) {
    /** The model of that name as it is now, or as it was if its files are gone. */
    static Opened now(String model, Opened known) {
      String stamp = ModelLocation.of(model).stamp();
      if (known != null && (stamp == null || stamp.equals(known.stamp))) {
        return known;
      }
      Opened now = new Opened(MambaScorer.load(model), stamp);
      if (known != null) {
        // Rows may still be scored with it, but its files are nobody's any more.
        known.scorer.releaseModel();
      }
      return now;
    }
  }

  /** A stage with a name of its own. */
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

  /** Sets {@link #prefixToken}. */
  public MambaPerplexity setPrefixToken(String value) {
    set(prefixToken(), value);
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

  /** The model that the parameters name, with their options. */
  private MambaScorer scorer(String[] columns) {
    return open().keepColumns(columns).options(values());
  }

  private MambaScorer open() {
    if (!isSet(model())) {
      throw new IllegalArgumentException("Stage " + uid() + " has no model; set it with setModel");
    }
    MambaScorer scorer = OPEN.compute(value(model()), Opened::now).scorer();
    if (isSet(fingerprint()) && !scorer.fingerprint().equals(value(fingerprint()))) {
      throw Refusal.because(
          "Model %s is not the one that stage %s was saved with: expected fingerprint %s, found %s",
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

  /** The SHA-256 of the model, which is opened for it. */
  public String modelFingerprint() {
    return open().fingerprint();
  }

  /**
   * For writers, before they delete what is at a path. Where a pipeline's writer has done that, and
   * the model was there, it is saved with the stage after all.
   *
   * @param overwrite whether they would
   * @throws IOException if there is something and they would not
   * @throws Refusal if the model is there, and would not be saved with the stage
   */
  public void checkPlace(String path, boolean overwrite) throws IOException {
    Path place = new Path(path);
    if (!overwrite && place.getFileSystem(hadoop()).exists(place)) {
      throw new FileAlreadyExistsException(
          "Path %s already exists; overwrite it with write().overwrite().save(path)"
              .formatted(path));
    }
    if (!savesModel() && ModelLocation.of(value(model())).liesIn(path)) {
      if (ModelLocation.of(value(model())).stamp() == null) {
        setSaveModel(true);
        return;
      }
      throw Refusal.because(
          "Cannot save stage %s without its model to %s, which is where its model is; set saveModel,"
              + " or save it elsewhere",
          uid(), path);
    }
  }

  /** For writers: copies the model to where the stage is being saved, if it is to be. */
  public void copyModel(String path) {
    if (savesModel()) {
      MambaScorer scorer = open();
      if (isSet(tokenizer())) {
        scorer = scorer.tokenizer(value(tokenizer()));
      }
      scorer.saveModel(new Path(path, MODEL).toString());
    }
  }

  /** For readers: takes, and opens, the model in the place that the stage was read from. */
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
      // Spark would read what the path matches as a glob.
      MambaPerplexity stage = super.load(path.replaceAll("[\\\\*?\\[\\]{}]", "\\\\$0"));
      try {
        stage.findModel(path);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return stage;
    }
  }

  /** Reads stages that were saved. */
  public static MLReader<MambaPerplexity> read() {
    return new Reader();
  }

  /** Loads a stage that was saved. */
  public static MambaPerplexity load(String path) {
    return read().load(path);
  }
}
