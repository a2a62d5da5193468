package io.mambaspark.jobs.job;

import io.mambaspark.engine.score.Windows;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.WindowOptions;
import java.util.List;
import java.util.Map;

/**
 * The parts of a request that a summary depends on.
 *
 * @param input the name of the input: a path, a table, or the demo
 * @param maxTokens the maximum number of tokens of a document; 0 for no limit
 * @param isPair whether a document is a context and its continuation
 * @param filters whether rows are excluded by their scores
 * @param groupBy columns whose values divide the corpus into groups; empty for no groups
 * @param bucketBy the column that divides the corpus into buckets; null without buckets
 * @param options the options, by their names on the command line
 */
record SummaryRequest(
    String input,
    Emit emit,
    WindowOptions windows,
    int maxTokens,
    boolean isPair,
    boolean filters,
    List<String> groupBy,
    String bucketBy,
    Map<String, Object> options) {

  static SummaryRequest of(ScoreRequest request, List<String> groupBy) {
    return new SummaryRequest(
        input(request.input()),
        request.scores().emit(),
        request.scores().windows(),
        request.scores().maxTokens(),
        request.scores().columns().isPair(),
        request.scores().filters(),
        groupBy,
        request.corpus().hasBuckets() ? request.corpus().bucketBy() : null,
        request.values().recorded(Options.SCORE));
  }

  private static String input(InputOptions input) {
    if (input.isDemo()) {
      return "the demo";
    }
    return input.paths().size() > 1
        ? "%,d inputs".formatted(input.paths().size())
        : input.described();
  }

  boolean isChunked() {
    return windows.policy() == Windows.Policy.CHUNKED;
  }

  /** Whether scored tokens can be counted in the output: not if it has only the last logits. */
  boolean countsTokens() {
    return emit.nll() || emit.topK() > 0 || emit.logits();
  }

  boolean countsScoredDocuments() {
    return emit.nll() || emit.topK() > 0;
  }

  boolean countsTruncated() {
    return !emit.logits() && !isPair;
  }
}
