package io.mambaspark.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.Cli;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Contradictory options are refused before a file is read or written. */
class ContradictionsTest {
  @TempDir static Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--text-column a --tokens-column b | Give one of --tokens-column, --text-column, or"
            + " --context-column with --continuation-column",
        "--text-column a --context-column b --continuation-column c | Give one of --tokens-column,"
            + " --text-column, or --context-column with --continuation-column",
        "--context-column a | --context-column and --continuation-column require each other;"
            + " --continuation-column is missing",
        "--continuation-column a | --context-column and --continuation-column require each other;"
            + " --context-column is missing",
        "--context-column a --continuation-column a | Column a is given for two options; give a"
            + " different column for each",
        "--text-column a --word-count-column a | Column a is given for two options; give a"
            + " different column for each",
        "--byte-count-column a --word-count-column a | Column a is given for two options; give a"
            + " different column for each",
        "--tokenizer t | --tokenizer requires text; give --text-column, or a context and"
            + " continuation of text",
        "--window sliding | --window sliding: expected one of full, rolling, strided, chunked",
        "--window-tokens 9 | --window-tokens needs --window rolling, strided or chunked",
        "--window rolling --stride 9 | --stride needs --window strided",
        "--stride 9 | --stride needs --window strided",
        "--window strided --stride 0 | --stride 0: expected 1 to 1024, the number of"
            + " tokens in a window",
        "--window strided --window-tokens 9 --stride 10 | --stride 10: expected 1 to 9, the number"
            + " of tokens in a window",
        "--window strided --window-tokens 1 | --window-tokens 1: expected at least 2 for --window"
            + " strided, so that something is scored",
        "--window chunked --window-tokens 2 | --window-tokens 2: expected at least 3 for --window"
            + " chunked, so that something is scored",
        "--window rolling --window-tokens 0 | --window-tokens 0: expected at least 1 for --window"
            + " rolling, so that something is scored",
        "--window rolling --prefix-token none | --window rolling needs a prefix token, because it"
            + " scores the first token too; remove --prefix-token none",
        "--window chunked --emit logits | --emit logits needs --window full: other windows run a"
            + " token several times or not at all",
        "--window rolling --emit last-logits | --emit last-logits needs --window full: other"
            + " windows run a token several times or not at all",
        "--context-column a --continuation-column b --window rolling | --context-column needs"
            + " --window full: a continuation is scored with its complete context",
        "--context-column a --continuation-column b --emit logits | --emit logits cannot be"
            + " combined with --context-column",
        "--context-column a --continuation-column b --max-tokens 5 | --max-tokens cannot be"
            + " combined with --context-column; --max-length truncates contexts",
        "--min-perplexity 5 --emit top-k=2 | --min-perplexity needs perplexities; --emit top-k=2"
            + " does not compute them",
        "--max-perplexity 5 --emit logits | --max-perplexity needs perplexities; --emit logits does"
            + " not compute them",
        "--min-perplexity 9 --max-perplexity 5 | --min-perplexity 9.0 is above --max-perplexity 5.0:"
            + " nothing would be written",
        "--min-perplexity 0.5 | --min-perplexity 0.5: expected a number of at least 1, the lowest"
            + " possible perplexity",
        "--max-perplexity NaN | --max-perplexity NaN: expected a number of at least 1, the lowest"
            + " possible perplexity",
        "--bucket a:50 --bucket-thresholds f | Cannot combine --bucket with --bucket-thresholds:"
            + " the thresholds define the buckets; remove --bucket",
        "--bucket a:50 --emit last-logits | --bucket needs perplexities; --emit last-logits has none",
        "--bucket-thresholds f --emit top-k=2 | --bucket-thresholds needs perplexities; --emit"
            + " top-k=2 has none",
        "--group-by a --emit logits | --group-by needs perplexities; --emit logits has none",
        "--report r --emit logits | --report needs perplexities; --emit logits has none",
        "--group-by , | --group-by is empty; expected columns to group by",
        "--group-by a,b,a | --group-by lists column a twice; list it once",
        // A flag may have a value, for example in argument files that are generated from templates.
        "--allow-new-input=true --resume=false | --allow-new-input needs --resume",
        "--stream --overwrite=false --resume=true | --resume cannot be combined with --stream: a"
            + " restarted stream continues without it",
        "--strict=true --stream --dry-run=true | --dry-run cannot be combined with --stream: a"
            + " stream's input has no end, and its output is never rewritten",
      })
  void contradictory_options_are_refused_in_one_line_with_exit_code_2(
      String options, String message) {
    List<Object> args = new ArrayList<>(List.of("score", "--model", folder, "--input", folder));
    args.addAll(List.of("--output", folder.resolve("scores")));
    args.addAll(Arrays.asList(options.split(" ")));
    Cli run = Cli.runWithoutSession(args.toArray());
    assertThat(run.err().lines())
        .containsExactly("error: " + message, "Try 'mamba-spark score --help'.");
    assertThat(run.code()).isEqualTo(2);
    assertThat(folder).isEmptyDirectory();
  }
}
