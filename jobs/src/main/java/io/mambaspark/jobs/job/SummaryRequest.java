package io.mambaspark.jobs.job;

import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.WindowOptions;
import java.util.List;
import java.util.Map;

/**
 * What a summary needs to know of the request.
 *
 * @param input what was scored, in words: a path, a table, the demo
 * @param maxTokens of a document; 0 for all
 * @param isPair whether a document is a context and its continuation
 * @param filters whether rows are left out by their perplexity
 * @param groupBy columns whose values part the corpus into groups; empty for none
 * @param hasBuckets whether the output has a column that names the bucket of a row
 * @param options by their names on the command line
 */
record SummaryRequest(
    String input,
    Emit emit,
    WindowOptions windows,
    int maxTokens,
    boolean isPair,
    boolean filters,
    List<String> groupBy,
    boolean hasBuckets,
    Map<String, Object> options) {

  static SummaryRequest of(ScoreRequest request) {
    return new SummaryRequest(
        input(request.input()),
        request.scores().emit(),
        request.scores().windows(),
        request.scores().maxTokens(),
        request.scores().columns().isPair(),
        request.scores().filters(),
        request.corpus().groupBy(),
        request.corpus().hasBuckets(),
        request.values().recorded(Options.SCORE));
  }

  private static String input(InputOptions input) {
    if (input.isDemo()) {
      return "the demo";
    }
    if (input.table() != null) {
      return input.table();
    }
    return input.paths().size() == 1
        ? Refusal.redacted(input.paths().get(0))
        : "%,d inputs".formatted(input.paths().size());
  }

  boolean isChunked() {
    return windows.policy() == Windows.Policy.CHUNKED;
  }

  /** Whether the rows tell how many tokens were scored: the last logits alone do not. */
  boolean knowsTokens() {
    return emit.nll() || emit.topK() > 0 || emit.logits();
  }

  boolean knowsScoredDocuments() {
    return emit.nll() || emit.topK() > 0;
  }

  boolean knowsTruncated() {
    return !emit.logits() && !isPair;
  }
}
