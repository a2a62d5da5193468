package io.mambaspark.jobs.stats;

import static io.mambaspark.jobs.TestScores.byId;
import static io.mambaspark.jobs.TestScores.score;
import static io.mambaspark.jobs.TestScores.scored;
import static io.mambaspark.jobs.TestScores.sum;
import static io.mambaspark.jobs.TestScores.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestOutput;
import io.mambaspark.jobs.TestScores;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoreColumn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests sums over groups of a corpus and the exclusion of documents by their perplexity. */
class GroupsTest {
  @TempDir static Path shared;
  @TempDir Path own;

  private static Path model;
  private static Path corpus;
  private static Map<String, Row> plain;
  private Path output;

  /** Writes sixty rows of five groups, some too short and some bad, in row groups of seven. */
  @BeforeAll
  static void writeCorpus() {
    model = TestModels.write(shared.resolve("model"));
    Random random = new Random(4);
    String[] langs = {"en", "en", "de", null, "a b`c\n", "void"};
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      String lang = langs[i % langs.length];
      int[] tokens = random.ints(random.nextInt(40), 0, TestModels.VOCABULARY).toArray();
      if (i % 15 == 4) {
        tokens = new int[] {1, 2, 99};
      }
      rows.add(
          RowFactory.create(
              "row-%02d".formatted(i),
              lang,
              i % 2 == 0 ? 1900 + i % 3 : null,
              "void".equals(lang) ? new int[] {1} : tokens));
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.StringType)
            .add("lang.x", DataTypes.StringType)
            .add("year", DataTypes.IntegerType)
            .add("tokens", TestScores.TOKENS);
    corpus = write(shared.resolve("corpus"), 7, schema, rows);
    Path all = shared.resolve("all");
    scored(model, corpus, all);
    plain = byId(all);
  }

  @BeforeEach
  void nameOutput() {
    output = own.resolve("scores");
  }

  private JsonNode summary() throws IOException {
    return TestOutput.summary(output);
  }

  private Map<List<String>, JsonNode> groups(String... columns) throws IOException {
    Map<List<String>, JsonNode> groups = new LinkedHashMap<>();
    for (JsonNode group : summary().get("groups")) {
      List<String> key =
          Arrays.stream(columns).map(c -> group.get("group").get(c).asText()).toList();
      assertThat(groups.put(key, group)).isNull();
    }
    return groups;
  }

  private static double percentile(List<Double> sorted, double share) {
    double rank = share * (sorted.size() - 1);
    int low = (int) rank;
    int high = Math.min(low + 1, sorted.size() - 1);
    return sorted.get(low) + (rank - low) * (sorted.get(high) - sorted.get(low));
  }

  private static void check(JsonNode group, Collection<Row> rows) {
    List<Row> good = rows.stream().filter(row -> row.getAs("error") == null).toList();
    List<Row> scored =
        good.stream().filter(row -> row.<Double>getAs("perplexity") != null).toList();
    double nll = sum(good.stream().map(row -> row.<Double>getAs("nll")).toList());
    long tokens = good.stream().mapToLong(row -> row.<Long>getAs("token_count")).sum();
    List<Double> perplexities =
        scored.stream().map(row -> row.<Double>getAs("perplexity")).sorted().toList();
    assertThat(group.get("documents").asInt()).isEqualTo(rows.size());
    assertThat(group.get("error_documents").asInt()).isEqualTo(rows.size() - good.size());
    assertThat(group.get("scored_documents").asInt()).isEqualTo(scored.size());
    assertThat(group.get("tokens").asLong()).isEqualTo(tokens);
    assertThat(group.get("nll").asDouble()).isEqualTo(nll);
    if (scored.isEmpty()) {
      assertThat(group.get("corpus_perplexity").isNull()).isTrue();
      assertThat(group.get("corpus_perplexity_error").isNull()).isTrue();
      assertThat(group.get("mean_document_perplexity").isNull()).isTrue();
      assertThat(group.get("perplexity_percentiles")).isEmpty();
      return;
    }
    assertThat(group.get("corpus_perplexity").asDouble()).isEqualTo(StrictMath.exp(nll / tokens));
    assertThat(group.get("mean_document_perplexity").asDouble())
        .isCloseTo(sum(perplexities) / scored.size(), within(1e-12));
    double squares = 0;
    for (Row row : scored) {
      squares +=
          Math.pow(row.<Double>getAs("nll") - nll / tokens * row.<Long>getAs("token_count"), 2);
    }
    assertThat(group.get("corpus_perplexity_error").asDouble())
        .isCloseTo(
            Math.sqrt(squares * scored.size() / (scored.size() - 1))
                / tokens
                * Math.exp(nll / tokens),
            within(1e-9));
    for (int rank : List.of(1, 5, 25, 50, 75, 95, 99)) {
      assertThat(group.get("perplexity_percentiles").get("p" + rank).asDouble())
          .isCloseTo(percentile(perplexities, rank / 100.0), within(1e-9));
    }
  }

  private static Map<List<String>, List<Row>> expected(String... columns) {
    return plain.values().stream()
        .collect(
            Collectors.groupingBy(
                row ->
                    Arrays.stream(columns)
                        .map(c -> String.valueOf(row.<Object>getAs(c)))
                        .toList()));
  }

  @Test
  void each_group_is_summed_up_like_a_corpus() throws IOException {
    Cli run = scored(model, corpus, output, "--group-by", "lang.x", "--target-unit-tokens", 1);
    Map<List<String>, JsonNode> groups = groups("lang.x");
    Map<List<String>, List<Row>> expected = expected("lang.x");
    assertThat(groups.keySet()).isEqualTo(expected.keySet());
    groups.forEach((key, group) -> check(group, expected.get(key)));
    assertThat(groups.keySet().iterator().next()).containsExactly("en");
    assertThat(summary().get("group_count").asInt()).isEqualTo(5);
    assertThat(summary().get("percentiles_are_exact").asBoolean()).isTrue();
    assertThat(run.out()).contains("corpus perplexity").contains("  void ").contains("  null ");
    // A line feed in a group's name does not break the line.
    assertThat(run.out().lines().filter(line -> line.matches("  a b`c .*\\d.*"))).hasSize(1);

    JsonNode first = summary().get("groups");
    Path once = own.resolve("once");
    scored(model, corpus, once, "--group-by", "lang.x", "--partitions", 7);
    assertThat(TestOutput.summary(once).get("groups")).isEqualTo(first);
    scored(model, corpus, output, "--group-by", "lang.x", "--resume");
    assertThat(summary().get("groups")).isEqualTo(first);
  }

  @Test
  void groups_may_use_several_columns_but_only_kept_ones() throws IOException {
    scored(model, corpus, output, "--group-by", "year, lang.x");
    Map<List<String>, JsonNode> groups = groups("year", "lang.x");
    Map<List<String>, List<Row>> expected = expected("year", "lang.x");
    assertThat(groups.keySet()).isEqualTo(expected.keySet());
    groups.forEach((key, group) -> check(group, expected.get(key)));

    Cli run =
        score(
            model,
            corpus,
            own.resolve("other"),
            "--group-by",
            "year",
            "--keep-columns",
            "id,lang.x");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err().strip())
        .isEqualTo("error: Column year (--group-by) is not among the kept columns: id, lang.x");
  }

  @Test
  void documents_outside_the_bounds_are_counted_but_not_written_or_summed() throws IOException {
    List<Double> sorted =
        plain.values().stream()
            .map(row -> row.<Double>getAs("perplexity"))
            .filter(p -> p != null)
            .sorted()
            .toList();
    // The bounds are inclusive.
    double least = sorted.get(8);
    double most = sorted.get(sorted.size() - 6);
    Object[] bounds = {"--min-perplexity", least, "--max-perplexity", most};
    Map<String, Row> expected = new LinkedHashMap<>(plain);
    expected
        .values()
        .removeIf(
            row -> {
              Double p = row.getAs("perplexity");
              return p != null && (p < least || p > most);
            });
    assertThat(expected).hasSize(60 - 8 - 5);
    Cli run =
        scored(
            model, corpus, output, with(bounds, "--group-by", "lang.x", "--target-unit-tokens", 1));
    assertThat(byId(output)).isEqualTo(expected);
    assertThat(run.out()).containsPattern("excluded +13\n");
    JsonNode json = summary();
    assertThat(json.get("documents").asInt()).isEqualTo(60);
    assertThat(json.get("filtered_documents").asInt()).isEqualTo(13);
    assertThat(json.get("error_documents").asInt()).isEqualTo(4);
    assertThat(json.get("nll").asDouble())
        .isEqualTo(
            sum(
                expected.values().stream()
                    .map(row -> row.<Double>getAs("nll"))
                    .filter(nll -> nll != null)
                    .toList()));
    groups("lang.x")
        .forEach(
            (key, group) ->
                check(
                    group,
                    expected.values().stream()
                        .filter(
                            row -> String.valueOf(row.<Object>getAs("lang.x")).equals(key.get(0)))
                        .toList()));

    Path once = own.resolve("once");
    scored(model, corpus, once, with(bounds, "--group-by", "lang.x", "--partitions", 3));
    assertThat(byId(once)).isEqualTo(expected);
    JsonNode other = TestOutput.summary(once);
    for (String name :
        List.of(
            "documents",
            "filtered_documents",
            "too_short_documents",
            "tokens",
            "nll",
            "corpus_perplexity",
            "corpus_perplexity_error",
            "errors",
            "groups")) {
      assertThat(other.get(name)).as(name).isEqualTo(json.get(name));
    }

    Path unit;
    try (Stream<Path> files = Files.list(output)) {
      unit = files.filter(f -> f.toString().endsWith(".parquet")).findFirst().get();
    }
    Files.delete(unit);
    assertThat(score(model, corpus, output, "--resume").error())
        .contains("--min-perplexity was " + least + " and is null");
    scored(model, corpus, output, with(bounds, "--resume"));
    assertThat(byId(output)).isEqualTo(expected);
    assertThat(summary().get("filtered_documents").asInt()).isEqualTo(13);
    assertThat(summary().get("nll")).isEqualTo(json.get("nll"));
  }

  @Test
  void a_bound_that_excludes_every_perplexity_keeps_rows_without_one() throws IOException {
    scored(
        model, corpus, output, "--max-perplexity", 1, "--group-by", "lang.x", "--bucket", "a:50");
    assertThat(byId(output).values())
        .isNotEmpty()
        .allMatch(row -> row.<Double>getAs("perplexity") == null);
    assertThat(summary().get("corpus_perplexity").isNull()).isTrue();
    assertThat(summary().get("scored_documents").asInt()).isZero();
    assertThat(summary().get("bucket_thresholds")).isEmpty();
    scored(
        model,
        corpus,
        output,
        "--max-perplexity",
        1,
        "--group-by",
        "lang.x",
        "--bucket",
        "a:50",
        "--resume");
  }

  @Test
  void an_unreadable_corpus_has_no_groups_and_no_buckets() throws IOException {
    Path input = write(own.resolve("input"), "tokens", TestScores.TOKENS, new int[] {1, 2, 3});
    Path file;
    try (Stream<Path> files = Files.list(input)) {
      file = files.filter(f -> f.toString().endsWith(".parquet")).findFirst().get();
    }
    byte[] bytes = Files.readAllBytes(file);
    Arrays.fill(bytes, 4, 60, (byte) -1);
    Files.delete(file.resolveSibling("." + file.getFileName() + ".crc"));
    Files.write(file, bytes);
    for (Object[] job : new Object[][] {{}, {"--group-by", "id"}, {"--bucket", "a:50"}}) {
      output = own.resolve("scores" + job.length + (job.length == 0 ? "" : job[0]));
      scored(model, input, output, job);
      assertThat(summary().get("unreadable_files")).hasSize(1);
      assertThat(summary().get("documents").asInt()).isZero();
    }
  }

  private static Object[] with(Object[] args, Object... more) {
    return Stream.of(args, more).flatMap(Stream::of).toArray();
  }

  private static final List<ScoreColumn> COLUMNS =
      List.of(ScoreColumn.NLL, ScoreColumn.TOKEN_COUNT, ScoreColumn.PERPLEXITY, ScoreColumn.ERROR);

  /** Returns the groups of a summary. Its sums and its percentiles must list the same groups. */
  private static List<List<String>> summarized(Dataset<Row> scores) {
    List<List<String>> sums =
        Totals.byGroup(scores, Emit.PERPLEXITY, COLUMNS, List.of("g")).largest().stream()
            .map(Groups.Group::key)
            .toList();
    List<List<String>> percentiles =
        Distributions.of(scores, List.of("g"), List.of("g")).grouping().groups().stream()
            .map(Distributions.Group::values)
            .toList();
    assertThat(percentiles).isEqualTo(sums);
    return sums;
  }

  @Test
  void values_that_look_alike_are_separate_groups() {
    String scores = "2.0D as nll, 2L as token_count, exp(1) as perplexity, string(null) as error";
    List<List<String>> groups =
        summarized(
            TestSpark.session()
                .sql(
                    "select stack(5, null, 'null', repeat('x', 400), concat(repeat('x', 400), 'y'),"
                        + " cast(x'4361FFE9' as string)) as g, "
                        + scores)
                .union(TestSpark.session().sql("select 'null' as g, " + scores)));

    assertThat(groups).hasSize(5).doesNotHaveDuplicates();
    assertThat(groups.get(0)).containsExactly("\"null\"");
    assertThat(groups).contains(List.of("null"), List.of("Ca\uFFFD\uFFFD"));
    assertThat(groups).allMatch(key -> key.get(0).length() <= Distributions.MAX_CHARACTERS);
  }

  @Test
  void sums_and_percentiles_list_the_same_largest_groups() {
    List<List<String>> groups =
        summarized(
            TestSpark.session()
                .range(30_000)
                .selectExpr(
                    "string(id % 12000) as g",
                    "2.0D as nll",
                    "if(id % 7 = 0, 0L, 2L) as token_count",
                    "if(id % 7 = 0, double(null), exp(1)) as perplexity",
                    "string(null) as error")
                .repartition(2));

    assertThat(groups).hasSize(Distributions.MAX_GROUPS).doesNotHaveDuplicates();
  }
}
