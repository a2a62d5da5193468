package io.mambaspark.jobs.report;

import io.mambaspark.jobs.stats.Distributions;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The content of a report. Lists may be empty; the page then states what is missing.
 *
 * @param distributions the distributions of perplexity; null if the run has none
 */
public record ReportData(
    Head head, Distributions distributions, Sums sums, Timing timing, Origin origin) {

  public ReportData {
    Objects.requireNonNull(head, "head");
    Objects.requireNonNull(sums, "sums");
    Objects.requireNonNull(timing, "timing");
    Objects.requireNonNull(origin, "origin");
  }

  /**
   * The top of the page.
   *
   * @param headlines the most important numbers, about four to eight
   * @param notes sentences on how the scores were computed
   */
  public record Head(String title, List<Headline> headlines, List<String> notes) {
    public Head {
      Objects.requireNonNull(title, "title");
      headlines = List.copyOf(headlines);
      notes = List.copyOf(notes);
    }
  }

  /**
   * Sums over the documents.
   *
   * @param groups one row for each group, in display order
   * @param positions loss by the position of a token in its document, by ascending position
   * @param errors the number of documents by kind of error
   */
  public record Sums(List<GroupRow> groups, List<Position> positions, Map<String, Long> errors) {
    /** No sums; the page states that they are missing. */
    public static final Sums NONE = new Sums(List.of(), List.of(), Map.of());

    public Sums {
      groups = List.copyOf(groups);
      positions = List.copyOf(positions);
      errors = ordered(errors);
      for (int i = 1; i < positions.size(); i++) {
        require(
            positions.get(i - 1).firstPosition() < positions.get(i).firstPosition(),
            "positions are not in ascending order");
      }
    }
  }

  /**
   * The progress of the run over time.
   *
   * @param speed the number of tokens scored since the start, by ascending time
   * @param tasks the times of Spark's tasks
   */
  public record Timing(List<Speed> speed, List<TaskTime> tasks) {
    /** A run that was not observed. */
    public static final Timing NONE = new Timing(List.of(), List.of());

    public Timing {
      speed = List.copyOf(speed);
      tasks = List.copyOf(tasks);
      for (int i = 1; i < speed.size(); i++) {
        require(
            speed.get(i - 1).seconds() <= speed.get(i).seconds()
                && speed.get(i - 1).tokens() <= speed.get(i).tokens(),
            "speed is not in ascending order");
      }
    }
  }

  /**
   * The information that is needed to repeat the run.
   *
   * @param options the options of the command
   * @param versions fingerprints and versions
   */
  public record Origin(Map<String, String> options, Map<String, String> versions) {
    /** A run without recorded options and versions. */
    public static final Origin NONE = new Origin(Map.of(), Map.of());

    public Origin {
      options = ordered(options);
      versions = ordered(versions);
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
    require(
        seconds >= 0 && seconds < Double.POSITIVE_INFINITY,
        "Expected a finite time of at least 0 s, found " + seconds + " s");
  }

  /** A number and its name, formatted for display. */
  public record Headline(String name, String value) {
    public Headline {
      Objects.requireNonNull(name, "name");
      Objects.requireNonNull(value, "value");
    }
  }

  /**
   * The numbers of one group. A double is null if the group has no such number.
   *
   * @param corpusPerplexity {@code exp(Σ nll / Σ tokens)}
   * @param error one standard error of the corpus perplexity, in the same unit
   * @param meanDocumentPerplexity the mean of the documents' perplexities
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
   * The tokens from {@code firstPosition} to the next listed position, exclusive.
   *
   * @param firstPosition the first position in the document, from 0
   * @param nll the sum over these tokens, in nats
   */
  public record Position(long firstPosition, long tokens, double nll) {
    public Position {
      require(firstPosition >= 0, "Position " + firstPosition + " is negative");
      require(tokens >= 0, "Found " + tokens + " tokens at position " + firstPosition);
      require(!Double.isNaN(nll), "nll at position " + firstPosition + " is NaN");
    }
  }

  /** The number of tokens scored up to a time since the start of the run. */
  public record Speed(double seconds, long tokens) {
    public Speed {
      requireTime(seconds);
    }
  }

  /**
   * The start and the end of a task, in seconds since the start of the run.
   *
   * @param tokens the number of tokens that the task scored; -1 if unknown
   */
  public record TaskTime(double start, double end, long tokens) {
    public TaskTime {
      requireTime(start);
      requireTime(end);
      require(start <= end, "A task ends at " + end + " s, before it starts at " + start + " s");
    }
  }
}
