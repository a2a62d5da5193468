package io.mambaspark.jobs;

import io.mambaspark.engine.kernel.WeightFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code score}: options to a {@link ScoreJob}, nothing else. */
@Command(
    name = "score",
    description = "Scores texts, or rows of token ids, with a Mamba model.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true,
    descriptionHeading = "%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  See it work: the model and the texts are inside the jar.",
      "    score --model demo --input demo",
      "",
      "  Perplexity of every document of a Parquet folder with a column text.",
      "    score --model models/mamba-130m-hf --input corpus/*.parquet --text-column text --output"
          + " scores",
      "",
      "  The same of token ids in a column tokens.",
      "    score --model models/mamba-130m-hf --input corpus/*.parquet --output scores",
      "",
      "  As lm-evaluation-harness has it, for each source, with a page to look at.",
      "    score --model models/mamba-130m-hf --input corpus --text-column text --window rolling"
          + " --group-by source --report report.html --output scores",
      "",
      "  The first token is scored too, given the model's bos token; documents are cut.",
      "    score --model models/mamba-130m-hf --input corpus --prefix-token bos --max-tokens 2048"
          + " --output scores",
      "",
      "  Log-probability and five best guesses for every token.",
      "    score --model demo --input corpus --emit token-logprobs,top-k=5 --output scores",
      "",
      "  Cut off after hours? The same command again scores what is missing.",
      "    score --model models/mamba-130m-hf --input corpus --output scores --resume",
      "",
      "  What would it cost? Checks everything, scores nothing.",
      "    score --model models/mamba-130m-hf --input corpus --output scores --dry-run",
      "",
      "  Options from a file, one or more a line; # begins a comment.",
      "    score @conf/perplexity.args --input corpus --output scores",
      "",
      "Output: the kept columns, then nll (nats), token_count, perplexity, truncated, what else"
          + " --emit asks for, and error, which is null for every row that could be scored.",
      "Without --prefix-token the first token of a row is context only and is not scored.",
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:failed, or refused because of a file",
      "2:wrong usage",
      "3:done, with rows that could not be scored or files not read, under --strict"
    })
final class ScoreCommand implements Callable<Integer> {
  static final int STRICT = 3;

