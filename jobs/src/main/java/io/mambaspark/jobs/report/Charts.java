package io.mambaspark.jobs.report;

import io.mambaspark.jobs.report.ReportData.Position;
import io.mambaspark.jobs.report.ReportData.Speed;
import io.mambaspark.jobs.report.ReportData.TaskTime;
import io.mambaspark.jobs.stats.Distributions.LengthClass;
import io.mambaspark.jobs.stats.Distributions.Series;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;

/**
 * The charts of a report, each drawn for a width in pixels. A page contains each chart for a wide
 * and for a narrow screen, because text that fits one is too small or too large on the other.
 */
final class Charts {
  private static final int NARROW = 500;
  private static final int MAX_WINDOWS = 60;

  /** A perplexity is drawn as infinite if its logarithm to base 10 is at least this. */
  private static final double INFINITE = 308;

  /** The least height of a bin that is not empty, as a share of the chart: more than a pixel. */
  private static final double LEAST = 0.012;

  /** The same share for the lower chart of {@link #row}. */
  private static final double LEAST_OF_ROW = 0.035;

  private Charts() {}

  /** A series of a histogram, with the number of its colour. */
  private record Coloured(Series series, int number) {
    String colour() {
      return Chart.colour(series.rest() ? 9 : number);
    }
  }

  /** Draws all series in one histogram. */
  static String histogram(List<Double> edges, List<Series> series, int width, String label) {
    double high = series.stream().mapToDouble(Charts::highest).max().orElse(1);
    Chart chart =
        perplexities(new Chart(width, width > NARROW ? 300 : 250), edges, width)
            .y(Ticks.linear(high, 4), 0, high);
    for (int s = 0; s < series.size(); s++) {
      steps(chart, logarithms(edges), new Coloured(series.get(s), s + 1), high * LEAST);
    }
    return chart.svg(label);
  }

  /** Draws the histogram of a signal on a linear axis. */
  static String linearHistogram(
      String signal, List<Double> edges, Series series, int width, String label) {
    double high = highest(series);
    double low = edges.get(0);
    double end = edges.get(edges.size() - 1);
    Chart chart =
        new Chart(width, width > NARROW ? 220 : 190)
            .x(signal, Ticks.linear(low, end, width / 80), low, end)
            .y(Ticks.linear(high, 3), 0, high);
    return steps(chart, edges, new Coloured(series, 1), high * LEAST).svg(label);
  }

  private static List<Double> logarithms(List<Double> edges) {
    return edges.stream().map(Charts::log10).toList();
  }

  /**
   * Draws one of several series that the page stacks. Each has its own vertical scale.
   *
   * @param last whether this is the last row, which shows the horizontal axis for all rows
   */
  static String row(
      List<Double> edges, Series series, int number, boolean last, int width, String label) {
    double high = highest(series);
    Chart chart =
        perplexities(new Chart(width, last ? 88 : 52), edges, width)
            .y(Ticks.linear(high, 1), 0, high)
            .without("y");
    if (!last) {
      chart.without("x");
    }
    return steps(chart, logarithms(edges), new Coloured(series, number), high * LEAST_OF_ROW)
        .svg(label);
  }

  private static Chart perplexities(Chart chart, List<Double> edges, int width) {
    double low = log10(edges.get(0));
    double high = log10(edges.get(edges.size() - 1));
    return chart.x("perplexity", Ticks.log10(low, high, width / 80), low, high);
  }

  private static double highest(Series series) {
    return Math.max(1, series.counts().stream().mapToLong(Long::longValue).max().orElse(1));
  }

  /**
   * Draws the outline of the bins as one shape, from the first to the last bin that is not empty.
   * Each of these is drawn at least {@code least} high, so that one document among thousands is
   * visible.
   *
   * @param edges the positions of the bins' edges on the axis
   */
  private static Chart steps(Chart chart, List<Double> edges, Coloured coloured, double least) {
    List<Long> counts = coloured.series().counts();
    int first = 0;
    int last = counts.size() - 1;
    while (first < last && counts.get(first) == 0) {
      first++;
    }
    while (last > first && counts.get(last) == 0) {
      last--;
    }
    List<Double> x = new ArrayList<>(List.of(edges.get(first)));
    List<Double> y = new ArrayList<>(List.of(0.0));
    for (int bin = first; bin <= last; bin++) {
      double count = counts.get(bin) == 0 ? 0 : Math.max(least, counts.get(bin));
      x.addAll(List.of(edges.get(bin), edges.get(bin + 1)));
      y.addAll(List.of(count, count));
    }
    x.add(edges.get(last + 1));
    y.add(0.0);
    return chart.draw(
        "polygon",
        Map.of("x", x, "y", y),
        Map.of("color", coloured.colour(), "fill", coloured.colour(), "alpha", 0.3, "size", 0.6));
  }

