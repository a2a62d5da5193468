package io.mambaspark.jobs.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.udf;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.io.RowError;
import io.mambaspark.jobs.io.TableOutput;
import io.mambaspark.jobs.model.TextEncoding;
import io.mambaspark.jobs.model.TokenizerSource;
import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.RowSchema;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.Tasks;
import io.mambaspark.jobs.spark.Versions;
import io.mambaspark.jobs.text.PythonText;
import io.mambaspark.jobs.text.SpecialTokens;
import io.mambaspark.jobs.text.Tokenizer;
import io.mambaspark.jobs.text.TokenizerConfig;
import io.mambaspark.jobs.text.TokenizerFile;
import io.mambaspark.jobs.text.Utf8;
import io.mambaspark.jobs.units.RunIdentity;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;
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
import org.apache.spark.storage.StorageLevel;

/** Carries out {@code tokenize}: writes the tokens of texts in columns that {@code score} reads. */
public final class TokenizeJob {
  private static final StructType RESULT =
      new StructType()
          .add("tokens", DataTypes.createArrayType(DataTypes.IntegerType, true))
          .add("byte_count", DataTypes.LongType)
          .add("word_count", DataTypes.LongType)
          .add("token_error", DataTypes.StringType);

  private final TokenizeRequest request;
  private final PrintWriter out;

  /** Creates a job, without reading or writing any file. */
  public TokenizeJob(TokenizeRequest request, PrintWriter out) {
    this.request = request;
    this.out = out;
  }

  /**
   * Runs the job.
   *
   * @return the number of texts plus the number of files that could not be read
   */
  public long run() {
    Preparation prepared =
        Preparation.of(request.input(), request.output(), false, true, request.table().isPresent());
    TokenizerFile tokenizer = TokenizerSource.at(request.tokenizer(), prepared.files());
    return prepared.inSession("tokenize", spark -> run(spark, prepared, tokenizer));
  }

  private long run(SparkSession spark, Preparation prepared, TokenizerFile tokenizer) {
    Optional<TableOutput> table =
        request.table().map(options -> TableOutput.at(spark, options, request.input()));
    // Opening the tokenizer validates it, before any task uses it.
    Tokenizer opened = tokenizer.tokenizer(Tasks.localFolder());
    SpecialTokens special =
        request.addSpecialTokens() ? special(tokenizer, opened, prepared) : SpecialTokens.NONE;
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    Input input = prepared.open(spark, request.documents());
    RowSchema schema = RowSchema.of(input.schema(), request.documents());
    Map<String, String> kept = kept(schema);
    long start = System.nanoTime();
    TextEncoding sent = new TextEncoding(context.broadcast(tokenizer), special);
    try {
      context.setJobDescription("Tokenizing with " + tokenizer.name());
      Dataset<Row> tokens =
          tokens(
              Input.limited(input.rows(schema.inputNames(), null), request.input()),
              schema,
              kept,
              sent);
      return table.isPresent()
          ? write(tokens, table.get(), tokenizer, special, input, start)
          : write(tokens, prepared.output().orElseThrow(), tokenizer, input, start);
    } finally {
      sent.file().destroy();
    }
  }

  private long write(
      Dataset<Row> tokens, Output output, TokenizerFile tokenizer, Input input, long start) {
    TokenizeSummary summary =
        output.write(
            tokens,
            folder ->
                summary(
                    output.runId(),
                    output.read(tokens.sparkSession(), folder, tokens.schema()),
                    tokenizer,
                    input),
            TokenizeSummary::json);
    return print(summary, start, output.path().toString());
  }

  /** Writes to a table in one commit. The tokens stay on the executors' disks until then. */
  private long write(
      Dataset<Row> tokens,
      TableOutput table,
      TokenizerFile tokenizer,
      SpecialTokens special,
      Input input,
      long start) {
    table.check(tokens.schema());
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("the tokenizer's fingerprint", tokenizer.fingerprint());
    settings.put("the special tokens", special.toString());
    settings.put("the columns", tokens.schema().catalogString());
    for (Option<?> option :
        List.of(Options.TOKENIZED_COLUMN, Options.INPUT_OPTION, Options.WHERE, Options.LIMIT)) {
      settings.put(option.flag(), String.valueOf(request.values().get(option)));
    }
    if (request.input().table() != null) {
      // The input's identity has the version that these options select.
      settings.remove(Options.INPUT_OPTION.flag());
    }
    settings.put(RunIdentity.VERSION, Versions.mambaSpark());
    for (String key : List.of("spark.sql.caseSensitive", "spark.sql.session.timeZone")) {
      settings.put(key, tokens.sparkSession().conf().get(key));
    }
    String run = RunIdentity.id(settings, input.identity());
    Optional<TableOutput.Commit> earlier = table.committed(run);
    if (earlier.isPresent()) {
      new SummaryLines(out).writtenBefore(table.shown(), earlier.get());
      return earlier.get().failures();
    }
    table.describe("tokenizer", tokenizer.fingerprint());
    Dataset<Row> persisted = tokens.persist(StorageLevel.DISK_ONLY());
    try {
      TokenizeSummary summary = summary(run, persisted, tokenizer, input);
      table.describe("failures", Long.toString(summary.failures()));
      table.write(persisted, run);
      table.notes().forEach(note -> new SummaryLines(out).line("note", "%s", note));
      return print(summary, start, table.shown());
    } finally {
      persisted.unpersist();
    }
  }

