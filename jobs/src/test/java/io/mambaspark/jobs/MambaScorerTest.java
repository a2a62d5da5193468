package io.mambaspark.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.io.DemoCorpus;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.StreamingQueryException;
import org.apache.spark.sql.streaming.Trigger;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares the scorer's columns with the command line's scores. */
class MambaScorerTest {
  @TempDir static Path folder;

  private static Dataset<Row> corpus;
  private static Path input;

  @BeforeAll
  static void writeCorpus() {
    input = folder.resolve("corpus");
    TestSpark.session()
        .createDataFrame(DemoCorpus.rows().subList(95, 115), DemoCorpus.SCHEMA)
        .selectExpr(
            "id", "kind", "substring(text, 1, 300) as text", "slice(tokens, 1, 60) as tokens")
        .write()
        .parquet(input.toString());
    corpus = TestSpark.session().read().parquet(input.toString());
  }

  private static List<Row> byCommand(Path output, Object... more) {
    List<Object> args =
        new ArrayList<>(List.of("score", "--model", "demo", "--input", input, "--output", output));
    args.addAll(Arrays.asList(more));
    assertThat(Cli.run(args.toArray()).code()).isZero();
    return TestSpark.session().read().parquet(output.toString()).sort("id").collectAsList();
  }

  private static List<Row> sorted(Dataset<Row> scored) {
    return scored.sort("id").collectAsList();
  }

  @Test
  void rows_have_the_scores_that_the_command_writes(@TempDir Path own) {
    try (MambaScorer scorer = MambaScorer.load("demo")) {
      assertThat(sorted(scorer.score(corpus))).isEqualTo(byCommand(own.resolve("a")));
      assertThat(
              sorted(
                  scorer
                      .textColumn("text")
                      .keepColumns("id")
                      .window("strided", 32, 8)
                      .emit("token-logprobs,top-k=2,position-nll,entropy,min-k=20")
                      .prefixToken("bos")
                      .maxPerplexity(5000)
                      .min("entropy", 0.01)
                      .min("min_k", -20)
                      .max("entropy", 4.5)
                      .score(corpus)))
          .isEqualTo(
              byCommand(
                  own.resolve("b"),
                  "--text-column",
                  "text",
                  "--keep-columns",
                  "id",
                  "--window",
                  "strided",
                  "--window-tokens",
                  32,
                  "--stride",
                  8,
                  "--emit",
                  "token-logprobs,top-k=2,position-nll,entropy,min-k=20",
                  "--min",
                  "min_k=-20",
                  "--min",
                  "entropy=0.01",
                  "--max",
                  "entropy=4.5",
                  "--prefix-token",
                  "bos",
                  "--max-perplexity",
                  5000));
      // The original scorer is unchanged.
      assertThat(scorer.score(corpus).columns()).contains("kind").doesNotContain("top_k");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "perplexity",
        "token-logprobs,token-ranks,top-k=2,position-nll,last-logits",
        "token-entropy,entropy,min-k=20,min-k-plus-plus=20,curvature,longest-greedy-run",
        "logits"
      })
  void the_output_schema_equals_the_schema_of_the_scores(String emit) {
    try (MambaScorer scorer = MambaScorer.load("demo").textColumn("text").emit(emit)) {
      assertThat(types(scorer.outputSchema(corpus.schema())))
          .isEqualTo(types(scorer.score(corpus).schema()));
    }
    try (MambaScorer scorer =
        MambaScorer.load("demo").contextAndContinuationColumns("kind", "text")) {
      assertThat(types(scorer.outputSchema(corpus.schema())))
          .isEqualTo(types(scorer.score(corpus).schema()));
    }
  }

  private static List<String> types(StructType schema) {
    return Stream.of(schema.fields())
        .map(f -> f.name() + " " + f.dataType().catalogString() + " " + f.getComment())
        .toList();
  }

  @Test
  void a_stream_has_the_scores_of_a_table(@TempDir Path own)
      throws StreamingQueryException, TimeoutException {
    Path output = own.resolve("scores");
    try (MambaScorer scorer = MambaScorer.load("demo")) {
      Dataset<Row> stream =
          TestSpark.session().readStream().schema(corpus.schema()).parquet(input.toString());
      StreamingQuery query =
          scorer
              .score(stream)
              .writeStream()
              .format("parquet")
              .option("path", output.toString())
              .option("checkpointLocation", own.resolve("checkpoint").toString())
              .trigger(Trigger.AvailableNow())
              .start();
      query.awaitTermination();
      assertThat(sorted(TestSpark.session().read().parquet(output.toString())))
          .isEqualTo(sorted(scorer.score(corpus)));
    }
  }

  @Test
  void errors_are_reported_by_the_call_that_causes_them() {
    assertThatThrownBy(() -> MambaScorer.load("/no/such/model"))
        .isInstanceOf(Refusal.class)
        .hasMessage("Cannot open model /no/such/model: no such folder");
    MambaScorer scorer = MambaScorer.load("demo");
    assertThatThrownBy(() -> scorer.tokensColumn("ids").score(corpus))
        .isInstanceOf(Refusal.class)
        .hasMessage(
            "Column ids (--tokens-column) is not in the input; its columns are id, kind, text,"
                + " tokens");
    assertThatThrownBy(() -> scorer.tokenizer("demo").score(corpus))
        .hasMessage("--tokenizer needs text columns; found tokens in tokens");
    assertThatThrownBy(() -> scorer.window("strided", 8, 9))
        .hasMessage("--stride 9: expected 1 to 8, the number of tokens in a window");
    assertThatThrownBy(() -> scorer.onError("stop"))
        .hasMessage("--on-error stop: expected quarantine or fail");
    assertThatThrownBy(() -> scorer.options(Map.of("max-token", 5)))
        .hasMessageStartingWith("Unknown option max-token; expected one of ");
    scorer.close();
    scorer.close();
    assertThatThrownBy(() -> scorer.score(corpus)).hasMessage("The scorer is closed");
  }

  @Test
  void a_scorer_accepts_a_dataset_that_was_created_in_memory() {
    StructType schema =
        new StructType(
            new StructField[] {
              DataTypes.createStructField("id", DataTypes.StringType, true),
              DataTypes.createStructField("body", DataTypes.StringType, true)
            });
    try (MambaScorer scorer = MambaScorer.load("demo").textColumn("body")) {
      Dataset<Row> some =
          TestSpark.session().createDataFrame(corpus.select("id", "text").collectAsList(), schema);
      Dataset<Row> ranked = scorer.score(some.where("length(body) > 5")).where("perplexity < 100");
      assertThat(ranked.count()).isPositive();
    }
  }
}