  /** Draws median, quartiles and the 5th to 95th percentile of at least two length classes. */
  static String lengths(List<LengthClass> lengths, int width, String label) {
    List<Double> x = at(lengths, length -> log2(length.firstTokens()));
    double top =
        top(
            lengths.stream()
                .flatMap(length -> length.percentiles().values().stream())
                .mapToDouble(Charts::log10));
    Map<Integer, List<Double>> y = new HashMap<>();
    for (int rank : new int[] {5, 25, 50, 75, 95}) {
      y.put(rank, at(lengths, length -> Math.min(top, log10(length.percentiles().at(rank)))));
    }
    double low = y.get(5).stream().mapToDouble(v -> v).min().orElseThrow();
    double high = y.get(95).stream().mapToDouble(v -> v).max().orElseThrow();
    Chart chart =
        lengths(new Chart(width, width > NARROW ? 300 : 250), "tokens of a document", x, width);
    vertical(chart, low, high)
        .draw(
            "ribbon",
            Map.of("x", x, "ymin", y.get(5), "ymax", y.get(95)),
            Map.of("color", Chart.colour(1), "fill", Chart.colour(1), "alpha", 0.16, "size", 0.0))
        .draw(
            "ribbon",
            Map.of("x", x, "ymin", y.get(25), "ymax", y.get(75)),
            Map.of("color", Chart.colour(1), "fill", Chart.colour(1), "alpha", 0.3, "size", 0.0));
    return line(chart, x, y.get(50)).svg(label);
  }

  /** Draws perplexity by token position. Requires at least two positions with tokens. */
  static String positions(List<Position> positions, int width, String label) {
    List<Double> x =
        at(
            positions,
            position ->
                position.firstPosition() == 0
                    ? Ticks.LOG2_OF_ZERO
                    : log2(position.firstPosition()));
    List<Double> all = at(positions, position -> position.nll() / position.tokens() / Math.log(10));
    double top = top(all.stream().mapToDouble(v -> v));
    List<Double> y = at(all, v -> Math.min(top, v));
    double low = y.stream().mapToDouble(v -> v).min().orElseThrow();
    double high = y.stream().mapToDouble(v -> v).max().orElseThrow();
    Chart chart =
        lengths(
            new Chart(width, width > NARROW ? 280 : 240),
            "position of the token in its document, from 0",
            x,
            width);
    return line(vertical(chart, low, high), x, y).svg(label);
  }

  /**
   * Returns the logarithm at which infinite perplexities are drawn: that of the highest finite one.
   *
   * @param logarithms the logarithms of perplexities to base 10
   */
  private static double top(DoubleStream logarithms) {
    return logarithms.filter(v -> v < INFINITE).max().orElse(INFINITE);
  }

  private static Chart lengths(Chart chart, String name, List<Double> x, int width) {
    double low = x.get(0);
    double high = x.get(x.size() - 1);
    return chart.x(name, Ticks.log2((int) low, (int) Math.ceil(high), width / 68), low, high);
  }

  /** Adds a logarithmic vertical axis with some space at both ends. */
  private static Chart vertical(Chart chart, double low, double high) {
    double pad = Math.max(0.02, (high - low) * 0.06);
    return chart.y(Ticks.log10(low - pad, high + pad, 6), low - pad, high + pad);
  }

  private static Chart line(Chart chart, List<Double> x, List<Double> y) {
    return chart
        .draw("line", Map.of("x", x, "y", y), Map.of("color", Chart.colour(1), "size", 1.1))
        .draw("point", Map.of("x", x, "y", y), Map.of("color", Chart.colour(1), "size", 2.6));
  }

  /**
   * Draws tokens per second over time. The last sample must be later than the first, with more
   * tokens.
   */
  static String speed(List<Speed> speed, double axisEnd, int width, String label) {
    double begin = speed.get(0).seconds();
    double end = speed.get(speed.size() - 1).seconds();
    int windows = Math.min(MAX_WINDOWS, speed.size() - 1);
    List<Double> x = new ArrayList<>(List.of(begin));
    List<Double> y = new ArrayList<>(List.of(0.0));
    List<Double> rates = rates(speed);
    for (int w = 0; w < rates.size(); w++) {
      double from = begin + (end - begin) * w / rates.size();
      double to = begin + (end - begin) * (w + 1) / rates.size();
      x.addAll(List.of(from, to));
      y.addAll(List.of(rates.get(w), rates.get(w)));
    }
    x.add(end);
    y.add(0.0);
    double high = highest(rates);
    return times(new Chart(width, width > NARROW ? 220 : 200), axisEnd, width)
        .y(rateTicks(speed), 0, high)
        .draw(
            "polygon",
            Map.of("x", x, "y", y),
            Map.of("color", Chart.colour(3), "fill", Chart.colour(3), "alpha", 0.25, "size", 0.6))
        .svg(label);
  }

  /** Returns tokens per second in windows of equal length. */
  private static List<Double> rates(List<Speed> speed) {
    double begin = speed.get(0).seconds();
    int windows = Math.min(MAX_WINDOWS, speed.size() - 1);
    double window = (speed.get(speed.size() - 1).seconds() - begin) / windows;
    List<Double> rates = new ArrayList<>();
    for (int w = 0; w < windows; w++) {
      rates.add(
          (tokens(speed, begin + window * (w + 1)) - tokens(speed, begin + window * w)) / window);
    }
    return rates;
  }

