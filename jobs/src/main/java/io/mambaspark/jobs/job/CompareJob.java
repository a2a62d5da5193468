package io.mambaspark.jobs.job;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.ScoringMetrics;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputFiles;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.model.ModelMemory;
import io.mambaspark.jobs.model.ModelSource;
import io.mambaspark.jobs.model.TokenizerSource;
import io.mambaspark.jobs.score.CompareColumn;
import io.mambaspark.jobs.score.ComparedRow;
import io.mambaspark.jobs.score.DocumentReader;
import io.mambaspark.jobs.score.PartitionComparing;
import io.mambaspark.jobs.score.RowSchema;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.Session;
import io.mambaspark.jobs.spark.Tasks;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.stats.ComparedTotals;
import io.mambaspark.jobs.stats.Groups;
import io.mambaspark.jobs.text.TokenizerFile;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;

/** Scores documents with two models in one pass over them. */
public final class CompareJob {
  private final JobOptions options;
  private final String other;
  private final PrintWriter out;

  /**
   * Prepares a job; nothing is touched yet.
   *
   * @param options of the first model
   * @param other the second model
   */
  public CompareJob(JobOptions options, String other, PrintWriter out) {
    this.options = options;
    this.other = other;
    this.out = out;
  }

  /**
   * Runs the job.
   *
   * @return the number of rows that could not be scored, and of files that could not be read
   */
  public long run() {
    if (options.output() == null) {
      throw Refusal.wrongUsage("Give --output: where to write");
    }
    Versions.checkSpark();
    Configuration files = HadoopFiles.configuration();
    Output output =
        Output.at(options.outputOptions(), options.buckets() != null, !options.dryRun(), files);
    InputFiles listed = Input.list(options.inputOptions(), files);
    options.checkApart(files);
    try (ModelSource a = ModelSource.open(options.model(), files);
        ModelSource b = ModelSource.open(other, files)) {
      List<Optional<TokenizerFile>> tokenizers = new ArrayList<>();
      for (ModelSource source : List.of(a, b)) {
        options.scoring().check(source.checkpoint().config());
        tokenizers.add(
            options.scoring().columns().text() == null
                ? Optional.empty()
                : Optional.of(TokenizerSource.open(options.tokenizer(), source, files)));
        source.checkpoint().fingerprint();
        source.warnIfRounded(options.weights());
      }
      return Session.during(
          "compare",
          options.inputTable() != null,
          ScoringMetrics.class,
          spark -> run(spark, listed, List.of(a, b), tokenizers, output));
    }
  }

