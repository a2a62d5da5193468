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

/** {@code score}: runs a {@link ScoreJob} or a {@link StreamJob} with the given options. */
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
      "  A first run: the model and the texts are inside the jar.",
      "    score --model demo --input demo",
      "",
      "  The perplexity of every document in Parquet files with a column text.",
      "    score --model models/mamba-130m-hf --input corpus/*.parquet --text-column text --output"
          + " scores",
      "",
      "  The same for token ids in a column tokens.",
      "    score --model models/mamba-130m-hf --input corpus/*.parquet --output scores",
      "",
      "  Windows as in lm-evaluation-harness, totals for each source, and an HTML report.",
      "    score --model models/mamba-130m-hf --input corpus --text-column text --window rolling"
          + " --group-by source --report report.html --output scores",
      "",
      "  Also score the first token, after the model's bos token; truncate documents.",
      "    score --model models/mamba-130m-hf --input corpus --prefix-token bos --max-tokens 2048"
          + " --output scores",
      "",
      "  The log-probability of every token, and the five most likely tokens at its position.",
      "    score --model demo --input corpus --emit token-logprobs,top-k=5 --output scores",
      "",
      "  Resume an interrupted run: the same command scores the missing rows.",
      "    score --model models/mamba-130m-hf --input corpus --output scores --resume",
      "",
      "  Score each new file once, for example in a nightly run.",
      "    score --model models/mamba-130m-hf --input incoming --text-column text --stream"
          + " --output scores",
      "",
      "  Estimate the time and the output's size. Checks everything, scores nothing.",
      "    score --model models/mamba-130m-hf --input corpus --output scores --dry-run",
      "",
      "  Read options from a file, one or more per line; # begins a comment.",
      "    score @conf/perplexity.args --input corpus --output scores",
      "",
      "Output: the kept columns, then nll (nats), token_count, perplexity, truncated, the other"
          + " values of --emit, and error, which is null for every row that could be scored.",
      "Without --prefix-token the first token of a row is only context and is not scored.",
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
