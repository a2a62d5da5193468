package io.mambaspark.jobs.score;

import static io.mambaspark.jobs.TestSpark.floats;
import static io.mambaspark.jobs.TestSpark.rows;
import static io.mambaspark.jobs.TestSpark.typedRows;
import static io.mambaspark.jobs.TestSpark.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.PositionLogits;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.TestSpark;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.io.InputErrors;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.model.ModelConventions;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.model.ModelSource;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.Failures;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TimeZone;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import scala.Tuple2;

class ScoringTest {
  private static final int V = TestModels.VOCABULARY;

  private static final DocumentReader READER =
      new DocumentReader(DocumentColumns.tokens("tokens"), -1, -1, 0, 0, V, null, null);

  @TempDir static Path folder;

  private static ModelSource source;
  private static MambaCheckpoint checkpoint;
  private static MambaModel model;
  private static ModelDelivery delivery;

  @BeforeAll
  static void openModel() {
    source = open(TestModels.write(folder.resolve("model")));
    checkpoint = source.checkpoint();
    model = checkpoint.load();
    delivery = sent(source);
  }

  @AfterAll
  static void closeModel() {
    delivery.close();
    source.close();
  }

  private static JavaSparkContext context() {
    return JavaSparkContext.fromSparkContext(TestSpark.session().sparkContext());
  }

  private static ModelSource open(Path model) {
    return ModelSource.open(model.toString(), context().hadoopConfiguration());
  }

  private static ModelConventions conventions(ModelSource source) {
    try (OpenModel model = new OpenModel(source.folder().toString())) {
      return model.conventions(null);
    }
  }

  private static ModelDelivery sent(ModelSource source) {
    return ModelDelivery.send(ModelDelivery.Mode.BROADCAST, source, WeightFormat.F32, context());
  }

  private static ScoreOptions emit(String emit) {
    return ScoreOptions.of(OptionValues.NONE.with(Options.EMIT, emit));
  }

  private static Dataset<Row> score(Dataset<Row> rows, ScoreOptions options) {
    return Scoring.score(rows, options, conventions(source), delivery, null, null);
  }

  private static List<Scores<String>> engine(Outputs outputs, int[]... tokens) {
    List<Sequence<String>> sequences = new ArrayList<>();
    for (int i = 0; i < tokens.length; i++) {
      sequences.add(new Sequence<>("row-" + i, tokens[i]));
    }
    List<Scores<String>> scores = new ArrayList<>();
    new Scorer(model).score(sequences.iterator(), outputs).forEachRemaining(scores::add);
    return scores;
  }