  @Spec CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "FOLDER",
      description = "Checkpoint: a folder, any Hadoop URI, or 'demo' for the model inside the jar.")
  String model;

  @Option(
      names = "--weights",
      defaultValue = "f32",
      paramLabel = "FORMAT",
      description =
          "How weights are kept in memory: f32, or bf16 in half of it, which is exact for checkpoints"
              + " in BF16 and rounds others (default: ${DEFAULT-VALUE}).")
  String weights;

  @Option(
      names = "--model-delivery",
      defaultValue = "auto",
      paramLabel = "HOW",
      description =
          "How the model gets to the executors: 'broadcast' sends the stored weights, 'file' lets"
              + " each executor read the files, 'auto' decides by size and memory (default:"
              + " ${DEFAULT-VALUE}).")
  String modelDelivery;

  @Option(
      names = "--input",
      arity = "1..*",
      paramLabel = "PATH",
      description = "Paths or globs to read, or 'demo' for the texts inside the jar.")
  List<String> input = new ArrayList<>();

  @Option(
      names = "--input-format",
      defaultValue = "parquet",
      paramLabel = "FORMAT",
      description = "parquet, json, orc or any other Spark source (default: ${DEFAULT-VALUE}).")
  String inputFormat;

  @Option(
      names = "--input-table",
      paramLabel = "TABLE",
      description =
          "A table of the session's catalog, instead of --input: Hive's where Spark has Hive, or what"
              + " spark.sql.catalog.* settings name.")
  String inputTable;

  @Option(
      names = "--tokens-column",
      paramLabel = "COLUMN",
      description =
          "Documents as token ids: an array of int, bigint or smallint (default: tokens; for the demo"
              + " its texts).")
  String tokensColumn;

  @Option(
      names = "--text-column",
      paramLabel = "COLUMN",
      description = "Documents as text: a string, or binary in UTF-8.")
  String textColumn;

  @Option(
      names = "--context-column",
      paramLabel = "COLUMN",
      description =
          "Score continuations: the tokens or the text that is given. Rows with the same context,"
              + " one after the other, share its work.")
  String contextColumn;

  @Option(
      names = "--continuation-column",
      paramLabel = "COLUMN",
      description = "With --context-column: the tokens or the text that is scored.")
  String continuationColumn;

  @Option(
      names = "--tokenizer",
      paramLabel = "FILE",
      description =
          "The tokenizer.json of Hugging Face's tokenizers, or its folder, for texts (default: the"
              + " one beside the model).")
  String tokenizer;

  @Option(
      names = "--byte-count-column",
      paramLabel = "COLUMN",
      description = "Length of the document in bytes (default: that of its text, if there is one).")
  String byteCountColumn;

  @Option(
      names = "--word-count-column",
      paramLabel = "COLUMN",
      description = "Length of the document in words (default: that of its text, if there is one).")
  String wordCountColumn;

  @Option(
      names = "--keep-columns",
      paramLabel = "COLUMN,...",
      description =
          "Input columns to write with the scores (default: all but tokens and counts; '' for"
              + " none).")
  String keepColumns;

  @Option(
      names = "--emit",
      defaultValue = "perplexity",
      paramLabel = "VALUE,...",
      description =
          "What to write: perplexity, token-logprobs, token-ranks, top-k=K, position-nll,"
              + " last-logits; or logits"
              + " alone, which writes one row per position (default: ${DEFAULT-VALUE}).")
  String emit;

  @Option(
      names = "--prefix-token",
      paramLabel = "ID",
      description =
          "Token put in front of every row: an id, bos, eos or none (default: none; bos or else eos"
              + " with --window rolling). With --window chunked it takes the place of each window's"
              + " first token.")
  String prefixToken;

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      description =
          "Drop a row's tokens beyond N, prefix not counted, and say so in the column truncated."
              + " Dropped tokens are not looked at.")
  Integer maxTokens;

  @Option(
      names = "--window",
      defaultValue = "full",
      paramLabel = "POLICY",
      description =
          "How documents are cut: 'full' not at all, each token has its whole context; 'rolling' as"
              + " lm-evaluation-harness, 'strided' as Hugging Face's guide, 'chunked' as llama.cpp"
              + " (default: ${DEFAULT-VALUE}).")
  String window;

  @Option(
      names = "--window-tokens",
      paramLabel = "N",
      description = "Length of a window (default: 2048 rolling, 1024 strided, 512 chunked).")
  Integer windowTokens;

  @Option(
      names = "--stride",
      paramLabel = "N",
      description = "Tokens from one strided window to the next (default: half a window).")
  Integer stride;

  @Option(
      names = "--min-perplexity",
      paramLabel = "P",
      description = "Leave out documents of a lower perplexity; they are counted.")
  Double minPerplexity;

  @Option(
      names = "--max-perplexity",
      paramLabel = "P",
      description = "Leave out documents of a higher perplexity; they are counted.")
  Double maxPerplexity;

  @Option(
      names = "--group-by",
      paramLabel = "COLUMN,...",
      description = "Sum up the rows for each value of these kept columns, too.")
  String groupBy;

  @Option(
      names = "--bucket",
      paramLabel = "NAME:PERCENT,...",
      description =
          "Add a column bucket: the part of the corpus that a document is in by perplexity, as"
              + " head:30,middle:60, the rest is tail. Takes a second pass over the scores.")
  String bucket;

  @Option(
      names = "--bucket-thresholds",
      paramLabel = "FILE",
      description = "Take the buckets and their thresholds from the summary of an earlier run.")
  String bucketThresholds;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description =
          "Write a page of HTML that shows the run: distributions, best and worst documents.")
  String report;

  @Option(
      names = "--partitions",
      paramLabel = "N",
      description = "Deal the rows out to N tasks (default: as the input is cut).")
  Integer partitions;

  @Option(names = "--limit", paramLabel = "N", description = "Score N rows only.")
  Integer limit;

  @Option(
      names = "--target-unit-tokens",
      paramLabel = "N",
      description =
          "Cut Parquet files between row groups into units of about N tokens; each is one task and"
              + " one output file (default: five minutes' work, and four units for each core).")
  Long targetUnitTokens;

  @Option(
      names = "--on-error",
      defaultValue = "quarantine",
      paramLabel = "WHAT",
      description =
          "A row that cannot be scored: 'quarantine' writes it with its error and null scores,"
              + " 'fail' stops the job. A Parquet file that cannot be read: 'quarantine' names it in"
              + " the summary and scores the rest (default: ${DEFAULT-VALUE}).")
  String onError;

  @Option(
      names = "--output",
      paramLabel = "PATH",
      description = "Folder to write; must not exist. Optional for the demo.")
  String output;

  @Option(
      names = "--output-format",
      defaultValue = "parquet",
      paramLabel = "FORMAT",
      description = "parquet, json or orc (default: ${DEFAULT-VALUE}).")
  String outputFormat;

  @Option(
      names = "--overwrite",
      description = "Replace an existing output, once the new one is whole.")
  boolean overwrite;

  @Option(
      names = "--resume",
      description =
          "Go on where an earlier start of the same job was cut off; begin if there was none."
              + " Parquet to Parquet only.")
  boolean resume;

  @Option(
      names = "--allow-new-input",
      description = "With --resume: take in files that have come since.")
  boolean allowNewInput;

  @Option(
      names = "--strict",
      description =
          "Exit with " + STRICT + " if any row could not be scored or any file not be read.")
  boolean strict;

  @Option(names = Main.VERBOSE, description = "Show the stack trace of a failure.")
  boolean verbose;

  @Option(
      names = "--dry-run",
      description =
          "Check model, columns and options; print the plan, the tokens, the time at a measured"
              + " speed and the size of the output. Scores and writes nothing.")
  boolean dryRun;

  @Override
  public Integer call() {
    long errors = new ScoreJob(options(), spec.commandLine().getOut()).run();
    return strict && errors > 0 ? STRICT : 0;
  }

  private JobOptions options() {
    boolean fail =
        switch (onError) {
          case "fail" -> true;
          case "quarantine" -> false;
          default ->
              throw Refusal.wrongUsage("--on-error %s: expected quarantine or fail", onError);
        };
    ScoreOptions scoring =
        new ScoreOptions(
            documentColumns(),
            keepColumns == null ? null : columns(keepColumns),
            Emit.parse(emit),
            prefixToken,
            orZero("--max-tokens", maxTokens),
            WindowOptions.parse(window, windowTokens, stride),
            minPerplexity,
            maxPerplexity,
            fail);
    return new JobOptions(
        model,
        weightFormat(),
        deliveryMode(),
        input,
        inputFormat,
        inputTable,
        scoring,
        tokenizer,
        orZero("--partitions", partitions),
        orZero("--limit", limit),
        output,
        outputFormat,
        overwrite,
        resume,
        allowNewInput,
        targetUnitTokens(),
        groupBy == null ? List.of() : columns(groupBy),
        bucket == null ? null : Buckets.parse(bucket),
        bucketThresholds,
        report,
        strict,
        dryRun);
  }

  private DocumentColumns documentColumns() {
    boolean none = tokensColumn == null && textColumn == null && contextColumn == null;
    boolean demo = none && input.contains(Demo.NAME);
    return new DocumentColumns(
        none && !demo ? DocumentColumns.TOKENS : tokensColumn,
        demo ? Demo.COLUMNS.text() : textColumn,
        contextColumn,
        continuationColumn,
        byteCountColumn,
        wordCountColumn);
  }

  private ModelDelivery.Mode deliveryMode() {
    for (ModelDelivery.Mode mode : ModelDelivery.Mode.values()) {
      if (mode.option().equals(modelDelivery)) {
        return mode;
      }
    }
    throw Refusal.wrongUsage(
        "--model-delivery %s: expected auto, broadcast or file", modelDelivery);
  }

  private long targetUnitTokens() {
    if (targetUnitTokens != null && targetUnitTokens < 1) {
      throw Refusal.wrongUsage("--target-unit-tokens %d: expected at least 1", targetUnitTokens);
    }
    return targetUnitTokens == null ? 0 : targetUnitTokens;
  }

  private WeightFormat weightFormat() {
    return switch (weights) {
      case "f32" -> WeightFormat.F32;
      case "bf16" -> WeightFormat.BF16;
      default -> throw Refusal.wrongUsage("--weights %s: expected f32 or bf16", weights);
    };
  }

  private static List<String> columns(String list) {
    return Arrays.stream(list.split(",")).map(String::strip).filter(c -> !c.isEmpty()).toList();
  }

  private static int orZero(String option, Integer number) {
    if (number != null && number < 1) {
      throw Refusal.wrongUsage("%s %d: expected at least 1", option, number);
    }
    return number == null ? 0 : number;
  }
}
