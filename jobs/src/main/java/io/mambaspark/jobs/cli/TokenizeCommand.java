package io.mambaspark.jobs.cli;

import io.mambaspark.jobs.job.TokenizeJob;
import io.mambaspark.jobs.job.TokenizeRequest;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.io.PrintWriter;
import picocli.CommandLine.Command;

/** {@code tokenize}: runs a {@link TokenizeJob} with the given options. */
@Command(
    name = "tokenize",
    description =
        "Tokenizes texts and writes the tokens, so that several runs of score can read them.",
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
public final class TokenizeCommand extends TableCommand {
  TokenizeCommand() {
    super(Options.TOKENIZE);
  }

  @Override
  int run(OptionValues values, PrintWriter out) {
    long errors = new TokenizeJob(TokenizeRequest.of(values), out).run();
    return values.get(Options.STRICT) && errors > 0 ? Options.STRICT_CODE : 0;
  }
}
