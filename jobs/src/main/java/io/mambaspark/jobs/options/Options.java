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
 * The table of options. Each option is declared here once, and is listed for the commands, the
 * scorer and the pipeline stage that have it.
 */
public final class Options {
  /** The exit code of {@code --strict}. */
  public static final int STRICT_CODE = 3;

  /** The time of {@code --stream} that ends with what is there. */
  public static final String AVAILABLE_NOW = "available-now";

  public static final Option<String> MODEL =
      text(
              "model",
              "FOLDER",
              "Checkpoint: a folder, any Hadoop URI, or 'demo' for the model inside the jar.")
          .isRequired()
          .briefly("checkpoint: a folder, any Hadoop URI, or demo");

  public static final Option<List<String>> MODELS =
      repeated("model", "FOLDER", "Given twice: the first model and the second, as for score.")
          .isRequired();

  public static final Option<String> WEIGHTS =
      text(
              "weights",
              "FORMAT",
              "How weights are kept in memory: f32, or bf16 in half of it, which is exact for"
                  + " checkpoints in BF16 and rounds others.")
          .byDefault("f32")
          .identifies("f32")
          .briefly("in memory: f32 or bf16");

  public static final Option<String> MODEL_DELIVERY =
      text(
              "model-delivery",
              "HOW",
              "How the model gets to the executors: 'broadcast' sends the stored weights, 'file'"
                  + " lets each executor read the files, 'auto' decides by size and memory.")
          .byDefault("auto")
          .briefly("auto, broadcast or file");

  public static final Option<List<String>> INPUT =
      words("input", "PATH", "Paths or globs to read, or 'demo' for the texts inside the jar.");

  public static final Option<String> INPUT_FORMAT =
      text("input-format", "FORMAT", "parquet, json, orc or any other Spark source.")
          .byDefault("parquet");

  public static final Option<String> INPUT_TABLE =
      text(
          "input-table",
          "TABLE",
          "A table of the session's catalog, instead of --input: Hive's where Spark has Hive, or"
              + " what spark.sql.catalog.* settings name.");

  public static final Option<Integer> PARTITIONS =
      count("partitions", "N", "Deal the rows out to N tasks.").byDefaultAs("as the input is cut");

  public static final Option<Integer> LIMIT = count("limit", "N", "Take N rows only.");

  public static final Option<String> TOKENS_COLUMN =
      text(
              "tokens-column",
              "COLUMN",
              "Documents as token ids: an array of int, bigint or smallint.")
          .byDefaultAs("tokens; for the demo its texts")
          .briefly("documents as token ids");

  public static final Option<String> TEXT_COLUMN =
      text("text-column", "COLUMN", "Documents as text: a string, or binary in UTF-8.")
          .briefly("documents as text");

  public static final Option<String> TOKENIZER =
      text(
              "tokenizer",
              "FILE",
              "The tokenizer.json of Hugging Face's tokenizers, or its folder, for texts.")
          .byDefaultAs("the one beside the model")
          .briefly("tokenizer.json or its folder, if not beside the model");

  public static final Option<String> BYTE_COUNT_COLUMN =
      text("byte-count-column", "COLUMN", "Length of the document in bytes.")
          .byDefaultAs("that of its text, if there is one");

  public static final Option<String> WORD_COUNT_COLUMN =
      text("word-count-column", "COLUMN", "Length of the document in words.")
          .byDefaultAs("that of its text, if there is one");

  public static final Option<List<String>> KEEP_COLUMNS =
      list("keep-columns", "COLUMN,...", "Input columns to write with the scores.")
          .byDefaultAs("all but tokens and counts; '' for none");

  public static final Option<String> CONTEXT_COLUMN =
      text(
          "context-column",
          "COLUMN",
          "Score continuations: the tokens or the text that is given. Rows with the same context,"
              + " one after the other, share its work.");

  public static final Option<String> CONTINUATION_COLUMN =
      text(
          "continuation-column",
          "COLUMN",
          "With --context-column: the tokens or the text that is scored.");

  public static final Option<String> EMIT =
      text(
              "emit",
              "VALUE,...",
              "What to write: perplexity, token-logprobs, token-ranks, top-k=K, position-nll,"
                  + " last-logits; or logits alone, which writes one row per position.")
          .byDefault("perplexity")
          .identifies("perplexity")
          .briefly("what to add, such as perplexity,top-k=5");

