package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.model.ModelConventions;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.model.ModelMemory;
import io.mambaspark.jobs.model.ModelOptions;
import io.mambaspark.jobs.model.ModelSource;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.model.TextEncoding;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.CompareColumn;
import io.mambaspark.jobs.score.ComparedRow;
import io.mambaspark.jobs.score.DocumentReader;
import io.mambaspark.jobs.score.PartitionComparing;
import io.mambaspark.jobs.score.RowSchema;
import io.mambaspark.jobs.score.TokenOptions;
import io.mambaspark.jobs.spark.Tasks;
import io.mambaspark.jobs.stats.ComparedTotals;
import io.mambaspark.jobs.stats.Groups;
import io.mambaspark.jobs.text.SpecialTokens;
import io.mambaspark.jobs.text.TokenizerFile;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;

/** Carries out {@code compare}: scores documents with two models in one pass over the input. */
public final class CompareJob {
  private final CompareRequest request;
  private final PrintWriter out;

  /** Creates a job, without reading or writing any file. */
  public CompareJob(CompareRequest request, PrintWriter out) {
    this.request = request;
    this.out = out;
  }

  /**
   * Runs the job.
   *
   * @return the number of rows that could not be scored plus the number of files that could not be
   *     read
   */
  public long run() {
    Preparation prepared =
        Preparation.of(request.input(), Optional.of(request.output()), false, true, false);
    try (OpenModel a = new OpenModel(request.models().get(0).path());
        OpenModel b = new OpenModel(request.models().get(1).path())) {
      List<OpenModel> models = List.of(a, b);
      List<Optional<TokenizerFile>> tokenizers = new ArrayList<>();
      for (int i = 0; i < models.size(); i++) {
        request.tokens().prefixId(models.get(i).conventions(tokenizer()), false);
        tokenizers.add(
            request.documents().columns().text() == null
                ? Optional.empty()
                : Optional.of(models.get(i).tokenizer(tokenizer())));
        models.get(i).check(request.models().get(i).weights());
      }
      return prepared.inSession("compare", spark -> run(spark, prepared, models, tokenizers));
    }
  }

  /** Returns the tokenizer that the command names for both models, or null. */
  private String tokenizer() {
    return request.models().get(0).tokenizer();
  }

  private long run(
      SparkSession spark,
      Preparation prepared,
      List<OpenModel> open,
      List<Optional<TokenizerFile>> tokenizers) {
    List<ModelSource> models = open.stream().map(OpenModel::source).toList();
    Output output = prepared.output().orElseThrow();
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    ModelOptions first = request.models().get(0);
    ModelOptions second = request.models().get(1);
    ModelDelivery.Mode mode =
        ModelMemory.choose(
            first.delivery(), models, List.of(first.weights(), second.weights()), context);
    Input input = prepared.open(spark, request.documents());
    RowSchema schema = RowSchema.of(input.schema(), request.documents());
    List<String> groupBy = schema.namesOfKept(request.groupBy(), "--group-by");
    boolean sameTokens =
        sameTokens(tokenizers) && special(open.get(0)).isSame(special(open.get(1)));
    List<CompareColumn> columns = columns(schema, sameTokens, request.crossEntropy());
    columns.forEach(column -> schema.checkFree(column.column()));
    // Opening a tokenizer validates it, before any task uses it.
    tokenizers.forEach(one -> one.ifPresent(file -> file.tokenizer(Tasks.localFolder())));
    LongAccumulator progress = spark.sparkContext().longAccumulator("tokens");
    long start = System.nanoTime();
    try (ModelDelivery a = ModelDelivery.send(mode, models.get(0), first.weights(), context);
        ModelDelivery b = ModelDelivery.send(mode, models.get(1), second.weights(), context)) {
      PartitionComparing comparing =
          new PartitionComparing(
              a,
              b,
              reader(open.get(0), context),
              reader(open.get(1), context),
              sameTokens,
              progress);
      context.setJobDescription(
          "Comparing %s with %s".formatted(models.get(0).name(), models.get(1).name()));
      LongAccumulator bytesRead = spark.sparkContext().longAccumulator("bytes");
      Dataset<Row> rows =
          Input.limited(input.rows(schema.inputNames(), bytesRead), request.input());
      Dataset<Row> compared = compared(rows, schema, comparing, columns);
      Progress display = showProgress(context, progress, bytesRead, input);
      CompareSummary summary = write(compared, groupBy, output, models, input, display, start);
      summary.print(out);
      new SummaryLines(out).writtenTo(output.path().toString());
      out.flush();
      return summary.failures();
    }
  }

