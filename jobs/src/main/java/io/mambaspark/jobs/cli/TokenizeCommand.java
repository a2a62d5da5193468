package io.mambaspark.jobs.cli;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.jobs.Main;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.job.JobOptions;
import io.mambaspark.jobs.job.TokenizeJob;
import io.mambaspark.jobs.model.ModelDelivery;
import io.mambaspark.jobs.score.ScoreOptions;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tokenize}: options to a {@link TokenizeJob}, nothing else. */
@Command(
    name = "tokenize",
    description = "Writes the tokens of texts, for score to read, so that they are made once.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true,
    descriptionHeading = "%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  tokenize --tokenizer models/mamba-130m-hf --input corpus --text-column text --output tokens",
      "  score --model models/mamba-130m-hf --input tokens --byte-count-column byte_count"
          + " --word-count-column word_count --output scores",
      "",
      "Output: the kept columns, then tokens, byte_count, word_count, and token_error, which is null"
          + " for every text that could be read.",
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:failed, or refused because of a file",
      "2:wrong usage",
      "3:done, with texts that could not be read, under --strict"
    })
public final class TokenizeCommand implements Callable<Integer> {
  @Spec CommandSpec spec;

  @Option(
      names = "--tokenizer",
      required = true,
      paramLabel = "FILE",
      description = "The tokenizer.json of Hugging Face's tokenizers, or its folder, or 'demo'.")
  String tokenizer;

  @Mixin InputArguments input;

  @Option(
      names = "--text-column",
      defaultValue = "text",
      paramLabel = "COLUMN",
      description = "The texts: a string, or binary in UTF-8 (default: ${DEFAULT-VALUE}).")
  String textColumn;

  @Option(
      names = "--keep-columns",
      paramLabel = "COLUMN,...",
      description =
          "Input columns to write with the tokens (default: all but the text; '' for none).")
  String keepColumns;

  @Mixin OutputArguments output;

  @Option(
      names = "--strict",
      description = "Exit with " + ScoreCommand.STRICT + " if any text could not be read.")
  boolean strict;

  @Option(names = Main.VERBOSE, description = "Show the stack trace of a failure.")
  boolean verbose;

  @Override
  public Integer call() {
    ScoreOptions reading =
        ScoreOptions.defaults()
            .withColumns(DocumentColumns.text(textColumn))
            .withKeepColumns(keepColumns == null ? null : DocumentArguments.list(keepColumns));
    JobOptions options =
        new JobOptions(
            null,
            WeightFormat.F32,
            ModelDelivery.Mode.AUTO,
            input.input,
            input.inputFormat,
            input.inputTable,
            reading,
            tokenizer,
            input.partitions(),
            input.limit(),
            output.output,
            output.outputFormat,
            output.overwrite,
            false,
            false,
            0,
            List.of(),
            null,
            null,
            null,
            strict,
            false);
    long errors = new TokenizeJob(options, spec.commandLine().getOut()).run();
    return strict && errors > 0 ? ScoreCommand.STRICT : 0;
  }
}
