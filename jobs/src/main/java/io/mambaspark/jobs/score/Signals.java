package io.mambaspark.jobs.score;

import io.mambaspark.engine.score.NonFinite;
import io.mambaspark.engine.score.Scores;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * The signals of uncertainty and of contamination that are written for each row; {@link Scores}
 * defines them.
 *
 * @param tokenEntropy the entropy at each scored token
 * @param entropy the mean entropy
 * @param minK Min-K% Prob: the percentage of tokens; 0 for none
 * @param minKPlusPlus Min-K%++: the percentage of tokens; 0 for none
 * @param curvature Fast-DetectGPT's curvature
 * @param longestGreedyRun the longest run of tokens that are the arg max
 */
public record Signals(
    boolean tokenEntropy,
    boolean entropy,
    int minK,
    int minKPlusPlus,
    boolean curvature,
    boolean longestGreedyRun)
    implements Serializable {
  public static final Signals NONE = new Signals(false, false, 0, 0, false, false);

  /** Whether there is any signal. */
  boolean any() {
    return !equals(NONE);
  }

  /** Whether a signal requires the log-probabilities of all tokens of a row. */
  boolean needsTokens() {
    return minK > 0 || minKPlusPlus > 0;
  }

  /** Whether a signal requires sums of the moments of ln p. */
  boolean needsMoments() {
    return entropy || curvature;
  }

  /** Whether a signal requires the moments of ln p at all tokens of a row. */
  boolean needsTokenMoments() {
    return tokenEntropy || minKPlusPlus > 0;
  }

  /** Returns the columns with one number per row, in their order in the output. */
  public List<ScoreColumn> columns() {
    List<ScoreColumn> columns = new ArrayList<>();
    if (entropy) {
      columns.add(ScoreColumn.ENTROPY);
    }
    if (minK > 0) {
      columns.add(ScoreColumn.MIN_K);
    }
    if (minKPlusPlus > 0) {
      columns.add(ScoreColumn.MIN_K_PLUS_PLUS);
    }
    if (curvature) {
      columns.add(ScoreColumn.CURVATURE);
    }
    if (longestGreedyRun) {
      columns.add(ScoreColumn.LONGEST_GREEDY_RUN);
    }
    return columns;
  }

  /** Returns the percentage of tokens that a column is the mean of; 0 for other columns. */
  public int percent(String column) {
    if (column.equals(ScoreColumn.MIN_K.column())) {
      return minK;
    }
    return column.equals(ScoreColumn.MIN_K_PLUS_PLUS.column()) ? minKPlusPlus : 0;
  }

  /** Returns the columns of all signals, in their order in the output. */
  public List<ScoreColumn> allColumns() {
    List<ScoreColumn> columns = new ArrayList<>();
    if (tokenEntropy) {
      columns.add(ScoreColumn.TOKEN_ENTROPY);
    }
    columns.addAll(columns());
    return columns;
  }

  /**
   * Sets the signals of a row. They are null if no token was scored, except that the list of
   * entropies is empty.
   *
   * @return the first signal that is not finite; null if all are finite
   */
  public NonFinite set(ScoredRow out, Scores<?> scores) {
    if (tokenEntropy) {
      float[] means = scores.moments().tokenMeans();
      float[] entropies = new float[means.length];
      for (int i = 0; i < means.length; i++) {
        entropies[i] = 0 - means[i];
      }
      out.setTokenEntropy(entropies);
    }
    if (scores.tokenCount() == 0) {
      return null;
    }
    out.setEntropy(entropy ? scores.entropy() : null);
    out.setMinK(minK > 0 ? scores.minK(minK) : null);
    out.setMinKPlusPlus(minKPlusPlus > 0 ? scores.minKPlusPlus(minKPlusPlus) : null);
    out.setCurvature(curvature ? scores.curvature() : null);
    out.setLongestGreedyRun(longestGreedyRun ? scores.longestGreedyRun() : null);
    for (ScoreColumn column : columns()) {
      if (!Double.isFinite(out.number(column))) {
        return new NonFinite(column.column(), out.number(column));
      }
    }
    return null;
  }

  /** Returns the values of {@code --emit} that select these signals. */
  List<String> words() {
    List<String> words = new ArrayList<>();
    if (tokenEntropy) {
      words.add("token-entropy");
    }
    if (entropy) {
      words.add("entropy");
    }
    if (minK > 0) {
      words.add("min-k=" + minK);
    }
    if (minKPlusPlus > 0) {
      words.add("min-k-plus-plus=" + minKPlusPlus);
    }
    if (curvature) {
      words.add("curvature");
    }
    if (longestGreedyRun) {
      words.add("longest-greedy-run");
    }
    return words;
  }
}
