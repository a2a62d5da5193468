package io.mambaspark.jobs.model;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.Tasks;
import io.mambaspark.jobs.text.SpecialTokens;
import io.mambaspark.jobs.text.TokenizerConfig;
import io.mambaspark.jobs.text.TokenizerFile;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open model on the driver: its checkpoint, its tokenizers, and their deliveries to executors.
 * Each of these is opened or sent once for all callers, and closed with this model.
 */
public final class OpenModel implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(OpenModel.class);

  private final ModelSource source;
  private final Set<WeightFormat> warned = EnumSet.noneOf(WeightFormat.class);
  private final Map<String, TokenizerFile> tokenizers = new HashMap<>();
  private final Map<String, Map<String, byte[]>> settings = new HashMap<>();
  private final Map<String, ModelConventions> conventions = new HashMap<>();
  private final Map<List<Object>, SpecialTokens> special = new HashMap<>();
  private final Map<SparkContext, OnExecutors> sent = new HashMap<>();
  private RetainedModelFiles retained;
  private boolean closed;

  /** The deliveries of one Spark context; a later context of this JVM reuses broadcast ids. */
  private record OnExecutors(
      Map<List<Object>, ModelDelivery.Mode> modes,
      Map<List<Object>, ModelDelivery> models,
      Map<String, Broadcast<TokenizerFile>> tokenizers) {
    OnExecutors() {
      this(new HashMap<>(), new HashMap<>(), new HashMap<>());
    }
  }

  /**
   * Opens a model.
   *
   * @param model a folder, any Hadoop URI, or {@code demo}
   * @throws Refusal if the folder does not exist
   * @throws io.mambaspark.engine.checkpoint.CheckpointException if the folder holds no supported
   *     model
   */
  public OpenModel(String model) {
    this.source = ModelSource.open(model, HadoopFiles.configuration());
  }

  /** Returns the checkpoint, which is open until this model is closed. */
  public ModelSource source() {
    return source;
  }

  /**
   * Reads all weights, refuses those that are not finite or that the format cannot hold, and warns
   * if the format rounds them.
   */
  public void check(WeightFormat weights) {
    source.checkpoint().check(weights);
    source.checkpoint().fingerprint();
    warnIfRounded(weights);
  }

  private synchronized void warnIfRounded(WeightFormat weights) {
    if (warned.add(weights)) {
      source.rounding(weights).ifPresent(LOG::warn);
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

  /** Decides once how the model is sent; refuses a model that would run out of memory. */
  public synchronized ModelDelivery.Mode mode(ModelOptions options, JavaSparkContext context) {
    return of(context)
        .modes
        .computeIfAbsent(
            List.of(options.delivery(), options.weights()),
            key -> ModelMemory.choose(options.delivery(), source, options.weights(), context));
  }

  /** Returns the delivery of the model to the executors; the first call sends the model. */
  public synchronized ModelDelivery sent(ModelOptions options, JavaSparkContext context) {
    ModelDelivery.Mode mode = mode(options, context);
    warnIfRounded(options.weights());
    return of(context)
        .models
        .computeIfAbsent(
            List.of(mode, options.weights()),
            key -> ModelDelivery.send(mode, source, options.weights(), context));
  }

  /**
   * Opens a tokenizer for the model.
   *
   * @param option a file or its folder; null for the tokenizer in the model's folder
   */
  public synchronized TokenizerFile tokenizer(String option) {
    TokenizerFile tokenizer = tokenizerOfAnySize(option);
    tokenizer.checkFits(source.name(), source.checkpoint().config().vocabSize());
    return tokenizer;
  }

  private TokenizerFile tokenizerOfAnySize(String option) {
    checkOpen();
    if (!tokenizers.containsKey(option)) {
      tokenizers.put(option, TokenizerSource.open(option, source, HadoopFiles.configuration()));
    }
    return tokenizers.get(option);
  }

  /** Returns the settings of a tokenizer, which {@link #tokenizer} names alike. */
  private TokenizerConfig tokenizerConfig(String option) {
    String folder = option == null ? source.name() : Refusal.redacted(option);
    return TokenizerConfig.parse(folder, settings(option));
  }

  /** Returns the contents of the settings of a tokenizer, which are read once. */
  private synchronized Map<String, byte[]> settings(String option) {
    if (!settings.containsKey(option)) {
      settings.put(option, TokenizerSource.settings(option, source, HadoopFiles.configuration()));
    }
    return settings.get(option);
  }

  /**
   * Returns what the model's files say about its prefix token and its windows. The first call logs
   * their contradictions.
   *
   * @param option a tokenizer or its folder; null for the model's folder, which may have none
   */
  public synchronized ModelConventions conventions(String option) {
    if (!conventions.containsKey(option)) {
      boolean exists = option != null || hasTokenizer();
      ModelConventions found =
          ModelConventions.of(
              source,
              tokenizerConfig(option),
              token -> exists ? tokenizerOfAnySize(option).token(token) : null);
      found.notes().forEach(note -> LOG.warn("Model {}: {}", source.name(), note));
      conventions.put(option, found);
    }
    return conventions.get(option);
  }

  /** Whether the model's folder has a tokenizer.json. */
  public boolean hasTokenizer() {
    return source.has(TokenizerSource.FILE);
  }

  /**
   * Returns the special tokens that are added to texts. Loads the native tokenizer. The first call
   * logs settings that another version of transformers would use.
   *
   * @param prefix the id of the model's prefix token; negative if it has none
   */
  public synchronized SpecialTokens specialTokens(String option, int prefix) {
    return special.computeIfAbsent(
        List.of(String.valueOf(option), prefix),
        key -> {
          tokenizerConfig(option).warnOfFlags();
          return tokenizer(option).tokenizer(Tasks.localFolder()).specialTokens(prefix);
        });
  }

  /** Returns the encoding of texts for tasks; the first call sends the tokenizer. */
  public synchronized TextEncoding sentTokenizer(
      String option, SpecialTokens special, JavaSparkContext context) {
    TokenizerFile file = tokenizer(option);
    return new TextEncoding(
        of(context).tokenizers.computeIfAbsent(option, key -> context.broadcast(file)), special);
  }

  /**
   * Opens the files of the model, so that {@link #copyTo} can copy them after their folder is
   * deleted. The files stay open until {@link #releaseFiles} or {@link #close}.
   */
  public void retainFiles() {
    retained();
  }

  /** Closes the files that {@link #retainFiles} has opened. */
  public synchronized void releaseFiles() {
    if (retained != null) {
      retained.close();
      retained = null;
    }
  }

  private synchronized RetainedModelFiles retained() {
    if (retained == null) {
      retained = new RetainedModelFiles(source);
    }
    return retained;
  }

  /**
   * Copies the checkpoint's files, and a tokenizer with its settings.
   *
   * @param folder the target folder, local or at any Hadoop URI
   * @param tokenizer a tokenizer or its folder; null for the files of the model's folder
   * @throws Refusal if a file cannot be read or written
   */
  public void copyTo(String folder, String tokenizer, Configuration configuration) {
    Map<String, byte[]> other = null;
    if (tokenizer != null) {
      other = new HashMap<>(settings(tokenizer));
      other.put(TokenizerSource.FILE, tokenizer(tokenizer).json().getBytes(UTF_8));
    }
    retained().copyTo(folder, other, configuration);
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("The scorer is closed");
    }
  }

  @Override
  public synchronized void close() {
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
      releaseFiles();
      source.close();
    }
  }
}
