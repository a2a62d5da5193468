package io.mambaspark.jobs.options;

import static io.mambaspark.jobs.options.Option.count;
import static io.mambaspark.jobs.options.Option.flag;
import static io.mambaspark.jobs.options.Option.integer;
import static io.mambaspark.jobs.options.Option.list;
import static io.mambaspark.jobs.options.Option.longCount;
import static io.mambaspark.jobs.options.Option.number;
import static io.mambaspark.jobs.options.Option.optionalText;
import static io.mambaspark.jobs.options.Option.repeated;
import static io.mambaspark.jobs.options.Option.text;
import static io.mambaspark.jobs.options.Option.words;

import java.util.ArrayList;
import java.util.List;

/**
 * The table of options. Each option is declared here once and is included in the lists of the
 * commands, the scorer and the pipeline stage that have it.
 */
public final class Options {
  /** The exit code under {@code --strict} if rows or files could not be scored. */
  public static final int STRICT_CODE = 3;

  /** The value of {@code --stream} that scores the existing files and ends. */
  public static final String AVAILABLE_NOW = "available-now";

  public static final Option<String> MODEL =
      text(
              "model",
              "FOLDER",
              "Checkpoint: a folder, any Hadoop URI, or 'demo' for the model inside the jar.")
          .asRequired()
          .shortHelp("checkpoint: a folder, any Hadoop URI, or demo");

  public static final Option<List<String>> MODELS =
      repeated("model", "FOLDER", "The two models to compare: give the option twice.").asRequired();

  public static final Option<String> WEIGHTS =
      text(
              "weights",
              "FORMAT",
              "Format of the weights in memory: f32; bf16, which needs half the memory, is exact for"
                  + " BF16 checkpoints and rounds others; int8 and int16, which need one byte and two"
                  + " bytes per weight of a matrix, and round matrices and the inputs of their"
                  + " products to integers; or int8-out16, which is int8 with int16 in out_proj. In"
                  + " pure Java, the speed of int8 is 0.96 times that of f32, of int8-out16 0.68"
                  + " times, and of int16 a third.")
          .withDefault("f32")
          .partOfIdentity("f32")
          .shortHelp("format of the weights in memory: f32, bf16, int8, int8-out16 or int16");

  public static final Option<String> MODEL_DELIVERY =
      text(
              "model-delivery",
              "HOW",
              "How executors get the model: 'broadcast' sends them the stored weights, with 'file'"
                  + " each executor reads the files, 'auto' chooses by size and memory.")
          .withDefault("auto")
          .shortHelp("how executors get the model: auto, broadcast or file");

  public static final Option<List<String>> INPUT =
      words("input", "PATH", "Paths or globs to read, or 'demo' for the texts inside the jar.");

  public static final Option<String> INPUT_FORMAT =
      text(
              "input-format",
              "FORMAT",
              "Format of the input: parquet, json, orc or any other Spark data source.")
          .withDefault("parquet");

  public static final Option<String> INPUT_TABLE =
      text(
          "input-table",
          "TABLE",
          "Table of the session's catalog to read instead of --input. The catalog is Hive's if"
              + " Spark has Hive, or one that spark.sql.catalog.* settings define.");

  public static final Option<List<String>> INPUT_OPTION =
      repeated(
              "input-option",
              "KEY=VALUE",
              "Option of Spark's reader, such as header=true for CSV. Give it once for each key.")
          .partOfIdentity("none");

  public static final Option<String> WHERE =
      text(
              "where",
              "PREDICATE",
              "With --input-table: read only the rows for which this SQL predicate is true.")
          .partOfIdentity("none");

  public static final Option<Integer> PARTITIONS =
      count("partitions", "N", "Distribute the rows to N tasks.")
          .defaultInWords("as the input is split");

  public static final Option<Integer> LIMIT = count("limit", "N", "Read only N rows.");

  public static final Option<String> TOKENS_COLUMN =
      text(
              "tokens-column",
              "COLUMN",
              "Documents as token ids: an array of int, bigint or smallint.")
          .defaultInWords("tokens; the texts with --input demo")
          .shortHelp("documents as token ids");

  public static final Option<String> TEXT_COLUMN =
      text("text-column", "COLUMN", "Documents as text: a string, or binary in UTF-8.")
          .shortHelp("documents as text");

