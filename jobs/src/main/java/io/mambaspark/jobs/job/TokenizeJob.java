package io.mambaspark.jobs.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.size;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.udf;
import static org.apache.spark.sql.functions.when;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.ScoringMetrics;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputFiles;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.model.TokenizerSource;
import io.mambaspark.jobs.score.RowSchema;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.Session;
import io.mambaspark.jobs.spark.Tasks;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.text.PythonText;
import io.mambaspark.jobs.text.TokenizerFile;
import io.mambaspark.jobs.text.Utf8;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Writes the tokens of texts as {@code score} reads them. */
public final class TokenizeJob {
  private static final StructType RESULT =
      new StructType()
          .add("tokens", DataTypes.createArrayType(DataTypes.IntegerType, true))
          .add("byte_count", DataTypes.LongType)
          .add("word_count", DataTypes.LongType)
          .add("token_error", DataTypes.StringType);

  private final JobOptions options;
  private final PrintWriter out;

  /** Prepares a job; nothing is touched yet. */
  public TokenizeJob(JobOptions options, PrintWriter out) {
    this.options = options;
    this.out = out;
  }

  /**
   * Runs the job.
   *
   * @return the number of texts, and of files, that could not be read
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
    TokenizerFile tokenizer = TokenizerSource.at(options.tokenizer(), files);
    return Session.during(
        "tokenize",
        options.inputTable() != null,
        ScoringMetrics.class,
        spark -> run(spark, listed, tokenizer, output));
  }

  private long run(SparkSession spark, InputFiles listed, TokenizerFile tokenizer, Output output) {
    // The library finds what is wrong with a tokenizer.
    tokenizer.tokenizer(Tasks.localFolder());
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    Input input = options.open(spark, listed);
    RowSchema schema =
        RowSchema.of(input.schema(), options.scoring().columns(), options.scoring().keepColumns());
    List<String> kept =
        schema.keptNames().stream()
            .filter(
                column ->
                    options.scoring().keepColumns() != null
                        || !column.equals(options.scoring().columns().text()))
            .toList();
    for (String column : RESULT.fieldNames()) {
      if (kept.stream().anyMatch(column::equalsIgnoreCase)) {
        throw Refusal.wrongUsage(
            "Kept column %s has the name of a column of tokenize; leave it out with --keep-columns"
                + " or rename it",
            column);
      }
    }
    long start = System.nanoTime();
    Broadcast<TokenizerFile> sent = context.broadcast(tokenizer);
    try {
      context.setJobDescription("Tokenizing with " + tokenizer.name());
      Dataset<Row> tokens =
          tokens(
              Input.cut(input.rows(schema.inputNames(), null), options.inputOptions()),
              schema,
              kept,
              sent);
      Map<String, Object> summary =
          output.write(
              tokens,
              folder ->
                  summary(
                      output.read(spark, folder, tokens.schema()),
                      output.runId(),
                      tokenizer,
                      input),
              Summary::indented);
      Summary.line(out, "documents", "%,d", summary.get("documents"));
      if (!summary.get("null_documents").equals(0L)) {
        Summary.line(out, "  null", "%,d", summary.get("null_documents"));
      }
      for (String name : List.of("errors", "tokens", "bytes", "words")) {
        Summary.line(out, name, "%,d", summary.get(name));
      }
      out.println(
          String.format(Locale.ROOT, "  %-26s%.1f", "seconds", (System.nanoTime() - start) / 1e9));
      Summary.print(input.files(), out);
      input.notes().forEach(note -> Summary.line(out, "note", "%s", note));
      out.println("  written to " + Refusal.redacted(output.path().toString()));
      out.flush();
      return (Long) summary.get("errors") + input.files().unread().size();
    } finally {
      sent.destroy();
    }
  }

  private Dataset<Row> tokens(
      Dataset<Row> rows, RowSchema schema, List<String> kept, Broadcast<TokenizerFile> tokenizer) {
    String text = options.scoring().columns().text();
    UDF2<byte[], String, Row> encode =
        (bytes, inputError) ->
            inputError != null ? unreadable(inputError) : encode(bytes, text, tokenizer.value());
    // Spark would call it once for each field that is taken of it, if it thought that it may.
    UserDefinedFunction once = udf(encode, RESULT).asNondeterministic();
    List<Column> columns = new ArrayList<>();
    kept.forEach(column -> columns.add(ColumnNames.quoted(column)));
    Column encoded =
        once.apply(ColumnNames.quoted(text).cast("binary"), schema.inputError()).as("mamba_tokens");
    List<Column> with = new ArrayList<>(columns);
    with.add(encoded);
    for (StructField field : RESULT.fields()) {
      columns.add(col("mamba_tokens").getField(field.name()).as(field.name()));
    }
    return rows.select(with.toArray(Column[]::new)).select(columns.toArray(Column[]::new));
  }

  private static Row encode(byte[] bytes, String column, TokenizerFile tokenizer) {
    if (bytes == null) {
      return RowFactory.create(null, null, null, null);
    }
    try {
      String text = Utf8.decode(bytes);
      int[] ids = tokenizer.tokenizer(Tasks.localFolder()).encode(text);
      return RowFactory.create(
          Arrays.stream(ids).boxed().toList(), (long) bytes.length, PythonText.words(text), null);
    } catch (Utf8.Malformed e) {
      String error = RowError.invalidUtf8(bytes[e.offset()], e.offset(), column);
      return unreadable(error);
    } catch (Refusal e) {
      return unreadable(RowError.notTokenized(e.getMessage()));
    }
  }

  /** With a null among its tokens, which {@code score} takes for an error, too. */
  private static Row unreadable(String error) {
    return RowFactory.create(Collections.singletonList(null), null, null, error);
  }

  private static Map<String, Object> summary(
      Dataset<Row> written, String run, TokenizerFile tokenizer, Input input) {
    Row sums =
        written
            .agg(
                count(lit(1)),
                count(col("token_error")),
                count(when(col("tokens").isNull(), 1)),
                sum(
                    when(
                        col("token_error").isNull().and(col("tokens").isNotNull()),
                        size(col("tokens")).cast("bigint"))),
                sum(col("byte_count")),
                sum(col("word_count")))
            .first();
    Map<String, Object> summary = new LinkedHashMap<>();
    summary.put("run", run);
    summary.put("documents", sums.getLong(0));
    summary.put("null_documents", sums.getLong(2));
    summary.put("errors", sums.getLong(1));
    summary.put("tokens", sums.isNullAt(3) ? 0L : sums.getLong(3));
    summary.put("bytes", sums.isNullAt(4) ? 0L : sums.getLong(4));
    summary.put("words", sums.isNullAt(5) ? 0L : sums.getLong(5));
    summary.put(
        "tokenizer", Map.of("path", tokenizer.name(), "fingerprint", tokenizer.fingerprint()));
    summary.putAll(input.files().json());
    summary.put("input_notes", input.notes());
    summary.put("versions", Versions.all());
    return summary;
  }
}