  private static int[][] randomLists(int count) {
    Random random = new Random(5);
    int[][] lists = new int[count][];
    for (int i = 0; i < count; i++) {
      lists[i] = random.ints(random.nextInt(1, 60), 0, V).toArray();
    }
    return lists;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "perplexity | nll double, token_count bigint, perplexity double, truncated boolean,"
            + " error string",
        "token-logprobs | nll double, token_count bigint, perplexity double, truncated boolean,"
            + " token_logprobs array<float>, greedy_match array<boolean>, error string",
        "top-k=3 | truncated boolean, top_k array<array<struct<id:int,logprob:float>>>,"
            + " error string",
        "last-logits | truncated boolean, last_logits array<float>, error string",
        "last-logits,top-k=2,perplexity,token-ranks,token-logprobs | nll double, token_count bigint,"
            + " perplexity double, truncated boolean, token_logprobs array<float>,"
            + " greedy_match array<boolean>, token_ranks array<int>, top_k array<array<struct<id:int,logprob:float>>>,"
            + " last_logits array<float>, error string",
        "logits | position int, token int, logits array<float>, error string"
      })
  void the_output_has_the_kept_and_the_requested_columns(String emit, String expected) {
    Dataset<Row> scored = score(rows(new int[] {1, 2}), emit(emit));
    List<String> columns = new ArrayList<>();
    for (StructField field : scored.schema().fields()) {
      columns.add(field.name() + " " + field.dataType().catalogString());
    }
    assertThat(String.join(", ", columns)).isEqualTo("id string, " + expected);
    assertThat(scored.count()).isEqualTo(emit.equals("logits") ? 2 : 1);
  }

  @Test
  void every_score_column_has_a_comment() {
    Dataset<Row> scored = score(rows(new int[] {1, 2}), emit("token-logprobs,top-k=2,last-logits"));
    for (StructField field : scored.schema().fields()) {
      assertThat(field.getComment().isDefined()).isEqualTo(!field.name().equals("id"));
    }
    assertThat(scored.schema().apply("nll").getComment().get()).contains("nats");
  }

  @Test
  void scores_are_bit_identical_to_the_engines() {
    int[][] lists = randomLists(40);
    Outputs all = new Outputs(true, true, true, 3, true);
    List<Scores<String>> expected = engine(all, lists);
    List<Row> rows =
        score(
                rows((Object[]) lists),
                emit("perplexity,token-logprobs,token-ranks,top-k=3,last-logits"))
            .collectAsList();
    assertThat(rows).hasSameSizeAs(expected);
    for (int i = 0; i < rows.size(); i++) {
      Row row = rows.get(i);
      Scores<String> scores = expected.get(i);
      assertThat(value(row, "id")).isEqualTo(scores.key());
      assertThat(value(row, "nll")).isEqualTo(scores.nll());
      assertThat(value(row, "token_count")).isEqualTo(scores.tokenCount());
      assertThat(value(row, "perplexity"))
          .isEqualTo(scores.tokenCount() == 0 ? null : scores.perplexity());
      assertThat(floats(row, "token_logprobs")).containsExactly(scores.tokenLogprobs());
      assertThat(row.getList(row.fieldIndex("greedy_match")))
          .isEqualTo(boxed(scores.greedyMatch()));
      assertThat(row.<Integer>getList(row.fieldIndex("token_ranks")))
          .containsExactly(Arrays.stream(scores.tokenRanks()).boxed().toArray(Integer[]::new));
      assertThat(floats(row, "last_logits")).containsExactly(scores.lastLogits());
      List<List<Row>> topK = topK(row);
      for (int t = 0; t < scores.tokenCount(); t++) {
        for (int k = 0; k < 3; k++) {
          assertThat(topK.get(t).get(k).getInt(0)).isEqualTo(scores.topKIds()[t][k]);
          assertThat(topK.get(t).get(k).getFloat(1)).isEqualTo(scores.topKLogprobs()[t][k]);
        }
      }
      assertThat(value(row, "error")).isNull();
    }
  }

  private static List<Boolean> boxed(boolean[] values) {
    List<Boolean> boxed = new ArrayList<>();
    for (boolean value : values) {
      boxed.add(value);
    }
    return boxed;
  }

  private static List<List<Row>> topK(Row row) {
    Dataset<Row> one =
        TestSpark.session()
            .createDataFrame(List.of(row), row.schema())
            .selectExpr("explode(top_k) as candidates");
    List<List<Row>> lists = new ArrayList<>();
    for (Row candidates : one.collectAsList()) {
      lists.add(candidates.getList(0));
    }
    return lists;
  }

  @Test
  void scores_do_not_depend_on_the_number_of_partitions() {
    int[][] lists = randomLists(60);
    List<Map<String, String>> results = new ArrayList<>();
    for (int partitions : new int[] {1, 2, 7}) {
      Dataset<Row> input = typedRows(DataTypes.IntegerType, partitions, (Object[]) lists);
      Map<String, String> byId = new HashMap<>();
      for (Row row : score(input, emit("token-logprobs,last-logits")).collectAsList()) {
        byId.put(row.getString(0), row.toString());
      }
      results.add(byId);
    }
    assertThat(results.get(0)).hasSize(60);
    assertThat(results.get(1)).isEqualTo(results.get(0));
    assertThat(results.get(2)).isEqualTo(results.get(0));
  }

  @Test
  void rows_keep_their_order_between_empty_and_invalid_rows() {
    Object[] lists = new Object[50];
    Random random = new Random(3);
    for (int i = 0; i < lists.length; i++) {
      lists[i] =
          switch (i % 5) {
            case 0 -> new int[0];
            case 1 -> new int[] {V};
            case 2 -> null;
            default -> random.ints(700 * (i % 2) + 5, 0, V).toArray();
          };
    }
    List<Row> scored = score(rows(lists), emit("perplexity")).collectAsList();
    for (int i = 0; i < lists.length; i++) {
      assertThat(scored.get(i).getString(0)).isEqualTo("row-" + i);
      assertThat(value(scored.get(i), "error") == null).isEqualTo(i % 5 != 1);
    }
  }

  @Test
  void null_and_empty_tokens_are_not_errors() {
    List<Row> scored =
        score(rows(null, new int[0], new int[] {4}), emit("perplexity,last-logits"))
            .collectAsList();
    for (int i = 1; i < scored.get(0).size(); i++) {
      assertThat(scored.get(0).isNullAt(i)).isTrue();
    }
    for (Row row : scored.subList(1, 3)) {
      assertThat(value(row, "nll")).isEqualTo(0.0);
      assertThat(value(row, "token_count")).isEqualTo(0L);
      assertThat(value(row, "perplexity")).isNull();
      assertThat(value(row, "error")).isNull();
      assertThat(value(row, "truncated")).isEqualTo(false);
    }
    assertThat(value(scored.get(1), "last_logits")).isNull();
    assertThat(floats(scored.get(2), "last_logits")).hasSize(V);
  }

  private static Object array(String type, Long... ids) {
    return switch (type) {
      case "int" ->
          Arrays.stream(ids).map(i -> i == null ? null : i.intValue()).toArray(Integer[]::new);
      case "smallint" ->
          Arrays.stream(ids).map(i -> i == null ? null : i.shortValue()).toArray(Short[]::new);
      default -> ids;
    };
  }

  @ParameterizedTest
  @ValueSource(strings = {"int", "bigint", "smallint"})
  void rows_that_cannot_be_scored_keep_their_columns_and_have_an_error(String type) {
    DataType sparkType =
        switch (type) {
          case "int" -> DataTypes.IntegerType;
          case "smallint" -> DataTypes.ShortType;
          default -> DataTypes.LongType;
        };
    Dataset<Row> input =
        typedRows(
            sparkType,
            1,
            array(type, 1L, 2L, 3L),
            array(type, 1L, 2L, 3L, null),
            array(type, 1L, 2L, 3L, -7L),
            array(type, 1L, (long) V),
            array(type, 1L, 2L, 3L));
    List<Row> scored =
        score(input, emit("perplexity,token-logprobs,top-k=2,last-logits")).collectAsList();
    assertThat(scored.stream().map(r -> value(r, "error")))
        .containsExactly(
            null,
            "Token at position 3 is null",
            "Token id -7 at position 3 is negative; expected an id in [0, 24)",
            "Token id 24 at position 1 is outside [0, 24)",
            null);
    for (Row bad : scored.subList(1, 4)) {
      assertThat(bad.getString(0)).startsWith("row-");
      for (String column :
          List.of(
              "nll",
              "token_count",
              "perplexity",
              "token_logprobs",
              "greedy_match",
              "top_k",
              "last_logits")) {
        assertThat(value(bad, column)).as(column).isNull();
      }
    }
    double untouched =
        engine(new Outputs(true, false, false, 0, false), new int[] {1, 2, 3}).get(0).nll();
    assertThat(value(scored.get(0), "nll")).isEqualTo(untouched);
    assertThat(value(scored.get(4), "nll")).isEqualTo(untouched);
  }

  @Test
  void ids_of_64_bits_are_validated_before_they_are_narrowed() {
    long low32BitsAreAnId = (1L << 32) + 5;
    List<Row> scored =
        score(
                typedRows(
                    DataTypes.LongType,
                    1,
                    new long[] {1, low32BitsAreAnId},
                    new long[] {1, Long.MIN_VALUE}),
                emit("perplexity"))
            .collectAsList();
    assertThat(value(scored.get(0), "error"))
        .isEqualTo("Token id 4294967301 at position 1 is outside [0, 24)");
    assertThat(value(scored.get(1), "error"))
        .isEqualTo(
            "Token id -9223372036854775808 at position 1 is negative; expected an id in [0, 24)");
  }

  @Test
  void a_score_that_is_not_finite_is_an_error_of_its_row() {
    try (ModelSource hot = open(TestModels.write(folder.resolve("hot"), 3e38f))) {
      ModelDelivery sent = sent(hot);
      for (String emit : List.of("perplexity", "last-logits", "top-k=1", "logits")) {
        Dataset<Row> input = rows(new int[] {1, 2, 3}, new int[0]);
        List<Row> scored =
            Scoring.score(input, emit(emit), conventions(hot), sent, null, null).collectAsList();
        assertThat(scored).hasSize(emit.equals("logits") ? 1 : 2);
        assertThat(value(scored.get(0), "error").toString()).startsWith("Score is not finite: ");
        assertThat(scored.get(0).isNullAt(1)).isEqualTo(scored.get(0).fieldIndex("error") > 3);
      }
      sent.close();
    }
  }

  @Test
  void the_first_token_after_a_prefix_is_scored() {
    ScoreOptions bos = ScoreOptions.of(OptionValues.NONE.with(Options.PREFIX_TOKEN, "bos"));
    ScoreOptions id = ScoreOptions.of(OptionValues.NONE.with(Options.PREFIX_TOKEN, "3"));
    Outputs outputs = new Outputs(true, false, false, 0, false);
    Scores<String> expected = engine(outputs, new int[] {3, 9, 8}).get(0);
    for (ScoreOptions options : List.of(bos, id)) {
      List<Row> scored = score(rows(new int[] {9, 8}, new int[0]), options).collectAsList();
      assertThat(value(scored.get(0), "nll")).isEqualTo(expected.nll());
      assertThat(value(scored.get(0), "token_count")).isEqualTo(2L);
      assertThat(value(scored.get(1), "token_count")).isEqualTo(0L);
    }
  }

  @Test
  void an_empty_row_after_a_prefix_has_last_logits() {
    ScoreOptions bos =
        ScoreOptions.of(
            OptionValues.NONE.with(Options.EMIT, "last-logits").with(Options.PREFIX_TOKEN, "bos"));
    List<Row> scored = score(rows(new int[0], new int[] {V}), bos).collectAsList();
    float[] expected =
        engine(new Outputs(false, false, false, 0, true), new int[] {3}).get(0).lastLogits();
    assertThat(floats(scored.get(0), "last_logits")).containsExactly(expected);
    assertThat(value(scored.get(1), "last_logits")).isNull();
  }

  @Test
  void tokens_are_validated_only_within_the_limit() {
    ScoreOptions three =
        ScoreOptions.of(
            OptionValues.NONE.with(Options.PREFIX_TOKEN, "bos").with(Options.MAX_TOKENS, 3));
    List<Row> scored =
        score(rows(new int[] {5, 6, 7, 999}, new int[] {5, 6, 7}, new int[] {5, 999, 7, 8}), three)
            .collectAsList();
    double expected =
        engine(new Outputs(true, false, false, 0, false), new int[] {3, 5, 6, 7}).get(0).nll();
    assertThat(scored.stream().map(r -> value(r, "truncated"))).containsExactly(true, false, true);
    assertThat(value(scored.get(0), "nll")).isEqualTo(expected);
    assertThat(value(scored.get(1), "nll")).isEqualTo(expected);
    assertThat(value(scored.get(2), "error"))
        .isEqualTo("Token id 999 at position 1 is outside [0, 24)");
  }

  @Test
  void logits_have_one_row_per_position_prefix_included() {
    ScoreOptions options =
        ScoreOptions.of(
            OptionValues.NONE.with(Options.EMIT, "logits").with(Options.PREFIX_TOKEN, "bos"));
    List<Row> scored = score(rows(new int[] {9, 8}, new int[0]), options).collectAsList();
    List<PositionLogits<String>> expected = new ArrayList<>();
    new Scorer(model)
        .logits(
            List.of(
                    new Sequence<>("row-0", new int[] {3, 9, 8}),
                    new Sequence<>("row-1", new int[] {3}))
                .iterator())
        .forEachRemaining(expected::add);
    assertThat(scored).hasSize(4);
    for (int i = 0; i < 4; i++) {
      Row row = scored.get(i);
      assertThat(row.getString(0)).isEqualTo(expected.get(i).key());
      assertThat(value(row, "position")).isEqualTo(expected.get(i).position());
      assertThat(value(row, "token")).isEqualTo(expected.get(i).token());
      assertThat(floats(row, "logits")).containsExactly(expected.get(i).logits());
    }
  }

  @Test
  void an_invalid_row_has_one_output_row_in_order_among_logits() {
    List<Row> scored =
        score(
                rows(
                    new int[] {V},
                    new int[0],
                    new int[] {1, 2},
                    new int[] {-1, 2, 3},
                    null,
                    new int[] {4},
                    new int[] {5, V + 1}),
                emit("logits"))
            .collectAsList();
    assertThat(scored.stream().map(r -> r.getString(0)))
        .containsExactly("row-0", "row-2", "row-2", "row-3", "row-5", "row-6");
    for (int bad : new int[] {0, 3, 5}) {
      assertThat(value(scored.get(bad), "error")).isNotNull();
      assertThat(value(scored.get(bad), "position")).isNull();
      assertThat(value(scored.get(bad), "logits")).isNull();
    }
  }

  @Test
  void with_on_error_fail_an_invalid_row_fails_the_job_and_the_message_has_its_columns() {
    ScoreOptions fail = ScoreOptions.of(OptionValues.NONE.with(Options.ON_ERROR, "fail"));
    assertThatThrownBy(() -> score(rows(new int[] {1, 2}, new int[] {V}), fail).collectAsList())
        .isInstanceOf(SparkException.class)
        .satisfies(
            e ->
                assertThat(Failures.oneLine(e))
                    .isEqualTo(
                        "Token id 24 at position 0 is outside [0, 24); the row has id=row-1"));
  }

  @Test
  void kept_columns_of_every_type_are_unchanged() {
    Dataset<Row> input =
        rows(new int[] {1, 2}, new int[] {3})
            .selectExpr(
                "tokens as `to.kens`",
                "id as `a.b c`",
                "cast(1.25 as decimal(20, 5)) as dec",
                "timestamp'2024-02-29 12:00:00' as ts",
                "date'1970-01-01' as d",
                "array(struct(1 as x, map('k', 2.5D) as m)) as nested",
                "cast('xyz' as binary) as bin",
                "cast(null as int) as nothing");
    ScoreOptions options =
        ScoreOptions.of(OptionValues.NONE.with(Options.TOKENS_COLUMN, "to.kens"));
    Dataset<Row> scored = score(input, options);
    String[] kept = {"`a.b c`", "dec", "ts", "d", "nested", "cast(bin as string)", "nothing"};
    assertThat(scored.selectExpr(kept).collectAsList())
        .isEqualTo(input.selectExpr(kept).collectAsList());
    assertThat(scored.columns())
        .startsWith("a.b c", "dec", "ts", "d", "nested", "bin", "nothing", "nll");
  }

  @Test
  void kept_columns_are_byte_identical() {
    TimeZone zone = TimeZone.getDefault();
    TimeZone.setDefault(TimeZone.getTimeZone("Europe/Berlin"));
    try {
      Dataset<Row> input =
          rows(new int[] {1, 2}, new int[] {3})
              .selectExpr(
                  "tokens",
                  "cast(unhex('61FF62C0') as string) as text",
                  "cast(null as string) as none",
                  "date_from_unix_date(-141420) as left_out",
                  "date'0001-01-01' as first",
                  "timestamp_micros(-12219290000000001) as reform",
                  "timestamp_micros(253402300799999999) as last",
                  "timestamp_ntz'1582-10-10 01:02:03.000004' as ntz",
                  "interval '3 04:05:06.000007' day to second as span",
                  "interval '1-2' year to month as months",
                  "cast('-12345678901234567890.123456789012345678' as decimal(38, 18)) as dec",
                  "map('k', 1, 'l', 2) as m",
                  "struct('s' as s, struct(array(1.5D) as a) as t) as nested");
      Dataset<Row> scored = score(input, emit("perplexity"));
      String[] exact = {
        "hex(cast(text as binary))",
        "none",
        "unix_date(left_out)",
        "unix_date(first)",
        "unix_micros(reform)",
        "unix_micros(last)",
        "cast(ntz as string)",
        "cast(span as string)",
        "cast(months as string)",
        "dec",
        "m",
        "nested"
      };
      assertThat(scored.selectExpr(exact).collectAsList())
          .isEqualTo(input.selectExpr(exact).collectAsList());
      Dataset<Row> kept = scored.select("text", input.drop("tokens", "text").columns());
      assertThat(kept.schema().simpleString())
          .isEqualTo(input.drop("tokens").schema().simpleString());
    } finally {
      TimeZone.setDefault(zone);
    }
  }

  @Test
  void the_user_can_keep_no_columns_or_even_the_tokens() {
    Dataset<Row> input = rows(new int[] {1, 2});
    ScoreOptions none = ScoreOptions.of(OptionValues.NONE.with(Options.KEEP_COLUMNS, List.of()));
    assertThat(score(input, none).columns()).startsWith("nll");
    assertThat(score(input, none).collectAsList()).hasSize(1);
    ScoreOptions both =
        ScoreOptions.of(OptionValues.NONE.with(Options.KEEP_COLUMNS, List.of("tokens", "id")));
    Row row = score(input, both).collectAsList().get(0);
    assertThat(row.getList(0)).isEqualTo(List.of(1, 2));
    assertThat(row.getString(1)).isEqualTo("row-0");
  }

  @Test
  void a_kept_column_with_the_reserved_name_is_refused() {
    Dataset<Row> input = rows(new int[] {1}).withColumnRenamed("id", InputErrors.COLUMN);
    assertThatThrownBy(() -> score(input, emit("perplexity")))
        .isInstanceOf(Refusal.class)
        .hasMessage(
            "Column name "
                + InputErrors.COLUMN
                + " is reserved; leave the column out with --keep-columns or rename it");
  }

  @Test
  void text_columns_require_a_tokenizer() {
    ScoreOptions text = ScoreOptions.of(OptionValues.NONE.with(Options.TEXT_COLUMN, "id"));
    assertThatThrownBy(() -> score(rows(new int[] {1}), text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("Text columns require a tokenizer");
  }

  private static PartitionScoring scoring(Emit emit, LongAccumulator progress) {
    StructType kept = new StructType().add("id", DataTypes.BinaryType);
    return new PartitionScoring(
        delivery,
        READER,
        emit,
        Windows.FULL,
        RowBounds.NONE,
        new RowFailures(false, kept),
        progress);
  }

  private static Row row(int[] tokens) {
    return org.apache.spark.sql.RowFactory.create(TestSpark.ints(tokens), null, new byte[0]);
  }

  @Test
  void lists_that_exceed_the_size_of_a_spark_row_are_an_error_of_their_row() {
    List<Row> rows = List.of(row(new int[2_000_000]), row(new int[] {1, 2}));
    Iterator<Tuple2<Row, ScoredRow>> scored =
        scoring(Emit.parse("top-k=24"), null).call(rows.iterator());
    RowError error = scored.next()._2().error();
    assertThat(error.message())
        .isEqualTo(
            "Scores of 2000000 tokens take 1600000000 bytes, more than one row can hold; emit fewer"
                + " values, or shorten the documents");
    assertThat(error.kind().label()).isEqualTo("too_large");
    assertThat(scored.next()._2().getError()).isNull();
  }

  @Test
  void a_long_row_reports_progress_after_each_chunk() {
    LongAccumulator progress = new LongAccumulator();
    progress.register(TestSpark.session().sparkContext(), scala.Option.empty(), false);
    List<Long> counts = new ArrayList<>();
    Iterator<Row> rows =
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            counts.add(progress.value());
            return counts.size() < 4;
          }

          @Override
          public Row next() {
            return row(new Random(1).ints(3000, 0, V).toArray());
          }
        };
    scoring(Emit.PERPLEXITY, progress).call(rows).forEachRemaining(row -> {});
    // The scorer requests the next row to fill the last chunk; the earlier chunks are counted.
    assertThat(counts.get(1)).isBetween(1L, 2999L);
    assertThat(progress.value()).isEqualTo(3 * 2999L);
  }

  @Test
  void a_partition_is_streamed() {
    // The input never ends, so the scorer must return scores before it has read all rows.
    int[] read = {0};
    Iterator<Row> rows =
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return true;
          }

          @Override
          public Row next() {
            read[0]++;
            return org.apache.spark.sql.RowFactory.create(
                TestSpark.ints(new Random(read[0]).ints(50, 0, V).toArray()),
                null,
                "row-" + read[0]);
          }
        };
    PartitionScoring scoring =
        new PartitionScoring(
            delivery,
            READER,
            Emit.PERPLEXITY,
            Windows.FULL,
            RowBounds.NONE,
            new RowFailures(false, new StructType().add("id", DataTypes.BinaryType)),
            null);
    Iterator<?> scored = scoring.call(rows);
    for (int i = 1; i <= 200; i++) {
      scored.next();
      assertThat(read[0] - i).isLessThan(40);
    }
  }
}