  public static final Option<String> TOKENIZER =
      text(
              "tokenizer",
              "FILE",
              "For texts: a tokenizer.json of Hugging Face's tokenizers, or its folder.")
          .defaultInWords("the one in the model's folder")
          .shortHelp("tokenizer.json or its folder, if not in the model's folder");

  public static final Option<String> BYTE_COUNT_COLUMN =
      text("byte-count-column", "COLUMN", "Column with the document's length in bytes.")
          .defaultInWords("the length of its text, if it has one");

  public static final Option<String> WORD_COUNT_COLUMN =
      text("word-count-column", "COLUMN", "Column with the document's length in words.")
          .defaultInWords("the length of its text, if it has one");

  public static final Option<List<String>> KEEP_COLUMNS =
      list("keep-columns", "COLUMN,...", "Input columns to write with the scores.")
          .defaultInWords("all but the tokens and counts; '' for none");

  public static final Option<String> CONTEXT_COLUMN =
      text(
              "context-column",
              "COLUMN",
              "Contexts, as tokens or text, whose continuations are scored. Consecutive rows with the"
                  + " same context compute it once.")
          .shortHelp("contexts whose continuations are scored");

  public static final Option<String> CONTINUATION_COLUMN =
      text(
              "continuation-column",
              "COLUMN",
              "With --context-column: the continuations to score, as tokens or text.")
          .shortHelp("continuations to score after the contexts");

  public static final Option<String> EMIT =
      text(
              "emit",
              "VALUE,...",
              "Values to write: perplexity, token-logprobs, token-ranks, top-k=K, position-nll,"
                  + " token-entropy, entropy, min-k=P, min-k-plus-plus=P, curvature,"
                  + " longest-greedy-run, last-logits. Or only logits, which writes one row per"
                  + " position.")
          .withDefault("perplexity")
          .partOfIdentity("perplexity")
          .shortHelp("values to write, such as perplexity,top-k=5");

  public static final Option<String> COMPARE_EMIT =
      text(
          "emit",
          "VALUE",
          "Also write cross-entropy: the columns cross_entropy, that of the second model under the"
              + " first, and binoculars.");

  public static final Option<String> SEGMENT_BY =
      text(
              "segment-by",
              "HOW",
              "Also write the scores of the parts of each document in a column segments: of its"
                  + " lines with 'newline', of its paragraphs with 'blank-line', or of N tokens each"
                  + " with 'tokens=N'. Each part is scored given all tokens before it.")
          .partOfIdentity("null")
          .shortHelp("parts of documents to score: newline, blank-line or tokens=N");

  public static final Option<String> PREFIX_TOKEN =
      text(
              "prefix-token",
              "ID",
              "Token placed before every row: an id, bos, eos or none{default}. With --window chunked"
                  + " it replaces each window's first token.")
          .defaultInWords("none; with --window rolling the tokenizer's bos, or else its eos")
          .shortHelp("token placed before every row: an id, bos, eos or none");

  public static final Option<Integer> MAX_TOKENS =
      count(
              "max-tokens",
              "N",
              "Drop a row's tokens beyond N, not counting the prefix, and set the row's column"
                  + " truncated. Dropped tokens are not validated.")
          .partOfIdentity("0")
          .shortHelp("maximum number of tokens of a row that are scored");

  public static final Option<Integer> MAX_LENGTH =
      count(
              "max-length",
              "N",
              "With --context-column: the model predicts from at most N tokens. Of a longer context"
                  + " and continuation, keep the last N + 1 tokens, as lm-evaluation-harness does; a"
                  + " continuation of more than N tokens is an error.")
          .partOfIdentity("0")
          .shortHelp("keep the last N + 1 tokens of a context and its continuation");

  public static final Option<Boolean> ADD_SPECIAL_TOKENS =
      flag(
              "add-special-tokens",
              "Add the special tokens of the tokenizer's template to each text, as"
                  + " lm-evaluation-harness does by default.")
          .partOfIdentity("false")
          .shortHelp("whether to add the tokenizer's special tokens");