  public static final Option<String> PREFIX_TOKEN =
      text(
              "prefix-token",
              "ID",
              "Token put in front of every row: an id, bos, eos or none{default}. With --window"
                  + " chunked it takes the place of each window's first token.")
          .byDefaultAs("none; bos or else eos with --window rolling")
          .briefly("put in front of every row: an id, bos, eos or none");

  public static final Option<Integer> MAX_TOKENS =
      count(
              "max-tokens",
              "N",
              "Drop a row's tokens beyond N, prefix not counted, and say so in the column truncated."
                  + " Dropped tokens are not looked at.")
          .identifies("0")
          .briefly("tokens of a row that are scored");

  public static final Option<String> WINDOW =
      text(
              "window",
              "POLICY",
              "How documents are cut: 'full' not at all, each token has its whole context; 'rolling'"
                  + " as lm-evaluation-harness, 'strided' as Hugging Face's guide, 'chunked' as"
                  + " llama.cpp.")
          .byDefault("full")
          .identifies("full")
          .briefly("full, rolling, strided or chunked");

  public static final Option<Integer> WINDOW_TOKENS =
      integer("window-tokens", "N", "Length of a window.")
          .byDefaultAs("2048 rolling, 1024 strided, 512 chunked")
          .briefly("length of a window");

  public static final Option<Integer> STRIDE =
      integer("stride", "N", "Tokens from one strided window to the next.")
          .byDefaultAs("half a window")
          .briefly("from a strided window to the next");

  public static final Option<Double> MIN_PERPLEXITY =
      number("min-perplexity", "P", "Leave out documents of a lower perplexity; they are counted.")
          .identifies("null");

  public static final Option<Double> MAX_PERPLEXITY =
      number("max-perplexity", "P", "Leave out documents of a higher perplexity; they are counted.")
          .identifies("null");

  public static final Option<List<String>> GROUP_BY =
      list("group-by", "COLUMN,...", "Sum up the rows for each value of these kept columns, too.");

  public static final Option<String> BUCKET =
      text(
          "bucket",
          "NAME:PERCENT,...",
          "Add a column bucket: the part of the corpus that a document is in by perplexity, as"
              + " head:30,middle:60, the rest is tail. Takes a second pass over the scores.");

  public static final Option<String> BUCKET_THRESHOLDS =
      text(
          "bucket-thresholds",
          "FILE",
          "Take the buckets and their thresholds from the summary of an earlier run.");

  public static final Option<String> REPORT =
      text(
          "report",
          "FILE",
          "Write a page of HTML that shows the run: distributions, best and worst documents.");

  public static final Option<Long> TARGET_UNIT_TOKENS =
      longCount(
              "target-unit-tokens",
              "N",
              "Cut Parquet files between row groups into units of about N tokens; each is one task"
                  + " and one output file.")
          .byDefaultAs("five minutes' work, and four units for each core");

  public static final Option<String> ON_ERROR =
      text(
              "on-error",
              "WHAT",
              "A row that cannot be scored: 'quarantine' writes it with its error and null scores,"
                  + " 'fail' stops the job. A Parquet file that cannot be read: 'quarantine' names"
                  + " it in the summary and scores the rest; with --stream it stops the job either"
                  + " way.")
          .byDefault("quarantine")
          .identifies("quarantine")
          .briefly("rows that cannot be scored: quarantine or fail");

  public static final Option<String> OUTPUT =
      text("output", "PATH", "Folder to write; must not exist. Optional for the demo.");

  public static final Option<String> OUTPUT_FORMAT =
      text("output-format", "FORMAT", "parquet, json or orc.").byDefault("parquet");

  public static final Option<Boolean> OVERWRITE =
      flag("overwrite", "Replace an existing output, once the new one is whole.");

  public static final Option<Boolean> RESUME =
      flag(
          "resume",
          "Go on where an earlier start of the same job was cut off; begin if there was none."
              + " Parquet to Parquet only.");

  public static final Option<Boolean> ALLOW_NEW_INPUT =
      flag("allow-new-input", "With --resume: take in files that have come since.");

  public static final Option<String> STREAM =
      optionalText(
          "stream",
          "EVERY",
          AVAILABLE_NOW,
          "Score each file that comes into the input folder once: those that are there, and no more;"
              + " or look again after a time such as 30s or 5m, until it is stopped. Started again,"
              + " it goes on.");

  public static final Option<String> CHECKPOINT_LOCATION =
      text("checkpoint-location", "PATH", "With --stream: where Spark keeps what it has taken.")
          .byDefaultAs("in the output, under _mamba");

