package io.mambaspark.jobs;

import static org.apache.spark.sql.functions.udf;

import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.score.DatasetScorer;
import io.mambaspark.jobs.score.DocumentReader;
import io.mambaspark.jobs.score.PartitionScoring;
import io.mambaspark.jobs.spark.TaskFailure;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.WeakHashMap;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/** SQL functions that score a text or an array of token ids. */
public final class MambaFunctions {
  /** The type of a function's result. */
  public static final StructType SCORE =
      new StructType()
          .add("nll", DataTypes.DoubleType)
          .add("token_count", DataTypes.LongType)
          .add("perplexity", DataTypes.DoubleType)
          .add("error", DataTypes.StringType);

  /** The names of the functions that {@link #registered} registered, by session and model. */
  private static final Map<SparkSession, Map<String, String>> REGISTERED = new WeakHashMap<>();

  private MambaFunctions() {}

  /**
   * Registers a function in a session: {@code SELECT name(text).perplexity FROM corpus}. Its result
   * is a struct of nll, token_count, perplexity and error. An empty document has a token_count of
   * 0; for a null document all four fields are null. The model stays open until the JVM ends.
   *
   * @param name the name of the function
   * @param model a folder, any Hadoop URI, or {@code demo}. Texts require a tokenizer.json in the
   *     model's folder
   * @throws Refusal if the folder does not exist
   */
  public static void register(SparkSession spark, String name, String model) {
    register(spark, name, MambaScorer.load(model), null);
  }

  /**
   * Returns the name of a model's function in a session. The first call registers the function.
   *
   * @throws Refusal if the model does not exist
   */
  public static String registered(SparkSession spark, String model) {
    synchronized (REGISTERED) {
      Map<String, String> names = REGISTERED.computeIfAbsent(spark, session -> new HashMap<>());
      return names.computeIfAbsent(
          model,
          path -> {
            String name = "mamba_score_" + names.size();
            register(spark, name, path);
            return name;
          });
    }
  }

  static void register(
      SparkSession spark, String name, MambaScorer scorer, LongAccumulator tokensRun) {
    spark.udf().register(name, udf(new Score(scorer.sent(spark), tokensRun), SCORE));
  }

  /**
   * The function, which creates its scorer in the task. Spark may evaluate the function more than
   * once for a row, as in {@code SELECT f(t) … WHERE f(t).nll < 50}. For such queries, the function
   * caches its last result.
   */
  private static final class Score implements UDF1<Object, Row> {
    private static final long serialVersionUID = 1;
    private static final Outputs PERPLEXITY = new Outputs(true, false, false, 0, false);

    private final DatasetScorer.Sent sent;
    private final LongAccumulator tokensRun;
    private transient Scorer scorer;
    private transient DocumentReader.ForTask tokens;
    private transient DocumentReader.ForTask texts;
    private transient Object last;
    private transient Row lastScore;

    Score(DatasetScorer.Sent sent, LongAccumulator tokensRun) {
      this.sent = sent;
      this.tokensRun = tokensRun;
    }

    @Override
    public synchronized Row call(Object document) {
      if (lastScore == null || !Objects.equals(document, last)) {
        lastScore = score(document);
        last = document;
      }
      return lastScore;
    }

    private Row score(Object document) {
      if (scorer == null) {
        TaskContext task = TaskContext.get();
        scorer =
            new Scorer(
                sent.model().model(),
                Scorer.CHUNK,
                count -> PartitionScoring.chunkDone(count, tokensRun, task));
      }
      DocumentReader.Document read =
          document instanceof String text
              ? texts().read(RowFactory.create(text.getBytes(StandardCharsets.UTF_8)))
              : tokens().read(RowFactory.create(document));
      if (read.isNull()) {
        return RowFactory.create(null, null, null, null);
      }
      if (read.error() != null) {
        return RowFactory.create(null, null, null, read.error().message());
      }
      Scores<Integer> scores =
          scorer.score(List.of(new Sequence<>(0, read.tokens())).iterator(), PERPLEXITY).next();
      RowError error = RowError.nonFinite(scores.firstNonFinite());
      if (error != null) {
        return RowFactory.create(null, null, null, error.message());
      }
      return RowFactory.create(
          scores.nll(),
          scores.tokenCount(),
          PartitionScoring.perplexity(scores.nll(), scores.tokenCount()),
          null);
    }

    private DocumentReader.ForTask texts() {
      if (texts == null && sent.texts() == null) {
        throw new TaskFailure(
            "Cannot score a text: the function's model has no tokenizer.json in its folder; call"
                + " the function with token ids, or add the file and register the function again",
            null);
      }
      if (texts == null) {
        texts = sent.texts().open();
      }
      return texts;
    }

    private DocumentReader.ForTask tokens() {
      if (tokens == null) {
        tokens = sent.tokens().open();
      }
      return tokens;
    }
  }
}
