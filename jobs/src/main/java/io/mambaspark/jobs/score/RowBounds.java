package io.mambaspark.jobs.score;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The bounds of the perplexities and of the signals of the rows that are written. A row outside a
 * bound is dropped.
 *
 * @param minPerplexity the lowest perplexity; null for no bound
 * @param maxPerplexity the highest perplexity; null for no bound
 * @param min the lowest value by column
 * @param max the highest value by column
 */
public record RowBounds(
    Double minPerplexity,
    Double maxPerplexity,
    Map<ScoreColumn, Double> min,
    Map<ScoreColumn, Double> max)
    implements Serializable {
  static final RowBounds NONE = new RowBounds(null, null, Map.of(), Map.of());

  /** Validates the bounds of perplexities, and that no pair of bounds excludes every row. */
  public RowBounds {
    check("--min-perplexity", minPerplexity);
    check("--max-perplexity", maxPerplexity);
    if (minPerplexity != null && maxPerplexity != null && minPerplexity > maxPerplexity) {
      throw Refusal.wrongUsage(
          "--min-perplexity %s is above --max-perplexity %s: nothing would be written",
          minPerplexity, maxPerplexity);
    }
    // A copy whose order, and so the identity of a run, does not depend on the command line.
    min = new TreeMap<>(min);
    max = new TreeMap<>(max);
    for (Map.Entry<ScoreColumn, Double> least : min.entrySet()) {
      Double most = max.get(least.getKey());
      if (most != null && least.getValue() > most) {
        String column = least.getKey().column();
        throw Refusal.wrongUsage(
            "--min %s=%s is above --max %s=%s: nothing would be written",
            column, least.getValue(), column, most);
      }
    }
  }

  private static void check(String option, Double bound) {
    if (bound != null && !(bound >= 1 && bound < Double.POSITIVE_INFINITY)) {
      throw Refusal.wrongUsage(
          "%s %s: expected a number of at least 1, the lowest possible perplexity", option, bound);
    }
  }

  /** Reads the bounds from the values of a command. */
  static RowBounds of(OptionValues values, Emit emit) {
    Double least = values.get(Options.MIN_PERPLEXITY);
    Double most = values.get(Options.MAX_PERPLEXITY);
    if ((least != null || most != null) && !emit.nll()) {
      throw Refusal.wrongUsage(
          "%s needs perplexities; --emit %s does not compute them",
          least != null ? "--min-perplexity" : "--max-perplexity", emit);
    }
    return new RowBounds(
        least, most, parse(Options.MIN, values, emit), parse(Options.MAX, values, emit));
  }

  private static Map<ScoreColumn, Double> parse(
      Option<List<String>> option, OptionValues values, Emit emit) {
    Map<ScoreColumn, Double> bounds = new TreeMap<>();
    for (String bound : values.get(option)) {
      String[] words = bound.split("=", 2);
      ScoreColumn column = emit.signal(words[0].strip(), option.flag() + " " + bound);
      if (bounds.put(column, number(option, bound, words)) != null) {
        throw Refusal.wrongUsage("%s bounds %s twice", option.flag(), column.column());
      }
    }
    return bounds;
  }

  private static double number(Option<?> option, String bound, String[] words) {
    try {
      double number = words.length == 2 ? Double.parseDouble(words[1].strip()) : Double.NaN;
      if (Double.isFinite(number)) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Refused below, like a number that is not finite.
    }
    throw Refusal.wrongUsage(
        "%s %s: expected COLUMN=X with a finite number X, such as entropy=2.5",
        option.flag(), bound);
  }

  /** Returns the values with the bounds of signals in their canonical spelling. */
  OptionValues normalize(OptionValues values) {
    return values.with(Options.MIN, words(min)).with(Options.MAX, words(max));
  }

  private static List<String> words(Map<ScoreColumn, Double> bounds) {
    return bounds.isEmpty()
        ? null
        : bounds.entrySet().stream()
            .map(bound -> bound.getKey().column() + "=" + bound.getValue())
            .collect(Collectors.toList());
  }

  /** Whether the bounds may exclude rows. */
  boolean any() {
    return !equals(NONE);
  }

  /**
   * Whether a row is dropped. A row without scored tokens is not.
   *
   * @param perplexity NaN if no token was scored
   * @param signals holds the signals
   */
  boolean exclude(double perplexity, ScoredRow signals) {
    boolean outside =
        (minPerplexity != null && perplexity < minPerplexity)
            || (maxPerplexity != null && perplexity > maxPerplexity);
    for (Map.Entry<ScoreColumn, Double> least : min.entrySet()) {
      Double value = signals.number(least.getKey());
      outside |= value != null && value < least.getValue();
    }
    for (Map.Entry<ScoreColumn, Double> most : max.entrySet()) {
      Double value = signals.number(most.getKey());
      outside |= value != null && value > most.getValue();
    }
    return outside;
  }
}