  public static final Option<Integer> MAX_FILES_PER_BATCH =
      count(
              "max-files-per-batch",
              "N",
              "With --stream: files that are scored and written together.")
          .byDefaultAs("four for each core");

  public static final Option<Boolean> STRICT =
      flag(
          "strict",
          "Exit with %d if any row could not be scored or any file not be read."
              .formatted(STRICT_CODE));

  public static final Option<Boolean> VERBOSE =
      flag("verbose", "Show the stack trace of a failure.");

  public static final Option<Boolean> DRY_RUN =
      flag(
          "dry-run",
          "Check model, columns and options; print the plan, the tokens, the time at a measured"
              + " speed and the size of the output. Scores and writes nothing.");

  /** How a model is kept and sent. */
  private static final List<Option<?>> KEPT = List.of(WEIGHTS, MODEL_DELIVERY);

  /** Which rows are read. */
  private static final List<Option<?>> ROWS =
      List.of(INPUT, INPUT_FORMAT, INPUT_TABLE, PARTITIONS, LIMIT);

  /** What a document is read from, and what goes with it. */
  private static final List<Option<?>> DOCUMENT =
      List.of(
          TOKENS_COLUMN,
          TEXT_COLUMN,
          TOKENIZER,
          BYTE_COUNT_COLUMN,
          WORD_COUNT_COLUMN,
          KEEP_COLUMNS);

  /** What is written where. */
  private static final List<Option<?>> WRITTEN = List.of(OUTPUT, OUTPUT_FORMAT, OVERWRITE);

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
              PREFIX_TOKEN,
              MAX_TOKENS,
              WINDOW,
              WINDOW_TOKENS,
              STRIDE,
              MIN_PERPLEXITY,
              MAX_PERPLEXITY,
              GROUP_BY,
              BUCKET,
              BUCKET_THRESHOLDS,
              REPORT,
              TARGET_UNIT_TOKENS,
              ON_ERROR),
          WRITTEN,
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
          List.of(MODELS),
          KEPT,
          ROWS,
          DOCUMENT,
          List.of(
              PREFIX_TOKEN
                  .explained("Token put in front of every row: an id, bos, eos or none.")
                  .byDefaultAs("none"),
              MAX_TOKENS.explained("Drop a row's tokens beyond N, prefix not counted."),
              GROUP_BY),
          WRITTEN,
          List.of(
              STRICT.explained(
                  "Exit with %d if any row could not be scored.".formatted(STRICT_CODE)),
              VERBOSE));

  /** The column that {@code tokenize} reads. */
  public static final Option<String> TOKENIZED_COLUMN =
      TEXT_COLUMN.explained("The texts: a string, or binary in UTF-8.").byDefault("text");

  /** The options of {@code tokenize}. */
  public static final List<Option<?>> TOKENIZE =
      joined(
          List.of(
              TOKENIZER
                  .explained(
                      "The tokenizer.json of Hugging Face's tokenizers, or its folder, or 'demo'.")
                  .byDefaultAs(null)
                  .isRequired()),
          ROWS,
          List.of(
              TOKENIZED_COLUMN,
              KEEP_COLUMNS
                  .explained("Input columns to write with the tokens.")
                  .byDefaultAs("all but the text; '' for none")),
          WRITTEN,
          List.of(
              STRICT.explained(
                  "Exit with %d if any text could not be read.".formatted(STRICT_CODE)),
              VERBOSE));

  /** The options of {@code inspect}. */
  public static final List<Option<?>> INSPECT = List.of(MODEL, VERBOSE);

  /** The options of a scorer of Datasets, besides its model. */
  public static final List<Option<?>> SCORER =
      joined(
          KEPT,
          DOCUMENT,
          List.of(
              CONTEXT_COLUMN,
              CONTINUATION_COLUMN,
              EMIT,
              PREFIX_TOKEN,
              MAX_TOKENS,
              WINDOW,
              WINDOW_TOKENS,
              STRIDE,
              MIN_PERPLEXITY,
              MAX_PERPLEXITY,
              ON_ERROR));

  /** The options of the pipeline stage, which keeps all rows and columns. */
  public static final List<Option<?>> STAGE =
      joined(List.of(MODEL), SCORER).stream()
          .<Option<?>>map(option -> option)
          .filter(option -> option.brief() != null)
          .toList();

  /** Options that no summary records: they do not change what is written, or write no summary. */
  static final List<Option<?>> UNRECORDED =
      List.of(VERBOSE, DRY_RUN, STREAM, CHECKPOINT_LOCATION, MAX_FILES_PER_BATCH);

  /** Options on which the scores of a run depend. */
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
