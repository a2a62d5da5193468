package io.mambaspark.jobs.job;

import static io.mambaspark.jobs.TestOutput.rows;
import static io.mambaspark.jobs.TestOutput.summary;
import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.ml.MambaPerplexity;
import io.mambaspark.jobs.sql.MambaExtensions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Mamba-2 in jobs, in a pipeline stage and in SQL: the scores are those of the engine. */
class Mamba2Test {
  private static final Path GOLDEN = Path.of("../engine/src/test/resources/golden");
  private static final Path MODEL = GOLDEN.resolve("mamba2").toAbsolutePath().normalize();

  /** A Falcon-Mamba with the vocabulary of {@link #MODEL}. */
  private static final Path FALCON = GOLDEN.resolve("falcon").toAbsolutePath().normalize();

  private static final int ROWS = 60;

  @TempDir static Path shared;

  private static Path corpus;

  /** nll and perplexity of each row, from the engine. */
  private static Map<String, List<Object>> expected;

  @TempDir Path own;
  private Path output;

  @BeforeAll
  static void writeCorpus() {
    MambaModel model = MambaModel.load(MODEL);
    Random random = new Random(16);
    Object[] lists = new Object[ROWS];
    List<Sequence<String>> sequences = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      int[] tokens = random.ints(random.nextInt(1, 90), 0, model.config().vocabSize()).toArray();
      lists[i] = tokens;
      sequences.add(new Sequence<>("row-" + i, tokens));
    }
    corpus = shared.resolve("corpus");
    TestSpark.rows(lists)
        .write()
        .option("parquet.block.row.count.limit", 10)
        .parquet(corpus.toString());
    expected = new TreeMap<>();
    Outputs perplexity = new Outputs(true, false, false, 0, false);
    Iterator<Scores<String>> scores = new Scorer(model).score(sequences.iterator(), perplexity);
    scores.forEachRemaining(
        s ->
            expected.put(
                s.key(),
                Arrays.asList(
                    s.nll(), s.tokenCount(), s.tokenCount() == 0 ? null : s.perplexity())));
  }

  @BeforeEach
  void nameOutput() {
    output = own.resolve("scores");
  }

  private static void assertScores(Dataset<Row> scored) {
    assertThat(
            scored.select("id", "nll", "token_count", "perplexity").collectAsList().stream()
                .collect(
                    Collectors.toMap(
                        row -> row.getString(0),
                        row -> Arrays.asList(row.get(1), row.get(2), row.get(3)))))
        .isEqualTo(expected);
  }

  private Cli score(Object... more) {
    List<Object> args = new ArrayList<>(List.of("score", "--model", MODEL, "--input", corpus));
    args.addAll(List.of("--output", output, "--target-unit-tokens", 1));
    args.addAll(Arrays.asList(more));
    Cli run = Cli.run(args.toArray());
    assertThat(run.err()).isEmpty();
    return run;
  }

  private static Dataset<Row> read(Path path) {
    return TestSpark.session().read().parquet(path.toString());
  }

  @Test
  void a_job_has_the_scores_of_the_engine_also_after_resuming() throws IOException {
    assertThat(score().out()).contains("corpus perplexity");
    assertScores(read(output));
    Map<String, String> rows = rows(output);
    List<Path> units;
    try (Stream<Path> files = Files.list(output)) {
      units = files.filter(file -> file.toString().endsWith(".parquet")).sorted().toList();
    }
    assertThat(units).hasSize(6);
    Files.delete(units.get(1));
    Files.delete(output.resolve("_mamba_summary.json"));
    score("--resume");
    assertThat(summary(output).get("resumed_units").asInt()).isEqualTo(5);
    assertThat(rows(output)).isEqualTo(rows);
  }

  @ParameterizedTest
  @ValueSource(strings = {"bf16", "int8", "int8-out16", "int16"})
  void units_partitions_and_apis_have_the_same_scores_in_every_format(String format)
      throws IOException {
    score("--weights", format);
    Map<String, String> expected = rows(output);
    Path other = own.resolve("other");
    List<Object> args = new ArrayList<>(List.of("score", "--model", MODEL, "--input", corpus));
    args.addAll(List.of("--output", other, "--partitions", 3, "--weights", format));
    assertThat(Cli.run(args.toArray()).code()).isZero();
    assertThat(rows(other)).hasSize(ROWS).isEqualTo(expected);
    try (MambaScorer scorer =
        MambaScorer.load(MODEL.toString()).weights(format).tokensColumn("tokens")) {
      Path scored = own.resolve("scored");
      scorer.score(read(corpus)).write().parquet(scored.toString());
      assertThat(rows(scored)).isEqualTo(expected);
    }
    MambaPerplexity stage = new MambaPerplexity().setModel(MODEL.toString()).setWeights(format);
    Path transformed = own.resolve("transformed");
    stage
        .setTokensColumn("tokens")
        .transform(read(corpus))
        .selectExpr(read(output).columns())
        .write()
        .parquet(transformed.toString());
    assertThat(rows(transformed)).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"bf16", "int8", "int16"})
  void units_and_partitions_have_the_same_scores_in_every_format_and_windows(String format)
      throws IOException {
    Object[] options = {"--weights", format, "--window", "rolling", "--window-tokens", 7};
    score(options);
    Path other = own.resolve("other");
    List<Object> args = new ArrayList<>(List.of("score", "--model", MODEL, "--input", corpus));
    args.addAll(List.of("--output", other, "--partitions", 3));
    args.addAll(Arrays.asList(options));
    assertThat(Cli.run(args.toArray()).code()).isZero();
    assertThat(rows(other)).hasSize(ROWS).isEqualTo(rows(output));
  }

  @Test
  void a_mamba_1_model_is_compared_with_a_mamba_2_model() {
    Cli run =
        Cli.run(
            "compare", "--model", FALCON, "--model", MODEL, "--input", corpus, "--output", output);
    assertThat(run.err()).isEmpty();
    Dataset<Row> compared = read(output);
    assertScores(
        compared.withColumnRenamed("nll_b", "nll").withColumnRenamed("perplexity_b", "perplexity"));
    assertThat(compared.where("nll_a = nll_b and token_count > 0").count()).isZero();
  }

  @Test
  void a_stage_and_sql_have_the_scores_of_the_engine() {
    Dataset<Row> rows = read(corpus);
    assertScores(
        new MambaPerplexity().setModel(MODEL.toString()).setTokensColumn("tokens").transform(rows));
    MambaExtensions.register(TestSpark.session(), MODEL.toString());
    rows.createOrReplaceTempView("mamba_2_rows");
    assertScores(
        TestSpark.session()
            .sql("SELECT id, s.* FROM (SELECT id, mamba_score(tokens) AS s FROM mamba_2_rows)"));
  }

  @Test
  void inspect_prints_the_shape_and_the_tensors() {
    Cli run = Cli.run("inspect", "--model", MODEL);
    assertThat(run.code()).isZero();
    assertThat(run.out())
        .containsPattern("(?m)^  nHeads +8$")
        .containsPattern("(?m)^  backbone.layers.1.mixer.dt_bias +F32 +\\[8\\] ");
  }
}