  private static double highest(List<Double> rates) {
    return rates.stream().mapToDouble(rate -> rate).max().orElseThrow();
  }

  private static Ticks rateTicks(List<Speed> speed) {
    return Ticks.linear(highest(rates(speed)), 4);
  }

  /** Interpolates the number of tokens at a time between two samples. */
  private static double tokens(List<Speed> speed, double seconds) {
    int i = 1;
    while (i < speed.size() - 1 && speed.get(i).seconds() < seconds) {
      i++;
    }
    Speed before = speed.get(i - 1);
    Speed after = speed.get(i);
    double span = after.seconds() - before.seconds();
    double share = span > 0 ? (seconds - before.seconds()) / span : 1;
    return before.tokens() + Math.min(1, Math.max(0, share)) * (after.tokens() - before.tokens());
  }

  /** Returns a lane for each task, from 0. Tasks that ran at the same time have different lanes. */
  static List<Integer> lanes(List<TaskTime> tasksByStart) {
    List<Double> free = new ArrayList<>();
    List<Integer> lanes = new ArrayList<>();
    for (TaskTime task : tasksByStart) {
      int lane = 0;
      while (lane < free.size() && free.get(lane) > task.start() + 1e-9) {
        lane++;
      }
      if (lane == free.size()) {
        free.add(0.0);
      }
      free.set(lane, task.end());
      lanes.add(lane);
    }
    return lanes;
  }

  static List<TaskTime> byStart(List<TaskTime> tasks) {
    return tasks.stream().sorted(Comparator.comparingDouble(TaskTime::start)).toList();
  }

  /** Draws each task as a bar in its lane, aligned with a chart of {@code speed} above it. */
  static String tasks(
      List<TaskTime> byStart,
      List<Integer> lanes,
      List<Speed> speed,
      double end,
      int width,
      String label) {
    Ticks above = speed.isEmpty() ? new Ticks(List.of(), List.of()) : rateTicks(speed);
    int count = lanes.stream().mapToInt(lane -> lane).max().orElse(0) + 1;
    // A visible gap separates consecutive tasks.
    double gap = end / width * 0.8;
    int height = 46 + Math.min(count * 26, 64 + count * 8);
    return times(new Chart(width, height), end, width)
        .hiddenY(above, 0, count)
        .draw(
            "rect",
            Map.of(
                "xmin", at(byStart, TaskTime::start),
                "xmax", at(byStart, task -> Math.max(task.start() + gap / 2, task.end() - gap)),
                "ymin", lanes.stream().map(lane -> count - lane - 0.88).toList(),
                "ymax", lanes.stream().map(lane -> count - lane - 0.12).toList()),
            Map.of("color", Chart.colour(1), "fill", Chart.colour(1), "alpha", 0.75, "size", 0.0))
        .svg(label);
  }

  /** Draws a histogram of task durations, for more tasks than bars can show. */
  static String durations(List<TaskTime> tasks, int width, String label) {
    double longest = tasks.stream().mapToDouble(task -> task.end() - task.start()).max().orElse(0);
    double high = longest > 0 ? longest : 1;
    int bins = 40;
    long[] counts = new long[bins];
    for (TaskTime task : tasks) {
      counts[Math.min(bins - 1, (int) ((task.end() - task.start()) / high * bins))]++;
    }
    List<Double> x = new ArrayList<>(List.of(0.0));
    List<Double> y = new ArrayList<>(List.of(0.0));
    double most = 0;
    for (int bin = 0; bin < bins; bin++) {
      x.addAll(List.of(high * bin / bins, high * (bin + 1) / bins));
      y.addAll(List.of((double) counts[bin], (double) counts[bin]));
      most = Math.max(most, counts[bin]);
    }
    x.add(high);
    y.add(0.0);
    return axis(new Chart(width, width > NARROW ? 220 : 200), "duration of a task", high, width)
        .y(Ticks.linear(most, 4), 0, most)
        .draw(
            "polygon",
            Map.of("x", x, "y", y),
            Map.of("color", Chart.colour(1), "fill", Chart.colour(1), "alpha", 0.3, "size", 0.6))
        .svg(label);
  }

  private static Chart times(Chart chart, double end, int width) {
    return axis(chart, "time since the start", end, width);
  }

  private static Chart axis(Chart chart, String name, double end, int width) {
    double unit = end > 5400 ? 3600 : end > 120 ? 60 : 1;
    String symbol = unit == 3600 ? "h" : unit == 60 ? "min" : "s";
    Ticks ticks = Ticks.linear(end / unit, width / 90);
    Ticks scaled = new Ticks(at(ticks.at(), at -> at * unit), ticks.labels());
    return chart.x(name + " (" + symbol + ")", scaled, 0, end);
  }

  private static <T> List<Double> at(List<T> items, ToDoubleFunction<T> value) {
    return items.stream().mapToDouble(value).boxed().toList();
  }

  static double log10(double value) {
    return Math.log10(value);
  }

  private static double log2(double value) {
    return Math.log(value) / Math.log(2);
  }
}
