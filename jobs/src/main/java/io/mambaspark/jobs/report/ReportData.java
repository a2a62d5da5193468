package io.mambaspark.jobs.report;

import io.mambaspark.jobs.stats.Distributions;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * All that a report shows. Lists may be empty; the page then says what is missing.
 *
 * @param title of the page
 * @param headlines the numbers to see first, some four to eight
 * @param distributions of perplexity; null where the run had none
 * @param groups a row of the table of groups each, in the order to show
 * @param positions mean loss by the place of a token in its document, by ascending position
 * @param errors documents by kind of error
 * @param speed tokens scored since the start, by ascending time
 * @param tasks when Spark's tasks ran
 * @param options of the command
 * @param versions fingerprints and versions
 * @param notes sentences on how the scores came about
 */
public record ReportData(
    String title,
    List<Headline> headlines,
    Distributions distributions,
    List<GroupRow> groups,
    List<Position> positions,
    Map<String, Long> errors,
    List<Speed> speed,
    List<TaskTime> tasks,
    Map<String, String> options,
    Map<String, String> versions,
    List<String> notes) {

  public ReportData {
    Objects.requireNonNull(title, "title");
    headlines = List.copyOf(headlines);
    groups = List.copyOf(groups);
    positions = List.copyOf(positions);
    speed = List.copyOf(speed);
    tasks = List.copyOf(tasks);
    notes = List.copyOf(notes);
    errors = ordered(errors);
    options = ordered(options);
    versions = ordered(versions);
    for (int i = 1; i < positions.size(); i++) {
      require(
          positions.get(i - 1).firstPosition() < positions.get(i).firstPosition(),
          "positions are not in ascending order");
    }
    for (int i = 1; i < speed.size(); i++) {
      require(
          speed.get(i - 1).seconds() <= speed.get(i).seconds()
              && speed.get(i - 1).tokens() <= speed.get(i).tokens(),
          "speed is not in ascending order");
    }
  }

  private static <V> Map<String, V> ordered(Map<String, V> map) {
    map.forEach(
        (key, value) -> {
          Objects.requireNonNull(key);
          Objects.requireNonNull(value, key);
        });
    return Collections.unmodifiableMap(new LinkedHashMap<>(map));
  }

  private static void require(boolean holds, String message) {
    if (!holds) {
      throw new IllegalArgumentException(message);
    }
  }

  private static void requireTime(double seconds) {
    require(seconds >= 0 && seconds < Double.POSITIVE_INFINITY, "No time: " + seconds + " s");
  }

  /** A number with its name, as it is to be shown. */
  public record Headline(String name, String value) {
    public Headline {
      Objects.requireNonNull(name, "name");
      Objects.requireNonNull(value, "value");
    }
  }

  /**
   * What is known of a group. Any of the doubles may be null: the group has no such number.
   *
   * @param corpusPerplexity {@code exp(Σ nll / Σ tokens)}
   * @param error of the corpus perplexity, one standard error, in the same unit
   * @param meanDocumentPerplexity the mean of the documents' own perplexities
   */
  public record GroupRow(
      String name,
      long documents,
      long tokens,
      Double corpusPerplexity,
      Double error,
      Double meanDocumentPerplexity,
      Double wordPerplexity,
      Double bytePerplexity,
      Double bitsPerByte) {
    public GroupRow {
      Objects.requireNonNull(name, "name");
    }
  }

  /**
   * The tokens between a position and the next one that is told of.
   *
   * @param firstPosition in the document, from 0
   * @param nll the sum over these tokens, in nats
   */
  public record Position(long firstPosition, long tokens, double nll) {
    public Position {
      require(firstPosition >= 0, "Position " + firstPosition + " is negative");
      require(tokens >= 0, tokens + " tokens at position " + firstPosition);
      require(!Double.isNaN(nll), "No nll at position " + firstPosition);
    }
  }

  /** All tokens scored up to a time since the start. */
  public record Speed(double seconds, long tokens) {
    public Speed {
      requireTime(seconds);
    }
  }

  /**
   * When a task ran, since the start.
   *
   * @param tokens that it scored; -1 if that is not known
   */
  public record TaskTime(double start, double end, long tokens) {
    public TaskTime {
      requireTime(start);
      requireTime(end);
      require(start <= end, "A task ends at " + end + " s, before it starts at " + start + " s");
    }
  }
}
