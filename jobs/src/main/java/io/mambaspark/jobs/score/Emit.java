package io.mambaspark.jobs.score;

import io.mambaspark.engine.score.Outputs;
import io.mambaspark.jobs.Refusal;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

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
 * @param lastLogits the logits after the last token
 * @param logits one row per position with its logits; excludes the others
 */
public record Emit(
    boolean perplexity,
    boolean tokenLogprobs,
    boolean tokenRanks,
    int topK,
    boolean positionNll,
    boolean lastLogits,
    boolean logits)
    implements Serializable {

  /** nll, token count and perplexity. */
  public static final Emit PERPLEXITY = new Emit(true, false, false, 0, false, false, false);

  /** Validates that a result is requested, and that logits are not combined with others. */
  public Emit {
    boolean others =
        perplexity || tokenLogprobs || tokenRanks || topK > 0 || positionNll || lastLogits;
    if (logits && others) {
      throw Refusal.wrongUsage(
          "--emit logits cannot be combined with other values: it writes one row per position");
    }
    if (!logits && !others) {
      throw Refusal.wrongUsage("--emit is empty; expected %s", EXPECTED);
    }
  }

  private static final String EXPECTED =
      "a list of perplexity, token-logprobs, token-ranks, top-k=K, position-nll, last-logits,"
          + " or logits alone";

  /** Parses a comma-separated list such as {@code perplexity,top-k=5}; throws {@link Refusal}. */
  public static Emit parse(String list) {
    boolean perplexity = false;
    boolean tokenLogprobs = false;
    boolean tokenRanks = false;
    int topK = 0;
    boolean positionNll = false;
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
        case "last-logits" -> lastLogits = true;
        case "logits" -> logits = true;
        default -> {
          if (!name.equals("top-k")) {
            throw Refusal.wrongUsage("--emit: unknown value '%s'; expected %s", word, EXPECTED);
          }
          topK = parseK(word);
        }
      }
    }
    return new Emit(perplexity, tokenLogprobs, tokenRanks, topK, positionNll, lastLogits, logits);
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

  /** Whether the columns nll, token_count and perplexity are written. */
  public boolean nll() {
    return perplexity || tokenLogprobs || tokenRanks || positionNll;
  }

  /** Returns these results and the nll by position. */
  public Emit withPositionNll() {
    return new Emit(perplexity, tokenLogprobs, tokenRanks, topK, true, lastLogits, logits);
  }

  /** Returns the results that the engine has to compute; not for logits. */
  public Outputs outputs() {
    return new Outputs(nll(), tokenLogprobs, tokenRanks, topK, lastLogits);
  }

  /** Returns the list that {@link #parse} reads. */
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
    if (lastLogits) {
      words.add("last-logits");
    }
    if (logits) {
      words.add("logits");
    }
    return String.join(",", words);
  }
}