  public static final Option<String> WINDOW =
      text(
              "window",
              "POLICY",
              "How documents are split into windows: 'full' does not split them, so each token has"
                  + " its complete context; 'rolling' splits as lm-evaluation-harness does,"
                  + " 'strided' as Hugging Face's guide, 'chunked' as llama.cpp.")
          .withDefault("full")
          .partOfIdentity("full")
          .shortHelp("full, rolling, strided or chunked");

  public static final Option<Integer> WINDOW_TOKENS =
      integer("window-tokens", "N", "Number of tokens of a window.")
          .defaultInWords("the model's length or 2048 rolling, 1024 strided, 512 chunked")
          .shortHelp("number of tokens of a window");

  public static final Option<Integer> STRIDE =
      integer("stride", "N", "Number of tokens between the starts of consecutive strided windows.")
          .defaultInWords("half a window")
          .shortHelp("number of tokens between the starts of consecutive strided windows");

  public static final Option<Double> MIN_PERPLEXITY =
      number(
              "min-perplexity",
              "P",
              "Exclude documents with a lower perplexity; the summary counts them.")
          .partOfIdentity("null");

  public static final Option<Double> MAX_PERPLEXITY =
      number(
              "max-perplexity",
              "P",
              "Exclude documents with a higher perplexity; the summary counts them.")
          .partOfIdentity("null");

  public static final Option<List<String>> MIN =
      repeated(
              "min",
              "COLUMN=X",
              "Exclude documents with a lower value in the column of an emitted signal, such as"
                  + " entropy=2.5. Give it once for each column.")
          .partOfIdentity("none");

  public static final Option<List<String>> MAX =
      repeated(
              "max",
              "COLUMN=X",
              "Exclude documents with a higher value in the column of an emitted signal. Give it"
                  + " once for each column.")
          .partOfIdentity("none");

  public static final Option<List<String>> GROUP_BY =
      list(
          "group-by",
          "COLUMN,...",
          "Also aggregate the scores by the values of these kept columns.");

  public static final Option<String> BUCKET =
      text(
          "bucket",
          "NAME:PERCENT,...",
          "Add a column bucket that divides the corpus by perplexity. head:30,middle:60 assigns the"
              + " documents below the 30th percentile to head, those below the 60th to middle and the"
              + " rest to tail. Reads the scores a second time.");

  public static final Option<String> BUCKET_BY =
      text(
              "bucket-by",
              "COLUMN",
              "Column whose values divide the corpus into buckets: perplexity, or that of an emitted"
                  + " signal.")
          .withDefault("perplexity")
          .partOfIdentity("perplexity");

  public static final Option<String> BUCKET_THRESHOLDS =
      text(
          "bucket-thresholds",
          "FILE",
          "Use the buckets and thresholds in the summary of an earlier run.");

  public static final Option<String> REPORT =
      text(
          "report",
          "FILE",
          "Write an HTML page about the run: distributions, best and worst documents.");

  public static final Option<Long> TARGET_UNIT_TOKENS =
      longCount(
              "target-unit-tokens",
              "N",
              "Cut Parquet files between row groups into units of about N tokens. Each unit is one"
                  + " task and one output file.")
          .defaultInWords("five minutes of work, or less so that each core gets four units");

  public static final Option<String> ON_ERROR =
      text(
              "on-error",
              "WHAT",
              "For a row that cannot be scored, 'quarantine' writes it with its error and null"
                  + " scores, 'fail' stops the job. For a Parquet file that cannot be read, 'quarantine' lists it"
                  + " in the summary and scores the other files; with --stream it always stops the job.")
          .withDefault("quarantine")
          .partOfIdentity("quarantine")
          .shortHelp("rows that cannot be scored: quarantine or fail");

  public static final Option<String> OUTPUT =
      text("output", "PATH", "Folder to write; must not exist. Optional for the demo.");

  public static final Option<String> OUTPUT_FORMAT =
      text("output-format", "FORMAT", "parquet, json or orc.").withDefault("parquet");

  public static final Option<String> OUTPUT_TABLE =
      text(
          "output-table",
          "TABLE",
          "Table of the session's catalogs to write instead of --output: Iceberg or Delta, by name,"
              + " or delta.`PATH`. A new table is created, an existing one is appended to, in one"
              + " commit.");

