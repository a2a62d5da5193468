package io.mambaspark.jobs.cli;

import io.mambaspark.jobs.Main;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.job.JobOptions;
import io.mambaspark.jobs.job.ScoreJob;
import io.mambaspark.jobs.job.StreamJob;
import io.mambaspark.jobs.job.StreamOptions;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoreOptions;
import io.mambaspark.jobs.score.WindowOptions;
import io.mambaspark.jobs.stats.Buckets;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code score}: options to a {@link ScoreJob} or a {@link StreamJob}, nothing else. */
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
      "  Every night what has come during the day, each file once.",
      "    score --model models/mamba-130m-hf --input incoming --text-column text --stream"
          + " --output scores",
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
public final class ScoreCommand implements Callable<Integer> {
  public static final int STRICT = 3;

  @Spec CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "FOLDER",
      description = "Checkpoint: a folder, any Hadoop URI, or 'demo' for the model inside the jar.")
  String model;

  @Mixin ModelArguments models;

  @Mixin InputArguments input;

  @Mixin DocumentArguments documents;

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
              + " the summary and scores the rest; with --stream it stops the job either way"
              + " (default: ${DEFAULT-VALUE}).")
  String onError;

  @Mixin OutputArguments output;

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
      names = "--stream",
      arity = "0..1",
      fallbackValue = StreamOptions.AVAILABLE_NOW,
      paramLabel = "EVERY",
      description =
          "Score each file that comes into the input folder once: those that are there, and no more;"
              + " or look again after a time such as 30s or 5m, until it is stopped. Started again,"
              + " it goes on.")
  String stream;

  @Option(
      names = "--checkpoint-location",
      paramLabel = "PATH",
      description =
          "With --stream: where Spark keeps what it has taken (default: in the output, under"
              + " _mamba).")
  String checkpointLocation;

  @Option(
      names = "--max-files-per-batch",
      paramLabel = "N",
      description =
          "With --stream: files that are scored and written together (default: four for each"
              + " core).")
  Integer maxFilesPerBatch;

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
    PrintWriter out = spec.commandLine().getOut();
    JobOptions options = options();
    Optional<StreamOptions> streamed = streamOptions();
    long errors =
        streamed.isPresent()
            ? new StreamJob(options, streamed.get(), out).run()
            : new ScoreJob(options, out).run();
    return strict && errors > 0 ? STRICT : 0;
  }

  private Optional<StreamOptions> streamOptions() {
    if (stream == null && (checkpointLocation != null || maxFilesPerBatch != null)) {
      throw Refusal.wrongUsage(
          "%s needs --stream",
          checkpointLocation != null ? "--checkpoint-location" : "--max-files-per-batch");
    }
    int files = ScoreOptions.positive("--max-files-per-batch", maxFilesPerBatch);
    return Optional.ofNullable(stream)
        .map(when -> new StreamOptions(when, checkpointLocation, files));
  }

  private JobOptions options() {
    ScoreOptions scoring =
        new ScoreOptions(
            documents.columns(input, contextColumn, continuationColumn),
            documents.kept(),
            Emit.parse(emit),
            prefixToken,
            ScoreOptions.positive("--max-tokens", maxTokens),
            WindowOptions.parse(window, windowTokens, stride),
            minPerplexity,
            maxPerplexity,
            ScoreOptions.failsOnError(onError));
    return new JobOptions(
        model,
        models.weightFormat(),
        models.deliveryMode(),
        input.input,
        input.inputFormat,
        input.inputTable,
        scoring,
        documents.tokenizer,
        input.partitions(),
        input.limit(),
        output.output,
        output.outputFormat,
        output.overwrite,
        resume,
        allowNewInput,
        targetUnitTokens(),
        DocumentArguments.groups(groupBy),
        bucket == null ? null : Buckets.parse(bucket),
        bucketThresholds,
        report,
        strict,
        dryRun);
  }

  private long targetUnitTokens() {
    if (targetUnitTokens != null && targetUnitTokens < 1) {
      throw Refusal.wrongUsage("--target-unit-tokens %d: expected at least 1", targetUnitTokens);
    }
    return targetUnitTokens == null ? 0 : targetUnitTokens;
  }
}
