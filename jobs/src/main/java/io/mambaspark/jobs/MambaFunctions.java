package io.mambaspark.jobs;

import static org.apache.spark.sql.functions.udf;

import io.mambaspark.engine.score.NonFinite;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.score.DatasetScorer;
import io.mambaspark.jobs.score.DocumentReader;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.PartitionScoring;
import io.mambaspark.jobs.score.ScoreColumn;
import io.mambaspark.jobs.score.ScoredRow;
import io.mambaspark.jobs.spark.TaskFailure;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
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
  /** The type of a function's result, which the fields of its signals follow. */
  public static final StructType SCORE =
      new StructType()
          .add("nll", DataTypes.DoubleType)
          .add("token_count", DataTypes.LongType)
          .add("perplexity", DataTypes.DoubleType)
          .add("error", DataTypes.StringType);

  /**
   * The names of the functions that {@link #registered} registered, by session, and by model and
   * results.
   */
  private static final Map<SparkSession, Map<List<Object>, String>> REGISTERED =
      new WeakHashMap<>();

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
    register(spark, name, model, "perplexity");
  }

  /**
   * Registers a function as above, whose struct also has the signals that are emitted, each under
   * the name of its column: {@code SELECT name(text).curvature FROM corpus}.
   *
   * @param emit a list of perplexity and signals, such as {@code entropy,min-k=20}
   * @throws Refusal also if the list has other values
   */
  public static void register(SparkSession spark, String name, String model, String emit) {
    Emit signals = Emit.parseSignals(emit);
    register(spark, name, MambaScorer.load(model), signals, null);
  }

  /**
   * Returns the name of a model's function in a session. The first call registers the function.
   *
   * @throws Refusal if the model does not exist
   */
  public static String registered(SparkSession spark, String model) {
    return registered(spark, model, "perplexity");
  }

  /**
   * Returns the name of a function in a session. The first call registers the function.
   *
   * @param emit a list of perplexity and signals
   * @throws Refusal if the model does not exist, or the list has other values
   */
  public static String registered(SparkSession spark, String model, String emit) {
    Emit signals = Emit.parseSignals(emit);
    synchronized (REGISTERED) {
      Map<List<Object>, String> names =
          REGISTERED.computeIfAbsent(spark, session -> new HashMap<>());
      return names.computeIfAbsent(
          List.of(model, signals),
          key -> {
            String name = "mamba_score_" + names.size();
            register(spark, name, MambaScorer.load(model), signals, null);
            return name;
          });
    }
  }

  static void register(
      SparkSession spark, String name, MambaScorer scorer, Emit emit, LongAccumulator tokensRun) {
    StructType type = SCORE;
    for (ScoreColumn signal : emit.signals().allColumns()) {
      type = type.add(signal.column(), signal.type());
    }
    spark.udf().register(name, udf(new Score(scorer.sent(spark), emit, tokensRun), type));
  }

  /**
   * The function, which creates its scorer in the task. Spark may evaluate the function more than
   * once for a row, as in {@code SELECT f(t) … WHERE f(t).nll < 50}. For such queries, the function
   * caches its last result.
   */
  private static final class Score implements UDF1<Object, Row> {
    private static final long serialVersionUID = 1;

    private final DatasetScorer.Sent sent;
    private final Emit emit;
    private final LongAccumulator tokensRun;
    private transient Scorer scorer;
    private transient DocumentReader.ForTask tokens;
    private transient DocumentReader.ForTask texts;
    private transient Object last;
    private transient Row lastScore;

    Score(DatasetScorer.Sent sent, Emit emit, LongAccumulator tokensRun) {
      this.sent = sent;
      this.emit = emit;
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
        return result(null, null, null, null, new ScoredRow());
      }
      if (read.error() != null) {
        return failed(read.error());
      }
      Scores<Integer> scores =
          scorer.score(List.of(new Sequence<>(0, read.tokens())).iterator(), emit.outputs()).next();
      NonFinite nonFinite = scores.firstNonFinite();
      ScoredRow signals = new ScoredRow();
      RowError error =
          RowError.nonFinite(nonFinite != null ? nonFinite : emit.signals().set(signals, scores));
      if (error != null) {
        return failed(error);
      }
      return result(
          scores.nll(),
          scores.tokenCount(),
          PartitionScoring.perplexity(scores.nll(), scores.tokenCount()),
          null,
          signals);
    }

    private Row failed(RowError error) {
      return result(null, null, null, error.message(), new ScoredRow());
    }

    private Row result(
        Double nll, Long tokenCount, Double perplexity, String error, ScoredRow signals) {
      List<Object> values = new ArrayList<>(Arrays.asList(nll, tokenCount, perplexity, error));
      emit.signals().allColumns().forEach(signal -> values.add(signals.value(signal)));
      return RowFactory.create(values.toArray());
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