  public static final Option<List<String>> PARTITION_BY =
      list("partition-by", "COLUMN,...", "With a new --output-table: its partition columns.");

  public static final Option<List<String>> TABLE_PROPERTY =
      repeated("table-property", "KEY=VALUE", "With a new --output-table: a property of it.");

  public static final Option<List<String>> OUTPUT_OPTION =
      repeated(
              "output-option",
              "KEY=VALUE",
              "Option of Spark's writer, such as compression=zstd. Give it once for each key.")
          .partOfIdentity("none");

  public static final Option<Boolean> OVERWRITE =
      flag("overwrite", "Replace an existing output, once the new one is complete.");

  public static final Option<Boolean> RESUME =
      flag(
          "resume",
          "Resume an interrupted run of the same job, or start the job if it has not run yet. Only"
              + " for Parquet input and output.");

  public static final Option<Boolean> ALLOW_NEW_INPUT =
      flag("allow-new-input", "With --resume: include input files that were added since.");

  public static final Option<String> STREAM =
      optionalText(
          "stream",
          "EVERY",
          AVAILABLE_NOW,
          "Score each new file of the input folder, or each new row of the table, once. Without"
              + " EVERY, score what exists and end. With an interval such as 30s or 5m, look for new"
              + " input until stopped. A restarted stream continues.");

  public static final Option<String> CHECKPOINT_LOCATION =
      text(
              "checkpoint-location",
              "PATH",
              "With --stream: folder in which Spark records what it has read. Required with"
                  + " --output-table.")
          .defaultInWords("in the output, under _mamba");

  public static final Option<Integer> MAX_FILES_PER_BATCH =
      count(
              "max-files-per-batch",
              "N",
              "With --stream: maximum number of files that are scored and written together.")
          .defaultInWords("four per core");

  public static final Option<Boolean> STRICT =
      flag(
          "strict",
          "Exit with %d if a row cannot be scored or a file cannot be read."
              .formatted(STRICT_CODE));

  public static final Option<Boolean> VERBOSE =
      flag("verbose", "Show the stack trace of a failure.");

  public static final Option<Boolean> DRY_RUN =
      flag(
          "dry-run",
          "Check the model, the columns and the options. Print the plan, the number of tokens, the"
              + " time at a measured speed and the size of the output. Score and write nothing.");

  /** Options for the model's format in memory and for its delivery. */
  private static final List<Option<?>> KEPT = List.of(WEIGHTS, MODEL_DELIVERY);

  /** Options for the rows to read. */
  private static final List<Option<?>> ROWS =
      List.of(INPUT, INPUT_FORMAT, INPUT_TABLE, INPUT_OPTION, WHERE, PARTITIONS, LIMIT);

  /** Options for the columns of a document. */
  private static final List<Option<?>> DOCUMENT =
      List.of(
          TOKENS_COLUMN,
          TEXT_COLUMN,
          TOKENIZER,
          ADD_SPECIAL_TOKENS,
          BYTE_COUNT_COLUMN,
          WORD_COUNT_COLUMN,
          KEEP_COLUMNS);

  /** Options for the output. */
  private static final List<Option<?>> WRITTEN =
      List.of(OUTPUT, OUTPUT_FORMAT, OUTPUT_OPTION, OVERWRITE);

  /** Options for an output that is a folder or a table. */
  private static final List<Option<?>> WRITTEN_OR_TABLE =
      List.of(
          OUTPUT,
          OUTPUT_FORMAT
              .help("parquet, json or orc; for a new table also iceberg, delta and others.")
              .defaultInWords("parquet; for a table that of its catalog"),
          OUTPUT_OPTION,
          OVERWRITE.help(
              "Replace an existing output, once the new one is complete. Of a table, replace all"
                  + " rows, in one commit."),
          OUTPUT_TABLE,
          PARTITION_BY,
          TABLE_PROPERTY);