  private long run(
      SparkSession spark,
      InputFiles listed,
      List<ModelSource> models,
      List<Optional<TokenizerFile>> tokenizers,
      Output output) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    ModelDelivery.Mode mode =
        ModelMemory.choose(options.modelDelivery(), models, options.weights(), context);
    Input input = options.open(spark, listed);
    RowSchema schema =
        RowSchema.of(input.schema(), options.scoring().columns(), options.scoring().keepColumns());
    schema.checkKept(options.groupBy(), "--group-by");
    boolean sameTokens =
        tokenizers
            .get(0)
            .map(TokenizerFile::fingerprint)
            .equals(tokenizers.get(1).map(TokenizerFile::fingerprint));
    if (!sameTokens && options.scoring().maxTokens() > 0) {
      throw Refusal.wrongUsage(
          "--max-tokens cuts a text at other places for models with tokenizers of their own; cut the"
              + " texts instead");
    }
    List<CompareColumn> columns = columns(schema, sameTokens);
    columns.forEach(column -> schema.checkFree(column.column()));
    List<Broadcast<TokenizerFile>> sent = new ArrayList<>();
    for (Optional<TokenizerFile> tokenizer : tokenizers) {
      tokenizer.ifPresent(file -> file.tokenizer(Tasks.localFolder()));
      sent.add(tokenizer.map(context::broadcast).orElse(null));
    }
    LongAccumulator progress = spark.sparkContext().longAccumulator("tokens");
    LongAccumulator bytesRead = spark.sparkContext().longAccumulator("bytes");
    long start = System.nanoTime();
    try (ModelDelivery a = ModelDelivery.send(mode, models.get(0), options.weights(), context);
        ModelDelivery b = ModelDelivery.send(mode, models.get(1), options.weights(), context)) {
      PartitionComparing comparing =
          new PartitionComparing(
              a,
              b,
              reader(models.get(0), sent.get(0)),
              reader(models.get(1), sent.get(1)),
              sameTokens,
              progress);
      context.setJobDescription(
          "Comparing %s with %s".formatted(models.get(0).name(), models.get(1).name()));
      Dataset<Row> compared =
          Input.cut(input.rows(schema.inputNames(), bytesRead), options.inputOptions())
              .select(schema.input())
              .mapPartitions(
                  comparing,
                  Encoders.tuple(
                      Encoders.row(schema.keptStruct()), Encoders.bean(ComparedRow.class)))
              .select(output(schema, columns));
      Progress shown =
          new Progress(
              context,
              progress,
              OptionalLong::empty,
              bytesRead,
              options.limit() > 0 ? 0 : input.countedBytes(),
              Progress.terminal());
      try {
        Map<String, Object> summary =
            output.write(
                compared,
                folder -> {
                  double seconds = (System.nanoTime() - start) / 1e9;
                  shown.stop();
                  return summary(
                      output.read(spark, folder, compared.schema()),
                      output.runId(),
                      models,
                      input,
                      seconds);
                },
                Summary::indented);
        print(summary, input, output);
        return (Long) summary.get("error_documents") + input.files().unread().size();
      } finally {
        shown.stop();
        sent.forEach(
            tokenizer -> {
              if (tokenizer != null) {
                tokenizer.destroy();
              }
            });
      }
    }
  }

  private DocumentReader reader(ModelSource source, Broadcast<TokenizerFile> tokenizer) {
    MambaConfig config = source.checkpoint().config();
    ScoreOptions scoring = options.scoring();
    return new DocumentReader(
        scoring.columns(),
        scoring.prefixId(config),
        ScoreOptions.NO_PREFIX,
        scoring.maxTokens(),
        config.vocabSize(),
        tokenizer);
  }

  private static List<CompareColumn> columns(RowSchema schema, boolean sameTokens) {
    List<CompareColumn> columns = new ArrayList<>(Arrays.asList(CompareColumn.values()));
    if (sameTokens) {
      columns.remove(CompareColumn.TOKEN_COUNT_B);
    }
    if (!schema.text() && schema.document().byteCount() == null) {
      columns.remove(CompareColumn.BYTE_COUNT);
    }
    return columns;
  }

  private static Column[] output(RowSchema schema, List<CompareColumn> columns) {
    List<Column> output = schema.keptOutput();
    columns.forEach(column -> output.add(column.output()));
    return output.toArray(Column[]::new);
  }

  private Map<String, Object> summary(
      Dataset<Row> written, String run, List<ModelSource> models, Input input, double seconds) {
    Groups<ComparedTotals> all = ComparedTotals.byGroup(written, List.of());
    Map<String, Object> summary = new LinkedHashMap<>();
    summary.put("run", run);
    ComparedTotals totals =
        all.largest().isEmpty() ? new ComparedTotals() : all.largest().get(0).sums();
    summary.putAll(totals.numbers());
    if (!options.groupBy().isEmpty()) {
      Groups<ComparedTotals> groups = ComparedTotals.byGroup(written, options.groupBy());
      summary.put("group_count", groups.number());
      List<Map<String, Object>> shown = new ArrayList<>();
      for (Groups.Group<ComparedTotals> group : groups.largest()) {
        Map<String, Object> json = new LinkedHashMap<>();
        Map<String, String> key = new LinkedHashMap<>();
        for (int i = 0; i < options.groupBy().size(); i++) {
          key.put(options.groupBy().get(i), group.key().get(i));
        }
        json.put("group", key);
        json.putAll(group.sums().numbers());
        shown.add(json);
      }
      summary.put("groups", shown);
    }
    summary.putAll(input.files().json());
    summary.put("input_notes", input.notes());
    summary.put("seconds", seconds);
    summary.put("model_a", described(models.get(0)));
    summary.put("model_b", described(models.get(1)));
    Map<String, Object> given = new LinkedHashMap<>(options.byName());
    given.put("model", models.stream().map(ModelSource::name).toList());
    summary.put("options", given);
    summary.put("versions", Versions.ofScores());
    return summary;
  }

  private static Map<String, Object> described(ModelSource source) {
    return Map.of("path", source.name(), "fingerprint", source.checkpoint().fingerprint());
  }

  private void print(Map<String, Object> summary, Input input, Output output) {
    printNumbers(summary, "  ");
    Object groups = summary.get("groups");
    if (groups instanceof List<?> list) {
      for (Object group : list.subList(0, Math.min(20, list.size()))) {
        Map<?, ?> numbers = (Map<?, ?>) group;
        out.println();
        List<String> key =
            ((Map<?, ?>) numbers.get("group")).values().stream().map(String::valueOf).toList();
        out.println("  " + new Groups.Group<>(key, null).name());
        printNumbers(numbers, "    ");
      }
      out.println();
    }
    Summary.print(input.files(), out);
    input.notes().forEach(note -> Summary.line(out, "note", "%s", note));
    out.println("  written to " + Refusal.redacted(output.path().toString()));
    out.flush();
  }

  private void printNumbers(Map<?, ?> numbers, String indent) {
    for (Object name : numbers.keySet()) {
      Object value = numbers.get(name);
      if (name.equals("null_documents") && value.equals(0L)) {
        continue;
      }
      if (value instanceof Long || value instanceof Double) {
        String shown =
            value instanceof Long
                ? String.format(Locale.ROOT, "%,d", value)
                : String.format(Locale.ROOT, "%,.4f", value);
        out.println(
            String.format(
                Locale.ROOT, "%s%-26s%s", indent, name.toString().replace('_', ' '), shown));
      }
    }
  }
}
