package io.mambaspark.jobs.score;

import io.mambaspark.engine.score.Outputs;
import io.mambaspark.jobs.Refusal;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The results that are written for each row.
 *
 * @param perplexity nll, token count and perplexity
 * @param tokenLogprobs the log-probability of each scored token, and whether it was the arg max;
 *     includes nll, token count and perplexity
 * @param tokenRanks the rank of each scored token among all ids; includes nll, token count and
 *     perplexity
 * @param topK the number of most likely ids to write at each scored position; 0 for none
 * @param positionNll the nll by position in the document; includes nll, token count and perplexity
 * @param signals signals of uncertainty and contamination; include nll, token count and perplexity
 * @param lastLogits the logits after the last token
 * @param logits one row per position with its logits; excludes the others
 * @param segments the segments whose scores are written; includes nll, token count and perplexity;
 *     null for none
 */
public record Emit(
    boolean perplexity,
    boolean tokenLogprobs,
    boolean tokenRanks,
    int topK,
    boolean positionNll,
    Signals signals,
    boolean lastLogits,
    boolean logits,
    SegmentBy segments)
    implements Serializable {

  /** nll, token count and perplexity. */
  public static final Emit PERPLEXITY =
      new Emit(true, false, false, 0, false, Signals.NONE, false, false, null);

  /** Validates that a result is requested, and that logits are not combined with others. */
  public Emit {
    boolean others =
        perplexity
            || tokenLogprobs
            || tokenRanks
            || topK > 0
            || positionNll
            || signals.any()
            || lastLogits;
    if (logits && others) {
      throw Refusal.wrongUsage(
          "--emit logits cannot be combined with other values: it writes one row per position");
    }
    if (logits && segments != null) {
      throw Refusal.wrongUsage("--emit logits cannot be combined with --segment-by");
    }
    if (!logits && !others) {
      throw Refusal.wrongUsage("--emit is empty; expected %s", EXPECTED);
    }
  }

  private static final String EXPECTED =
      "a list of perplexity, token-logprobs, token-ranks, top-k=K, position-nll,"
          + " token-entropy, entropy, min-k=P, min-k-plus-plus=P, curvature, longest-greedy-run,"
          + " last-logits, or logits alone";

  /** Parses a comma-separated list such as {@code perplexity,top-k=5}; throws {@link Refusal}. */
  public static Emit parse(String list) {
    boolean perplexity = false;
    boolean tokenLogprobs = false;
    boolean tokenRanks = false;
    int topK = 0;
    boolean positionNll = false;
    boolean tokenEntropy = false;
    boolean entropy = false;
    int minK = 0;
    int minKPlusPlus = 0;
    boolean curvature = false;
    boolean longestGreedyRun = false;
    boolean lastLogits = false;
    boolean logits = false;
    Set<String> seen = new HashSet<>();
    for (String value : list.split(",", -1)) {
      String word = value.strip();
      String name = word.replaceFirst("=.*", "");
      if (!seen.add(name)) {
        throw Refusal.wrongUsage("--emit names %s twice", name);
      }
      switch (word) {
        case "perplexity" -> perplexity = true;
        case "token-logprobs" -> tokenLogprobs = true;
        case "token-ranks" -> tokenRanks = true;
        case "position-nll" -> positionNll = true;
        case "token-entropy" -> tokenEntropy = true;
        case "entropy" -> entropy = true;
        case "curvature" -> curvature = true;
        case "longest-greedy-run" -> longestGreedyRun = true;
        case "last-logits" -> lastLogits = true;
        case "logits" -> logits = true;
        default -> {
          switch (name) {
            case "top-k" -> topK = parseK(word);
            case "min-k" -> minK = parsePercent(name, word);
            case "min-k-plus-plus" -> minKPlusPlus = parsePercent(name, word);
            default ->
                throw Refusal.wrongUsage("--emit: unknown value '%s'; expected %s", word, EXPECTED);
          }
        }
      }
    }
    return new Emit(
        perplexity,
        tokenLogprobs,
        tokenRanks,
        topK,
        positionNll,
        new Signals(tokenEntropy, entropy, minK, minKPlusPlus, curvature, longestGreedyRun),
        lastLogits,
        logits,
        null);
  }

  private static int parseK(String word) {
    try {
      int k = Integer.parseInt(word.substring(word.indexOf('=') + 1));
      if (k >= 1) {
        return k;
      }
    } catch (NumberFormatException e) {
      // Refused below, like any other invalid K.
    }
    throw Refusal.wrongUsage("--emit %s: expected top-k=K with an integer K of at least 1", word);
  }

  private static int parsePercent(String name, String word) {
    String percent = word.substring(word.indexOf('=') + 1);
    if (percent.matches("[1-9]\\d?|100")) {
      return Integer.parseInt(percent);
    }
    throw Refusal.wrongUsage(
        "--emit %s: expected %s=P with an integer percentage P from 1 to 100", word, name);
  }

  /**
   * Returns the signal with one number per row whose column has this name.
   *
   * @param given the option and its value, for the message
   * @throws Refusal if the column is not such a signal, or is not written
   */
  public ScoreColumn signal(String column, String given) {
    List<ScoreColumn> written = signals.columns();
    return written.stream()
        .filter(signal -> signal.column().equals(column))
        .findFirst()
        .orElseThrow(
            () ->
                Refusal.wrongUsage(
                    "%s: %s is not a signal that --emit %s writes; it writes %s",
                    given,
                    column.isEmpty() ? "''" : column,
                    this,
                    written.isEmpty()
                        ? "none"
                        : written.stream()
                            .map(ScoreColumn::column)
                            .collect(Collectors.joining(", "))));
  }

  /** Whether the columns nll, token_count and perplexity are written. */
  public boolean nll() {
    return perplexity
        || tokenLogprobs
        || tokenRanks
        || positionNll
        || signals.any()
        || segments != null;
  }

  /**
   * Parses a list of perplexity and signals, the values that a function of SQL can return.
   *
   * @throws Refusal if the list has other values
   */
  public static Emit parseSignals(String list) {
    Emit emit = parse(list);
    boolean others = emit.tokenLogprobs || emit.tokenRanks || emit.topK > 0 || emit.positionNll;
    if (others || emit.lastLogits || emit.logits) {
      throw Refusal.wrongUsage(
          "A function cannot return %s; expected perplexity and signals such as entropy,min-k=20",
          emit);
    }
    return new Emit(true, false, false, 0, false, emit.signals, false, false, null);
  }

  /** Returns these results and the nll by position. */
  public Emit withPositionNll() {
    return new Emit(
        perplexity, tokenLogprobs, tokenRanks, topK, true, signals, lastLogits, logits, segments);
  }

  /** Returns these results and the scores of segments; null for none. */
  Emit withSegments(SegmentBy by) {
    return new Emit(
        perplexity, tokenLogprobs, tokenRanks, topK, positionNll, signals, lastLogits, logits, by);
  }

  /** Returns the results that the engine has to compute; not for logits. */
  public Outputs outputs() {
    return new Outputs(
        nll(),
        tokenLogprobs || signals.needsTokens() || segments != null,
        tokenRanks,
        topK,
        lastLogits,
        signals.needsMoments(),
        signals.needsTokenMoments());
  }

  /** Returns the list that {@link #parse} reads, without the segments. */
  @Override
  public String toString() {
    List<String> words = new ArrayList<>();
    if (perplexity) {
      words.add("perplexity");
    }
    if (tokenLogprobs) {
      words.add("token-logprobs");
    }
    if (tokenRanks) {
      words.add("token-ranks");
    }
    if (topK > 0) {
      words.add("top-k=" + topK);
    }
    if (positionNll) {
      words.add("position-nll");
    }
    words.addAll(signals.words());
    if (lastLogits) {
      words.add("last-logits");
    }
    if (logits) {
      words.add("logits");
    }
    return String.join(",", words);
  }
}
