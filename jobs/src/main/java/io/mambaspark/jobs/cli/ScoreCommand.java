package io.mambaspark.jobs.cli;

import io.mambaspark.jobs.job.ScoreJob;
import io.mambaspark.jobs.job.ScoreRequest;
import io.mambaspark.jobs.job.StreamJob;
import io.mambaspark.jobs.job.StreamOptions;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.io.PrintWriter;
import java.util.Optional;
import picocli.CommandLine.Command;

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
public final class ScoreCommand extends TableCommand {
  ScoreCommand() {
    super(Options.SCORE);
  }

  @Override
  int run(OptionValues values, PrintWriter out) {
    ScoreRequest request = ScoreRequest.of(values);
    Optional<StreamOptions> stream = StreamOptions.of(values, request.input());
    long errors =
        stream.isPresent()
            ? new StreamJob(request, stream.get(), out).run()
            : new ScoreJob(request, out).run();
    return values.get(Options.STRICT) && errors > 0 ? Options.STRICT_CODE : 0;
  }
}