  /**
   * Whether both models score the same tokens, which they do if the input holds tokens or if the
   * tokenizers are equal.
   */
  private boolean sameTokens(List<Optional<TokenizerFile>> tokenizers) {
    boolean same =
        tokenizers
            .get(0)
            .map(TokenizerFile::fingerprint)
            .equals(tokenizers.get(1).map(TokenizerFile::fingerprint));
    if (!same && request.tokens().maxTokens() > 0) {
      throw Refusal.wrongUsage(
          "Cannot use --max-tokens with models that have different tokenizers: each model would"
              + " score a different part of a text; truncate the texts instead");
    }
    return same;
  }

  private static Dataset<Row> compared(
      Dataset<Row> rows,
      RowSchema schema,
      PartitionComparing comparing,
      List<CompareColumn> columns) {
    return rows.select(schema.input())
        .mapPartitions(
            comparing,
            Encoders.tuple(Encoders.row(schema.keptStruct()), Encoders.bean(ComparedRow.class)))
        .select(output(schema, columns));
  }

  private Progress showProgress(
      JavaSparkContext context, LongAccumulator tokens, LongAccumulator bytesRead, Input input) {
    return new Progress(
        context,
        tokens,
        OptionalLong::empty,
        bytesRead,
        request.input().limit() > 0 ? 0 : input.countedTotal(),
        Progress.terminal());
  }

  private CompareSummary write(
      Dataset<Row> compared,
      List<String> groupBy,
      Output output,
      List<ModelSource> models,
      Input input,
      Progress display,
      long start) {
    try {
      return output.write(
          compared,
          folder -> {
            double seconds = (System.nanoTime() - start) / 1e9;
            display.stop();
            Dataset<Row> written = output.read(compared.sparkSession(), folder, compared.schema());
            return summary(written, groupBy, output.runId(), models, input, seconds);
          },
          CompareSummary::json);
    } finally {
      display.stop();
    }
  }

  private SpecialTokens special(OpenModel model) {
    TokenOptions tokens = request.tokens();
    return tokens.addSpecialTokens()
        ? model.specialTokens(tokenizer(), tokens.emptyContextId(model.conventions(tokenizer())))
        : SpecialTokens.NONE;
  }

  private DocumentReader reader(OpenModel model, JavaSparkContext context) {
    TokenOptions tokens = request.tokens();
    ModelConventions conventions = model.conventions(tokenizer());
    TextEncoding texts = null;
    if (request.documents().columns().text() != null) {
      texts = model.sentTokenizer(tokenizer(), special(model), context);
    }
    return new DocumentReader(
        request.documents().columns(),
        tokens.prefixId(conventions, false),
        TokenOptions.NO_PREFIX,
        tokens.maxTokens(),
        0,
        conventions.vocabSize(),
        texts,
        null);
  }

  private static List<CompareColumn> columns(
      RowSchema schema, boolean sameTokens, boolean crossEntropy) {
    List<CompareColumn> columns = new ArrayList<>(Arrays.asList(CompareColumn.values()));
    if (sameTokens) {
      columns.remove(CompareColumn.TOKEN_COUNT_B);
    }
    if (!crossEntropy) {
      columns.removeAll(List.of(CompareColumn.CROSS_ENTROPY, CompareColumn.BINOCULARS));
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

  private CompareSummary summary(
      Dataset<Row> written,
      List<String> groupBy,
      String run,
      List<ModelSource> models,
      Input input,
      double seconds) {
    List<Groups.Group<ComparedTotals>> all = ComparedTotals.byGroup(written, List.of()).largest();
    ComparedTotals totals = all.isEmpty() ? new ComparedTotals() : all.get(0).sums();
    return new CompareSummary(
        run,
        totals.numbers(),
        new CompareSummary.ByGroup(
            groupBy, groupBy.isEmpty() ? Groups.none() : ComparedTotals.byGroup(written, groupBy)),
        InputRead.of(input),
        seconds,
        Artifact.of(models.get(0)),
        Artifact.of(models.get(1)),
        // Options of score that compare lacks are recorded with their defaults.
        request.values().recorded(Options.SCORE));
  }
}