  /** The options of {@code score}, in the order of its help. */
  public static final List<Option<?>> SCORE =
      joined(
          List.of(MODEL),
          KEPT,
          ROWS,
          DOCUMENT,
          List.of(
              CONTEXT_COLUMN,
              CONTINUATION_COLUMN,
              EMIT,
              SEGMENT_BY,
              PREFIX_TOKEN,
              MAX_TOKENS,
              MAX_LENGTH,
              WINDOW,
              WINDOW_TOKENS,
              STRIDE,
              MIN_PERPLEXITY,
              MAX_PERPLEXITY,
              MIN,
              MAX,
              GROUP_BY,
              BUCKET,
              BUCKET_BY,
              BUCKET_THRESHOLDS,
              REPORT,
              TARGET_UNIT_TOKENS,
              ON_ERROR),
          WRITTEN_OR_TABLE,
          List.of(
              RESUME,
              ALLOW_NEW_INPUT,
              STREAM,
              CHECKPOINT_LOCATION,
              MAX_FILES_PER_BATCH,
              STRICT,
              VERBOSE,
              DRY_RUN));

  /** The options of {@code compare}. */
  public static final List<Option<?>> COMPARE =
      joined(
          List.of(
              MODELS,
              WEIGHTS
                  .help(
                      "Format of the weights in memory, as for score, or one for each model, such as"
                          + " f32,int8.")
                  .withDefault("f32"),
              MODEL_DELIVERY),
          ROWS,
          DOCUMENT,
          List.of(
              COMPARE_EMIT,
              PREFIX_TOKEN
                  .help("Token placed before every row: an id, bos, eos or none.")
                  .defaultInWords("none"),
              MAX_TOKENS.help("Drop a row's tokens beyond N, not counting the prefix."),
              GROUP_BY),
          WRITTEN,
          List.of(
              STRICT.help("Exit with %d if a row cannot be scored.".formatted(STRICT_CODE)),
              VERBOSE));

  /** The column that {@code tokenize} reads. */
  public static final Option<String> TOKENIZED_COLUMN =
      TEXT_COLUMN.help("The texts: a string, or binary in UTF-8.").withDefault("text");

  /** The options of {@code tokenize}. */
  public static final List<Option<?>> TOKENIZE =
      joined(
          List.of(
              TOKENIZER
                  .help("A tokenizer.json of Hugging Face's tokenizers, or its folder, or 'demo'.")
                  .defaultInWords(null)
                  .asRequired(),
              ADD_SPECIAL_TOKENS),
          ROWS,
          List.of(
              TOKENIZED_COLUMN,
              KEEP_COLUMNS
                  .help("Input columns to write with the tokens.")
                  .defaultInWords("all but the texts; '' for none")),
          WRITTEN_OR_TABLE,
          List.of(
              STRICT.help("Exit with %d if a text cannot be read.".formatted(STRICT_CODE)),
              VERBOSE));

  /** The options of {@code inspect}. */
  public static final List<Option<?>> INSPECT = List.of(MODEL, VERBOSE);

  /** The options of a scorer of Datasets, in addition to its model. */
  public static final List<Option<?>> SCORER =
      joined(
          KEPT,
          DOCUMENT,
          List.of(
              CONTEXT_COLUMN,
              CONTINUATION_COLUMN,
              EMIT,
              SEGMENT_BY,
              PREFIX_TOKEN,
              MAX_TOKENS,
              MAX_LENGTH,
              WINDOW,
              WINDOW_TOKENS,
              STRIDE,
              MIN_PERPLEXITY,
              MAX_PERPLEXITY,
              MIN,
              MAX,
              ON_ERROR));

  /** The options of the pipeline stage, which writes all rows and columns. */
  public static final List<Option<?>> STAGE =
      joined(List.of(MODEL), SCORER).stream()
          .<Option<?>>map(option -> option)
          .filter(option -> option.brief() != null)
          .toList();

  /** Options that no summary records: they do not change the output, or they exclude a summary. */
  static final List<Option<?>> UNRECORDED =
      List.of(VERBOSE, DRY_RUN, STREAM, CHECKPOINT_LOCATION, MAX_FILES_PER_BATCH);

  /** Options that change the scores of a run. */
  public static final List<Option<?>> IDENTITY =
      SCORE.stream().<Option<?>>map(option -> option).filter(Option::identifies).toList();

  private Options() {}

  @SafeVarargs
  private static List<Option<?>> joined(List<? extends Option<?>>... parts) {
    List<Option<?>> all = new ArrayList<>();
    for (List<? extends Option<?>> part : parts) {
      all.addAll(part);
    }
    return List.copyOf(all);
  }
}
