package io.mambaspark.jobs.cli;

import io.mambaspark.jobs.Main;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.job.CompareJob;
import io.mambaspark.jobs.job.JobOptions;
import io.mambaspark.jobs.score.ScoreOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code compare}: options to a {@link CompareJob}, nothing else. */
@Command(
    name = "compare",
    description = "Scores the same documents with two models and tells how they differ.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true,
    descriptionHeading = "%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  compare --model models/step-100k --model models/step-200k --input corpus --text-column text"
          + " --group-by source --output compared",
      "",
      "Output: the kept columns, then of the first model (a) and of the second (b) nll_a, nll_b,"
          + " delta_nll (b - a: negative where b is better), token_count, token_count_b,"
          + " perplexity_a, perplexity_b, better_tokens (share of the tokens that are likelier by b),"
          + " kl (mean KL(a||b) per token, nats), top1_agreement, truncated, error.",
      "better_tokens is null where the models have tokenizers of their own; kl and top1_agreement"
          + " where their vocabularies differ in size, too.",
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:failed, or refused because of a file",
      "2:wrong usage",
      "3:done, with rows that could not be scored, under --strict"
    })
public final class CompareCommand implements Callable<Integer> {
  @Spec CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "FOLDER",
      description = "Given twice: the first model and the second, as for score.")
  List<String> model = new ArrayList<>();

  @Mixin ModelArguments models;

  @Mixin InputArguments input;

  @Mixin DocumentArguments documents;

  @Option(
      names = "--prefix-token",
      paramLabel = "ID",
      description = "Token put in front of every row: an id, bos, eos or none (default: none).")
  String prefixToken;

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      description = "Drop a row's tokens beyond N, prefix not counted.")
  Integer maxTokens;

  @Option(
      names = "--group-by",
      paramLabel = "COLUMN,...",
      description = "Sum up the rows for each value of these kept columns, too.")
  String groupBy;

  @Mixin OutputArguments output;

  @Option(
      names = "--strict",
      description = "Exit with " + ScoreCommand.STRICT + " if any row could not be scored.")
  boolean strict;

  @Option(names = Main.VERBOSE, description = "Show the stack trace of a failure.")
  boolean verbose;

  @Override
  public Integer call() {
    if (model.size() != 2) {
      throw Refusal.wrongUsage("Give --model twice; found %d", model.size());
    }
    ScoreOptions reading =
        ScoreOptions.defaults()
            .withColumns(documents.columns(input, null, null))
            .withKeepColumns(documents.kept())
            .withPrefixToken(prefixToken)
            .withMaxTokens(ScoreOptions.positive("--max-tokens", maxTokens));
    JobOptions options =
        new JobOptions(
            model.get(0),
            models.weightFormat(),
            models.deliveryMode(),
            input.input,
            input.inputFormat,
            input.inputTable,
            reading,
            documents.tokenizer,
            input.partitions(),
            input.limit(),
            output.output,
            output.outputFormat,
            output.overwrite,
            false,
            false,
            0,
            DocumentArguments.groups(groupBy),
            null,
            null,
            null,
            strict,
            false);
    long errors = new CompareJob(options, model.get(1), spec.commandLine().getOut()).run();
    return strict && errors > 0 ? ScoreCommand.STRICT : 0;
  }
}
