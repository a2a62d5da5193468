package io.mambaspark.jobs.cli;

import io.mambaspark.jobs.job.CompareJob;
import io.mambaspark.jobs.job.CompareRequest;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.io.PrintWriter;
import picocli.CommandLine.Command;

/** {@code compare}: runs a {@link CompareJob} with the given options. */
@Command(
    name = "compare",
    description = "Scores the same documents with two models and reports how they differ.",
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
      "Output: the kept columns, then nll_a, nll_b, delta_nll (nll_b - nll_a: negative if b is"
          + " better), token_count, token_count_b, perplexity_a, perplexity_b, better_tokens (share of"
          + " the tokens that are more likely under b), kl (mean KL(a||b) per token, nats),"
          + " top1_agreement, truncated, error. a is the first model, b the second.",
      "With --emit cross-entropy also cross_entropy (mean -sum p_a ln p_b per token, nats) and"
          + " binoculars (nll_b / token_count / cross_entropy), null as kl.",
      "better_tokens is null if the models have different tokenizers; kl and top1_agreement are"
          + " also null if their vocabularies differ in size.",
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:failed, or refused because of a file",
      "2:wrong usage",
      "3:done, with rows that could not be scored, under --strict"
    })
public final class CompareCommand extends TableCommand {
  CompareCommand() {
    super(Options.COMPARE);
  }

  @Override
  int run(OptionValues values, PrintWriter out) {
    long errors = new CompareJob(CompareRequest.of(values), out).run();
    return values.get(Options.STRICT) && errors > 0 ? Options.STRICT_CODE : 0;
  }
}