  private static TokenizeSummary summary(
      String run, Dataset<Row> written, TokenizerFile tokenizer, Input input) {
    return new TokenizeSummary(
        run, TokenizeSummary.Counts.of(written), Artifact.of(tokenizer), InputRead.of(input));
  }

  private long print(TokenizeSummary summary, long start, String place) {
    summary.print((System.nanoTime() - start) / 1e9, out);
    new SummaryLines(out).writtenTo(place);
    out.flush();
    return summary.failures();
  }

  /** Returns the template; the prefix token is the first of bos and eos that has an id. */
  private SpecialTokens special(TokenizerFile file, Tokenizer tokenizer, Preparation prepared) {
    TokenizerConfig config = TokenizerSource.configAt(request.tokenizer(), prepared.files());
    config.warnOfFlags();
    int prefix =
        Stream.of(config.bos(), config.eos())
            .filter(Objects::nonNull)
            .map(named -> file.token(named.text()))
            .filter(Objects::nonNull)
            .mapToInt(TokenizerFile.Token::id)
            .findFirst()
            .orElse(-1);
    return tokenizer.specialTokens(prefix);
  }

  /**
   * Returns the names of the kept columns in the input, by their names in the output: by default
   * all but the text, which the tokens replace.
   */
  private Map<String, String> kept(RowSchema schema) {
    Map<String, String> kept = new LinkedHashMap<>();
    for (int i = 0; i < schema.kept().size(); i++) {
      String from = schema.keptFrom().get(i);
      if (request.documents().kept() != null || !schema.paths().contains(List.of(from))) {
        kept.put(schema.keptNames().get(i), from);
      }
    }
    for (String column : RESULT.fieldNames()) {
      if (kept.keySet().stream().anyMatch(column::equalsIgnoreCase)) {
        throw Refusal.wrongUsage(
            "Kept column %s has the same name as a column that tokenize adds; exclude it with"
                + " --keep-columns, or rename it",
            column);
      }
    }
    return kept;
  }

  private Dataset<Row> tokens(
      Dataset<Row> rows, RowSchema schema, Map<String, String> kept, TextEncoding encoding) {
    String text = request.documents().columns().text();
    UDF2<byte[], String, Row> encode =
        (bytes, inputError) ->
            inputError != null ? unreadable(inputError) : encode(bytes, text, encoding);
    // Spark may call a deterministic function once for each field of its result.
    UserDefinedFunction once = udf(encode, RESULT).asNondeterministic();
    Column encoded =
        once.apply(
                ColumnNames.column(schema.paths().get(0)).cast("binary"),
                schema.inputErrorMessage())
            .as("mamba_tokens");
    List<Column> with = new ArrayList<>();
    List<Column> columns = new ArrayList<>();
    kept.forEach(
        (name, from) -> {
          with.add(ColumnNames.quoted(from).as(name));
          columns.add(ColumnNames.quoted(name));
        });
    with.add(encoded);
    for (StructField field : RESULT.fields()) {
      columns.add(col("mamba_tokens").getField(field.name()).as(field.name()));
    }
    return rows.select(with.toArray(Column[]::new)).select(columns.toArray(Column[]::new));
  }

  private static Row encode(byte[] bytes, String column, TextEncoding encoding) {
    if (bytes == null) {
      return RowFactory.create(null, null, null, null);
    }
    try {
      String text = Utf8.decode(bytes);
      int[] ids = encoding.special().add(text, encoding.tokenizer().encode(text));
      return RowFactory.create(
          Arrays.stream(ids).boxed().toList(), (long) bytes.length, PythonText.words(text), null);
    } catch (Utf8.Malformed e) {
      RowError error = RowError.invalidUtf8(bytes[e.offset()], e.offset(), column);
      return unreadable(error.message());
    } catch (Refusal e) {
      return unreadable(RowError.notTokenized(e.getMessage()).message());
    }
  }

  /** Returns an error and a null token, so that {@code score} reports an error for the row, too. */
  private static Row unreadable(String error) {
    return RowFactory.create(Collections.singletonList(null), null, null, error);
  }
}
